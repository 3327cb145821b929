#include "symmetry/element.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"

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

// What happens to one coordinate of one axis.
struct Step {
  int64_t source = 0;
  double factor = 1, shift = 0;
};

// The action on one tensor.
class Action {
 public:
  Action(const Spec& spec, const NetworkElement& g, int tensor, const LeftOut& left_out,
         const MembersByTensor* members)
      : spec_(spec), g_(g), tensor_(tensor) {
    const std::vector<int64_t>& dims = spec.tensors[static_cast<size_t>(tensor)].dims;
    on_axis_.resize(dims.size());
    MembersByTensor own;
    if (!members) own = members_by_tensor(spec);
    for (const auto& [n, m] : (members ? *members : own)[static_cast<size_t>(tensor)]) {
      const NetworkGroup& group = spec.groups[static_cast<size_t>(n)];
      if (group.fixed || (n == left_out.group && m == left_out.member)) continue;
      const int axis = group.members[static_cast<size_t>(m)].axis;
      on_axis_[static_cast<size_t>(axis)].push_back({n, m, across(group, axis)});
    }
    tables_.resize(dims.size());
    std::vector<int64_t> at(dims.size(), 0);
    for (size_t a = 0; a < dims.size(); ++a) {
      if (std::ranges::any_of(on_axis_[a], &Here::across)) continue;
      for (int64_t c = 0; c < dims[a]; ++c) {
        at[a] = c;
        tables_[a].push_back(step(a, at));
      }
      at[a] = 0;
    }
  }

  // visit(target, source, factor, shift) for every number.
  template <class Visit>
  void each(const Visit& visit) const {
    const std::vector<int64_t>& dims = spec_.tensors[static_cast<size_t>(tensor_)].dims;
    const int64_t count = elements_of(dims);
    std::vector<int64_t> at(dims.size(), 0), strides(dims.size(), 1);
    for (size_t a = dims.size(); a-- > 1;) strides[a - 1] = strides[a] * dims[a];
    for (int64_t i = 0; i < count; ++i) {
      int64_t source = 0;
      double factor = 1, shift = 0;
      for (size_t a = 0; a < dims.size(); ++a) {
        const Step s = tables_[a].empty() ? step(a, at) : tables_[a][static_cast<size_t>(at[a])];
        source += s.source * strides[a];
        factor *= s.factor;
        shift += s.shift;
      }
      visit(static_cast<size_t>(i), static_cast<size_t>(source), factor, shift);
      for (size_t a = dims.size(); a-- > 0;) {
        if (++at[a] < dims[a]) break;
        at[a] = 0;
      }
    }
  }

 private:
  struct Here {
    int group, member;
    bool across;  // which block it is in is seen along another axis
  };
  static int64_t elements_of(const std::vector<int64_t>& dims) {
    return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
  }
  bool across(const NetworkGroup& group, int axis) const {
    if (group.by < 0) return false;
    return std::ranges::any_of(spec_.groups[static_cast<size_t>(group.by)].members,
                               [&](const Member& m) { return m.tensor == tensor_ && m.axis != axis; });
  }
  int64_t block(const NetworkGroup& group, const std::vector<int64_t>& at) const {
    if (group.by < 0) return 0;
    const NetworkGroup& by = spec_.groups[static_cast<size_t>(group.by)];
    for (const Member& m : by.members)
      if (m.tensor == tensor_)
        if (const int64_t i = item_at(m, by.size, at[static_cast<size_t>(m.axis)]); i >= 0) return i;
    return 0;
  }
  static double factor_of(const std::vector<Scaling>& kinds, const std::vector<std::vector<double>>& drawn,
                          int member, size_t entry) {
    double factor = 1;
    for (size_t k = 0; k < drawn.size(); ++k)
      for (const Scaling::Part& part : kinds[k].parts)
        if (part.member == member)
          factor = part.exponent > 0 ? factor * drawn[k][entry] : factor / drawn[k][entry];
    return factor;
  }
  Step step(size_t axis, const std::vector<int64_t>& at) const {
    Step s{.source = at[axis]};
    for (const Here& here : on_axis_[axis]) {
      const NetworkGroup& group = spec_.groups[static_cast<size_t>(here.group)];
      const GroupElement& e = g_[static_cast<size_t>(here.group)];
      const Member& m = group.members[static_cast<size_t>(here.member)];
      const int64_t i = item_at(m, group.size, at[axis]);
      if (i < 0) continue;
      const auto entry = static_cast<size_t>(block(group, at) * group.size + i);
      s.source += (e.order[entry] - i) * m.inner;
      s.factor *= factor_of(group.signs, e.signs, here.member, entry) *
                  factor_of(group.scales, e.scales, here.member, entry);
      for (size_t p = 0; p < e.turns.size(); ++p) {
        const int32_t turns = e.turns[p][entry];
        if (turns == 0) continue;
        for (const Scaling::Part& part : group.phases[p].negated)
          if (part.member == here.member && turns % 2 != 0) s.factor = -s.factor;
        for (const Phase::Shift& shift : group.phases[p].shifts)
          if (shift.member == here.member) s.shift += turns * shift.half_turn;
      }
    }
    return s;
  }

  const Spec& spec_;
  const NetworkElement& g_;
  int tensor_;
  std::vector<std::vector<Here>> on_axis_;
  std::vector<std::vector<Step>> tables_;
};

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
  Action(spec, g, tensor, left_out, members).each([&](size_t to, size_t from, double factor, double shift) {
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
  Action(spec, g, tensor, {}, members).each([&](size_t to, size_t from, double, double) {
    std::memcpy(out.data() + to * item, bytes.data() + from * item, item);
  });
  return out;
}

bool only_reorders(const Spec& spec, const NetworkElement& g, int tensor, const MembersByTensor* members) {
  bool plain = true;
  Action(spec, g, tensor, {}, members).each([&](size_t, size_t, double factor, double shift) {
    plain = plain && factor == 1 && shift == 0;
  });
  return plain;
}

std::vector<bool> touched(const Spec& spec) {
  std::vector<bool> found(spec.tensors.size());
  for (const NetworkGroup& group : spec.groups)
    if (!group.fixed)
      for (const Member& m : group.members) found[static_cast<size_t>(m.tensor)] = true;
  return found;
}

}  // namespace dws::symmetry
