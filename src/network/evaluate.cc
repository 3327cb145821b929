#include "network/evaluate.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/shape.h"
#include "core/text.h"
#include "network/array.h"

namespace dws::network {
namespace {

constexpr int kBins = 15;

struct Judged {
  double loss = 0, confidence = 0;
  bool correct = false;
};

Judged judge(const float* row, int64_t classes, int64_t label, OutputKind kind) {
  int64_t best = 0;
  bool finite = true;
  for (int64_t k = 0; k < classes; ++k) {
    if (row[k] > row[best]) best = k;
    finite = finite && !std::isnan(row[k]);
  }
  const auto number = [&](int64_t k) { return static_cast<double>(row[k]); };
  double sum = 1, shift = 0;
  if (kind == OutputKind::logits) {
    shift = number(best);
    sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(number(k) - shift);
  }
  Judged j;
  j.correct = finite && best == label;
  if (kind == OutputKind::probabilities) {
    // A probability that has rounded to zero is no more certain than the smallest float.
    j.loss = -std::log(std::max(number(label), static_cast<double>(std::numeric_limits<float>::min())));
    j.confidence = number(best);
  } else {
    j.loss = std::log(sum) - (number(label) - shift);
    j.confidence = std::exp(number(best) - shift) / sum;
  }
  if (!finite) j.loss = j.confidence = std::numeric_limits<double>::quiet_NaN();
  return j;
}

EngineOptions engine_options(const Network& network, const LabelledData& data,
                             const Evaluator::Options& options) {
  return {.samples = {sample_dims(network, data)}, .watched = options.watched, .piece = options.piece};
}

}  // namespace

OutputKind parse_output_kind(const std::string& name) {
  for (const OutputKind kind : {OutputKind::logits, OutputKind::probabilities, OutputKind::log_probabilities})
    if (name == to_string(kind)) return kind;
  throw Error(
      ErrorKind::usage,
      text("--output '{}': expected auto, logits, probabilities or log-probabilities", escaped(name)));
}
const char* to_string(OutputKind kind) noexcept {
  return kind == OutputKind::logits          ? "logits"
         : kind == OutputKind::probabilities ? "probabilities"
                                             : "log-probabilities";
}
OutputKind output_kind(const Network& network) {
  int output = network.graph.outputs.at(0);
  for (size_t i = network.graph.nodes.size(); i-- > 0;) {
    const Node& node = network.graph.nodes[i];
    if (node.outputs.empty() || node.outputs[0] != output) continue;
    if (node.op == "Softmax") return OutputKind::probabilities;
    if (node.op == "LogSoftmax") return OutputKind::log_probabilities;
    if (node.op != "Identity" && node.op != "Flatten" && node.op != "Reshape" && node.op != "Squeeze") break;
    output = node.inputs.at(0);
  }
  return OutputKind::logits;
}

std::vector<int64_t> sample_dims(const Network& network, const LabelledData& data) {
  if (network.graph.inputs.size() != 1)
    throw Error(ErrorKind::mismatch,
                text("{}: has {} inputs, expected one", one_line(network.file), network.graph.inputs.size()));
  const Value& input = network.values[static_cast<size_t>(network.graph.inputs[0])];
  const auto fail = [&] {
    throw Error(
        ErrorKind::mismatch,
        text("{}: samples of shape {} do not fit input '{}' of shape {}", one_line(data.files().front()),
             shape_text(data.dims()), escaped(input.name), input.dims ? shape_text(*input.dims) : "unknown"));
  };
  if (!input.dims) return data.dims();
  if (input.dims->empty()) fail();
  std::vector<int64_t> dims(input.dims->begin() + 1, input.dims->end());
  const auto open = std::ranges::count_if(dims, [](int64_t d) { return d < 0; });
  if (dims.size() == data.dims().size()) {
    for (size_t a = 0; a < dims.size(); ++a)
      if (dims[a] < 0) dims[a] = data.dims()[a];
    if (dims == data.dims()) return dims;
  } else if (open == 1) {
    int64_t known = 1;
    for (const int64_t d : dims) known *= d < 0 ? 1 : d;
    for (int64_t& d : dims)
      if (d < 0) d = known > 0 ? data.sample_size() / known : 0;
  } else if (open > 1) {
    fail();
  }
  if (elements(dims) != data.sample_size()) fail();
  return dims;
}

Evaluator::Evaluator(const Network& network, const LabelledData& data, const Options& options)
    : data_(data),
      engine_(network, engine_options(network, data, options)),
      kind_(options.output ? *options.output : output_kind(network)) {
  const auto& labels = data.labels();
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= classes())
      throw Error(ErrorKind::bad_value,
                  text("{}: label {} of sample {}, where {} has {} classes", one_line(data.files().back()),
                       labels[i], i, one_line(network.file), classes()));
}

Engine::Fill Evaluator::fill() const {
  return [this](int, int64_t first, int64_t count, float* to) { data_.read(first, count, to); };
}

Evaluation Evaluator::run() {
  const auto start = std::chrono::steady_clock::now();
  const int64_t samples = data_.size(), K = classes();
  std::vector<Judged> judged(static_cast<size_t>(samples));
  engine_.run(samples, fill(), [&](int64_t first, int64_t count, const std::vector<const float*>& numbers) {
    for (int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(first + i);
      judged[at] = judge(numbers[0] + i * K, K, data_.labels()[at], kind_);
    }
  });
  Evaluation e{.samples = samples};
  struct Bin {
    double confidence = 0, correct = 0;
  };
  std::array<Bin, kBins> bins{};
  for (const Judged& j : judged) {
    e.loss += j.loss;
    e.correct += j.correct;
    if (std::isnan(j.confidence)) continue;
    Bin& bin = bins[static_cast<size_t>(
        std::clamp(static_cast<int>(std::ceil(j.confidence * kBins)) - 1, 0, kBins - 1))];
    bin.confidence += j.confidence;
    bin.correct += j.correct;
  }
  for (const Bin& bin : bins)
    e.calibration += std::abs(bin.correct - bin.confidence) / static_cast<double>(samples);
  e.loss /= static_cast<double>(samples);
  e.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return e;
}

}  // namespace dws::network
