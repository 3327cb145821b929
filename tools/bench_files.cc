#include "bench_files.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "core/file.h"

namespace dws::tools {

TempFolder::TempFolder() : path_((std::filesystem::temp_directory_path() / "dws-bench-XXXXXX").string()) {
  if (!::mkdtemp(path_.data())) throw_errno(path_, "cannot make the folder");
}
TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

double resident_mib() {
  std::ifstream status("/proc/self/status");
  double kib = 0;
  for (std::string word; status >> word;)
    if (word == "VmRSS:") status >> kib;
  return kib / 1024;
}

}  // namespace dws::tools
