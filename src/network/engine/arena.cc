#include "network/engine/arena.h"

#include <algorithm>
#include <limits>

namespace dws::network::engine {
namespace {

constexpr int64_t kLine = 16;  // floats of a cache line
constexpr size_t kNever = std::numeric_limits<size_t>::max();

int64_t rounded(int64_t floats) {
  return (std::max<int64_t>(floats, 1) + kLine - 1) / kLine * kLine;
}

// First fit among the gaps between blocks in use.
class Gaps {
 public:
  int64_t take(int64_t size) {
    size = rounded(size);
    int64_t at = 0;
    auto before = used_.begin();
    for (; before != used_.end() && before->first - at < size; ++before) at = std::max(at, before->second);
    used_.insert(before, {at, at + size});
    top_ = std::max(top_, at + size);
    return at;
  }
  void give_back(int64_t at) {
    used_.erase(std::ranges::find_if(used_, [&](const auto& block) { return block.first == at; }));
  }
  int64_t top() const noexcept { return top_; }

 private:
  std::vector<std::pair<int64_t, int64_t>> used_;  // by place
  int64_t top_ = 0;
};

}  // namespace

void Arena::place(float* memory, std::vector<float*>& values) const {
  for (size_t v = 0; v < offsets.size(); ++v)
    if (offsets[v] >= 0) values[v] = memory + offsets[v];
}

Arena lay_out(const Builder::Result& built, const std::vector<int>& inputs, const std::vector<int>& kept) {
  const auto root = [&](int v) {
    while (built.alias_of[static_cast<size_t>(v)] != kNone) v = built.alias_of[static_cast<size_t>(v)];
    return static_cast<size_t>(v);
  };
  const size_t count = built.sizes.size();
  std::vector<size_t> last(count, 0);
  for (size_t s = 0; s < built.steps.size(); ++s) {
    for (const int v : built.steps[s].reads) last[root(v)] = s;
    for (const int v : built.steps[s].writes) last[root(v)] = std::max(last[root(v)], s);
  }
  for (const int v : kept) last[root(v)] = kNever;
  Arena arena;
  arena.offsets.assign(count, -1);
  Gaps gaps;
  const auto flows = [&](size_t v) { return !built.fixed[v]; };
  for (const int v : inputs)
    if (arena.offsets[root(v)] < 0) arena.offsets[root(v)] = gaps.take(built.sizes[root(v)]);
  int64_t scratch = 0;
  for (size_t s = 0; s < built.steps.size(); ++s) {
    const Step& step = built.steps[s];
    scratch = std::max(scratch, step.scratch);
    size_t moved = kNever;  // the value whose place another takes
    if (step.in_place) {
      const size_t from = root(step.reads[0]), to = root(step.writes[0]);
      if (flows(from) && last[from] == s && arena.offsets[to] < 0 && built.sizes[from] == built.sizes[to]) {
        arena.offsets[to] = arena.offsets[from];
        moved = from;
      }
    }
    for (const int v : step.writes)
      if (arena.offsets[root(v)] < 0) arena.offsets[root(v)] = gaps.take(built.sizes[root(v)]);
    std::vector<size_t> done;
    for (const auto* list : {&step.reads, &step.writes})
      for (const int v : *list)
        if (const size_t r = root(v); flows(r) && last[r] == s && std::ranges::find(done, r) == done.end())
          done.push_back(r);
    for (const size_t r : done)
      if (r != moved && arena.offsets[r] >= 0) gaps.give_back(arena.offsets[r]);
  }
  for (size_t v = 0; v < count; ++v) {
    const size_t r = root(static_cast<int>(v));
    if (flows(r) && arena.offsets[r] >= 0) arena.offsets[v] = arena.offsets[r];
  }
  arena.activations = gaps.top();
  arena.scratch_at = gaps.top();
  arena.size = gaps.top() + rounded(scratch);
  return arena;
}

}  // namespace dws::network::engine
