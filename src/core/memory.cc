#include "core/memory.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace dws {

std::optional<uint64_t> available_memory() {
  std::optional<uint64_t> bytes;
  std::ifstream info("/proc/meminfo");
  uint64_t kib = 0;
  for (std::string word; info >> word;)
    if (word == "MemAvailable:" && info >> kib) bytes = kib * 1024;
  // Control groups, version 2: "max" where there is no limit.
  uint64_t limit = 0, used = 0;
  std::ifstream most("/sys/fs/cgroup/memory.max"), now("/sys/fs/cgroup/memory.current");
  if (most >> limit && now >> used) {
    const uint64_t left = limit > used ? limit - used : 0;
    bytes = std::min(bytes.value_or(left), left);
  }
  return bytes;
}

}  // namespace dws
