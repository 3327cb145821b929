// The kernels compiled for avx2; its flags stand in src/CMakeLists.txt.
#if defined(__x86_64__)
#define DWS_ISA avx2
#define DWS_LANES 8
#include "kernels/table_body.h"

namespace dws::kernels {

const Table& avx2_table() noexcept {
  return avx2::kTable;
}

}  // namespace dws::kernels
#endif
