// The off-switch of the fused ops.
#pragma once

namespace dws {

// While on, every fused op (matrix_update, pool_matrix, norm_relu_dropout, dws_trunk) calls its fallback, which is built
// from plain ops: an oracle for tests, and a way to tell whether a fused kernel is to blame. For the whole
// process.
void set_use_fallbacks(bool on) noexcept;
bool use_fallbacks() noexcept;

}  // namespace dws
