// The training networks of a run, batch by batch, with no more of their zoos in memory than is being read.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/dataset.h"
#include "train/order.h"

namespace dws::train {

class Batches {
 public:
  // `part` outlives the object and is not empty.
  Batches(const Part& part, uint64_t seed);
  // The begin-th to (end-1)-th network (indices into the data set) that epoch `epoch` visits: see Order. Asks
  // the system to read ahead. Valid until the next call; called with growing (epoch, begin).
  std::span<const int64_t> take(int64_t epoch, int64_t begin, int64_t end);
  // Nothing before the end-th network of epoch `epoch` is read any more: gives its memory back.
  void done(int64_t epoch, int64_t end);

 private:
  template <class Visit>
  void each_block(int64_t window, Visit visit) const;

  const Part& part_;
  Order order_;
  // Windows of all epochs are numbered on: the first that is not released yet, and not asked for.
  int64_t open_ = -1, ahead_ = -1;
  std::vector<int64_t> samples_;
};

}  // namespace dws::train
