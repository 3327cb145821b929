// Which instruction set the kernels run on, chosen once at start; one binary runs everywhere.
#pragma once

#include <string_view>

namespace dws::kernels {

enum class Isa { portable, avx2, avx512 };

const char* to_string(Isa isa) noexcept;
// The best this processor has.
Isa best_isa() noexcept;
// The one in use: best_isa() unless set_isa() or the environment variable DWS_ISA (portable, avx2, avx512)
// says less.
Isa isa() noexcept;
// For tests and the bench; asking for more than best_isa() gives best_isa(). Not thread safe.
void set_isa(Isa isa) noexcept;

}  // namespace dws::kernels
