#include "align/balance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.h"

namespace dws::align {
namespace {

using symmetry::Member;
using symmetry::NetworkElement;
using symmetry::NetworkGroup;
using symmetry::Spec;

constexpr int kRounds = 1000;
constexpr double kSettled = 1e-9;  // change of a logarithm
constexpr double kLargest = 40;    // of a scale's logarithm in all: beyond it there is no balance

// One list of scales in one tensor: which of them acts at each coordinate of one axis, and how.
struct Acting {
  int list;  // in lists()
  int axis;
  std::vector<int64_t> item;  // by coordinate; -1: none
  int exponent;
  // Where the block is seen along another axis: of each of its coordinates the block.
  int block_axis = -1;
  std::vector<int64_t> block;
};
// A tensor's squares, summed along axes that no scale lies on.
struct Squares {
  std::vector<int64_t> dims;
  std::vector<double> numbers;
  std::vector<Acting> acting;
};
struct List {
  int group, scaling;
  int64_t size, entries;
  std::vector<size_t> squares;  // where it acts
};

class Balance {
 public:
  Balance(const Spec& spec, const std::vector<bool>& scored, const Numbers& numbers) : spec_(spec) {
    for (size_t g = 0; g < spec.groups.size(); ++g)
      for (size_t k = 0; k < spec.groups[g].scales.size(); ++k)
        lists_.push_back({.group = static_cast<int>(g),
                          .scaling = static_cast<int>(k),
                          .size = spec.groups[g].size,
                          .entries = spec.groups[g].size * spec.groups[g].blocks,
                          .squares = {}});
    const symmetry::MembersByTensor members = symmetry::members_by_tensor(spec);
    for (size_t t = 0; t < spec.tensors.size(); ++t)
      if (scored[t] && !numbers.tensors[t].empty()) add(t, members[t], numbers.tensors[t]);
    for (size_t s = 0; s < squares_.size(); ++s)
      for (const Acting& a : squares_[s].acting) {
        std::vector<size_t>& list = lists_[static_cast<size_t>(a.list)].squares;
        if (list.empty() || list.back() != s) list.push_back(s);
      }
  }

  NetworkElement run() {
    std::vector<std::vector<double>> logs;
    for (const List& list : lists_) logs.emplace_back(static_cast<size_t>(list.entries), 0.0);
    double change = lists_.empty() ? 0 : 1;
    for (int round = 0; change > kSettled && round < kRounds; ++round) {
      change = 0;
      for (size_t l = 0; l < lists_.size(); ++l) change = std::max(change, settle(l, logs[l]));
    }
    NetworkElement g = symmetry::identity_element(spec_);
    for (size_t l = 0; l < lists_.size(); ++l)
      for (size_t e = 0; e < logs[l].size(); ++e)
        g[static_cast<size_t>(lists_[l].group)].scales[static_cast<size_t>(lists_[l].scaling)][e] =
            std::exp(logs[l][e]);
    return g;
  }

 private:
  void add(size_t tensor, const std::vector<std::pair<int, int>>& members, std::span<const float> numbers) {
    const std::vector<int64_t>& dims = spec_.tensors[tensor].dims;
    Squares s{.dims = dims, .numbers = {}, .acting = {}};
    for (size_t l = 0; l < lists_.size(); ++l) {
      const NetworkGroup& group = spec_.groups[static_cast<size_t>(lists_[l].group)];
      for (const symmetry::Scaling::Part& part : group.scales[static_cast<size_t>(lists_[l].scaling)].parts) {
        const Member& m = group.members[static_cast<size_t>(part.member)];
        if (m.tensor != static_cast<int>(tensor)) continue;
        Acting a{
            .list = static_cast<int>(l), .axis = m.axis, .item = {}, .exponent = part.exponent, .block = {}};
        const NetworkGroup* by = group.by < 0 ? nullptr : &spec_.groups[static_cast<size_t>(group.by)];
        std::vector<int64_t> same;  // blocks along the same axis
        if (by)
          for (const auto& [n, k] : members) {
            if (n != group.by) continue;
            const Member& o = by->members[static_cast<size_t>(k)];
            std::vector<int64_t>& blocks = o.axis == m.axis ? same : a.block;
            if (o.axis != m.axis) a.block_axis = o.axis;
            blocks.resize(static_cast<size_t>(dims[static_cast<size_t>(o.axis)]), 0);
            for (size_t c = 0; c < blocks.size(); ++c)
              if (const int64_t i = symmetry::item_at(o, by->size, static_cast<int64_t>(c)); i >= 0)
                blocks[c] = i;
          }
        for (int64_t c = 0; c < dims[static_cast<size_t>(m.axis)]; ++c) {
          int64_t i = symmetry::item_at(m, group.size, c);
          if (i >= 0 && a.block_axis < 0 && !same.empty()) i += same[static_cast<size_t>(c)] * group.size;
          a.item.push_back(i);
        }
        s.acting.push_back(std::move(a));
      }
    }
    if (s.acting.empty()) return;
    // Axes on which nothing acts are summed over.
    std::vector<bool> kept(dims.size());
    for (const Acting& a : s.acting) {
      kept[static_cast<size_t>(a.axis)] = true;
      if (a.block_axis >= 0) kept[static_cast<size_t>(a.block_axis)] = true;
    }
    std::vector<int64_t> strides(dims.size(), 0);
    int64_t count = 1;
    for (size_t d = dims.size(); d-- > 0;) {
      if (!kept[d]) {
        s.dims[d] = 1;
        continue;
      }
      strides[d] = count;
      count *= dims[d];
    }
    s.numbers.assign(static_cast<size_t>(count), 0);
    std::vector<int64_t> at(dims.size(), 0);
    int64_t cell = 0;
    for (const float x : numbers) {
      s.numbers[static_cast<size_t>(cell)] += double{x} * x;
      for (size_t d = dims.size(); d-- > 0;) {
        cell += strides[d];
        if (++at[d] < dims[d]) break;
        cell -= strides[d] * dims[d];
        at[d] = 0;
      }
    }
    squares_.push_back(std::move(s));
  }

  // visit(cell, acting exponents by entry): each number with what list l does to it.
  template <class Visit>
  void each(const Squares& s, size_t l, const Visit& visit) const {
    std::vector<const Acting*> acting;
    for (const Acting& a : s.acting)
      if (a.list == static_cast<int>(l)) acting.push_back(&a);
    std::vector<int64_t> at(s.dims.size(), 0);
    for (double* cell = const_cast<double*>(s.numbers.data()); cell != s.numbers.data() + s.numbers.size();
         ++cell) {
      for (const Acting* a : acting) {
        int64_t entry = a->item[static_cast<size_t>(at[static_cast<size_t>(a->axis)])];
        if (entry < 0) continue;
        if (a->block_axis >= 0)
          entry += a->block[static_cast<size_t>(at[static_cast<size_t>(a->block_axis)])] * lists_[l].size;
        visit(*cell, static_cast<size_t>(entry), a->exponent);
      }
      for (size_t d = at.size(); d-- > 0;) {
        if (++at[d] < s.dims[d]) break;
        at[d] = 0;
      }
    }
  }

  // Sets one list's scales to their best; the largest change of a logarithm.
  double settle(size_t l, std::vector<double>& logs) {
    std::vector<double> times(logs.size(), 0), divided(logs.size(), 0);
    for (const size_t s : lists_[l].squares)
      each(squares_[s], l, [&](double square, size_t entry, int exponent) {
        (exponent > 0 ? times : divided)[entry] += square;
      });
    std::vector<double> factor(logs.size(), 1);
    double largest = 0;
    for (size_t e = 0; e < logs.size(); ++e) {
      if (!(times[e] > 0) || !(divided[e] > 0)) continue;
      const double step =
          std::clamp(std::log(divided[e] / times[e]) / 4, -kLargest - logs[e], kLargest - logs[e]);
      logs[e] += step;
      factor[e] = std::exp(2 * step);
      largest = std::max(largest, std::abs(step));
    }
    if (largest > 0)
      for (const size_t s : lists_[l].squares)
        each(squares_[s], l, [&](double& square, size_t entry, int exponent) {
          square = exponent > 0 ? square * factor[entry] : square / factor[entry];
        });
    return largest;
  }

  const Spec& spec_;
  std::vector<List> lists_;
  std::vector<Squares> squares_;
};

}  // namespace

NetworkElement balance(const Spec& spec, const std::vector<bool>& scored, const Numbers& numbers) {
  return Balance(spec, scored, numbers).run();
}

}  // namespace dws::align
