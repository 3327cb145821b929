// Error messages of this room, all of one form:
//   FILE: what is wrong at byte N (tensor 'x'): expected A, got B
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"

namespace dws::format {

// Parts left empty are left out. `tensor` is escaped here; `expected` and `got` come as they are to be shown.
struct Failure {
  std::string_view file;
  std::string what;
  std::optional<uint64_t> byte = {};
  std::optional<std::string_view> tensor = {};
  std::string expected = {};
  std::string got = {};
  std::string advice = {};
};

Error make_error(ErrorKind kind, const Failure& failure);
[[noreturn]] void fail(ErrorKind kind, const Failure& failure);

}  // namespace dws::format
