// The fields of Table: the float kernels of one instruction set. Signatures are those of the headers named
// beside them.
#pragma once

#include <cstdint>

#include "kernels/table.h"

namespace dws::kernels {

struct Table {
  // elementwise.h
  void (*add)(int64_t n, const float* a, const float* b, float* y) noexcept;
};

// Each defined by its own table_*.cc; the last two exist on x86-64 alone.
const Table& portable_table() noexcept;
const Table& avx2_table() noexcept;
const Table& avx512_table() noexcept;

}  // namespace dws::kernels
