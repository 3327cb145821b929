// Networks that come from stdin or go to stdout. Files of networks are read from any place, so that a stream is kept as a
// file in the temporary folder (TMPDIR) while the program runs.
#pragma once

#include <string>

#include "temp_folder.h"

namespace dws::tools {

class Spooled {
 public:
  // All of stdin. path() ends in .safetensors or .onnx, as the bytes say. Throws Error{empty}, Error{io}, Error{interrupted}.
  static Spooled input();
  // A place for a file of this ending, that send() copies to stdout.
  static Spooled output(const std::string& ending);

  const std::string& path() const noexcept { return path_; }
  void send() const;  // a closed pipe ends the program with code 0

 private:
  Spooled() = default;
  TempFolder folder_;
  std::string path_;
};

}  // namespace dws::tools
