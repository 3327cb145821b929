// How a method sees a tensor: block by block, in passes, so that no tensor is ever whole in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "merge/plan.h"

namespace dws::merge {

// A tensor as it is cut. Where blocks begin depends on shape and method alone, never on memory or threads: what is summed block by
// block has the same bits everywhere.
struct Cut {
  int64_t elements = 0;
  int64_t rows = 1, columns = 0;  // the first axis, and the product of the others; one row for a vector
  int64_t block = 0;              // elements of a block (the last may be shorter); whole rows where `by_rows`
  bool by_rows = false;
  int64_t blocks() const noexcept { return elements == 0 ? 0 : (elements + block - 1) / block; }
};

// One block of all sources, in float32. Arrays have `count` numbers.
struct Block {
  int64_t index = 0;  // of blocks()
  int64_t begin = 0, count = 0;
  int64_t rows = 0;             // whole rows in it, where `by_rows`
  const float* base = nullptr;  // b, where there is one
  // The sources x_k, or x_k - b where the method works on deltas. Null for those that the pass does not want. A method may
  // change them: they are the worker's own.
  float* const* x = nullptr;
  float* out = nullptr;      // of a writing pass
  float* scratch = nullptr;  // as many arrays as the method's scratch(), one after another
  int sources = 0;
};

// One tensor's merge. First the reading passes: while begin_pass() says so, read() sees every block. Blocks come in windows, in
// order; those of a window in any order, several at the same time. Then write() sees every block once. What is summed over blocks
// is kept apart for each block of the window and added in order by end_window(): where windows end does not change the sum.
class TensorMerge {
 public:
  TensorMerge() = default;
  TensorMerge(const TensorMerge&) = delete;
  TensorMerge& operator=(const TensorMerge&) = delete;
  virtual ~TensorMerge() = default;

  virtual bool deltas() const { return false; }  // x_k - b in place of x_k
  virtual int scratch() const { return 0; }      // arrays of a block's size
  virtual bool begin_pass(int /*pass*/) { return false; }
  virtual bool wants(int /*source*/) const { return true; }  // in this pass
  virtual int64_t bytes_per_block() const { return 0; }      // that a window's blocks take in this pass
  virtual void begin_window(int64_t /*first*/, int64_t /*blocks*/) {}
  virtual void read(const Block& /*block*/) {}
  virtual void end_window() {}
  virtual void write(const Block& block) = 0;
};

// What a method is told besides the tensor.
struct MergeContext {
  uint64_t seed = 0;
  bool compat = false;
  // The type that numbers are rounded to after each step where `compat`: that of the sources.
  Dtype dtype = Dtype::f32;
};

// How the method wants the tensor cut.
Cut cut_for(const OutputTensor& tensor, bool compat);

std::unique_ptr<TensorMerge> make_merge(const OutputTensor& tensor, const Cut& cut,
                                        const MergeContext& context);

}  // namespace dws::merge
