// Operators that move axes about: the same numbers under another shape.
#include <algorithm>
#include <numeric>

#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

void transpose(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  std::vector<int64_t> order(x.size());
  std::iota(order.rbegin(), order.rend(), 0);
  order = node.attr_ints("perm").value_or(order);
  Axes out;
  for (const int64_t a : order) {
    if (a < 0 || a >= static_cast<int64_t>(x.size())) return d.pin_all(node);
    out.push_back(x[static_cast<size_t>(a)]);
  }
  d.make(node, d.output(node, 0), out);
}

// Matches the products of the two shapes from the first axis on, refining where one has a boundary that the other has not.
// (Squeeze, Unsqueeze and Flatten are reshapes whose shape is known.)
void reshape(Discovery& d, const Node& node) {
  const int y = d.output(node, 0);
  if (!d.known(y)) return d.pin_all(node);
  const Axes x = d.axes(node.inputs[0]);
  const std::vector<int64_t>& to = d.dims(y);
  if (std::ranges::any_of(to, [](int64_t n) { return n == 0; })) return d.pin_all(node);
  Axes out;
  std::vector<FactorId> rest(x.rbegin(), x.rend());  // a stack
  for (const int64_t extent : to) {
    std::vector<FactorId> taken;
    int64_t have = 1;
    while (have < extent) {
      if (rest.empty()) return d.pin_all(node);
      const FactorId next = rest.back();
      rest.pop_back();
      const int64_t size = d.factors.size(next), need = extent / have;
      if (size <= need && extent % (have * size) == 0) {
        taken.push_back(next);
        have *= size;
        continue;
      }
      const auto halves = extent % have == 0 ? d.factors.divide(next, need) : std::nullopt;
      if (!halves) {
        d.pin(node, next);
        return d.pin_all(node);
      }
      taken.push_back(halves->first);
      rest.push_back(halves->second);
      have = extent;
    }
    out.push_back(taken.empty() ? d.factors.leaf(1) : d.factors.product(taken));
  }
  d.make(node, y, out);
}

// Items repeated: copies of one another may take any order.
void expand(Discovery& d, const Node& node) {
  const int y = d.output(node, 0);
  const Axes x = d.axes(node.inputs[0]);
  if (!d.known(y) || d.dims(y).size() < x.size()) return d.pin_all(node);
  Axes out(d.dims(y).size());
  const size_t fresh = out.size() - x.size();
  for (size_t a = 0; a < out.size(); ++a) {
    const int64_t extent = d.dims(y)[a];
    out[a] = a >= fresh && d.factors.size(x[a - fresh]) == extent ? x[a - fresh] : d.factors.leaf(extent);
  }
  d.make(node, y, out);
}
void tile(Discovery& d, const Node& node) {
  const int y = d.output(node, 0);
  Axes out = d.axes(node.inputs[0]);
  if (!d.known(y) || d.dims(y).size() != out.size()) return d.pin_all(node);
  for (size_t a = 0; a < out.size(); ++a) {
    const int64_t from = d.factors.size(out[a]), to = d.dims(y)[a];
    if (from == 0 || to == 0) return d.pin_all(node);
    out[a] = d.factors.product({d.factors.leaf(to / from), out[a]});
  }
  d.make(node, y, out);
}
void constant_of_shape(Discovery& d, const Node& node) {
  const int y = d.output(node, 0);
  if (d.known(y)) d.axes(y);  // one number everywhere: any order
}

// (N, b b c, H, W) <-> (N, c, H b, W b): the b b places within a channel's block stay.
void depth_to_space(Discovery& d, const Node& node) {
  const int y = d.output(node, 0);
  const Axes x = d.axes(node.inputs[0]);
  const int64_t block = node.attr_int("blocksize", 0);
  if (x.size() != 4 || !d.known(y) || block <= 0) return d.pin_all(node);
  const bool column_row = node.attr_string("mode", "DCR") == "CRD";
  const int64_t places = block * block, channels = d.factors.size(x[1]) / places;
  const auto halves = d.factors.divide(x[1], column_row ? channels : places);
  if (!halves) return d.pin_all(node);
  const FactorId inner = column_row ? halves->second : halves->first;
  d.pin(node, inner);
  for (const FactorId other : {x[0], column_row ? halves->first : halves->second}) d.forbid(other, inner);
  d.mix(node.inputs[0], {2, 3});
  d.pin(node, x[2]);
  d.pin(node, x[3]);
  d.make(node, y,
         {x[0], column_row ? halves->first : halves->second, d.pinned(node, d.dims(y)[2]),
          d.pinned(node, d.dims(y)[3])});
}
void space_to_depth(Discovery& d, const Node& node) {
  const int y = d.output(node, 0);
  const Axes x = d.axes(node.inputs[0]);
  const int64_t block = node.attr_int("blocksize", 0);
  if (x.size() != 4 || !d.known(y) || block <= 0) return d.pin_all(node);
  d.mix(node.inputs[0], {2, 3});
  d.pin(node, x[2]);
  d.pin(node, x[3]);
  d.make(node, y,
         {x[0], d.factors.product({d.pinned(node, block * block), x[1]}), d.pinned(node, d.dims(y)[2]),
          d.pinned(node, d.dims(y)[3])});
}

// Only the shape is looked at.
void shape_only(Discovery& d, const Node& node) {
  for (const int value : node.outputs)
    if (value != kNone) d.pin_value(value, d.why(node));
}

constexpr RuleRow kRows[] = {
    {"Transpose", transpose},
    {"Reshape", reshape},
    {"Flatten", reshape},
    {"Squeeze", reshape},
    {"Unsqueeze", reshape},
    {"Expand", expand},
    {"Tile", tile},
    {"ConstantOfShape", constant_of_shape},
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", space_to_depth},
    {"Shape", shape_only},
    {"Size", shape_only},
    {"Range", shape_only},
    {"EyeLike", shape_only},
};

}  // namespace

std::span<const RuleRow> movement_rules() {
  return kRows;
}

}  // namespace dws::symmetry
