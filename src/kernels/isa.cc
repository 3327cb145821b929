#include "kernels/isa.h"

#include <cstdlib>

#include "kernels/table.h"
#include "kernels/table_fields.h"

namespace dws::kernels {
namespace {

const Table& table_of(Isa isa) noexcept {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return avx512_table();
  if (isa == Isa::avx2) return avx2_table();
#endif
  (void)isa;
  return portable_table();
}

Isa at_most_best(Isa isa) noexcept {
  return isa < best_isa() ? isa : best_isa();
}

struct State {
  Isa isa;
  const Table* table;
};

State make_state(Isa wanted) noexcept {
  const Isa isa = at_most_best(wanted);
  return {isa, &table_of(isa)};
}

Isa wanted_isa() noexcept {
  if (const char* name = std::getenv("DWS_ISA"))
    for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512})
      if (std::string_view(name) == to_string(isa)) return isa;
  return best_isa();
}

State& state() noexcept {
  static State current = make_state(wanted_isa());
  return current;
}

}  // namespace

const char* to_string(Isa isa) noexcept {
  switch (isa) {
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::portable:
      break;
  }
  return "portable";
}

Isa best_isa() noexcept {
#if defined(__x86_64__)
  // The builtin also asks whether the operating system saves the wide registers.
  static const Isa best = [] {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::portable;
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return wide ? Isa::avx512 : Isa::avx2;
  }();
  return best;
#else
  return Isa::portable;
#endif
}

Isa isa() noexcept {
  return state().isa;
}

void set_isa(Isa isa) noexcept {
  state() = make_state(isa);
}

const Table& table() noexcept {
  return *state().table;
}

}  // namespace dws::kernels
