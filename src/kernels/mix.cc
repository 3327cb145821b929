#include "kernels/mix.h"

#include "kernels/table_fields.h"

namespace dws::kernels {

void widen_bf16(int64_t n, const std::byte* x, float* y) noexcept {
  table().widen_bf16(n, x, y);
}
void widen_f16(int64_t n, const std::byte* x, float* y) noexcept {
  table().widen_f16(n, x, y);
}
void narrow_bf16(int64_t n, const float* x, std::byte* y) noexcept {
  table().narrow_bf16(n, x, y);
}
void narrow_f16(int64_t n, const float* x, std::byte* y) noexcept {
  table().narrow_f16(n, x, y);
}
void weighted_sum(int64_t n, int K, const float* const* x, const float* w, float* y) noexcept {
  table().weighted_sum(n, K, x, w, y);
}
void subtract(int64_t n, const float* a, const float* b, float* y) noexcept {
  table().subtract(n, a, b, y);
}
double dot(int64_t n, const float* a, const float* b) noexcept {
  return table().dot(n, a, b);
}
double sum_abs(int64_t n, const float* a) noexcept {
  return table().sum_abs(n, a);
}
int64_t first_beyond(int64_t n, const float* x, float limit) noexcept {
  return table().first_beyond(n, x, limit);
}
void agree(int64_t n, int K, const float* const* d, const float* w, bool normalize, float* y) noexcept {
  table().agree(n, K, d, w, normalize, y);
}
void random_words(int64_t n, uint64_t seed, uint64_t stream, uint64_t first, uint32_t* y) noexcept {
  table().random_words(n, seed, stream, first, y);
}

}  // namespace dws::kernels
