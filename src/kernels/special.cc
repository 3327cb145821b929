#include "kernels/special.h"

#include "kernels/table_fields.h"

namespace dws::kernels {

void exp(int64_t n, const float* x, float* y) noexcept {
  table().exp(n, x, y);
}
void sigmoid(int64_t n, float alpha, const float* x, float* y) noexcept {
  table().sigmoid(n, alpha, x, y);
}
void erf(int64_t n, const float* x, float* y) noexcept {
  table().erf(n, x, y);
}
void gelu_erf(int64_t n, const float* x, float* y) noexcept {
  table().gelu_erf(n, x, y);
}

}  // namespace dws::kernels
