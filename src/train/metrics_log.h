// The metrics of a run as a JSON Lines file, a line an epoch.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "core/json.h"

namespace dws::train {

struct MetricsLogOptions {
  std::string path;  // empty: nothing is written
  std::string run;   // whose lines these are: every line carries it
  bool force = false;
  bool resumed = false;
  int64_t epochs = 0;  // done so far, of a resumed run
};

class MetricsLog {
 public:
  // A fresh log replaces an older file only with `force`. A resumed one keeps this run's lines of the first
  // `epochs` epochs, drops what a killed run wrote after them, and goes on. Throws Error{exists} when a file
  // to be resumed holds anything but epochs of this run (another run's lines, other text, the record that
  // closes a finished run) and !force; the file is as it was then.
  explicit MetricsLog(const MetricsLogOptions& options);
  // Appends one line, handed to the system at once. Throws Error{io}.
  void write(Json record);

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::string path_, run_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace dws::train
