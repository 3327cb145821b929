// A network that goes to stdout: writers need a file that can be sought in, so that it is one until it is whole.
#pragma once

#include <string>

namespace dws::tools {

class StdoutFile {
 public:
  // A name with this ending in a fresh folder of the temporary folder (TMPDIR), which goes with the object. Throws Error{io}.
  explicit StdoutFile(const std::string& ending);
  StdoutFile(const StdoutFile&) = delete;
  StdoutFile& operator=(const StdoutFile&) = delete;
  ~StdoutFile();

  const std::string& path() const noexcept { return path_; }
  void send() const;  // to stdout; a closed pipe ends the program with code 0

 private:
  std::string folder_, path_;
};

}  // namespace dws::tools
