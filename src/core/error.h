// The one exception type of the library. Nothing below tools/ prints or aborts: it throws dws::Error.
#pragma once

#include <stdexcept>
#include <string>

namespace dws {

// What went wrong, one line of meaning each.
enum class ErrorKind {
  usage,             // options or arguments that make no sense together
  io,                // the operating system refused: open, read, write, rename, no space left
  not_regular_file,  // a directory, device, FIFO or socket where a file is expected
  path_escape,       // a name in a file that leads out of the file's folder
  exists,            // output is there already and --force was not given
  truncated,         // the data ends before it should
  trailing_data,     // the data goes on after it should end
  too_large,         // beyond a stated limit of the format
  resource_limit,    // legal, yet beyond what this program accepts (counts, nesting, rank)
  bad_utf8,
  bad_json,    // not JSON, or JSON that a format forbids (duplicate keys, wrong types)
  bad_yaml,    // the same of YAML
  bad_protobuf,  // not a protobuf message, or not of the expected type
  bad_schema,  // well-formed, but fields are missing or of the wrong type
  unknown_dtype,
  shape_overflow,  // the product of dimensions does not fit
  size_mismatch,   // byte count and shape disagree
  offset_overlap,
  offset_gap,
  offset_range,
  duplicate_name,
  missing_tensor,
  bad_value,    // NaN, infinity, a label out of range
  checksum,     // a file whose hash is not what another file says
  unsupported,  // an operator that this program cannot run
  mismatch,     // two inputs that do not fit together (another architecture, other settings)
  empty,        // nothing to work on
  interrupted,  // SIGINT: state was saved
  internal      // a defect of this program
};

// Name of a kind as it appears in tests and in --json output, e.g. "offset_gap".
const char* to_string(ErrorKind kind) noexcept;

// `message` is one line without "dws: " in front: "FILE: what is wrong at byte N (tensor 'x'): expected A,
// got B". `advice` is at most one more line, may be empty.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::string advice = {});
  ErrorKind kind() const noexcept { return kind_; }
  const std::string& advice() const noexcept { return advice_; }

 private:
  ErrorKind kind_;
  std::string advice_;
};

}  // namespace dws
