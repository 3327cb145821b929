#include "symmetry/action.h"

#include <algorithm>

namespace dws::symmetry {
namespace {

double factor_of(const std::vector<Scaling>& kinds, const std::vector<std::vector<double>>& drawn, int member,
                 size_t entry) {
  double factor = 1;
  for (size_t k = 0; k < drawn.size(); ++k)
    for (const Scaling::Part& part : kinds[k].parts)
      if (part.member == member)
        factor = part.exponent > 0 ? factor * drawn[k][entry] : factor / drawn[k][entry];
  return factor;
}

}  // namespace

Action::Action(const Spec& spec, const NetworkElement& g, int tensor, const LeftOut& left_out,
               const MembersByTensor* members)
    : spec_(spec), g_(g), tensor_(tensor), dims_(spec.tensors[static_cast<size_t>(tensor)].dims) {
  on_axis_.resize(dims_.size());
  MembersByTensor own;
  if (!members) own = members_by_tensor(spec);
  for (const auto& [n, m] : (members ? *members : own)[static_cast<size_t>(tensor)]) {
    const NetworkGroup& group = spec.groups[static_cast<size_t>(n)];
    if (group.fixed || (n == left_out.group && m == left_out.member)) continue;
    const int axis = group.members[static_cast<size_t>(m)].axis;
    on_axis_[static_cast<size_t>(axis)].push_back({n, m, across(group, axis)});
  }
  tables_.resize(dims_.size());
  std::vector<int64_t> at(dims_.size(), 0);
  for (size_t a = 0; a < dims_.size(); ++a) {
    if (std::ranges::any_of(on_axis_[a], &Here::across)) continue;
    for (int64_t c = 0; c < dims_[a]; ++c) {
      at[a] = c;
      tables_[a].push_back(step(a, at));
    }
    at[a] = 0;
  }
}

Action::Box Action::whole() const noexcept {
  Box box{.row = 0, .rows = dims_.empty() ? 1 : dims_[0], .column = 0, .columns = 1};
  for (size_t a = 1; a < dims_.size(); ++a) box.columns *= dims_[a];
  return box;
}

bool Action::only_reorders() const {
  bool plain = true;
  const auto unchanged = [](const Step& s) { return s.factor == 1 && s.shift == 0; };
  if (std::ranges::all_of(tables_,
                          [&](const auto& table) { return std::ranges::all_of(table, unchanged); }) &&
      std::ranges::none_of(on_axis_,
                           [](const auto& here) { return std::ranges::any_of(here, &Here::across); }))
    return true;
  Box row = whole();
  const int64_t end = row.row + row.rows;
  for (row.rows = 1; plain && row.row < end; ++row.row)
    each(row,
         [&](size_t, size_t, double factor, double shift) { plain = plain && factor == 1 && shift == 0; });
  return plain;
}

bool Action::across(const NetworkGroup& group, int axis) const {
  if (group.by < 0) return false;
  return std::ranges::any_of(spec_.groups[static_cast<size_t>(group.by)].members,
                             [&](const Member& m) { return m.tensor == tensor_ && m.axis != axis; });
}

int64_t Action::block(const NetworkGroup& group, const std::vector<int64_t>& at) const {
  if (group.by < 0) return 0;
  const NetworkGroup& by = spec_.groups[static_cast<size_t>(group.by)];
  for (const Member& m : by.members)
    if (m.tensor == tensor_)
      if (const int64_t i = item_at(m, by.size, at[static_cast<size_t>(m.axis)]); i >= 0) return i;
  return 0;
}

Action::Step Action::step(size_t axis, const std::vector<int64_t>& at) const {
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

}  // namespace dws::symmetry
