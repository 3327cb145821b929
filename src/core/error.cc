#include "core/error.h"

#include <utility>

namespace dws {

const char* to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::io:
      return "io";
    case ErrorKind::not_regular_file:
      return "not_regular_file";
    case ErrorKind::path_escape:
      return "path_escape";
    case ErrorKind::exists:
      return "exists";
    case ErrorKind::truncated:
      return "truncated";
    case ErrorKind::trailing_data:
      return "trailing_data";
    case ErrorKind::too_large:
      return "too_large";
    case ErrorKind::resource_limit:
      return "resource_limit";
    case ErrorKind::bad_utf8:
      return "bad_utf8";
    case ErrorKind::bad_json:
      return "bad_json";
    case ErrorKind::bad_yaml:
      return "bad_yaml";
    case ErrorKind::bad_protobuf:
      return "bad_protobuf";
    case ErrorKind::bad_schema:
      return "bad_schema";
    case ErrorKind::unknown_dtype:
      return "unknown_dtype";
    case ErrorKind::shape_overflow:
      return "shape_overflow";
    case ErrorKind::size_mismatch:
      return "size_mismatch";
    case ErrorKind::offset_overlap:
      return "offset_overlap";
    case ErrorKind::offset_gap:
      return "offset_gap";
    case ErrorKind::offset_range:
      return "offset_range";
    case ErrorKind::duplicate_name:
      return "duplicate_name";
    case ErrorKind::missing_tensor:
      return "missing_tensor";
    case ErrorKind::bad_value:
      return "bad_value";
    case ErrorKind::checksum:
      return "checksum";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::mismatch:
      return "mismatch";
    case ErrorKind::empty:
      return "empty";
    case ErrorKind::interrupted:
      return "interrupted";
    case ErrorKind::internal:
      return "internal";
  }
  return "unknown";
}

Error::Error(ErrorKind kind, const std::string& message, std::string advice)
    : std::runtime_error(message), kind_(kind), advice_(std::move(advice)) {}

}  // namespace dws
