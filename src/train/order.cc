#include "train/order.h"

#include <algorithm>
#include <numeric>

#include "core/rng.h"

namespace dws::train {

namespace {

// Where part i of n of `count` things begins: sizes differ by one at most.
int64_t cut(int64_t count, int64_t i, int64_t n) {
  return count * i / n;
}

}  // namespace

Order::Order(int64_t count, int64_t block, uint64_t seed)
    : count_(count),
      blocks_((count + block - 1) / block),
      windows_((blocks_ + kWindow - 1) / kWindow),
      seed_(seed) {}

const Order::Deal& Order::deal(int64_t epoch) const {
  if (deal_.epoch == epoch) return deal_;
  deal_.epoch = epoch;
  deal_.blocks.resize(static_cast<size_t>(blocks_));
  std::iota(deal_.blocks.begin(), deal_.blocks.end(), int64_t{0});
  Rng rng(seed_, stream_id("train.blocks", static_cast<uint64_t>(epoch)));
  rng.shuffle(std::span<int64_t>(deal_.blocks));
  deal_.starts = {0};
  for (int64_t window = 0; window < windows_; ++window) {
    // In the order of the file: for the disk, and so that one window alone is shuffled as if there were no blocks.
    std::sort(deal_.blocks.begin() + cut(blocks_, window, windows_),
              deal_.blocks.begin() + cut(blocks_, window + 1, windows_));
    int64_t start = deal_.starts.back();
    for (const Block& block : blocks(epoch, window)) start += block.end - block.begin;
    deal_.starts.push_back(start);
  }
  return deal_;
}

std::vector<Order::Block> Order::blocks(int64_t epoch, int64_t window) const {
  const Deal& dealt = deal(epoch);
  std::vector<Block> result;
  for (int64_t i = cut(blocks_, window, windows_); i < cut(blocks_, window + 1, windows_); ++i) {
    const int64_t block = dealt.blocks[static_cast<size_t>(i)];
    result.push_back({cut(count_, block, blocks_), cut(count_, block + 1, blocks_)});
  }
  return result;
}

int64_t Order::window_of(int64_t epoch, int64_t n) const {
  const std::vector<int64_t>& starts = deal(epoch).starts;
  return std::upper_bound(starts.begin(), starts.end(), n) - starts.begin() - 1;
}

void Order::open(int64_t epoch, int64_t window) {
  if (open_epoch_ == epoch && open_window_ == window) return;
  positions_.clear();
  for (const Block& block : blocks(epoch, window))
    for (int64_t i = block.begin; i < block.end; ++i) positions_.push_back(i);
  Rng rng(seed_, stream_id("train.order", static_cast<uint64_t>(epoch), static_cast<uint64_t>(window)));
  rng.shuffle(std::span<int64_t>(positions_));
  open_epoch_ = epoch;
  open_window_ = window;
}

std::span<const int64_t> Order::take(int64_t epoch, int64_t begin, int64_t end) {
  taken_.clear();
  while (begin < end) {
    const int64_t window = window_of(epoch, begin);
    open(epoch, window);
    const int64_t start = deal(epoch).starts[static_cast<size_t>(window)];
    const int64_t stop = std::min(end, start + static_cast<int64_t>(positions_.size()));
    taken_.insert(taken_.end(), positions_.begin() + (begin - start), positions_.begin() + (stop - start));
    begin = stop;
  }
  return taken_;
}

}  // namespace dws::train
