#include "kernels/fused_matrix.h"

#include <type_traits>

#include "kernels/ref/fused_matrix.h"
#include "kernels/table_fields.h"

namespace dws::kernels {

template <class T>
void fused_forward(const FusedForward<T>& k) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    const Bf16Kernels* bf16 = bf16_kernels(k.R * k.C, k.G, k.F);
    (bf16 ? bf16->fused_forward : table().fused_forward)(k);
  } else {
    ref::fused_forward(k);
  }
}
template void fused_forward(const FusedForward<float>&) noexcept;
template void fused_forward(const FusedForward<double>&) noexcept;

template <class T>
void fused_backward(const FusedBackward<T>& k) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    const Bf16Kernels* bf16 = bf16_kernels(k.R * k.C, k.G, k.F);
    (bf16 ? bf16->fused_backward : table().fused_backward)(k);
  } else {
    ref::fused_backward(k);
  }
}
template void fused_backward(const FusedBackward<float>&) noexcept;
template void fused_backward(const FusedBackward<double>&) noexcept;

}  // namespace dws::kernels
