#include "kernels/assignment.h"

#include "kernels/table_fields.h"

namespace dws::kernels {

double net_gains(int64_t n, const float* gain, const double* price, double* net, double* group) noexcept {
  return table().net_gains(n, gain, price, net, group);
}
int64_t relax_row(int64_t n, const float* gain, const double* price, double base, int32_t row,
                  const int32_t* owner, double* distance, int32_t* from) noexcept {
  return table().relax_row(n, gain, price, base, row, owner, distance, from);
}
void soften_row(int64_t n, const float* gain, const float* price, float sharpness, float* e,
                float* mass) noexcept {
  table().soften_row(n, gain, price, sharpness, e, mass);
}
void extremes(int64_t n, const float* x, float* low, float* high) noexcept {
  table().extremes(n, x, low, high);
}

}  // namespace dws::kernels
