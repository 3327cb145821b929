#include "core/atomic_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/temporary_name.h"
#include "core/text.h"

namespace dws {

namespace fs = std::filesystem;

namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Some file systems cannot flush a folder: its files are safe.
void flush_folder(int fd, const std::string& path) {
  if (fd >= 0 && ::fsync(fd) != 0 && errno != EINVAL && errno != EROFS) throw_errno(path, "cannot write");
}

}  // namespace

AtomicFolder::AtomicFolder(std::string path) : path_(std::move(path)) {
  if (path_.empty()) throw Error(ErrorKind::io, "the name of the folder to write is empty");
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  std::error_code code;
  const fs::file_status status = fs::symlink_status(path_, code);
  if (fs::exists(status)) {
    if (!fs::is_directory(status))
      throw Error(ErrorKind::exists, text("{}: is there already and is no folder", one_line(path_)),
                  "choose another name");
    if (!fs::is_empty(path_, code))
      throw Error(ErrorKind::exists, text("{}: is there already and not empty", one_line(path_)),
                  "choose another folder");
  }
  // What killed writers of the same folder left; a live one, whose process may be in another container, holds a lock.
  remove_abandoned_folders(folder_of(path_), temporary_prefix(path_));
  std::string name = temporary_name(path_);
  while (::mkdir(name.c_str(), 0777) != 0) {
    if (errno != EEXIST) throw_errno(path_, "cannot create the folder");
    name = temporary_name(path_);  // left by a killed process with this number
  }
  temporary_ = name;
  fd_ = ::open(name.c_str(), kFolder);
  if (fd_ >= 0)
    ::flock(fd_, LOCK_EX | LOCK_NB);  // goes with the process; file systems without locks do without
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  if (fd_ >= 0) ::close(fd_);
}

std::string AtomicFolder::file(const std::string& name) const {
  return (fs::path(temporary_) / name).string();
}

void AtomicFolder::commit() {
  flush_folder(fd_, path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_errno(path_, "cannot rename");
  temporary_.clear();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  const Descriptor beside(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  flush_folder(beside.fd, path_);
}

}  // namespace dws
