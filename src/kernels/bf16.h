// Products in bfloat16: factors rounded to 8 bits of mantissa, products exact, sums in float32. They run on the
// tiles of AMX where the processor has them, else by the instruction of AVX512-BF16, else the same rounding is emulated,
// for comparisons.
//
// The setting holds for the whole program, as that of isa.h: what multiplies is a property of a run, like the
// instruction set, and no argument of every product in between.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/fused_matrix.h"

namespace dws::kernels {

enum class Precision { f32, bf16 };
enum class Bf16Unit { emulated, avx512_bf16, amx };

// The best that processor and operating system have, with isa() as it is.
Bf16Unit best_bf16_unit() noexcept;
// What multiplies: "f32", "bf16-emulated", "bf16-avx512" or "bf16-amx". Bits depend on it.
std::string_view precision_name() noexcept;
// f32 unless it says otherwise. Asking for more than best_bf16_unit() gives that. Not thread safe.
void set_precision(Precision precision, Bf16Unit unit = Bf16Unit::amx) noexcept;

// Of one unit; as the kernels of matmul.h and fused_matrix.h, on rounded factors. K > 0.
struct Bf16Kernels {
  void (*matmul)(int64_t M, int64_t N, int64_t K, const float* a, int64_t a_row, int64_t a_col,
                 const float* b, int64_t ldb, float* c, int64_t ldc, bool accumulate) noexcept;
  void (*fused_forward)(const FusedForward<float>& k) noexcept;
  void (*fused_backward)(const FusedBackward<float>& k) noexcept;
};
// Of the chosen unit for a product of this size; null for float32: asked for, or because tiles would be mostly empty.
const Bf16Kernels* bf16_kernels(int64_t M, int64_t N, int64_t K) noexcept;

}  // namespace dws::kernels
