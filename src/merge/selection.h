// The exact largest of very many numbers, streamed: where a tensor's elements, ordered by size from the largest down, those of one
// size by their place, are cut after the first r. Two passes of counting instead of a sort: the upper 16 bits of each number's
// magnitude tell in which of 65,536 bins the cut lies, the lower 15 where in it. A third pass only where the cut goes
// through elements of one size.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dws::merge {

// |x| as an integer of the same order.
inline uint32_t magnitude(float x) noexcept {
  return std::bit_cast<uint32_t>(x) & 0x7fffffffu;
}

// Within are all elements of larger magnitude than `key`, and the first `equal` of that magnitude; `total` there are.
struct OrderCut {
  int64_t rank = 0;
  uint32_t key = 0;
  int64_t equal = 0, total = 0;
  std::vector<int64_t>
      before;  // elements of magnitude `key` before each block; empty where all or none are within

  // Elements of at least this magnitude are within, where `before` is empty.
  uint32_t least() const noexcept { return equal > 0 ? key : key + 1; }
};

class Selection {
 public:
  // Of `streams` series of numbers, of the same `blocks` blocks each.
  Selection(int streams, int64_t blocks);

  // The cuts that stream `s` needs: after the first `rank` elements, 0 to all of them. Before the first pass or, where the ranks
  // depend on zeros(), before the second.
  void set_ranks(int s, const std::vector<int64_t>& ranks);
  int64_t zeros(int s) const noexcept { return streams_[static_cast<size_t>(s)].zeros; }

  // Passes as TensorMerge has them: begin_pass() until it is false; count() every block of the streams that the pass wants.
  bool begin_pass();
  bool first_pass() const noexcept { return stage_ == Stage::high; }
  bool wants(int s) const noexcept;
  void count(int s, int64_t block, const float* x, int64_t n);
  void end_window();

  const OrderCut& cut(int s, size_t r) const { return streams_[static_cast<size_t>(s)].cuts[r]; }

 private:
  enum class Stage { start, high, low, ties, done };
  struct Stream {
    std::vector<OrderCut> cuts;
    std::vector<uint64_t> high;              // bins of the first pass
    std::vector<uint32_t> bins;              // that hold a cut, each once
    std::vector<std::vector<uint64_t>> low;  // of the second, for each of `bins`
    int64_t zeros = 0;
  };
  // Counted by one worker since the last end_window().
  struct Counts {
    std::vector<uint32_t> bins;
    int64_t zeros = 0;
  };
  bool in_group(int s) const noexcept { return s >= group_ && s < group_ + group_size_; }
  Counts& mine(int s, size_t bins);
  void find_bins(Stream& s) const;
  void find_keys(Stream& s) const;
  bool through_ties(const OrderCut& cut) const noexcept { return cut.equal > 0 && cut.equal < cut.total; }
  void sum_ties();

  std::vector<Stream> streams_;
  std::vector<std::vector<Counts>> counts_;  // of each worker, each stream of the group
  int64_t blocks_;
  int group_ = 0,
      group_size_ = 1;  // streams counted in the same pass, so that the bins do not take much memory
  Stage stage_ = Stage::start;
};

// x with 0 in place of what is not within `outer`, or is within `inner`; `block` is the block that x is.
void keep_within(const OrderCut& outer, int64_t block, float* x, int64_t n) noexcept;
void keep_between(const OrderCut& outer, const OrderCut& inner, int64_t block, float* x, int64_t n) noexcept;

}  // namespace dws::merge
