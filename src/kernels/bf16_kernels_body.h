// The kernels that bf16.h chooses between, for one Unit.
#pragma once

#include "kernels/bf16.h"
#include "kernels/bf16_body.h"
#include "kernels/fused_matrix_body.h"

namespace dws::kernels::DWS_ISA {

template <class Unit>
struct Bf16Products {
  Unit& unit;
  void multiply(int64_t M, int64_t N, int64_t K, const Product& p, bool accumulate) {
    multiply_bf16(unit, M, N, K, p, accumulate);
  }
};

template <class Unit>
static void matmul_bf16(int64_t M, int64_t N, int64_t K, const float* a, int64_t a_row, int64_t a_col,
                        const float* b, int64_t ldb, float* c, int64_t ldc, bool accumulate) noexcept {
  Unit unit;
  multiply_bf16(unit, M, N, K, product_of(a, a_row, a_col, b, ldb, c, ldc), accumulate);
}

template <class Unit>
static void fused_forward_bf16(const FusedForward<float>& k) noexcept {
  Unit unit;
  fused_forward_by(Bf16Products<Unit>{unit}, k);
}

template <class Unit>
static void fused_backward_bf16(const FusedBackward<float>& k) noexcept {
  Unit unit;
  fused_backward_by(Bf16Products<Unit>{unit}, k);
}

template <class Unit>
inline constexpr Bf16Kernels kBf16Kernels = {matmul_bf16<Unit>, fused_forward_bf16<Unit>,
                                             fused_backward_bf16<Unit>};

}  // namespace dws::kernels::DWS_ISA
