// Finding the symmetry of a transformer's graph: shapes, rules, groups.
#include <memory>
#include <vector>

#include "bench.h"
#include "core/text.h"
#include "network/executor.h"
#include "symmetry/spec.h"

namespace dws::tools {
namespace {

// A pre-norm encoder; its weights mean nothing.
class EncoderGraph {
 public:
  explicit EncoderGraph(int layers) {
    net_.file = "bench";
    net_.opsets[""] = 17;
    int x = value("x");
    net_.graph.inputs = {x};
    net_.values.back().type = OnnxType::f32;
    net_.values.back().dims = std::vector<int64_t>{2, 8, kWidth};
    for (int l = 0; l < layers; ++l) x = layer(x);
    net_.graph.outputs = {node("Gemm", {node("ReduceMean", {x}, {{"axes", {1}}, {"keepdims", {0}}}),
                                        weight({kWidth, 10}), weight({10})})};
  }
  const network::Network& network() const noexcept { return net_; }

 private:
  static constexpr int64_t kWidth = 64, kHeads = 4, kHidden = 256;
  struct Attribute {
    const char* name;
    std::vector<int64_t> ints;
  };

  int value(std::string name) {
    net_.values.push_back({.name = std::move(name)});
    return static_cast<int>(net_.values.size()) - 1;
  }
  int constant(OnnxType type, const std::vector<int64_t>& dims, Bytes bytes) {
    const int v = value(text("constant.{}", net_.constants.size()));
    net_.values.back().constant = static_cast<int>(net_.constants.size());
    net_.constants.push_back({.name = net_.values.back().name, .type = type, .dims = dims, .bytes = bytes});
    return v;
  }
  int weight(const std::vector<int64_t>& dims) {
    // A place of its own for each: what is stored once would be taken for one tensor.
    held_.push_back(std::make_unique<std::vector<float>>(static_cast<size_t>(network::elements(dims)), 0.5f));
    return constant(OnnxType::f32, dims, std::as_bytes(std::span(*held_.back())));
  }
  int integers(std::vector<int64_t> numbers) {
    integers_.push_back(std::make_unique<std::vector<int64_t>>(std::move(numbers)));
    return constant(OnnxType::i64, {static_cast<int64_t>(integers_.back()->size())},
                    std::as_bytes(std::span(*integers_.back())));
  }
  int node(const char* op, std::vector<int> inputs, const std::vector<Attribute>& attributes = {}) {
    network::Node n{
        .name = text("{}.{}", op, net_.graph.nodes.size()), .op = op, .domain = "", .version = 17};
    n.inputs = std::move(inputs);
    for (const Attribute& a : attributes) {
      OnnxAttribute attribute;
      attribute.name = a.name;
      attribute.kind =
          std::string_view(a.name) == "keepdims" ? OnnxAttribute::Kind::i : OnnxAttribute::Kind::ints;
      attribute.i = a.ints.front();
      attribute.ints = a.ints;
      n.attributes.push_back(std::move(attribute));
    }
    const int y = value(text("value.{}", net_.values.size()));
    n.outputs = {y};
    net_.graph.nodes.push_back(std::move(n));
    return y;
  }
  int linear(int x, int64_t from, int64_t to) {
    return node("Add", {node("MatMul", {x, weight({from, to})}), weight({to})});
  }
  int norm(int x) { return node("LayerNormalization", {x, weight({kWidth}), weight({kWidth})}); }
  int heads(int x, const std::vector<int64_t>& order) {
    return node("Transpose", {node("Reshape", {x, integers({2, 8, kHeads, kWidth / kHeads})})},
                {{"perm", order}});
  }
  int layer(int x) {
    const int y = norm(x);
    const int q = heads(linear(y, kWidth, kWidth), {0, 2, 1, 3}),
              k = heads(linear(y, kWidth, kWidth), {0, 2, 3, 1}),
              v = heads(linear(y, kWidth, kWidth), {0, 2, 1, 3});
    const int mixed = node("MatMul", {node("Softmax", {node("MatMul", {q, k})}), v});
    const int flat =
        node("Reshape", {node("Transpose", {mixed}, {{"perm", {0, 2, 1, 3}}}), integers({2, 8, kWidth})});
    x = node("Add", {x, linear(flat, kWidth, kWidth)});
    return node("Add", {x, linear(node("Relu", {linear(norm(x), kWidth, kHidden)}), kHidden, kWidth)});
  }

  network::Network net_;
  std::vector<std::unique_ptr<std::vector<float>>> held_;
  std::vector<std::unique_ptr<std::vector<int64_t>>> integers_;
};

Json transformer(const BenchContext& context) {
  const EncoderGraph encoder(40);
  const network::Network& net = encoder.network();
  const auto inputs = network::input_shapes(net, {});
  size_t groups = 0;
  const double seconds =
      best_seconds(context.seconds, [&] { groups = symmetry::discover(net, inputs).groups.size(); });
  return Json::object({{"seconds", seconds},
                       {"nodes", static_cast<int64_t>(net.graph.nodes.size())},
                       {"groups", static_cast<int64_t>(groups)},
                       {"threads", 1}});
}

}  // namespace

std::vector<BenchCase> bench_symmetry() {
  return {{"symmetry.transformer", transformer}};
}

}  // namespace dws::tools
