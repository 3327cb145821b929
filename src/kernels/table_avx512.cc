// The kernels compiled for avx512; its flags stand in src/CMakeLists.txt.
#if defined(__x86_64__)
#define DWS_ISA avx512
#define DWS_LANES 16
#include "kernels/table_body.h"

namespace dws::kernels {

const Table& avx512_table() noexcept {
  return avx512::kTable;
}

}  // namespace dws::kernels
#endif
