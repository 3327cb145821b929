// Scales and signs of a whole group of neurons that its neurons' own scales and signs make already: two names for one move,
// of which the one within stays.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "symmetry/scales.h"

namespace dws::symmetry {
namespace {

// What a scaling does to the numbers of a block, as the exponent of s by where they lie.
using Exponents = std::vector<int64_t>;

enum class Over {
  positive,
  signs
};  // exponents of any factor s > 0; of s = -1 or 1, which only their parity counts for

// Vectors of exponents, brought into echelon form as they come.
class Span {
 public:
  explicit Span(Over over) : over_(over) {}

  // False, and nothing added, where others make it already.
  bool add(Exponents v) {
    reduce(v);
    for (const Exponents& row : rows_) {
      const size_t lead = lead_of(row);
      if (v[lead] == 0) continue;
      const int64_t p = row[lead], q = v[lead];
      for (size_t i = 0; i < v.size(); ++i) v[i] = v[i] * p - row[i] * q;
      reduce(v);
    }
    if (lead_of(v) == v.size()) return false;
    rows_.push_back(std::move(v));
    std::ranges::sort(rows_, {}, lead_of);
    return true;
  }

 private:
  static size_t lead_of(const Exponents& v) {
    return static_cast<size_t>(std::ranges::find_if(v, [](int64_t x) { return x != 0; }) - v.begin());
  }
  void reduce(Exponents& v) const {
    if (over_ == Over::signs)
      for (int64_t& x : v) x = std::abs(x) % 2;
  }
  Over over_;
  std::vector<Exponents> rows_;
};

// Where the members of an outer group and of those within it lie: members that lie on the same numbers of each block share a place.
class Places {
 public:
  Places(const Spec& spec, const NetworkGroup& outer)
      : spec_(spec), outer_(outer), count_(outer.members.size()) {
    for (size_t m = 0; m < outer.members.size(); ++m)
      by_tensor_[outer.members[m].tensor].push_back(static_cast<int>(m));
  }
  // Of a member of a group within, all its items together.
  size_t of(const NetworkGroup& within, const Member& member) {
    const std::vector<int>& beside = by_tensor_[member.tensor];
    const auto covers = [&](auto&& wanted) {
      const std::vector<int64_t>& dims = spec_.tensors[static_cast<size_t>(member.tensor)].dims;
      for (int64_t c = 0; c < dims[static_cast<size_t>(member.axis)]; ++c)
        if ((item_at(member, within.size, c) >= 0) != wanted(c)) return false;
      return true;
    };
    bool same_axis = false;
    for (const int m : beside) {
      const Member& other = outer_.members[static_cast<size_t>(m)];
      if (other.axis != member.axis) continue;
      same_axis = true;
      if (covers([&](int64_t c) { return item_at(other, outer_.size, c) >= 0; }))
        return static_cast<size_t>(m);
    }
    if (!same_axis && beside.size() == 1 && covers([](int64_t) { return true; }))
      return static_cast<size_t>(beside.front());
    return count_++;  // nobody else's
  }
  size_t count() const noexcept { return count_; }

 private:
  const Spec& spec_;
  const NetworkGroup& outer_;
  std::map<int, std::vector<int>> by_tensor_;
  size_t count_;
};

using Kind = std::vector<Scaling> NetworkGroup::*;

// `inside`: the groups that lie within `group`.
void drop(const Spec& spec, const std::vector<int>& inside, Kind kind, Over over, NetworkGroup& group) {
  if ((group.*kind).empty()) return;
  std::vector<std::map<size_t, int64_t>> made;  // by groups within
  Places places(spec, group);
  for (const int g : inside) {
    const NetworkGroup& within = spec.groups[static_cast<size_t>(g)];
    for (const Scaling& scaling : within.*kind) {
      auto& exponents = made.emplace_back();
      for (const Scaling::Part& part : scaling.parts)
        exponents[places.of(within, within.members[static_cast<size_t>(part.member)])] += part.exponent;
    }
  }
  Span span(over);
  for (const auto& exponents : made) {
    Exponents v(places.count());
    for (const auto& [place, exponent] : exponents) v[place] = exponent;
    span.add(std::move(v));
  }
  std::erase_if(group.*kind, [&](const Scaling& scaling) {
    Exponents v(places.count());
    for (const Scaling::Part& part : scaling.parts) v[static_cast<size_t>(part.member)] += part.exponent;
    return !span.add(std::move(v));
  });
}

}  // namespace

void drop_redundant_scales(Spec& spec) {
  std::map<int, std::vector<int>> within;  // by the group around
  for (size_t g = 0; g < spec.groups.size(); ++g)
    if (spec.groups[g].by >= 0) within[spec.groups[g].by].push_back(static_cast<int>(g));
  for (const auto& [outer, inside] : within) {
    NetworkGroup& group = spec.groups[static_cast<size_t>(outer)];
    drop(spec, inside, &NetworkGroup::scales, Over::positive, group);
    drop(spec, inside, &NetworkGroup::signs, Over::signs, group);
  }
}

}  // namespace dws::symmetry
