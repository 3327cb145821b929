// Operators that cut axes apart and put them together.
#include <algorithm>

#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

void concat(Discovery& d, const Node& node) {
  Axes out = d.axes(node.inputs[0]);
  const auto axis = axis_of(node.attr_int("axis", 0), static_cast<int>(out.size()));
  if (!axis) return d.pin_all(node);
  std::vector<FactorId> parts;
  for (const int input : node.inputs) {
    const Axes x = d.axes(input);
    if (x.size() != out.size()) return d.pin_all(node);
    for (size_t a = 0; a < out.size(); ++a)
      if (static_cast<int>(a) == *axis)
        parts.push_back(x[a]);
      else
        d.unify(node, out[a], x[a]);
  }
  out[static_cast<size_t>(*axis)] = d.factors.sum(parts);
  d.make(node, d.output(node, 0), out);
}

// Items [begin, end) of an axis; a pinned leaf where the axis cannot be cut there.
FactorId part_of(Discovery& d, const Node& node, size_t axis, FactorId f, int64_t begin, int64_t end) {
  if (const auto front = d.factors.split(f, begin))
    if (const auto middle = d.factors.split(front->second, end - begin)) return middle->first;
  d.pin(node, f);
  d.mix(node.inputs[0], {static_cast<int>(axis)});
  return d.pinned(node, end - begin);
}

void split(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const auto axis = axis_of(node.attr_int("axis", 0), static_cast<int>(x.size()));
  if (!axis) return d.pin_all(node);
  const auto a = static_cast<size_t>(*axis);
  int64_t begin = 0;
  for (const int output : node.outputs) {
    if (!d.known(output)) return d.pin_all(node);
    const int64_t end = begin + d.dims(output)[a];
    Axes out = x;
    if (d.varies(d.input(node, 1))) d.pin(node, x[a]);
    out[a] = part_of(d, node, a, x[a], begin, end);
    d.make(node, output, out);
    begin = end;
  }
}

// Starts, ends, axes and steps: attributes up to operator set 9, inputs after.
void slice(Discovery& d, const Node& node) {
  const int y = d.output(node, 0);
  Axes out = d.axes(node.inputs[0]);
  const auto list = [&](const char* attribute, size_t input) {
    return node.version < 10 ? node.attr_ints(attribute).value_or(std::vector<int64_t>{})
                             : d.integers(d.input(node, input));
  };
  const std::vector<int64_t> starts = list("starts", 1), named = list("axes", 3);
  std::vector<int64_t> steps = node.version < 10 ? std::vector<int64_t>{} : list("steps", 4);
  if (!d.known(y) || (node.version >= 10 && !d.numbers(d.input(node, 1)))) {
    // Which items is not known; how many is, when the output's shape is.
    for (size_t a = 0; a < out.size(); ++a)
      if (!d.known(y) || d.dims(y)[a] != d.factors.size(out[a])) {
        d.pin(node, out[a]);
        d.mix(node.inputs[0], {static_cast<int>(a)});
        if (d.known(y)) out[a] = d.pinned(node, d.dims(y)[a]);
      }
    return d.make(node, y, out);
  }
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto axis =
        axis_of(i < named.size() ? named[i] : static_cast<int64_t>(i), static_cast<int>(out.size()));
    if (!axis) return d.pin_all(node);
    const auto a = static_cast<size_t>(*axis);
    const int64_t size = d.factors.size(out[a]), count = d.dims(y)[a], step = i < steps.size() ? steps[i] : 1;
    // The rows of a table that a longer input would reach are not free either.
    if (d.varies(d.input(node, 1)) || d.varies(d.input(node, 2))) d.pin(node, out[a]);
    if (step == 1) {
      const int64_t begin = std::clamp<int64_t>(starts[i] < 0 ? starts[i] + size : starts[i], 0, size);
      out[a] = part_of(d, node, a, out[a], begin, begin + count);
    } else {
      d.pin(node, out[a]);
      d.mix(node.inputs[0], {*axis});
      out[a] = d.pinned(node, count);
    }
  }
  d.make(node, y, out);
}

// A known run of items is a slice; otherwise rows are looked up, and their order means something.
void gather(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const auto axis = axis_of(node.attr_int("axis", 0), static_cast<int>(x.size()));
  if (!axis) return d.pin_all(node);
  const FactorId looked_up = x[static_cast<size_t>(*axis)];
  const std::vector<int64_t> known = d.integers(node.inputs[1]);
  const int index_rank = d.rank(node.inputs[1]);
  bool run = !known.empty() && known.front() >= 0;
  for (size_t i = 1; i < known.size(); ++i) run = run && known[i] == known[i - 1] + 1;
  Axes out(x.begin(), x.begin() + *axis);
  if (d.varies(node.inputs[1])) d.pin(node, looked_up);
  if (run && index_rank <= 1) {
    const FactorId part =
        part_of(d, node, static_cast<size_t>(*axis), looked_up, known.front(), known.back() + 1);
    if (index_rank == 1) out.push_back(part);
  } else {
    d.pin(node, looked_up);
    d.mix(node.inputs[0], {*axis});
    const Axes places = d.axes(node.inputs[1]);
    out.insert(out.end(), places.begin(), places.end());
  }
  out.insert(out.end(), x.begin() + *axis + 1, x.end());
  d.make(node, d.output(node, 0), out);
}

// An index names an item along `depth` axes after the batch: those are looked up in, what lies behind goes through.
void gather_nd(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const int indices = d.input(node, 1), y = d.output(node, 0);
  if (indices == kNone || d.rank(indices) < 1 || !d.known(y)) return d.pin_all(node);
  const int64_t named = node.attr_int("batch_dims", 0) + d.dims(indices).back();
  const size_t places = d.dims(indices).size() - 1;
  if (named < 0 || named > static_cast<int64_t>(x.size())) return d.pin_all(node);
  d.pin_value(indices, d.why(node));
  Axes out;
  for (size_t a = 0; a < places; ++a) out.push_back(d.pinned(node, d.dims(indices)[a]));
  for (size_t a = 0; a < x.size(); ++a)
    if (static_cast<int64_t>(a) < named) {
      d.pin(node, x[a]);
      d.mix(node.inputs[0], {static_cast<int>(a)});
    } else
      out.push_back(x[a]);
  d.make(node, y, out);
}
// Slices put in at places, or added to them: their axes are the input's.
void scatter_nd(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const int indices = d.input(node, 1), updates = d.input(node, 2);
  if (indices == kNone || updates == kNone || d.rank(indices) < 1) return d.pin_all(node);
  const int64_t depth = d.dims(indices).back();
  const Axes put = d.axes(updates);
  const size_t places = d.dims(indices).size() - 1;
  if (depth < 1 || depth > static_cast<int64_t>(x.size()) ||
      put.size() != places + x.size() - static_cast<size_t>(depth))
    return d.pin_all(node);
  d.pin_value(indices, d.why(node));
  for (size_t a = 0; a < places; ++a) {
    d.pin(node, put[a]);
    d.mix(updates, {static_cast<int>(a)});
  }
  for (size_t a = 0; a < x.size(); ++a)
    if (static_cast<int64_t>(a) < depth) {
      d.pin(node, x[a]);
      d.mix(node.inputs[0], {static_cast<int>(a)});
    } else
      d.unify(node, x[a], put[places + a - static_cast<size_t>(depth)]);
  d.make(node, d.output(node, 0), x);
}
// Along the axis of a sequence, which has another order behind; the sequences have lengths of their own.
void reverse_sequence(Discovery& d, const Node& node) {
  Axes x = d.axes(node.inputs[0]);
  const auto rank = static_cast<int>(x.size());
  const auto batch = axis_of(node.attr_int("batch_axis", 1), rank),
             time = axis_of(node.attr_int("time_axis", 0), rank);
  if (!batch || !time) return d.pin_all(node);
  if (const int lengths = d.input(node, 1); lengths != kNone) d.pin_value(lengths, d.why(node));
  for (const int axis : {*batch, *time}) {
    FactorId& f = x[static_cast<size_t>(axis)];
    d.mix(node.inputs[0], {axis});
    d.pin(node, f);
    f = d.pinned(node, d.factors.size(f));
  }
  d.make(node, d.output(node, 0), x);
}

// Begins and ends of the axes that an input names (version 18), for all axes; none where they are not known.
std::vector<int64_t> of_all_axes(const Discovery& d, const Node& node, const std::vector<int64_t>& pads,
                                 size_t rank) {
  if (d.input(node, 3) == kNone) return pads;
  const auto named = named_axes(d, node, 3, static_cast<int>(rank));
  if (!named || pads.size() != 2 * named->size()) return {};
  std::vector<int64_t> all(2 * rank, 0);
  for (size_t i = 0; i < named->size(); ++i) {
    const auto a = static_cast<size_t>((*named)[i]);
    all[a] = pads[i];
    all[rank + a] = pads[named->size() + i];
  }
  return all;
}
// Items that are all alike are put before and behind: they may take any order among themselves.
void pad(Discovery& d, const Node& node) {
  const int y = d.output(node, 0);
  Axes out = d.axes(node.inputs[0]);
  const size_t rank = out.size();
  std::vector<int64_t> pads = node.version < 11 ? node.attr_ints("pads").value_or(std::vector<int64_t>{})
                                                : d.integers(d.input(node, 1));
  pads = of_all_axes(d, node, pads, rank);
  const bool constant = node.attr_string("mode", "constant") == "constant";
  const bool plain =
      constant && pads.size() == 2 * rank && std::ranges::all_of(pads, [](int64_t p) { return p >= 0; });
  if (!d.known(y)) return d.pin_all(node);
  for (size_t a = 0; a < rank; ++a) {
    if (plain) {
      out[a] = d.factors.sum({d.factors.leaf(pads[a]), out[a], d.factors.leaf(pads[rank + a])});
    } else if (d.dims(y)[a] != d.factors.size(out[a]) || pads.size() != 2 * rank || pads[a] != 0) {
      d.pin(node, out[a]);
      d.mix(node.inputs[0], {static_cast<int>(a)});
      out[a] = d.pinned(node, d.dims(y)[a]);
    }
  }
  d.make(node, y, out);
}

constexpr RuleRow kRows[] = {
    {"Concat", concat},
    {"Split", split},
    {"Slice", slice},
    {"Gather", gather},
    {"Pad", pad},
    {"GatherND", gather_nd},
    {"ScatterND", scatter_nd},
    {"ReverseSequence", reverse_sequence},
};

}  // namespace

std::span<const RuleRow> cut_rules() {
  return kRows;
}

}  // namespace dws::symmetry
