// The kernels compiled for portable; its flags stand in src/CMakeLists.txt.
#define DWS_ISA portable
#define DWS_LANES 4
#include "kernels/table_body.h"

namespace dws::kernels {

const Table& portable_table() noexcept {
  return portable::kTable;
}

}  // namespace dws::kernels
