#pragma once

namespace dws {

const char* version() noexcept;  // "0.1.0"

}  // namespace dws
