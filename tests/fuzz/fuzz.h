// What every fuzz target shares. A target feeds bytes to one reader: dws::Error is an answer, anything else a
// defect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace dws::fuzz {

inline Bytes bytes_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}
inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the process, so that the fuzzer keeps the input, when something that always holds does not.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Calls read(); true when it came back. A refusal must be one line and no complaint about the program itself.
template <class Read>
bool accepted(Read&& read) {
  try {
    std::forward<Read>(read)();
    return true;
  } catch (const Error& error) {
    const std::string_view line = error.what();
    require(!line.empty() && line.find('\n') == std::string_view::npos, "a refusal is one line");
    require(error.kind() != ErrorKind::internal, "a refusal blames the file");
    return false;
  }
}

}  // namespace dws::fuzz
