#include "bench_files.h"

#include <fstream>
#include <string>

namespace dws::tools {

double resident_mib() {
  std::ifstream status("/proc/self/status");
  double kib = 0;
  for (std::string word; status >> word;)
    if (word == "VmRSS:") status >> kib;
  return kib / 1024;
}

}  // namespace dws::tools
