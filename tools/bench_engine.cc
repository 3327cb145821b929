// The engine on networks of the usual shapes, with random weights and pictures: samples a second on all threads. Where it has an
// operator that is much of a network, how many times as fast it is as the reference executor.
#include <cmath>
#include <deque>
#include <memory>

#include "bench.h"
#include "core/buffer.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "network/array.h"
#include "network/engine.h"
#include "network/executor.h"
#include "network/graph_builder.h"

namespace dws::tools {
namespace {

using network::attribute;
using Dims = std::vector<int64_t>;

// A network made operator by operator; every call adds one and moves on.
class Maker {
 public:
  explicit Maker(const Dims& sample) {
    Dims dims = {-1};
    dims.insert(dims.end(), sample.begin(), sample.end());
    at_ = value("x");
    net_.values.back().type = OnnxType::f32;
    net_.values.back().dims = dims;
    net_.graph.inputs = {at_};
    channels_ = sample.size() == 2 ? sample[1] : sample[0];  // rows of channels, or pictures
  }
  int at() const noexcept { return at_; }
  void go_on_from(int value, int64_t channels) { at_ = value, channels_ = channels; }
  int64_t channels() const noexcept { return channels_; }

  void linear(int64_t out) {
    node("Gemm", {at_, constant({out, channels_}), constant({out})}, {attribute("transB", int64_t{1})});
    channels_ = out;
  }
  void conv(int64_t out, int64_t kernel, int64_t stride, bool norm = true) {
    const int64_t pad = kernel / 2;
    node("Conv", {at_, constant({out, channels_, kernel, kernel})},
         {attribute("pads", Dims{pad, pad, pad, pad}), attribute("strides", Dims{stride, stride})});
    channels_ = out;
    if (norm)
      node("BatchNormalization",
           {at_, constant({out}), constant({out}), constant({out}), constant({out}, 1)});
  }
  void relu() { node("Relu", {at_}); }
  void pool(int64_t kernel, int64_t stride, int64_t pad) {
    node("MaxPool", {at_},
         {attribute("kernel_shape", Dims{kernel, kernel}), attribute("strides", Dims{stride, stride}),
          attribute("pads", Dims{pad, pad, pad, pad})});
  }
  void mean() {
    node("GlobalAveragePool", {at_});
    node("Flatten", {at_});
  }
  void add(int other) { node("Add", {at_, other}); }
  // Of every row of (B, length, channels).
  void project(int64_t out) {
    node("MatMul", {at_, constant({channels_, out})});
    node("Add", {at_, constant({out})});
    channels_ = out;
  }
  // A layer of a transformer, norms before: attention is one operator.
  void transformer_layer(int64_t heads) {
    const int from = at_;
    const int64_t width = channels_;
    layer_norm();
    const int normed = at_;
    std::vector<int> parts;
    for (int i = 0; i < 3; ++i) {
      go_on_from(normed, width);
      project(width);
      parts.push_back(at_);
    }
    node("Attention", parts, {attribute("q_num_heads", heads), attribute("kv_num_heads", heads)});
    project(width);
    add(from);
    const int between = at_;
    layer_norm();
    project(4 * width);
    node("Gelu", {at_});
    project(width);
    add(between);
  }
  void layer_norm() { node("LayerNormalization", {at_, constant({channels_}, 1), constant({channels_})}); }
  void mean_of_rows() {
    node("ReduceMean", {at_}, {attribute("axes", Dims{1}), attribute("keepdims", int64_t{0})});
  }
  // (B, length, channels) to every step's state, (B, length, hidden).
  void lstm(int64_t hidden) {
    node("LSTM",
         {at_, constant({1, 4 * hidden, channels_}), constant({1, 4 * hidden, hidden}),
          constant({1, 8 * hidden})},
         {attribute("hidden_size", hidden), attribute("layout", int64_t{1})});
    const int states = at_;
    node("Squeeze", {states}, {attribute("axes", Dims{2})});
    net_.graph.nodes.back().version = 11;
    channels_ = hidden;
  }
  // A residual block: convolutions of (filters, kernel), the first that is no 1 x 1 with the stride.
  void block(const std::vector<std::pair<int64_t, int64_t>>& convs, int64_t stride) {
    const int from = at_;
    const int64_t in = channels_;
    int64_t left = stride;
    for (size_t i = 0; i < convs.size(); ++i) {
      const bool here = convs[i].second > 1;
      conv(convs[i].first, convs[i].second, here ? left : 1);
      if (here) left = 1;
      if (i + 1 < convs.size()) relu();
    }
    const int through = at_;
    const int64_t out = channels_;
    if (in != out || stride != 1) {
      go_on_from(from, in);
      conv(out, 1, stride);
      add(through);
    } else {
      add(from);
    }
    relu();
  }
  network::Network take() {
    net_.graph.outputs = {at_};
    net_.file = "bench";
    net_.owner = store_;
    return std::move(net_);
  }

 private:
  int value(const std::string& name) {
    net_.values.push_back({.name = name});
    return static_cast<int>(net_.values.size()) - 1;
  }
  int constant(const Dims& dims, float around = 0) {
    int64_t size = 1, fan = 1;
    for (size_t a = 0; a < dims.size(); ++a) size *= dims[a], fan *= a ? dims[a] : 1;
    Buffer<float>& numbers = store_->emplace_back(static_cast<size_t>(size));
    const float width = dims.size() > 1 ? std::sqrt(6.0f / static_cast<float>(fan)) : 0.2f;
    for (float& v : numbers) v = around + width * (2 * rng_.uniform_float() - 1);
    const std::string name = "t" + std::to_string(net_.constants.size());
    net_.constants.push_back(
        {.name = name, .type = OnnxType::f32, .dims = dims, .bytes = std::as_bytes(numbers.span())});
    const int v = value(name);
    net_.values.back().constant = static_cast<int>(net_.constants.size()) - 1;
    return v;
  }
  void node(const std::string& op, std::vector<int> inputs, std::vector<OnnxAttribute> attributes = {}) {
    at_ = value("v" + std::to_string(net_.values.size()));
    network::Node n{.name = op, .op = op, .domain = "", .version = 13};
    n.inputs = std::move(inputs);
    n.outputs = {at_};
    n.attributes = std::move(attributes);
    net_.graph.nodes.push_back(std::move(n));
  }

  network::Network net_;
  std::shared_ptr<std::deque<Buffer<float>>> store_ = std::make_shared<std::deque<Buffer<float>>>();
  Rng rng_{1};
  int at_ = 0;
  int64_t channels_ = 1;
};

network::Network mlp() {
  Maker m({784});
  for (int i = 0; i < 3; ++i) m.linear(512), m.relu();
  m.linear(10);
  return m.take();
}
network::Network cifar_cnn() {
  Maker m({3, 32, 32});
  for (const int64_t c : {32, 64, 128}) {
    for (int i = 0; i < 2; ++i) m.conv(c, 3, 1), m.relu();
    m.pool(2, 2, 0);
  }
  m.mean();
  m.linear(10);
  return m.take();
}
network::Network resnet20() {
  Maker m({3, 32, 32});
  m.conv(16, 3, 1), m.relu();
  for (const int64_t c : {16, 32, 64})
    for (int i = 0; i < 3; ++i) m.block({{c, 3}, {c, 3}}, i == 0 && c > 16 ? 2 : 1);
  m.mean();
  m.linear(10);
  return m.take();
}
network::Network resnet50() {
  Maker m({3, 224, 224});
  m.conv(64, 7, 2), m.relu();
  m.pool(3, 2, 1);
  const std::pair<int64_t, int> stages[] = {{64, 3}, {128, 4}, {256, 6}, {512, 3}};
  for (const auto& [c, blocks] : stages)
    for (int i = 0; i < blocks; ++i) m.block({{c, 1}, {c, 3}, {4 * c, 1}}, i == 0 && c > 64 ? 2 : 1);
  m.mean();
  m.linear(1000);
  return m.take();
}

network::Network transformer() {
  Maker m({128, 128});
  for (int i = 0; i < 4; ++i) m.transformer_layer(4);
  m.layer_norm();
  m.mean_of_rows();
  m.linear(10);
  return m.take();
}
network::Network lstm() {
  Maker m({64, 32});
  for (int i = 0; i < 2; ++i) m.lstm(128);
  m.mean_of_rows();
  m.linear(10);
  return m.take();
}

// Seconds that the reference executor takes for a sample.
double reference_seconds(const network::Network& network, const Dims& sample, const Buffer<float>& numbers,
                         double seconds) {
  network::Array input{.dims = {1}};
  input.dims.insert(input.dims.end(), sample.begin(), sample.end());
  input.reals.assign(numbers.begin(), numbers.end());
  const auto given = std::make_shared<const network::Array>(std::move(input));
  network::Executor executor(network, network::Precision::f64);
  return best_seconds(seconds, [&] { executor.run({given}); });
}

BenchCase forward(const std::string& name, network::Network (*make)(), const Dims& sample, int64_t samples,
                  bool against_reference = false) {
  return {"engine." + name, [=](const BenchContext& context) {
            const network::Network network = make();
            network::Engine engine(network, {.samples = {sample}});
            Rng rng(2);
            Buffer<float> picture(static_cast<size_t>(network::elements(sample)));
            for (float& v : picture) v = rng.uniform_float();
            const auto run = [&] {
              engine.run(
                  samples,
                  [&](int, int64_t, int64_t count, float* to) {
                    for (int64_t i = 0; i < count; ++i) to = std::copy(picture.begin(), picture.end(), to);
                  },
                  [](int64_t, int64_t, const std::vector<const float*>&) {});
            };
            const double seconds = best_seconds(context.seconds, run);
            const double gflops = 1e-9 * engine.flops() * static_cast<double>(samples) / seconds;
            Json result = Json::object();
            result.set("threads", threads());
            result.set("samples_per_second", static_cast<double>(samples) / seconds);
            result.set("gflops", gflops);
            result.set("share_of_peak", gflops / context.peak(threads()));
            result.set("mflop_per_sample", 1e-6 * engine.flops());
            result.set("piece", engine.piece());
            if (against_reference)
              result.set("times_the_reference", reference_seconds(network, sample, picture, context.seconds) *
                                                    static_cast<double>(samples) / seconds);
            return result;
          }};
}

}  // namespace

std::vector<BenchCase> bench_engine() {
  return {forward("mlp", mlp, {784}, 4800),
          forward("cifar_cnn", cifar_cnn, {3, 32, 32}, 256),
          forward("resnet20", resnet20, {3, 32, 32}, 256),
          forward("resnet50", resnet50, {3, 224, 224}, 4),
          forward("transformer", transformer, {128, 128}, 32, true),
          forward("lstm", lstm, {64, 32}, 128, true)};
}

}  // namespace dws::tools
