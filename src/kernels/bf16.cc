#include "kernels/bf16.h"

#include "core/tile_permission.h"
#include "kernels/isa.h"
#include "kernels/table_fields.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace dws::kernels {
namespace {

constexpr int64_t kSmallest = 8;  // of each dimension: half a tile's side

// Intel 64 and IA-32 Architectures Software Developer's Manual: AVX512-BF16 is CPUID 7.1 EAX bit 5 (the rest of AVX-512
// stands behind isa()); volume 1, chapter 18: the processor has tiles and their bfloat16 products, the operating system
// saves tiles (XCR0, bits 17 and 18) and lets this process use them.
Bf16Unit find_unit() noexcept {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return Bf16Unit::emulated;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return Bf16Unit::avx512_bf16;  // OSXSAVE
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  __get_cpuid_count(7, 0, &a, &b, &c, &d);
  const bool has_amx = (low >> 17 & 3) == 3 && (d >> 22 & 1) && (d >> 24 & 1);  // AMX-BF16, AMX-TILE
  if (has_amx && request_tile_permission()) return Bf16Unit::amx;
  return Bf16Unit::avx512_bf16;
#else
  return Bf16Unit::emulated;
#endif
}

struct State {
  Precision precision = Precision::f32;
  Bf16Unit unit = Bf16Unit::emulated;
};
State& state() noexcept {
  static State current;
  return current;
}

}  // namespace

Bf16Unit best_bf16_unit() noexcept {
  static const Bf16Unit unit = find_unit();
  return isa() == Isa::avx512 ? unit : Bf16Unit::emulated;
}

std::string_view precision_name() noexcept {
  if (state().precision == Precision::f32) return "f32";
  switch (state().unit) {
    case Bf16Unit::amx:
      return "bf16-amx";
    case Bf16Unit::avx512_bf16:
      return "bf16-avx512";
    case Bf16Unit::emulated:
      break;
  }
  return "bf16-emulated";
}

void set_precision(Precision precision, Bf16Unit unit) noexcept {
  state() = {precision, unit < best_bf16_unit() ? unit : best_bf16_unit()};
}

const Bf16Kernels* bf16_kernels(int64_t M, int64_t N, int64_t K) noexcept {
  if (state().precision == Precision::f32 || M < kSmallest || N < kSmallest || K < kSmallest) return nullptr;
#if defined(__x86_64__)
  if (state().unit == Bf16Unit::amx) return &amx_kernels();
  if (state().unit == Bf16Unit::avx512_bf16) return &avx512_bf16_kernels();
#endif
  return &table().bf16;
}

}  // namespace dws::kernels
