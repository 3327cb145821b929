// The metrics of a run as a JSON Lines file, a line an epoch.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "core/json.h"

namespace dws::train {

class MetricsLog {
 public:
  // Nothing is written with an empty `path`. A fresh log replaces an older file only with `force`; a resumed one keeps
  // the lines of the first `resumed_epochs` epochs, drops what a killed run wrote after them, and goes on.
  MetricsLog(std::string path, bool force, bool resumed, int64_t resumed_epochs);
  // Appends one line, handed to the system at once. Throws Error{io}.
  void write(const Json& record);

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace dws::train
