// Files: mapped for reading, whole or not at all for writing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace dws {

using Bytes = std::span<const std::byte>;

// A read-only mapping of a regular file, an empty span for an empty file. Throws
// Error{io|not_regular_file}.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::string& path);
  // The same for a file whose name comes from a stranger: `relative` is opened below `folder` part by part, and nothing
  // that could lead out of it is followed: "..", an absolute name, a symbolic link, a hard link. With `follow_links` the
  // file itself, not the folders on the way, may be a symbolic link (which counts from its own folder) or have several
  // names: caches of models are made of those. Throws Error{path_escape} too.
  static MappedFile open_inside(const std::string& folder, const std::string& relative,
                                bool follow_links = false);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  ~MappedFile();

  Bytes bytes() const noexcept { return {data_, size_}; }
  const std::string& path() const noexcept { return path_; }

  // Pages of the mapping count as memory of this process once they were read. release() gives those that
  // `part` (of bytes()) touches back, and neighbours that came in with them; read again, they come back from
  // the system's cache or the disk. prefetch() asks the system to have them in its cache soon. Neither
  // changes what is read, and both are harmless where the system does not know them and from any thread.
  void release(Bytes part) const noexcept;
  void prefetch(Bytes part) const noexcept;

 private:
  void map(int fd);
  void advise(Bytes part, int advice, size_t around, size_t piece) const noexcept;

  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Bounded little- and big-endian reads; running off the end throws Error{truncated} naming file and byte.
class ByteReader {
 public:
  ByteReader(Bytes bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  size_t position() const noexcept { return position_; }
  size_t remaining() const noexcept { return bytes_.size() - position_; }
  uint8_t u8();
  uint32_t u32_be();
  uint32_t u32_le();
  uint64_t u64_le();
  Bytes take(size_t count);

 private:
  Bytes bytes_;
  std::string name_;
  size_t position_ = 0;
};

// Writes to a temporary name beside `path`; commit() flushes to disk and renames. Without commit() the
// temporary file is removed; those that killed writers of `path` left are removed by the next one. Throws
// Error{exists} at once when `path` is there and !force, Error{io} on any failed write, on a full
// disk too.
class AtomicFile {
 public:
  AtomicFile(const std::string& path, bool force);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();
  void write(const void* data, size_t size);
  void write(std::string_view s) { write(s.data(), s.size()); }
  void commit();
  const std::string& path() const noexcept { return path_; }

 private:
  void flush();

  std::string path_;
  std::string temporary_;
  std::string buffer_;
  int fd_ = -1;
  bool force_ = false;
  bool committed_ = false;
};

// All `size` bytes of `data` at `offset` of the open file `path`; any number of threads. Throws Error{io}.
void write_at(int fd, const void* data, size_t size, uint64_t offset, const std::string& path);

// The folder that holds `path`: "." for a name alone.
std::string folder_of(const std::string& path);

// Whole-file conveniences.
std::string read_text(const std::string& path);
void write_text(const std::string& path, std::string_view content, bool force);

// Throws Error{exists} with advice about --force when `path` exists and !force; Error{io} when its folder
// does not.
void require_writable(const std::string& path, bool force);

// Raises the calling thread's complaint about a full disk etc. as one line: "FILE: cannot write: No space
// left ...".
[[noreturn]] void throw_errno(const std::string& path, std::string_view what);

}  // namespace dws
