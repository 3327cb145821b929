// Progress of a long fit on disk: finished networks, appended in any order, each with a checksum. A run that
// was killed at any moment loses at most the networks it was working on.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace dws {

// One finished network.
struct JournalEntry {
  uint64_t job = 0;
  float psnr = 0;
  uint32_t steps = 0;
  const float* params = nullptr;
};

class Journal {
 public:
  // Opens or creates `path` for `jobs` networks of `params` floats. `settings` (32 digits) says what the work
  // is: a journal of other settings throws Error{mismatch}, or is started again with `restart`. What follows
  // the last whole record is cut off. Throws Error{io}, also when another process holds the journal.
  Journal(const std::string& path, const std::string& settings, int64_t jobs, int64_t params, bool restart);
  Journal(const Journal&) = delete;
  ~Journal();

  const std::string& path() const noexcept { return path_; }
  int64_t done() const noexcept { return done_; }
  bool has(int64_t job) const noexcept { return slot_[static_cast<size_t>(job)] >= 0; }
  // Thread safe; the record is in the operating system's hands when it returns.
  void append(const JournalEntry& entry);

  // Reading back, once nothing is appended any more: map(), then entry() of any job that is done.
  void map();
  JournalEntry entry(int64_t job) const noexcept;

  // Unlinks the file: its content now stands elsewhere.
  void remove();

 private:
  int64_t record_size() const noexcept;
  bool read_header(const std::string& settings, bool restart);
  void write_header(const std::string& settings);
  void scan();
  void unmap() noexcept;

  std::string path_;
  int64_t jobs_, params_, done_ = 0;
  std::vector<int64_t> slot_;  // record number of a job, -1 when not done
  int fd_ = -1;
  std::mutex mutex_;
  const std::byte* map_ = nullptr;
  size_t map_size_ = 0;
};

}  // namespace dws
