#include "inr/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/text.h"

namespace dws {
namespace {

// Header: magic, settings (32 digits), jobs, parameters. Record: job, psnr, steps, parameters, checksum of
// all that.
constexpr char kMagic[8] = {'d', 'w', 's', 'f', 'i', 't', '0', '1'};
constexpr size_t kSettings = 32;
constexpr int64_t kHeaderSize = sizeof kMagic + kSettings + 2 * sizeof(int64_t);
constexpr int64_t kHeadSize = 16;  // of a record: what stands before the parameters

uint64_t checksum(const std::byte* data, size_t size) {
  const std::string digits = hash_bytes({data, size}).substr(0, 16);
  uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

// As many bytes as the file has; throws on errors.
int64_t read_at(int fd, const std::string& path, void* data, size_t size, int64_t offset) {
  size_t got = 0;
  while (got < size) {
    const ssize_t n =
        ::pread(fd, static_cast<char*>(data) + got, size - got, offset + static_cast<int64_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(path, "cannot read");
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  return static_cast<int64_t>(got);
}

void write_all(int fd, const std::string& path, const void* data, size_t size) {
  size_t put = 0;
  while (put < size) {
    const ssize_t n = ::write(fd, static_cast<const char*>(data) + put, size - put);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(path, "cannot write");
    put += static_cast<size_t>(n);
  }
}

}  // namespace

Journal::Journal(const std::string& path, const std::string& settings, int64_t jobs, int64_t params,
                 bool restart)
    : path_(path), jobs_(jobs), params_(params), slot_(static_cast<size_t>(jobs), -1) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) throw_errno(path, "cannot open");
  try {
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0)
      throw Error(ErrorKind::io, path + ": another process is writing this file",
                  "wait for it, or choose another output");
    if (read_header(settings, restart))
      scan();
    else
      write_header(settings);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

Journal::~Journal() {
  unmap();
  if (fd_ >= 0) ::close(fd_);
}

int64_t Journal::record_size() const noexcept {
  return kHeadSize + params_ * static_cast<int64_t>(sizeof(float)) + static_cast<int64_t>(sizeof(uint64_t));
}

// False: nothing of use is there, start from the beginning.
bool Journal::read_header(const std::string& settings, bool restart) {
  char header[kHeaderSize] = {};
  const int64_t got = read_at(fd_, path_, header, sizeof header, 0);
  if (got == 0) return false;
  const bool ours =
      std::memcmp(header, kMagic, std::min<size_t>(sizeof kMagic, static_cast<size_t>(got))) == 0;
  if (ours && got < kHeaderSize) return false;  // killed while the header was written
  int64_t sizes[2];
  std::memcpy(sizes, header + sizeof kMagic + kSettings, sizeof sizes);
  if (ours && settings == std::string(header + sizeof kMagic, kSettings) && sizes[0] == jobs_ &&
      sizes[1] == params_)
    return true;
  if (restart) return false;
  throw Error(ErrorKind::mismatch,
              ours ? path_ + ": an unfinished fit with other images, labels or settings"
                   : path_ + ": not the journal of a fit",
              "give the settings of that fit to continue it, or --force to start again");
}

void Journal::write_header(const std::string& settings) {
  if (settings.size() != kSettings) throw Error(ErrorKind::internal, "journal: settings must be 32 digits");
  if (::ftruncate(fd_, 0) != 0) throw_errno(path_, "cannot truncate");
  char header[kHeaderSize];
  std::memcpy(header, kMagic, sizeof kMagic);
  std::memcpy(header + sizeof kMagic, settings.data(), kSettings);
  const int64_t sizes[2] = {jobs_, params_};
  std::memcpy(header + sizeof kMagic + kSettings, sizes, sizeof sizes);
  write_all(fd_, path_, header, sizeof header);
}

// Takes every whole record; cuts the file behind the last one.
void Journal::scan() {
  std::vector<std::byte> record(static_cast<size_t>(record_size()));
  for (;; ++done_) {
    const int64_t at = kHeaderSize + done_ * record_size();
    if (read_at(fd_, path_, record.data(), record.size(), at) < record_size()) break;
    const size_t body = record.size() - sizeof(uint64_t);
    uint64_t job = 0, sum = 0;
    std::memcpy(&job, record.data(), sizeof job);
    std::memcpy(&sum, record.data() + body, sizeof sum);
    if (sum != checksum(record.data(), body) || job >= static_cast<uint64_t>(jobs_) ||
        has(static_cast<int64_t>(job)))
      break;
    slot_[job] = done_;
  }
  if (::ftruncate(fd_, kHeaderSize + done_ * record_size()) != 0) throw_errno(path_, "cannot truncate");
}

void Journal::append(const JournalEntry& entry) {
  std::vector<std::byte> record(static_cast<size_t>(record_size()));
  std::memcpy(record.data(), &entry.job, sizeof entry.job);
  std::memcpy(record.data() + 8, &entry.psnr, sizeof entry.psnr);
  std::memcpy(record.data() + 12, &entry.steps, sizeof entry.steps);
  std::memcpy(record.data() + kHeadSize, entry.params, static_cast<size_t>(params_) * sizeof(float));
  const size_t body = record.size() - sizeof(uint64_t);
  const uint64_t sum = checksum(record.data(), body);
  std::memcpy(record.data() + body, &sum, sizeof sum);
  const std::lock_guard lock(mutex_);
  try {
    write_all(fd_, path_, record.data(), record.size());
  } catch (...) {
    // Half a record (a full disk) would hide those that other threads append behind it.
    if (::ftruncate(fd_, kHeaderSize + done_ * record_size()) != 0) ::close(std::exchange(fd_, -1));
    throw;
  }
  slot_[entry.job] = done_++;
}

void Journal::map() {
  unmap();
  map_size_ = static_cast<size_t>(kHeaderSize + done_ * record_size());
  void* data = ::mmap(nullptr, map_size_, PROT_READ, MAP_SHARED, fd_, 0);
  if (data == MAP_FAILED) throw_errno(path_, "cannot map");
  map_ = static_cast<const std::byte*>(data);
}

void Journal::unmap() noexcept {
  if (map_) ::munmap(const_cast<std::byte*>(map_), map_size_);
  map_ = nullptr;
}

JournalEntry Journal::entry(int64_t job) const noexcept {
  const std::byte* record = map_ + kHeaderSize + slot_[static_cast<size_t>(job)] * record_size();
  JournalEntry entry;
  std::memcpy(&entry.job, record, sizeof entry.job);
  std::memcpy(&entry.psnr, record + 8, sizeof entry.psnr);
  std::memcpy(&entry.steps, record + 12, sizeof entry.steps);
  entry.params = reinterpret_cast<const float*>(record + kHeadSize);  // header and records are multiples of 4
  return entry;
}

void Journal::remove() {
  if (::unlink(path_.c_str()) != 0) throw_errno(path_, "cannot remove");
}

}  // namespace dws
