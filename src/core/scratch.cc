#include "core/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "core/file.h"

namespace dws {

ScratchFile::ScratchFile(const std::string& beside, size_t size) : size_(size) {
  const size_t slash = beside.rfind('/');
  std::string name = slash == std::string::npos ? std::string() : beside.substr(0, slash + 1);
  name += ".dws-scratch-XXXXXX";
  const int file = ::mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) throw_errno(beside, "cannot make a scratch file beside it");
  ::unlink(name.c_str());
  if (size == 0) {
    ::close(file);
    return;
  }
  const int failed = ::posix_fallocate(file, 0, static_cast<off_t>(size));
  void* address = failed ? MAP_FAILED : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int reason = failed ? failed : errno;
  ::close(file);
  if (address != MAP_FAILED) {
    data_ = static_cast<std::byte*>(address);
    return;
  }
  errno = reason;
  throw_errno(beside, "cannot make room for a scratch file beside it");
}

ScratchFile::~ScratchFile() {
  if (data_) ::munmap(data_, size_);
}

}  // namespace dws
