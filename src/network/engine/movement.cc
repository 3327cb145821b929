// Operators that move numbers and compute nothing. Which item goes where is asked of the reference function itself: it is
// run once on the items' own numbers.
#include <algorithm>
#include <cstring>
#include <memory>

#include "core/error.h"
#include "network/engine/plan.h"

namespace dws::network::engine {
namespace {

constexpr int64_t kMostItems = int64_t{1} << 27;

// `count` items from `from` on of input `input` (of those that move) to `to` on; input kNone: zeros.
struct Run {
  int input;
  int64_t from, to, count;
};

// (inputs that move, what else decides) -> runs of output `output`. Empty where the reference function refuses.
std::vector<std::vector<Run>> runs_of(Builder& b, const Node& node, const std::vector<size_t>& moving,
                                      bool& fine) {
  std::vector<ArrayPtr> inputs;
  std::vector<int64_t> first;  // number of the first item, by moving input; 0 is none
  int64_t next = 1;
  fine = false;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const int v = node.inputs[i];
    if (v == kNone) {
      inputs.push_back(nullptr);
    } else if (std::ranges::find(moving, i) != moving.end()) {
      auto items = std::make_shared<Array>(Array{.type = OnnxType::i64, .dims = b.shape(v).dims});
      first.push_back(next);
      if (items->size() > kMostItems) return {};
      for (int64_t k = 0; k < items->size(); ++k) items->ints.push_back(next++);
      inputs.push_back(std::move(items));
    } else {
      const ArrayPtr known = b.integers(v);
      if (!known) return {};
      inputs.push_back(known);
    }
  }
  first.push_back(next);
  std::vector<std::vector<Run>> all;
  for (const int output : node.outputs)
    if (output != kNone && b.size(output) > kMostItems) return {};
  for (const ArrayPtr& output : run_reference(b.network(), node, std::move(inputs))) {
    std::vector<Run>& runs = all.emplace_back();
    if (!output) continue;
    for (int64_t to = 0; to < output->size(); ++to) {
      const int64_t item = output->ints[static_cast<size_t>(to)];
      int input = kNone;
      if (item > 0) input = static_cast<int>(std::ranges::upper_bound(first, item) - first.begin()) - 1;
      const int64_t from = input == kNone ? 0 : item - first[static_cast<size_t>(input)];
      if (!runs.empty()) {
        Run& last = runs.back();
        if (last.input == input && (input == kNone || last.from + last.count == from)) {
          ++last.count;
          continue;
        }
      }
      runs.push_back({input, from, to, 1});
    }
  }
  fine = true;
  return all;
}

bool move(Builder& b, const Node& node, const std::vector<size_t>& moving) {
  bool fine = false;
  std::vector<std::vector<Run>> all = runs_of(b, node, moving, fine);
  if (!fine) return false;
  std::vector<int> from;
  for (const size_t i : moving) from.push_back(node.inputs[i]);
  for (size_t o = 0; o < node.outputs.size(); ++o) {
    const int y = node.outputs[o];
    if (y == kNone) continue;
    const int64_t size = b.size(y);
    std::vector<Run>& runs = all[o];
    if (from.size() == 1 && runs.size() == 1 && runs[0].from == 0 && runs[0].input == 0 &&
        size == b.size(from[0])) {
      b.alias(y, from[0]);
      continue;
    }
    Step step{.reads = from, .writes = {y}};
    if (from.size() == 1 && static_cast<int64_t>(runs.size()) * 4 > size) {  // items one by one
      auto table = std::make_shared<std::vector<int32_t>>(static_cast<size_t>(size), -1);
      bool zeros = false;
      for (const Run& run : runs) {
        zeros = zeros || run.input == kNone;
        for (int64_t k = 0; k < run.count && run.input != kNone; ++k)
          (*table)[static_cast<size_t>(run.to + k)] = static_cast<int32_t>(run.from + k);
      }
      step.work = [=, x = from[0]](const Frame& f) {
        const float* in = f.in(x);
        float* out = f.out(y);
        const int32_t* at = table->data();
        if (zeros)
          for (int64_t i = 0; i < size; ++i) out[i] = at[i] < 0 ? 0.0f : in[at[i]];
        else
          for (int64_t i = 0; i < size; ++i) out[i] = in[at[i]];
      };
    } else {
      step.work = [=, list = std::make_shared<const std::vector<Run>>(std::move(runs))](const Frame& f) {
        float* out = f.out(y);
        for (const Run& run : *list)
          if (run.input == kNone)
            std::fill_n(out + run.to, run.count, 0.0f);
          else
            std::memcpy(out + run.to, f.in(from[static_cast<size_t>(run.input)]) + run.from,
                        static_cast<size_t>(run.count) * sizeof(float));
      };
    }
    b.step(std::move(step));
  }
  return true;
}
bool first_moves(Builder& b, const Node& node) {
  return move(b, node, {0});
}
bool all_move(Builder& b, const Node& node) {
  std::vector<size_t> moving(node.inputs.size());
  for (size_t i = 0; i < moving.size(); ++i) moving[i] = i;
  return move(b, node, moving);
}
// What is put around is zero, or the same numbers again.
bool pad(Builder& b, const Node& node) {
  const int value = node.version < 11 ? kNone : input_of(node, 2);
  if (node.version < 11 && node.attr_float("value", 0) != 0) return false;
  if (value != kNone) {
    const Constant* c = b.network().constant_of(value);
    if (!c || c->elements() != 1 || !c->floating()) return false;
    if (to_array(*c).reals[0] != 0) return false;
    // The reference function takes it of the input's type.
    Node plain = node;
    plain.inputs[2] = kNone;
    return move(b, plain, {0});
  }
  return move(b, node, {0});
}
bool reshape(Builder& b, const Node& node) {
  b.alias(node.outputs.at(0), node.inputs.at(0));
  return true;
}

// Rows of a table, by numbers that flow.
bool gather(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), rows = node.inputs.at(1), y = node.outputs.at(0);
  if (b.fixed(rows)) return move(b, node, {0});
  const std::vector<int64_t>& dims = b.shape(x).dims;
  const auto rank = static_cast<int64_t>(dims.size());
  int64_t axis = node.attr_int("axis", 0), outer = 1, inner = 1;
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return false;
  for (int64_t a = 0; a < rank; ++a)
    if (a != axis) (a < axis ? outer : inner) *= dims[static_cast<size_t>(a)];
  b.step({.reads = {x, rows},
          .writes = {y},
          .work = [=, n = dims[static_cast<size_t>(axis)], count = b.size(rows)](const Frame& f) {
            float* out = f.out(y);
            for (int64_t o = 0; o < outer; ++o)
              for (int64_t i = 0; i < count; ++i, out += inner) {
                const float number = f.in(rows)[i];
                const auto at = static_cast<int64_t>(number) + (number < 0 ? n : 0);
                if (at < 0 || at >= n)
                  throw Error(ErrorKind::bad_value, "an index of Gather lies outside of its table");
                std::copy_n(f.in(x) + (o * n + at) * inner, inner, out);
              }
          }});
  return true;
}

}  // namespace

std::vector<PlannerRow> movement_planners() {
  return {{"Reshape", reshape},
          {"Flatten", reshape},
          {"Squeeze", reshape},
          {"Unsqueeze", reshape},
          {"Transpose", first_moves},
          {"Expand", first_moves},
          {"Tile", first_moves},
          {"Slice", first_moves},
          {"Split", first_moves},
          {"Concat", all_move},
          {"Pad", pad},
          {"DepthToSpace", first_moves},
          {"SpaceToDepth", first_moves},
          {"Trilu", first_moves},
          {"Gather", gather},
          {"GatherElements", first_moves},
          {"GatherND", first_moves}};
}

}  // namespace dws::network::engine
