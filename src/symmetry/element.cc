#include "symmetry/element.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "symmetry/action.h"

namespace dws::symmetry {
namespace {

size_t entries(const NetworkGroup& group) noexcept {
  return static_cast<size_t>(group.blocks * group.size);
}

// Where the blocks of group n themselves have moved: block b of the new came from [b] of the old. nullptr: they have not.
const std::vector<int32_t>* blocks_of(const Spec& spec, size_t n, const NetworkElement& g) {
  const int by = spec.groups[n].by;
  if (by < 0) return nullptr;
  const NetworkGroup& outer = spec.groups[static_cast<size_t>(by)];
  return outer.fixed || outer.blocks != 1 ? nullptr : &g[static_cast<size_t>(by)].order;
}
// The sign that multiplies what phase k adds half turns to.
double sign_of_shift(const NetworkGroup& group, size_t k, const GroupElement& g, size_t entry) {
  double sign = 1;
  for (size_t c = 0; c < group.signs.size(); ++c)
    for (const Scaling::Part& part : group.signs[c].parts)
      if (part.member == group.phases[k].shifts.front().member) sign = g.signs[c][entry];
  return sign;
}

}  // namespace

int64_t Spec::free_groups() const noexcept {
  return std::ranges::count_if(groups, [](const NetworkGroup& g) { return !g.fixed; });
}

int64_t item_at(const Member& m, int64_t size, int64_t coordinate) noexcept {
  int64_t t = coordinate - m.offset;
  if (t < 0) return -1;
  if (m.outer > 1) {
    if (t / m.stride >= m.outer) return -1;
    t %= m.stride;
  }
  return t / m.inner < size ? t / m.inner : -1;
}

NetworkElement identity_element(const Spec& spec) {
  NetworkElement g;
  for (const NetworkGroup& group : spec.groups) {
    GroupElement e;
    const size_t n = entries(group);
    for (int64_t b = 0; b < group.blocks; ++b)
      for (int64_t i = 0; i < group.size; ++i) e.order.push_back(static_cast<int32_t>(i));
    e.signs.assign(group.signs.size(), std::vector<double>(n, 1));
    e.scales.assign(group.scales.size(), std::vector<double>(n, 1));
    e.turns.assign(group.phases.size(), std::vector<int32_t>(n, 0));
    g.push_back(std::move(e));
  }
  return g;
}

NetworkElement random_element(const Spec& spec, const Draw& draw, Rng& rng) {
  NetworkElement g = identity_element(spec);
  for (size_t n = 0; n < g.size(); ++n) {
    const NetworkGroup& group = spec.groups[n];
    if (group.fixed) continue;
    for (int64_t b = 0; draw.order && b < group.blocks; ++b)
      for (int64_t i = group.size - 1; i > 0; --i)  // Fisher-Yates
        std::swap(g[n].order[static_cast<size_t>(b * group.size + i)],
                  g[n].order[static_cast<size_t>(b * group.size) + rng.below(static_cast<uint64_t>(i) + 1)]);
    for (auto& signs : g[n].signs)
      for (double& s : signs)
        if (draw.sign && rng.below(2) == 1) s = -1;
    for (auto& scales : g[n].scales)
      for (double& s : scales)
        if (draw.scale) s = std::exp2(2 * rng.uniform() - 1);
    for (auto& turns : g[n].turns)
      for (int32_t& k : turns)
        if (draw.phase) k = static_cast<int32_t>(rng.below(5)) - 2;
  }
  return g;
}

GroupElement compose(const NetworkGroup& group, const GroupElement& a, const GroupElement& b,
                     const std::vector<int32_t>* blocks) {
  GroupElement c = a;
  for (int64_t block = 0; block < group.blocks; ++block) {
    const int64_t old_block = blocks ? (*blocks)[static_cast<size_t>(block)] : block;
    for (int64_t i = 0; i < group.size; ++i) {
      const auto now = static_cast<size_t>(block * group.size + i);
      const auto then = static_cast<size_t>(old_block * group.size + a.order[now]);
      c.order[now] = b.order[then];
      for (size_t k = 0; k < a.signs.size(); ++k) c.signs[k][now] = a.signs[k][now] * b.signs[k][then];
      for (size_t k = 0; k < a.scales.size(); ++k) c.scales[k][now] = a.scales[k][now] * b.scales[k][then];
      // s (s' b + k' t) + k t = s s' b + (s k' + k) t.
      for (size_t k = 0; k < a.turns.size(); ++k)
        c.turns[k][now] =
            a.turns[k][now] + static_cast<int32_t>(sign_of_shift(group, k, a, now)) * b.turns[k][then];
    }
  }
  return c;
}

NetworkElement compose(const Spec& spec, const NetworkElement& a, const NetworkElement& b) {
  NetworkElement c;
  for (size_t n = 0; n < a.size(); ++n)
    c.push_back(compose(spec.groups[n], a[n], b[n], blocks_of(spec, n, a)));
  return c;
}

NetworkElement inverse(const Spec& spec, const NetworkElement& g) {
  NetworkElement h = identity_element(spec);
  for (size_t n = 0; n < g.size(); ++n) {
    const NetworkGroup& group = spec.groups[n];
    const std::vector<int32_t>* blocks = blocks_of(spec, n, g);
    for (int64_t b = 0; b < group.blocks; ++b) {
      const int64_t old_block = blocks ? (*blocks)[static_cast<size_t>(b)] : b;
      for (int64_t i = 0; i < group.size; ++i) {
        const auto now = static_cast<size_t>(b * group.size + i);
        const auto then = static_cast<size_t>(old_block * group.size + g[n].order[now]);
        h[n].order[then] = static_cast<int32_t>(i);
        for (size_t k = 0; k < g[n].signs.size(); ++k) h[n].signs[k][then] = g[n].signs[k][now];
        for (size_t k = 0; k < g[n].scales.size(); ++k) h[n].scales[k][then] = 1 / g[n].scales[k][now];
        for (size_t k = 0; k < g[n].turns.size(); ++k) {
          // b' = s b + k t  =>  b = s b' - s k t.
          h[n].turns[k][then] =
              static_cast<int32_t>(-sign_of_shift(group, k, g[n], now) * g[n].turns[k][now]);
        }
      }
    }
  }
  return h;
}

bool is_identity(const GroupElement& g) noexcept {
  const auto all = [](const auto& lists, auto one) {
    return std::ranges::all_of(
        lists, [&](const auto& list) { return std::ranges::all_of(list, [&](auto x) { return x == one; }); });
  };
  if (!all(g.signs, 1.0) || !all(g.scales, 1.0) || !all(g.turns, 0)) return false;
  // Blocks are as long as the first order's climb.
  for (size_t i = 0; i < g.order.size(); ++i)
    if (g.order[i] != (i == 0 || g.order[i] == 0 ? 0 : g.order[i - 1] + 1)) return false;
  return true;
}

MembersByTensor members_by_tensor(const Spec& spec) {
  MembersByTensor all(spec.tensors.size());
  for (size_t n = 0; n < spec.groups.size(); ++n)
    for (size_t m = 0; m < spec.groups[n].members.size(); ++m)
      all[static_cast<size_t>(spec.groups[n].members[m].tensor)].emplace_back(n, m);
  return all;
}

network::Array act(const Spec& spec, const NetworkElement& g, int tensor, const network::Array& numbers,
                   const LeftOut& left_out, const MembersByTensor* members) {
  const SpecTensor& t = spec.tensors[static_cast<size_t>(tensor)];
  if (numbers.dims != t.dims)
    throw Error(ErrorKind::mismatch, text("tensor '{}': expected shape {}, got {}", escaped(t.name),
                                          shape_text(t.dims), shape_text(numbers.dims)));
  network::Array out{.type = numbers.type, .dims = numbers.dims};
  out.reals.resize(numbers.reals.size());
  out.ints.resize(numbers.ints.size());
  const Action action(spec, g, tensor, left_out, members);
  action.each(action.whole(), [&](size_t to, size_t from, double factor, double shift) {
    if (numbers.real())
      out.reals[to] = factor * numbers.reals[from] + shift;
    else
      out.ints[to] = numbers.ints[from];
  });
  return out;
}

std::vector<std::byte> act_on_bytes(const Spec& spec, const NetworkElement& g, int tensor, Bytes bytes,
                                    size_t item, const MembersByTensor* members) {
  std::vector<std::byte> out(bytes.size());
  const Action action(spec, g, tensor, {}, members);
  action.each(action.whole(), [&](size_t to, size_t from, double, double) {
    std::memcpy(out.data() + to * item, bytes.data() + from * item, item);
  });
  return out;
}

bool only_reorders(const Spec& spec, const NetworkElement& g, int tensor, const MembersByTensor* members) {
  return Action(spec, g, tensor, {}, members).only_reorders();
}

std::vector<bool> touched(const Spec& spec) {
  std::vector<bool> found(spec.tensors.size());
  for (const NetworkGroup& group : spec.groups)
    if (!group.fixed)
      for (const Member& m : group.members) found[static_cast<size_t>(m.tensor)] = true;
  return found;
}

}  // namespace dws::symmetry
