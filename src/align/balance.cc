#include "align/balance.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "align/streamed.h"
#include "core/interrupt.h"
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
  // Where they are a matrix, (rows, columns), and each scale acts along one of its axes: the squares stay as they were at the start, and
  // what they have been multiplied by since is kept by row and by column.
  bool matrix = false;
  int row_axis = -1, column_axis = -1;
  std::vector<double> by_row, by_column;
};

// See Squares::matrix.
void find_matrix(Squares& s) {
  for (size_t d = 0; d < s.dims.size(); ++d) {
    if (s.dims[d] == 1) continue;
    if (s.column_axis >= 0) return;
    (s.row_axis < 0 ? s.row_axis : s.column_axis) = static_cast<int>(d);
  }
  s.matrix = std::ranges::all_of(s.acting, [&](const Acting& a) {
    return a.block_axis < 0 && (a.axis == s.row_axis || a.axis == s.column_axis);
  });
  const auto extent = [&](int axis) {
    return axis < 0 ? size_t{1} : static_cast<size_t>(s.dims[static_cast<size_t>(axis)]);
  };
  s.by_row.assign(extent(s.row_axis), 1);
  s.by_column.assign(extent(s.column_axis), 1);
}

constexpr int64_t kRowsATask = 64, kColumnsATask = 512;

// The squares of each row as they stand.
std::vector<double> row_sums(const Squares& s) {
  const size_t columns = s.by_column.size();
  std::vector<double> sums(s.by_row.size());
  parallel_blocks(static_cast<int64_t>(sums.size()), kRowsATask, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const double* x = s.numbers.data() + i * columns;
      double lanes[4] = {};
      size_t j = 0;
      for (; j + 4 <= columns; j += 4)
        for (size_t l = 0; l < 4; ++l) lanes[l] += x[j + l] * s.by_column[j + l];
      for (; j < columns; ++j) lanes[0] += x[j] * s.by_column[j];
      sums[i] = ((lanes[0] + lanes[2]) + (lanes[1] + lanes[3])) * s.by_row[i];
    }
  });
  return sums;
}
std::vector<double> column_sums(const Squares& s) {
  const size_t columns = s.by_column.size();
  std::vector<double> sums(columns);
  parallel_blocks(static_cast<int64_t>(columns), kColumnsATask, [&](int64_t begin, int64_t end) {
    const auto first = static_cast<size_t>(begin), count = static_cast<size_t>(end - begin);
    double block[kColumnsATask] = {};
    for (size_t i = 0; i < s.by_row.size(); ++i) {
      const double* x = s.numbers.data() + i * columns + first;
      const double factor = s.by_row[i];
      size_t j = 0;
      for (; j + 4 <= count; j += 4)
        for (size_t l = 0; l < 4; ++l) block[j + l] += factor * x[j + l];
      for (; j < count; ++j) block[j] += factor * x[j];
    }
    for (size_t j = 0; j < count; ++j) sums[first + j] = block[j] * s.by_column[first + j];
  });
  return sums;
}
struct List {
  int group, scaling;
  int64_t size, entries;
  std::vector<size_t> squares;  // where it acts
};

// A tensor's numbers in order, a block at a time.
using Read = std::function<void(size_t tensor, const std::function<void(std::span<const float>)>& visit)>;

class Balance {
 public:
  Balance(const Spec& spec, const std::vector<bool>& counted, const Read& read)
      : spec_(spec),
        read_(read),
        members_(symmetry::members_by_tensor(spec)),
        element_(symmetry::identity_element(spec)) {
    for (size_t g = 0; g < spec.groups.size(); ++g)
      for (size_t k = 0; k < spec.groups[g].scales.size(); ++k)
        lists_.push_back({.group = static_cast<int>(g),
                          .scaling = static_cast<int>(k),
                          .size = spec.groups[g].size,
                          .entries = spec.groups[g].size * spec.groups[g].blocks,
                          .squares = {}});
    // Lists that meet in no tensor are settled one after another, so that the squares of a few tensors are held at a time.
    part_.resize(lists_.size());
    std::iota(part_.begin(), part_.end(), size_t{0});
    std::vector<std::vector<size_t>> on_tensor(spec.tensors.size());
    for (size_t l = 0; l < lists_.size(); ++l)
      for (const symmetry::Scaling::Part& p : parts(l)) {
        const auto t = static_cast<size_t>(tensor_of(l, p));
        if (counted[t]) on_tensor[t].push_back(l);
      }
    for (const std::vector<size_t>& met : on_tensor)
      for (const size_t l : met) part_[find(l)] = find(met.front());
    tensors_.resize(lists_.size());
    for (size_t t = 0; t < on_tensor.size(); ++t)
      if (!on_tensor[t].empty()) tensors_[find(on_tensor[t].front())].push_back(t);
  }

  // Bytes of squares that are held at a time.
  uint64_t bytes() {
    uint64_t most = 0;
    for (const std::vector<size_t>& tensors : tensors_) {
      uint64_t sum = 0;
      for (const size_t t : tensors) {
        uint64_t cells = sizeof(double);
        for (const int64_t d : layout(t).dims) cells *= static_cast<uint64_t>(d);
        sum += cells;
      }
      most = std::max(most, sum);
    }
    return most;
  }

  NetworkElement run() {
    for (size_t part = 0; part < tensors_.size(); ++part)
      if (!tensors_[part].empty()) settle_part(part);
    return std::move(element_);
  }

 private:
  const std::vector<symmetry::Scaling::Part>& parts(size_t l) const {
    const List& list = lists_[l];
    return spec_.groups[static_cast<size_t>(list.group)].scales[static_cast<size_t>(list.scaling)].parts;
  }
  int tensor_of(size_t l, const symmetry::Scaling::Part& p) const {
    return spec_.groups[static_cast<size_t>(lists_[l].group)].members[static_cast<size_t>(p.member)].tensor;
  }
  size_t find(size_t l) const {
    while (part_[l] != l) l = part_[l];
    return l;
  }

  void settle_part(size_t part) {
    std::vector<size_t> lists;
    for (size_t l = 0; l < lists_.size(); ++l)
      if (find(l) == part) lists.push_back(l);
    squares_.clear();
    for (const size_t t : tensors_[part]) {
      squares_.push_back(layout(t));
      sum(t, squares_.back());
      find_matrix(squares_.back());
    }
    for (const size_t l : lists) {
      lists_[l].squares.clear();
      for (size_t s = 0; s < squares_.size(); ++s)
        if (std::ranges::any_of(squares_[s].acting,
                                [&](const Acting& a) { return a.list == static_cast<int>(l); }))
          lists_[l].squares.push_back(s);
    }
    std::vector<std::vector<double>> logs;
    for (const size_t l : lists) logs.emplace_back(static_cast<size_t>(lists_[l].entries), 0.0);
    double change = 1;
    for (int round = 0; change > kSettled && round < kRounds; ++round) {
      check_interrupt();
      change = 0;
      for (size_t k = 0; k < lists.size(); ++k) change = std::max(change, settle(lists[k], logs[k]));
    }
    for (size_t k = 0; k < lists.size(); ++k) {
      const List& list = lists_[lists[k]];
      for (size_t e = 0; e < logs[k].size(); ++e)
        element_[static_cast<size_t>(list.group)].scales[static_cast<size_t>(list.scaling)][e] =
            std::exp(logs[k][e]);
    }
    squares_.clear();
  }

  // What acts on a tensor, and along which axes its squares are kept; without them.
  Squares layout(size_t tensor) const {
    const std::vector<std::pair<int, int>>& members = members_[tensor];
    const std::vector<int64_t>& dims = spec_.tensors[tensor].dims;
    Squares s{.dims = dims, .numbers = {}, .acting = {}, .by_row = {}, .by_column = {}};
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
    // Axes on which nothing acts are summed over.
    std::vector<bool> kept(dims.size());
    for (const Acting& a : s.acting) {
      kept[static_cast<size_t>(a.axis)] = true;
      if (a.block_axis >= 0) kept[static_cast<size_t>(a.block_axis)] = true;
    }
    for (size_t d = 0; d < dims.size(); ++d)
      if (!kept[d]) s.dims[d] = 1;
    return s;
  }

  void sum(size_t tensor, Squares& s) const {
    const std::vector<int64_t>& dims = spec_.tensors[tensor].dims;
    std::vector<int64_t> strides(dims.size(), 0);
    int64_t count = 1;
    for (size_t d = dims.size(); d-- > 0;) {
      if (s.dims[d] != dims[d]) continue;
      strides[d] = count;
      count *= dims[d];
    }
    s.numbers.assign(static_cast<size_t>(count), 0);
    std::vector<int64_t> at(dims.size(), 0);
    int64_t cell = 0;
    read_(tensor, [&](std::span<const float> numbers) {
      for (const float x : numbers) {
        s.numbers[static_cast<size_t>(cell)] += double{x} * x;
        for (size_t d = dims.size(); d-- > 0;) {
          cell += strides[d];
          if (++at[d] < dims[d]) break;
          cell -= strides[d] * dims[d];
          at[d] = 0;
        }
      }
    });
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
    for (const size_t s : lists_[l].squares) {
      const auto add = [&](double square, size_t entry, int exponent) {
        (exponent > 0 ? times : divided)[entry] += square;
      };
      if (!squares_[s].matrix) {
        each(squares_[s], l, add);
        continue;
      }
      for (const Acting& a : squares_[s].acting) {
        if (a.list != static_cast<int>(l)) continue;
        const std::vector<double> sums =
            a.axis == squares_[s].row_axis ? row_sums(squares_[s]) : column_sums(squares_[s]);
        for (size_t c = 0; c < sums.size(); ++c)
          if (a.item[c] >= 0) add(sums[c], static_cast<size_t>(a.item[c]), a.exponent);
      }
    }
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
    if (largest == 0) return 0;
    for (const size_t s : lists_[l].squares) {
      const auto multiply = [&](double& square, size_t entry, int exponent) {
        square = exponent > 0 ? square * factor[entry] : square / factor[entry];
      };
      if (!squares_[s].matrix) {
        each(squares_[s], l, multiply);
        continue;
      }
      for (const Acting& a : squares_[s].acting) {
        if (a.list != static_cast<int>(l)) continue;
        std::vector<double>& by = a.axis == squares_[s].row_axis ? squares_[s].by_row : squares_[s].by_column;
        for (size_t c = 0; c < by.size(); ++c)
          if (a.item[c] >= 0) multiply(by[c], static_cast<size_t>(a.item[c]), a.exponent);
      }
    }
    return largest;
  }

  const Spec& spec_;
  const Read& read_;
  symmetry::MembersByTensor members_;
  NetworkElement element_;
  std::vector<List> lists_;
  std::vector<size_t> part_;                  // by list: another of its part, itself where it stands for it
  std::vector<std::vector<size_t>> tensors_;  // by list that stands for a part
  std::vector<Squares> squares_;              // of the part at hand
};

}  // namespace

NetworkElement balance(const Spec& spec, const std::vector<bool>& scored, const Numbers& numbers) {
  std::vector<bool> counted = scored;
  for (size_t t = 0; t < counted.size(); ++t) counted[t] = counted[t] && !numbers.tensors[t].empty();
  const Read read = [&](size_t t, const auto& visit) { visit(numbers.tensors[t]); };
  return Balance(spec, counted, read).run();
}

NetworkElement balance(const StoredPair& pair, const StoredNumbers& numbers) {
  const symmetry::MembersByTensor members = symmetry::members_by_tensor(pair.spec);
  const Read read = [&](size_t t, const auto& visit) {
    each_block(MovedTensor(pair.spec, numbers, static_cast<int>(t), nullptr, members), visit);
  };
  return Balance(pair.spec, pair.counted(), read).run();
}

uint64_t balance_bytes(const Spec& spec, const std::vector<bool>& counted) {
  const Read none;
  return Balance(spec, counted, none).bytes();
}

}  // namespace dws::align
