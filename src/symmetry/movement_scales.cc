// Scales of what moves numbers about, cuts them apart and puts them together.
#include <algorithm>

#include "symmetry/scale_rules.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

// Parts of an axis: `whole` from `begin` on is `part`.
void part(LeafScales& s, const Node& node, int whole, int value, int axis, int64_t begin) {
  if (!s.discovery().known(value)) return s.one_all(node);
  const int64_t end = begin + s.discovery().dims(value)[static_cast<size_t>(axis)];
  std::vector<int> from;
  for (const LeafScales::Place& p : s.places(whole))
    if (p.begin >= begin && p.begin < end) from.push_back(p.unknown);
  s.same(from, s.all_at(value, axis));
}
// Split, Slice and Concat along an axis on which the leaf has several places; the axis' number, or -1 where it has not.
int parted_axis(LeafScales& s, const Node& node, int whole) {
  if (!s.several(node)) return -1;
  const auto& places = s.places(whole);
  const int axis = places.empty() ? -1 : places.front().axis;
  const auto elsewhere = [&](int value) {
    return std::ranges::any_of(s.places(value), [&](const LeafScales::Place& p) { return p.axis != axis; });
  };
  if (std::ranges::any_of(node.inputs, elsewhere) || std::ranges::any_of(node.outputs, elsewhere)) return -2;
  return axis;
}
int along(LeafScales& s, int64_t axis, int value) {
  return static_cast<int>(axis < 0 ? axis + s.discovery().rank(value) : axis);
}

}  // namespace

// f(s x) = s f(x) for every s: moved, summed with others of the same kind, averaged. Several places along an axis stay in order.
// What is only there before or only after (summed away, copied) is held.
void linear_scale(LeafScales& s, const Node& node) {
  const auto there = [&](int value) { return !s.places(value).empty(); };
  if (std::ranges::none_of(node.inputs, there) || std::ranges::none_of(node.outputs, there))
    return s.one_all(node);
  std::vector<int> first;
  for (const auto* list : {&node.inputs, &node.outputs})
    for (const int value : *list) {
      std::vector<int> own;
      for (const LeafScales::Place& p : s.places(value)) {
        if (p.axis != s.places(value).front().axis) return s.one_all(node);
        own.push_back(p.unknown);
      }
      if (own.empty()) continue;
      if (!first.empty() && first.size() != own.size()) return s.one_all(node);
      if (!first.empty()) s.same(first, own);
      first = own;
    }
}
// Some of the items; of those left behind nobody asks.
void pick_scale(LeafScales& s, const Node& node) {
  if (std::ranges::all_of(node.outputs, [&](int y) { return s.places(y).empty() && s.discovery().known(y); }))
    return;
  linear_scale(s, node);
}
void split_scale(LeafScales& s, const Node& node) {
  const int axis = parted_axis(s, node, node.inputs[0]);
  if (axis == -1 || axis != along(s, node.attr_int("axis", 0), node.inputs[0])) return linear_scale(s, node);
  int64_t begin = 0;
  for (const int output : node.outputs) {
    if (!s.discovery().known(output)) return s.one_all(node);
    part(s, node, node.inputs[0], output, axis, begin);
    begin += s.discovery().dims(output)[static_cast<size_t>(axis)];
  }
}
void concat_scale(LeafScales& s, const Node& node) {
  const int axis = parted_axis(s, node, node.outputs[0]);
  if (axis == -1 || axis != along(s, node.attr_int("axis", 0), node.inputs[0])) return linear_scale(s, node);
  int64_t begin = 0;
  for (const int input : node.inputs) {
    part(s, node, node.outputs[0], input, axis, begin);
    begin += s.discovery().dims(input)[static_cast<size_t>(axis)];
  }
}
void slice_scale(LeafScales& s, const Node& node) {
  Discovery& d = s.discovery();
  const int x = node.inputs[0], y = node.outputs[0], axis = parted_axis(s, node, x);
  if (axis < 0 || !d.known(y)) return pick_scale(s, node);
  const auto list = [&](const char* attribute, size_t input) {
    return node.version < 10 ? node.attr_ints(attribute).value_or(std::vector<int64_t>{})
                             : d.integers(d.input(node, input));
  };
  const std::vector<int64_t> starts = list("starts", 1), named = list("axes", 3);
  const int64_t size = d.dims(x)[static_cast<size_t>(axis)];
  for (size_t i = 0; i < starts.size(); ++i)
    if (along(s, i < named.size() ? named[i] : static_cast<int64_t>(i), x) == axis)
      return part(s, node, x, y, axis,
                  std::clamp<int64_t>(starts[i] < 0 ? starts[i] + size : starts[i], 0, size));
  linear_scale(s, node);
}

}  // namespace dws::symmetry
