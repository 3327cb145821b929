#include "merge/operand.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "format/convert.h"
#include "kernels/mix.h"

namespace dws::merge {

Bytes Operand::part(int64_t begin, int64_t count) const noexcept {
  const int64_t end = std::min(begin + count, elements);
  if (begin >= end) return {};
  const int64_t width = dtype_bits(tensor->dtype) / 8;
  return tensor->bytes.subspan(static_cast<size_t>(begin * width),
                               static_cast<size_t>((end - begin) * width));
}

void Operand::load(int64_t begin, int64_t count, float* to) const noexcept {
  const Bytes own = part(begin, count);
  int64_t have = 0;
  if (!own.empty()) {
    have = static_cast<int64_t>(own.size()) / (dtype_bits(tensor->dtype) / 8);
    if (tensor->dtype == Dtype::bf16)
      kernels::widen_bf16(have, own.data(), to);
    else if (tensor->dtype == Dtype::f16)
      kernels::widen_f16(have, own.data(), to);
    else
      format::convert(tensor->dtype, own.data(), to, static_cast<size_t>(have));
  }
  if (have < count && donor) donor->load(begin + have, count - have, to + have);
}

bool merges(Dtype dtype) noexcept {
  return format::is_float_dtype(dtype);
}

int64_t store(Dtype dtype, int64_t count, const float* from, std::byte* to) noexcept {
  const auto n = static_cast<size_t>(count);
  if (dtype == Dtype::f32) {
    std::memcpy(to, from, n * sizeof(float));
    return 0;
  }
  if (dtype == Dtype::f64) {
    for (size_t i = 0; i < n; ++i) {
      const double wide = from[i];
      std::memcpy(to + i * sizeof wide, &wide, sizeof wide);
    }
    return 0;
  }
  // The least that rounds to infinity.
  const float limit = dtype == Dtype::f16 ? 65520.0f : 0x1.FFp127f;
  int64_t lost = 0;
  if (kernels::first_beyond(count, from, limit) >= 0)
    for (size_t i = 0; i < n; ++i) lost += std::abs(from[i]) >= limit && std::isfinite(from[i]);
  if (dtype == Dtype::f16)
    kernels::narrow_f16(count, from, to);
  else
    kernels::narrow_bf16(count, from, to);
  return lost;
}

}  // namespace dws::merge
