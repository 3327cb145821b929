#include "train/batches.h"

namespace dws::train {

Batches::Batches(const Part& part, uint64_t seed)
    : part_(part), order_(part.size(), part.data->block(), seed) {}

// Calls visit(begin, end) with the networks of each block of a window.
template <class Visit>
void Batches::each_block(int64_t window, Visit visit) const {
  const int64_t windows = order_.windows();
  for (const Order::Block& block : order_.blocks(window / windows, window % windows))
    visit(part_.samples[static_cast<size_t>(block.begin)],
          part_.samples[static_cast<size_t>(block.end - 1)] + 1);
}

std::span<const int64_t> Batches::take(int64_t epoch, int64_t begin, int64_t end) {
  const int64_t before = epoch * order_.windows();
  if (open_ < 0) open_ = ahead_ = before + order_.window_of(epoch, begin);
  // The next window is on its way while this one is trained on.
  for (const int64_t last = before + order_.window_of(epoch, end - 1); ahead_ <= last + 1; ++ahead_)
    each_block(ahead_, [&](int64_t first, int64_t stop) { part_.data->prefetch(first, stop); });
  samples_.clear();
  for (const int64_t position : order_.take(epoch, begin, end))
    samples_.push_back(part_.samples[static_cast<size_t>(position)]);
  return samples_;
}

void Batches::done(int64_t epoch, int64_t end) {
  for (const int64_t first = epoch * order_.windows() + order_.window_of(epoch, end); open_ < first; ++open_)
    each_block(open_, [&](int64_t begin, int64_t stop) { part_.data->release(begin, stop); });
}

}  // namespace dws::train
