#include "core/version.h"

namespace dws {

const char* version() noexcept {
  return DWS_VERSION;
}

}  // namespace dws
