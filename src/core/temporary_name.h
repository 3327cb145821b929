// Names of files and folders that are not whole yet, and how those of killed processes are told from others.
#pragma once

#include <unistd.h>

#include <string>
#include <string_view>

namespace dws {

// A file descriptor closed at the end of its scope.
struct Descriptor {
  int fd;
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// Temporaries of `path` are PREFIX PID "-" COUNT ".tmp" in its folder. A name too long to be lengthened is cut and told
// apart by its hash.
std::string temporary_prefix(const std::string& path);
// The next one of this process: with its folder.
std::string temporary_name(const std::string& path);

// Whether `name`, of a folder's entry, is a temporary of this prefix, of a process that is not there. Such a process may
// live in another container: its lock on the temporary must be tried too.
bool writer_is_gone(std::string_view name, std::string_view prefix) noexcept;

// Removes the folders in `folder` that killed processes left under such names. One that is locked (flock) is a live process's.
void remove_abandoned_folders(const std::string& folder, std::string_view prefix);

}  // namespace dws
