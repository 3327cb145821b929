// Names of files from stdin, one a line, as they come.
#pragma once

#include <optional>
#include <string>

namespace dws::tools {

class NameStream {
 public:
  // The next line that is not empty; none at the end. Throws Error{io}, Error{interrupted} while waiting.
  std::optional<std::string> next();
  // Whether next() would answer without waiting.
  bool ready() const;

 private:
  bool fill();
  std::string bytes_;
  size_t at_ = 0;
  bool end_ = false;
};

}  // namespace dws::tools
