// In which order an epoch visits the training networks: shuffled by block.
//
// A full shuffle reads a zoo all over, and all of it ends up in memory. Here the networks are cut into blocks of
// consecutive ones; an epoch deals the blocks out at random to windows of several blocks each and shuffles the
// networks of one window after the other. So a batch mixes networks from all over the zoo while only one window
// is read from, and who has no more networks than a window gets a full shuffle. (A pool that is topped up block
// by block would mix a little further, but leaves a few networks of very many blocks waiting.)
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dws::train {

// A function of (count, block, seed, epoch) alone, and within an epoch each window is one by itself: a run that
// goes on in the middle of an epoch needs no more than its position.
class Order {
 public:
  // Blocks a window, at most. 16 blocks of 4 MiB (Zoo::block) are 14,000 networks 2-32-32-1: a hundred batches
  // of 128. Of a zoo sorted by ten labels a window sees most labels; with half as many blocks it would not.
  static constexpr int64_t kWindow = 16;

  // Orders positions 0 .. count-1 in blocks of at most `block`. Both at least 1.
  Order(int64_t count, int64_t block, uint64_t seed);

  int64_t count() const noexcept { return count_; }
  int64_t windows() const noexcept { return windows_; }
  // The begin-th to (end-1)-th position that epoch `epoch` visits; valid until the next call.
  std::span<const int64_t> take(int64_t epoch, int64_t begin, int64_t end);
  // The window of the n-th position that epoch `epoch` visits; windows() for n = count().
  int64_t window_of(int64_t epoch, int64_t n) const;

  // Positions [begin, end).
  struct Block {
    int64_t begin, end;
  };
  std::vector<Block> blocks(int64_t epoch, int64_t window) const;

 private:
  // Which blocks each window of an epoch has, and the number of its first position.
  struct Deal {
    int64_t epoch = -1;
    std::vector<int64_t> blocks;  // one window after the other
    std::vector<int64_t> starts;  // (windows + 1)
  };
  const Deal& deal(int64_t epoch) const;
  void open(int64_t epoch, int64_t window);

  int64_t count_, blocks_, windows_;
  uint64_t seed_;
  mutable Deal deal_;  // of the epoch last asked for
  int64_t open_epoch_ = -1, open_window_ = -1;
  std::vector<int64_t> positions_, taken_;  // of the open window; what take() gives
};

}  // namespace dws::train
