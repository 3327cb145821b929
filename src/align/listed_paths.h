// Shortest augmenting paths for large assignment problems that start from good duals.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "align/assignment_state.h"
#include "align/dense_paths.h"

namespace dws::align {

// Under good duals a row's path to a free column goes through few columns, those of the largest net gain
// gain(i, j) - v[j]. So each row keeps a list of them, and a bound on the net gain of all others. Dijkstra's algorithm
// runs on the lists; a row is looked at again as a whole only when the search gets as far as its bound, so that the
// shortest path is found as if all columns had been there. Duals of columns only rise, so bounds stay true from
// search to search.
class ListedPaths {
 public:
  // As DensePaths::settle.
  bool settle(const AssignmentState& state, std::span<const int32_t> hint);
  // Columns for all rows that settle() left without. A search that many bounds hold up goes to `dense`; false, with some
  // rows left without, when there are many such.
  bool finish(const AssignmentState& state, DensePaths& dense);

 private:
  struct Entry {
    float gain;
    int32_t column;
  };
  struct Item {  // of the heap: columns by distance, and rows (as ~row) by the distance of what they do not list
    double distance;
    int32_t what;
    bool operator<(const Item& other) const noexcept {  // the largest is the next
      return distance != other.distance ? distance > other.distance : what < other.what;
    }
  };
  struct Best {
    double first, second;
    int32_t column;
  };
  double look(int64_t row, int32_t hint, double* net, int32_t& wish) const;
  void list(int32_t row);
  Best best_two(int32_t row) const;
  void reduce_rows();
  bool augment(int32_t start);
  void forget();
  void relax(int32_t row, double reached);
  void offer(int32_t row, int32_t column, double distance);
  void push(double distance, int32_t what);
  Item pop();

  AssignmentState s_{};
  std::vector<Entry> entries_;  // (n, kListed)
  std::vector<int32_t> count_;  // (n) how many of them; 0 until the row is looked at
  std::vector<double> bound_;   // (n) no other column has a larger net gain
  std::vector<double> net_, nets_;
  std::vector<std::pair<double, int32_t>> found_;
  std::vector<int32_t> free_, still_free_;  // rows without a column
  // Of a search.
  std::vector<double> distance_;
  std::vector<int32_t> from_, touched_, done_;
  std::vector<uint8_t> is_done_;
  std::vector<int32_t> listed_in_;  // (n) the search that listed the row last
  std::vector<Item> heap_;
  double limit_ = 0;  // the nearest free column so far
  int32_t search_ = 0;
};

}  // namespace dws::align
