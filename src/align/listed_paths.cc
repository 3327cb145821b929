#include "align/listed_paths.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>

#include "core/parallel.h"
#include "kernels/assignment.h"

namespace dws::align {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kListed = 32;   // columns of a row's list, at most
constexpr size_t kWanted = 16;   // as many at least
constexpr int64_t kRows = 16;    // a task
// Of the row reduction: its passes, and steps a free row in each. More steps settle rows that a search would find sooner.
constexpr int kPasses = 2;
constexpr size_t kSteps = 100;
// Rows that a search lists anew, or would have to see whole, before it is given up; searches given up before the lists are.
constexpr int kLooks = 64, kTries = 16;
constexpr int64_t kScans = 20;  // a row: more than that seen whole, and the duals are no good
constexpr int64_t kGroups = kernels::kNetGroups;

}  // namespace

// The largest net gain of the row and a column that has it: hinted, or else the first from the row's own number on, so
// that tied rows wish for different columns.
double ListedPaths::look(int64_t row, int32_t hint, double* net, int32_t& wish) const {
  const int64_t n = s_.n;
  double groups[kGroups];
  const double best = kernels::net_gains(n, s_.gain + row * n, s_.v.data(), net, groups);
  wish = hint;
  if (hint >= 0 && hint < n && net[hint] == best) return best;
  wish = kNone;
  int64_t nearest = n;
  for (int64_t g = 0; g < kGroups; ++g)
    if (groups[g] == best)
      for (int64_t j = g; j < n; j += kGroups)
        if (const int64_t ahead = j >= row ? j - row : j - row + n; net[j] == best && ahead < nearest) {
          nearest = ahead;
          wish = static_cast<int32_t>(j);
        }
  return best;
}

// Lists the columns of the largest net gains.
void ListedPaths::list(int32_t row) {
  const int64_t n = s_.n;
  const float* gain = s_.gain + row * n;
  const auto at = static_cast<size_t>(row);
  double groups[kGroups], sorted[kGroups];
  double* net = net_.data();
  kernels::net_gains(n, gain, s_.v.data(), net, groups);
  std::copy_n(groups, kGroups, sorted);
  // As many groups reach the threshold as columns are wanted, each with one column at least.
  std::nth_element(sorted, sorted + kWanted - 1, sorted + kGroups, std::greater<>());
  const double threshold = sorted[kWanted - 1];
  found_.clear();
  for (int64_t g = 0; g < kGroups; ++g)
    if (groups[g] >= threshold)
      for (int64_t j = g; j < n; j += kGroups)
        if (net[j] >= threshold) found_.emplace_back(net[j], static_cast<int32_t>(j));
  bound_[at] = threshold;
  if (found_.size() > kListed) {
    // Of equals each row takes others, so that tied rows do not all want the same.
    const auto ahead = [&](int32_t j) { return j >= row ? j - row : j - row + n; };
    std::nth_element(found_.begin(), found_.begin() + kListed, found_.end(), [&](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : ahead(a.second) < ahead(b.second);
    });
    bound_[at] = found_[kListed].first;
    found_.resize(kListed);
  }
  Entry* to = entries_.data() + at * kListed;
  for (const auto& [x, j] : found_) *to++ = {gain[j], j};
  count_[at] = static_cast<int32_t>(found_.size());
}

// Feasible duals of rows, and a column for every row whose wish is free. False when something is not finite.
bool ListedPaths::settle(const AssignmentState& state, std::span<const int32_t> hint) {
  s_ = state;
  const auto size = static_cast<size_t>(s_.n);
  nets_.resize(static_cast<size_t>(threads()) * size);
  std::atomic<bool> finite{true};
  parallel_blocks(s_.n, kRows, [&](int64_t begin, int64_t end) {
    double* net = nets_.data() + static_cast<size_t>(worker_index()) * size;
    for (int64_t row = begin; row < end; ++row) {
      const auto i = static_cast<size_t>(row);
      s_.u[i] = look(row, hint.empty() ? kNone : hint[i], net, s_.column_of[i]);
      if (std::isnan(s_.u[i])) finite = false;
    }
  });
  if (!finite) return false;
  free_.clear();
  for (size_t i = 0; i < size; ++i) {
    int32_t& owner = s_.row_of[static_cast<size_t>(s_.column_of[i])];
    if (owner == kNone) {
      owner = static_cast<int32_t>(i);
    } else {
      s_.column_of[i] = kNone;
      free_.push_back(static_cast<int32_t>(i));
    }
  }
  return true;
}

// The two largest net gains of a row's list, free columns first among equals; of what is not listed the bound.
ListedPaths::Best ListedPaths::best_two(int32_t row) const {
  const auto i = static_cast<size_t>(row);
  Best best{-kInfinity, bound_[i], kNone};
  const Entry* entry = entries_.data() + i * kListed;
  for (int32_t k = 0; k < count_[i]; ++k) {
    const auto j = static_cast<size_t>(entry[k].column);
    const double x = entry[k].gain - s_.v[j];
    if (x > best.first || (x == best.first && s_.row_of[j] == kNone)) {
      best.second = std::max(best.second, best.first);
      best.first = x;
      best.column = entry[k].column;
    } else {
      best.second = std::max(best.second, x);
    }
  }
  return best;
}

// Jonker and Volgenant's augmenting row reduction: a free row takes the column of its largest net gain, whose dual rises
// until the second largest is as good, and whoever had it is free instead.
void ListedPaths::reduce_rows() {
  for (int pass = 0; pass < kPasses && !free_.empty(); ++pass) {
    size_t left = kSteps * free_.size();
    still_free_.clear();
    for (int32_t row : free_) {
      while (row != kNone) {
        const auto i = static_cast<size_t>(row);
        if (count_[i] == 0) list(row);
        Best best = best_two(row);
        if (best.first <= bound_[i]) {
          list(row);
          best = best_two(row);
        }
        s_.u[i] = best.first;
        const auto j = static_cast<size_t>(best.column);
        const int32_t old = s_.row_of[j];
        // Two rows of tied columns would take them from each other for ever.
        if (left == 0 || (old != kNone && best.first == best.second)) {
          still_free_.push_back(row);
          break;
        }
        --left;
        s_.u[i] = best.second;
        s_.v[j] += best.first - best.second;
        s_.row_of[j] = row;
        s_.column_of[i] = best.column;
        if (old != kNone) s_.column_of[static_cast<size_t>(old)] = kNone;
        row = old;
      }
    }
    std::swap(free_, still_free_);
  }
}

// The nearest first; of equals columns before rows, whose bounds can bring nothing nearer.
void ListedPaths::push(double distance, int32_t what) {
  heap_.push_back({distance, what});
  std::push_heap(heap_.begin(), heap_.end());
}

ListedPaths::Item ListedPaths::pop() {
  std::pop_heap(heap_.begin(), heap_.end());
  const Item item = heap_.back();
  heap_.pop_back();
  return item;
}

// A way to `column` over `row` of this length.
void ListedPaths::offer(int32_t row, int32_t column, double distance) {
  const auto j = static_cast<size_t>(column);
  if (is_done_[j] || distance >= distance_[j] || distance >= limit_) return;
  if (distance_[j] == kInfinity) touched_.push_back(column);
  distance_[j] = distance;
  from_[j] = row;
  if (s_.row_of[j] == kNone) limit_ = distance;
  push(distance, column);
}

// The ways over `row`, which lies `reached` from the start.
void ListedPaths::relax(int32_t row, double reached) {
  const auto i = static_cast<size_t>(row);
  if (count_[i] == 0) {
    list(row);
    listed_in_[i] = search_;
  }
  const double base = reached + s_.u[i];
  const Entry* entry = entries_.data() + i * kListed;
  for (int32_t k = 0; k < count_[i]; ++k)
    offer(row, entry[k].column, base + s_.v[static_cast<size_t>(entry[k].column)] - entry[k].gain);
  if (base - bound_[i] < limit_) push(base - bound_[i], ~row);
}

// Leaves nothing of a search behind.
void ListedPaths::forget() {
  for (const int32_t j : done_) is_done_[static_cast<size_t>(j)] = 0;
  for (const int32_t j : touched_) distance_[static_cast<size_t>(j)] = kInfinity;
  done_.clear();
  touched_.clear();
}

// Gives row `start` a column, moving others along the shortest path to a free one, and mends the duals. False, and nothing
// is changed, when the lists are of no use.
bool ListedPaths::augment(int32_t start) {
  ++search_;
  heap_.clear();
  limit_ = kInfinity;
  // How far a row was when it was reached: as far as its column.
  const auto reached_at = [&](int32_t row) {
    return row == start ? 0 : distance_[static_cast<size_t>(s_.column_of[static_cast<size_t>(row)])];
  };
  relax(start, 0);
  int32_t sink = kNone;
  double reached = 0;
  int looks = 0;
  while (sink == kNone) {
    const Item item = pop();
    if (item.what < 0) {
      const int32_t row = ~item.what;
      const auto i = static_cast<size_t>(row);
      if (listed_in_[i] == search_ || looks++ == kLooks) {
        forget();
        return false;
      }
      listed_in_[i] = search_;
      list(row);
      relax(row, reached_at(row));
      continue;
    }
    const auto j = static_cast<size_t>(item.what);
    if (is_done_[j] || item.distance > distance_[j]) continue;
    reached = item.distance;
    if (s_.row_of[j] == kNone) {
      sink = item.what;
    } else {
      is_done_[j] = 1;
      done_.push_back(item.what);
      relax(s_.row_of[j], reached);
    }
  }
  s_.u[static_cast<size_t>(start)] -= reached;
  for (const int32_t j : done_) {
    const double by = reached - distance_[static_cast<size_t>(j)];
    s_.v[static_cast<size_t>(j)] += by;
    s_.u[static_cast<size_t>(s_.row_of[static_cast<size_t>(j)])] -= by;
  }
  forget();
  for (int32_t j = sink, i = kNone; i != start;) {
    i = from_[static_cast<size_t>(j)];
    s_.row_of[static_cast<size_t>(j)] = i;
    std::swap(s_.column_of[static_cast<size_t>(i)], j);
  }
  return true;
}

bool ListedPaths::finish(const AssignmentState& state, DensePaths& dense) {
  s_ = state;
  const auto size = static_cast<size_t>(s_.n);
  entries_.resize(size * kListed);
  count_.assign(size, 0);
  bound_.resize(size);
  net_.resize(size);
  distance_.assign(size, kInfinity);
  from_.resize(size);
  is_done_.assign(size, uint8_t{0});
  listed_in_.assign(size, 0);
  search_ = 0;
  reduce_rows();
  int given_up = 0;
  int64_t scans = 0;
  for (const int32_t row : free_) {
    if (given_up < kTries && augment(row)) continue;
    ++given_up;
    scans += dense.augment(state, row);
    if (scans > kScans * s_.n) return false;
  }
  return true;
}

}  // namespace dws::align
