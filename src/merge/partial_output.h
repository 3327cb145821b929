// A merged network on its way to the disk. All of it has temporary names until commit(): whenever the process is killed, nothing
// has the output's name. A journal beside it says how far it got, so that a later run can go on from there.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "merge/execute.h"
#include "merge/layout.h"

namespace dws::merge {

// What PartialOutput throws for an output that must not be replaced, or cannot be written; for who works long before that.
void require_output(const std::string& path, bool folder, bool force);

class PartialOutput : public Writer {
 public:
  // Makes the files at their full size, so that a full disk is an error here. `identity` is a line that says what is being made,
  // the inputs included. What a killed run of the same output left is removed, or with `resume` taken up. Throws Error{exists}
  // as AtomicFile and AtomicFolder do, Error{mismatch} for a rest of another identity, Error{io}, and where another process is
  // writing the same.
  PartialOutput(std::string path, Layout layout, const std::string& identity, bool resume, bool force);
  // Removes what is not committed, unless keep() was called.
  ~PartialOutput() override;

  size_t done() const noexcept { return done_; }  // tensors that an earlier run has made
  void write(size_t tensor, uint64_t offset, const void* data, size_t size) override;
  void finished(size_t tensor) override;
  // The bytes of a tensor that is finished, for what is made of them in another file instead of commit().
  std::vector<std::byte> read(size_t tensor) const;
  // A safetensors file, or a folder of them with its index, to read what is there; numbers that are not finished are 0.
  const std::string& readable() const;
  // Puts other numbers, all of a tensor's, in place of finished ones, once all tensors are. If the process ends before commit(), a later
  // run makes these tensors, and all behind the first of them, again.
  void amend(const std::vector<std::pair<size_t, std::vector<std::byte>>>& numbers);
  void keep();  // for a run that is interrupted
  void commit();

 private:
  void start();
  void write_extras() const;
  bool take_up(const std::string& header);
  void open_file(size_t file);
  void close_file();
  std::string part(size_t file) const;
  void sync_until_stopped();
  void record(size_t tensors);
  void stop_syncing();
  void discard() noexcept;

  std::string path_, temporary_, journal_path_;
  Layout layout_;
  bool force_, committed_ = false, kept_ = false;
  size_t done_ = 0;
  int lock_ = -1, journal_ = -1;
  int fd_ = -1;  // of file_
  size_t file_ = 0;

  std::thread syncer_;
  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  bool stop_ = false;
  size_t finished_ = 0, recorded_ = 0;
  std::string failure_;
};

}  // namespace dws::merge
