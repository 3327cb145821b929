// A plan carried out: tensors one after another, each in blocks over all threads, in memory that does not depend on how large the
// networks are. The same bits for any memory and any number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "merge/input.h"
#include "merge/plan.h"

namespace dws::merge {

// Where results go: write() from any thread, pieces in any order; finished() once a tensor is whole, tensors in order.
class Writer {
 public:
  Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  virtual ~Writer() = default;
  virtual void write(size_t tensor, uint64_t offset, const void* data, size_t size) = 0;
  virtual void finished(size_t /*tensor*/) {}
};

struct ExecuteOptions {
  uint64_t max_memory = 512'000'000;  // bytes of buffers and of mapped pages together
  bool allow_nonfinite = false;
  size_t first = 0;  // tensors before it are made already
};

struct ExecuteReport {
  int64_t tensors = 0, elements = 0;
  int64_t bytes_read = 0, bytes_written = 0;  // of files; each input once a pass
  int64_t nonfinite = 0;                      // inputs' tensors with NaN or infinity, where they are allowed
  int64_t overflowed = 0;                     // finite results that the output's type made infinite
};

// Throws Error{bad_value} naming tensor and index of the first NaN or infinity in an input, Error{missing_tensor|mismatch} for a
// plan that does not fit its inputs, Error{resource_limit} where `max_memory` does not hold one block, Error{interrupted}.
ExecuteReport execute(const Plan& plan, const std::vector<Input>& inputs, const ExecuteOptions& options,
                      Writer& writer);

}  // namespace dws::merge
