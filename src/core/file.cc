#include "core/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "core/error.h"
#include "core/temporary_name.h"
#include "core/text.h"

namespace dws {
namespace {

constexpr size_t kWriteBuffer = 256 * 1024;

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

[[noreturn]] void throw_not_regular(const std::string& path, mode_t mode) {
  throw Error(ErrorKind::not_regular_file,
              text("{}: expected a regular file, got {}", one_line(path), kind_of(mode)));
}

}  // namespace

void write_at(int fd, const void* data, size_t size, uint64_t offset, const std::string& path) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::pwrite(fd, from, size, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno(path, "cannot write");
    from += written;
    offset += static_cast<uint64_t>(written);
    size -= static_cast<size_t>(written);
  }
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void throw_errno(const std::string& path, std::string_view what) {
  const std::string reason = std::error_code(errno, std::generic_category()).message();
  throw Error(ErrorKind::io, text("{}: {}: {}", one_line(path), what, reason));
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (file.fd < 0) {
    const int reason = errno;
    if (::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode))
      throw_not_regular(path, status.st_mode);
    errno = reason;
    throw_errno(path, "cannot open");
  }
  map(file.fd);
}

void MappedFile::map(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw_errno(path_, "cannot read");
  if (!S_ISREG(status.st_mode)) throw_not_regular(path_, status.st_mode);
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;  // mmap refuses a length of zero
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  if (address == MAP_FAILED) throw_errno(path_, "cannot map");
  data_ = static_cast<const std::byte*>(address);
}

MappedFile MappedFile::open_inside(const std::string& folder, const std::string& relative,
                                   bool follow_links) {
  MappedFile file;
  file.path_ = folder + "/" + relative;
  const auto escapes = [&](const std::string& what) {
    return Error(ErrorKind::path_escape, text("{}: {}", escaped(file.path_), what));
  };
  Descriptor at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at.fd < 0) throw_errno(folder, "cannot open");
  const std::vector<std::string> parts = split(relative, '/');
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty() || parts[i] == "..") throw escapes("not a name inside its folder");
    if (parts[i] == ".") continue;
    const bool last = i + 1 == parts.size(), follow = last && follow_links;
    const int kind = (last ? O_NONBLOCK : O_DIRECTORY) | (follow ? 0 : O_NOFOLLOW);
    int next = ::openat(at.fd, parts[i].c_str(), O_RDONLY | O_CLOEXEC | kind);
    if (next < 0) {
      const int reason = errno;
      struct stat link {};
      if (!follow && ::fstatat(at.fd, parts[i].c_str(), &link, AT_SYMLINK_NOFOLLOW) == 0 &&
          S_ISLNK(link.st_mode))
        throw escapes("a symbolic link, which could lead out of its folder");
      errno = reason;
      throw_errno(file.path_, "cannot open");
    }
    std::swap(at.fd, next);
    if (next >= 0) ::close(next);
  }
  struct stat status {};
  if (::fstat(at.fd, &status) != 0) throw_errno(file.path_, "cannot read");
  if (!follow_links && S_ISREG(status.st_mode) && status.st_nlink > 1)
    throw escapes("a file with a second name, which could lie outside of its folder");
  file.map(at.fd);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  // What this object held goes with `other`.
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

// Advice about the pages of `part`, and of what lies within `around` of it in pieces of `piece` bytes.
void MappedFile::advise(Bytes part, int advice, size_t around, size_t piece) const noexcept {
  if (!data_ || part.empty()) return;
  const auto first = static_cast<size_t>(part.data() - data_), last = first + part.size();
  const size_t begin = (first - std::min(first, around)) / piece * piece;
  const size_t end = std::min(size_, (last + around + piece - 1) / piece * piece);
  const int before = errno;
  ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, advice);
  errno = before;
}

void MappedFile::release(Bytes part) const noexcept {
  // A fault brings in the pages around it: by default those of 64 KiB of addresses, and where the system caches
  // the file in large pieces, whole ones, which are aligned in the file and of up to 2 MiB. The mapping is never
  // written: nothing is lost.
  advise(part, MADV_DONTNEED, 64 * 1024, 2 * 1024 * 1024);
}
void MappedFile::prefetch(Bytes part) const noexcept {
  advise(part, MADV_WILLNEED, 0, static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
}

Bytes ByteReader::take(size_t count) {
  if (count > remaining()) {
    throw Error(ErrorKind::truncated,
                text("{}: data ends too early at byte {}: expected {} more bytes, got {}", one_line(name_),
                     position_, count, remaining()));
  }
  const Bytes taken = bytes_.subspan(position_, count);
  position_ += count;
  return taken;
}

namespace {

uint64_t little_endian(Bytes bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
  return value;
}

}  // namespace

uint8_t ByteReader::u8() {
  return std::to_integer<uint8_t>(take(1)[0]);
}

uint32_t ByteReader::u32_be() {
  uint32_t value = 0;
  for (std::byte byte : take(4)) value = value << 8 | std::to_integer<uint32_t>(byte);
  return value;
}

uint32_t ByteReader::u32_le() {
  return static_cast<uint32_t>(little_endian(take(4)));
}
uint64_t ByteReader::u64_le() {
  return little_endian(take(8));
}

void require_writable(const std::string& path, bool force) {
  struct stat status {};
  // lstat: a dangling link is there too, and the rename would replace it.
  if (::lstat(path.c_str(), &status) == 0) {
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
      throw_not_regular(path, status.st_mode);
    if (!force) {
      throw Error(ErrorKind::exists, text("{}: exists already", one_line(path)),
                  "use --force to overwrite it");
    }
  } else if (errno != ENOENT) {
    throw_errno(path, "cannot write");
  }
  const std::string folder = folder_of(path);
  if (::stat(folder.c_str(), &status) != 0) throw_errno(path, "cannot write");
  errno = ENOTDIR;
  if (!S_ISDIR(status.st_mode)) throw_errno(path, "cannot write");
  if (::access(folder.c_str(), W_OK | X_OK) != 0) throw_errno(path, "cannot write");
}

namespace {

// Removes what killed writers of the same file left. A writer holds a lock on its temporary: its number alone
// may mean another process by now, or one that only another container sees.
void remove_stale(const std::string& folder, const std::string& prefix) noexcept {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), ::closedir);
  if (!listing) return;
  while (const dirent* entry = ::readdir(listing.get())) {
    if (!writer_is_gone(entry->d_name, prefix)) continue;
    const int at = ::dirfd(listing.get());
    const Descriptor file(::openat(at, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.fd >= 0 && ::flock(file.fd, LOCK_EX | LOCK_NB) == 0) ::unlinkat(at, entry->d_name, 0);
  }
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path, bool force) : path_(path), force_(force) {
  require_writable(path, force);
  remove_stale(folder_of(path), temporary_prefix(path));
  do {  // a name left by a killed process with this number is skipped
    temporary_ = temporary_name(path);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && errno == EEXIST);
  if (fd_ < 0) throw_errno(path, "cannot write");
  ::flock(fd_, LOCK_EX | LOCK_NB);  // goes with the process; a file system without locks does without
  struct stat status {};
  // The replaced file's permissions stay; refusal (a foreign owner's file) leaves the default.
  if (::stat(path.c_str(), &status) == 0 && ::fchmod(fd_, status.st_mode & 07777) != 0) errno = 0;
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!committed_) ::unlink(temporary_.c_str());
}

namespace {

void write_all(int fd, const char* data, size_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_errno(path, "cannot write");
    }
    data += written;
    size -= static_cast<size_t>(written);
  }
}

}  // namespace

void AtomicFile::flush() {
  write_all(fd_, buffer_.data(), buffer_.size(), path_);
  buffer_.clear();
}

void AtomicFile::write(const void* data, size_t size) {
  if (fd_ < 0) throw Error(ErrorKind::internal, text("{}: write after commit", one_line(path_)));
  const char* bytes = static_cast<const char*>(data);
  if (buffer_.size() + size > kWriteBuffer) flush();
  if (size >= kWriteBuffer) {
    write_all(fd_, bytes, size, path_);
  } else {
    buffer_.append(bytes, size);
  }
}

void AtomicFile::commit() {
  if (fd_ < 0) throw Error(ErrorKind::internal, text("{}: committed twice", one_line(path_)));
  flush();
  if (::fsync(fd_) != 0) throw_errno(path_, "cannot write");
  if (::close(std::exchange(fd_, -1)) != 0) throw_errno(path_, "cannot write");
  if (force_) {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_errno(path_, "cannot rename");
  } else if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) != 0) {
    // Somebody else's file that appeared meanwhile is not overwritten.
    if (errno == EEXIST) require_writable(path_, false);
    // Some file systems do not know the flag.
    if (errno != EINVAL && errno != ENOSYS) throw_errno(path_, "cannot rename");
    require_writable(path_, false);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_errno(path_, "cannot rename");
  }
  committed_ = true;
  // The new name reaches the disk with its folder. Some file systems cannot do that: the file itself is safe.
  const Descriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd >= 0 && ::fsync(folder.fd) != 0 && errno != EINVAL && errno != EROFS) {
    throw_errno(path_, "cannot write its folder");
  }
}

std::string read_text(const std::string& path) {
  const MappedFile file(path);
  const Bytes bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write_text(const std::string& path, std::string_view content, bool force) {
  AtomicFile file(path, force);
  file.write(content);
  file.commit();
}

}  // namespace dws
