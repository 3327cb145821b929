#include "temp_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "core/file.h"
#include "core/temporary_name.h"
#include "core/text.h"

namespace dws::tools {
namespace {

constexpr const char* kPrefix = "dws-";

}  // namespace

TempFolder::TempFolder() : TempFolder(std::filesystem::temp_directory_path().string()) {}

TempFolder::TempFolder(const std::string& parent) {
  static std::atomic<uint64_t> counter{0};
  remove_abandoned_folders(parent, kPrefix);
  for (struct stat status{};;) {
    path_ = text("{}/{}{}-{}.tmp", parent, kPrefix, ::getpid(), counter++);
    if (::mkdir(path_.c_str(), 0700) != 0) {
      if (errno != EEXIST) throw_errno(path_, "cannot make the folder");
      continue;
    }
    lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lock_ >= 0) ::flock(lock_, LOCK_EX);
    // A process in another container, to which this one is not there, may have been quicker than the lock.
    if (::stat(path_.c_str(), &status) == 0) return;
    if (lock_ >= 0) ::close(std::exchange(lock_, -1));
  }
}

TempFolder::TempFolder(TempFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")), lock_(std::exchange(other.lock_, -1)) {}

TempFolder::~TempFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace dws::tools
