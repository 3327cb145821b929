#include "merge/round.h"

namespace dws::merge {

void round_to(Dtype dtype, std::span<float> x) noexcept {
  if (dtype != Dtype::bf16 && dtype != Dtype::f16) return;
  for (float& v : x) v = rounded(v, dtype);
}

}  // namespace dws::merge
