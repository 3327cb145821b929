#include "network/blocks.h"

#include <map>

#include "core/error.h"
#include "core/text.h"

namespace dws::network::blocks {

int linear(GraphBuilder& g, int x, const Linear& t) {
  const int64_t in = g.channels(x);
  const int w =
      g.tensor(t.weight, t.transposed ? std::vector<int64_t>{in, -1} : std::vector<int64_t>{-1, in});
  const int64_t out = g.dims(t.weight)[t.transposed ? 1 : 0];
  const int turned =
      t.transposed ? w : g.add("Transpose", {w}, {attribute("perm", std::vector<int64_t>{1, 0})}, t.weight);
  int y = g.add("MatMul", {x, turned}, {}, t.weight);
  if (t.bias) y = g.add("Add", {y, g.tensor(*t.bias, {out})}, {}, *t.bias);
  g.set_channels(y, out);
  return y;
}

int conv(GraphBuilder& g, int x, const Conv& t) {
  const int64_t in = g.channels(x);
  if (t.groups < 1 || t.stride < 1 || (in >= 0 && in % t.groups != 0))
    g.fail_at(t.weight, text("cannot be of {} groups with stride {} on {} channels", t.groups, t.stride, in));
  std::vector<int> inputs = {x, g.tensor(t.weight, {-1, in < 0 ? -1 : in / t.groups, -1, -1})};
  const std::vector<int64_t>& dims = g.dims(t.weight);
  if (t.bias) inputs.push_back(g.tensor(*t.bias, {dims[0]}));
  const auto pad = [&](size_t axis) { return t.padding < 0 ? (dims[axis] - 1) / 2 : t.padding; };
  const int y = g.add(
      "Conv", inputs,
      {attribute("strides", std::vector<int64_t>{t.stride, t.stride}),
       attribute("pads", std::vector<int64_t>{pad(2), pad(3), pad(2), pad(3)}), attribute("group", t.groups)},
      t.weight);
  g.set_channels(y, dims[0]);
  return y;
}

int norm(GraphBuilder& g, int x, const Norm& t) {
  const int64_t c = g.channels(x);
  std::vector<int> inputs = {x, g.tensor(t.weight, {c})};
  const int64_t size = g.dims(t.weight)[0];
  if (t.bias)
    inputs.push_back(g.tensor(*t.bias, {size}));
  else if (t.kind == "batch" || t.kind == "group")
    inputs.push_back(g.numbers(std::vector<double>(static_cast<size_t>(size), 0.0)));
  std::vector<OnnxAttribute> attributes = {attribute("epsilon", t.epsilon)};
  int y = kNone;
  if (t.kind == "layer" || t.kind == "rms") {
    attributes.push_back(attribute("axis", int64_t{-1}));
    y = g.add(t.kind == "rms" ? "RMSNormalization" : "LayerNormalization", inputs, attributes, t.weight);
  } else if (t.kind == "group") {
    attributes.push_back(attribute("num_groups", t.groups));
    y = g.add("GroupNormalization", inputs, attributes, t.weight);
  } else {
    if (!t.mean || !t.variance) g.fail_at(t.weight, "is of a batch norm without running statistics");
    inputs.push_back(g.tensor(*t.mean, {size}));
    inputs.push_back(g.tensor(*t.variance, {size}));
    y = g.add("BatchNormalization", inputs, attributes, t.weight);
  }
  g.set_channels(y, size);
  return y;
}

namespace {

// The operator of an activation; the names are those that configurations of models use.
const std::map<std::string, std::string_view, std::less<>>& activations() {
  static const std::map<std::string, std::string_view, std::less<>> all = {
      {"relu", "Relu"},  {"leaky_relu", "LeakyRelu"}, {"tanh", "Tanh"},     {"sigmoid", "Sigmoid"},
      {"gelu", "Gelu"},  {"gelu_tanh", "Gelu"},       {"gelu_new", "Gelu"}, {"gelu_pytorch_tanh", "Gelu"},
      {"silu", "Swish"}, {"swish", "Swish"},          {"sin", "Sin"},       {"elu", "Elu"},
      {"selu", "Selu"},  {"softplus", "Softplus"},    {"mish", "Mish"},     {"hardswish", "HardSwish"}};
  return all;
}

}  // namespace

std::optional<int> activation(GraphBuilder& g, int x, const std::string& name) {
  if (name == "none" || name == "identity") return x;
  const auto at = activations().find(name);
  if (at == activations().end()) return {};
  std::vector<OnnxAttribute> attributes;
  if (at->second == "Gelu" && name != "gelu")
    attributes.push_back(attribute("approximate", std::string_view("tanh")));
  if (name == "leaky_relu") attributes.push_back(attribute("alpha", 0.01));
  const int y = g.add(at->second, {x}, attributes);
  g.set_channels(y, g.channels(x));
  return y;
}
std::vector<std::string> activation_names() {
  std::vector<std::string> names = {"none"};
  for (const auto& [name, op] : activations()) names.push_back(name);
  return names;
}

int embedding(GraphBuilder& g, int ids, const std::string& table) {
  const int y = g.add("Gather", {g.tensor(table, {-1, -1}), ids}, {attribute("axis", int64_t{0})}, table);
  g.set_channels(y, g.dims(table)[1]);
  return y;
}

namespace {

int add(GraphBuilder& g, int a, int b, const std::string& name) {
  const int y = g.add("Add", {a, b}, {}, name);
  g.set_channels(y, g.channels(a));
  return y;
}
// How many items an axis has, as (1) of int64.
int extent(GraphBuilder& g, int x, int64_t axis) {
  return g.add("Gather", {g.add("Shape", {x}), g.ints({axis})}, {attribute("axis", int64_t{0})});
}
// 0, 1, ..., n - 1 of int64, n (1).
int count_up(GraphBuilder& g, int n) {
  const int none = g.add("Squeeze", {g.ints({0})}), one = g.add("Squeeze", {g.ints({1})});
  return g.add("Range", {none, g.add("Squeeze", {n}), one});
}

}  // namespace

int add_positions(GraphBuilder& g, int x, const std::string& table) {
  const int rows = g.add("Gather", {g.tensor(table, {-1, g.channels(x)}), count_up(g, extent(g, x, 1))},
                         {attribute("axis", int64_t{0})}, table);
  return add(g, x, rows, table);
}
int add_row(GraphBuilder& g, int x, const std::string& table, int64_t row) {
  const int t = g.tensor(table, {-1, g.channels(x)});
  if (row < 0 || row >= g.dims(table)[0]) g.fail_at(table, text("has no row {}", row));
  return add(g, x, g.add("Gather", {t, g.ints({row})}, {attribute("axis", int64_t{0})}, table), table);
}

int prepend(GraphBuilder& g, int x, const std::string& tensor) {
  const int t = g.tensor(tensor, {1, 1, g.channels(x)});
  const int batch = extent(g, x, 0);
  const int shape = g.add("Concat", {batch, g.ints({1, 1})}, {attribute("axis", int64_t{0})});
  const int y =
      g.add("Concat", {g.add("Expand", {t, shape}, {}, tensor), x}, {attribute("axis", int64_t{1})}, tensor);
  g.set_channels(y, g.channels(x));
  return y;
}
int first_token(GraphBuilder& g, int x) {
  const int y = g.add("Gather", {x, g.add("Squeeze", {g.ints({0})})}, {attribute("axis", int64_t{1})});
  g.set_channels(y, g.channels(x));
  return y;
}
int tokens(GraphBuilder& g, int x) {
  const int flat = g.add("Reshape", {x, g.ints({0, 0, -1})});
  const int y = g.add("Transpose", {flat}, {attribute("perm", std::vector<int64_t>{0, 2, 1})});
  g.set_channels(y, g.channels(x));
  return y;
}
int flatten(GraphBuilder& g, int x) {
  return g.add("Flatten", {x}, {attribute("axis", int64_t{1})});
}

std::vector<int> split(GraphBuilder& g, int x, int parts) {
  const int64_t c = g.channels(x);
  if (c < 0 || parts < 1 || c % parts != 0)
    g.fail(ErrorKind::mismatch, text("{} channels cannot be split into {} equal parts", c, parts));
  const std::vector<int> made =
      g.add_many("Split", {x, g.ints(std::vector<int64_t>(static_cast<size_t>(parts), c / parts))}, parts,
                 {attribute("axis", int64_t{-1})});
  for (const int y : made) g.set_channels(y, c / parts);
  return made;
}

}  // namespace dws::network::blocks
