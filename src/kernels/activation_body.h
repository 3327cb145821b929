// Float bodies of activation.h for one instruction set.
#pragma once

#include "kernels/elementwise_body.h"
#include "kernels/ref/activation.h"
#include "kernels/sincos_body.h"

namespace dws::kernels::DWS_ISA {

inline constexpr float kGeluSlope = static_cast<float>(ref::kGeluSlope);
inline constexpr float kGeluCube = static_cast<float>(ref::kGeluCube);

static void tanh_backward(int64_t n, const float* y, const float* dy, float* dx, bool accumulate) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    const Vec t = load_n(y + i, lanes);
    put_n(dx + i, load_n(dy + i, lanes) * (1.0f - t * t), lanes, accumulate);
  });
}

static void gelu(int64_t n, const float* x, float* y) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    const Vec v = load_n(x + i, lanes);
    const Vec t = tanh_of(kGeluSlope * v * (1.0f + kGeluCube * v * v));
    store_n(y + i, 0.5f * v * (1.0f + t), lanes);
  });
}

static void gelu_backward(int64_t n, const float* x, const float* dy, float* dx, bool accumulate) noexcept {
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    const Vec v = load_n(x + i, lanes), square = v * v;
    const Vec t = tanh_of(kGeluSlope * v * (1.0f + kGeluCube * square));
    const Vec slope = kGeluSlope * (1.0f + 3 * kGeluCube * square);
    // Far out t is one exactly, and the square that has grown to infinity must not meet that zero.
    const Vec rest = (1.0f - t * t);
    const Vec curve = select(rest > 0.0f, v * rest * slope, zero());
    put_n(dx + i, load_n(dy + i, lanes) * (0.5f * (1.0f + t + curve)), lanes, accumulate);
  });
}

}  // namespace dws::kernels::DWS_ISA
