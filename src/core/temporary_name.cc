#include "core/temporary_name.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/types.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <vector>

#include "core/file.h"
#include "core/hash.h"
#include "core/text.h"

namespace dws {

std::string temporary_prefix(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  if (name.size() > 200) name = name.substr(0, 160) + hash_bytes(std::as_bytes(std::span(name)));
  return "." + name + ".dws-";
}

std::string temporary_name(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
  return text("{}/{}{}-{}.tmp", folder_of(path), temporary_prefix(path), ::getpid(), counter++);
}

bool writer_is_gone(std::string_view name, std::string_view prefix) noexcept {
  if (!name.starts_with(prefix) || !name.ends_with(".tmp") || name.size() < prefix.size() + 4) return false;
  name = name.substr(prefix.size(), name.size() - prefix.size() - 4);
  const size_t dash = name.find('-');
  if (dash == name.npos || !to_int(name.substr(dash + 1))) return false;
  const int64_t process = to_int(name.substr(0, dash)).value_or(0);
  if (process <= 0 || process > std::numeric_limits<pid_t>::max()) return false;
  return ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH;
}

void remove_abandoned_folders(const std::string& folder, std::string_view prefix) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<fs::path> gone;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (writer_is_gone(at->path().filename().string(), prefix)) gone.push_back(at->path());
  for (const fs::path& one : gone) {
    const Descriptor lock(::open(one.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (lock.fd >= 0 && ::flock(lock.fd, LOCK_EX | LOCK_NB) == 0) fs::remove_all(one, error);
  }
}

}  // namespace dws
