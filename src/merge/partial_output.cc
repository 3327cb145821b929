#include "merge/partial_output.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/temporary_name.h"
#include "core/text.h"

namespace dws::merge {
namespace {

namespace fs = std::filesystem;

// The journal is brought up to date this often, and the disk with it: what a killed run loses.
constexpr std::chrono::milliseconds kSync{250};

// Some file systems cannot flush a folder: its files are safe.
void flush_folder(const std::string& folder) {
  const Descriptor at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at.fd >= 0 && ::fsync(at.fd) != 0 && errno != EINVAL && errno != EROFS)
    throw_errno(folder, "cannot write");
}

std::string hash_of(const Layout& layout) {
  std::string all;
  for (const OutputFile& file : layout.files) all += file.name + "\n" + file.header + "\n";
  return hash_bytes(std::as_bytes(std::span(all)));
}

}  // namespace

void require_output(const std::string& path, bool folder, bool force) {
  if (!folder) return require_writable(path, force);
  std::error_code none;
  if (fs::exists(fs::symlink_status(path, none)) &&
      !(fs::is_directory(path, none) && fs::is_empty(path, none)))
    throw Error(ErrorKind::exists, text("{}: is there already and no empty folder", one_line(path)),
                "choose another folder");
}

PartialOutput::PartialOutput(std::string path, Layout layout, const std::string& identity, bool resume,
                             bool force)
    : path_(std::move(path)), layout_(std::move(layout)), force_(force) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  require_output(path_, layout_.folder, force);
  temporary_ = folder_of(path_) + "/" + temporary_prefix(path_) + "merge.tmp";
  journal_path_ = layout_.folder ? temporary_ + "/journal"
                                 : folder_of(path_) + "/" + temporary_prefix(path_) + "merge-journal.tmp";
  const std::string header = text("dws-merge 1 {} {}\n", identity, hash_of(layout_));
  try {
    if (!resume || !take_up(header)) {
      start();
      journal_ = ::open(journal_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
      if (journal_ < 0) throw_errno(path_, "cannot write");
      write_at(journal_, header.data(), header.size(), 0, path_);
      if (::fsync(journal_) != 0) throw_errno(path_, "cannot write");
      flush_folder(folder_of(journal_path_));
    }
    finished_ = recorded_ = done_;
    if (done_ < layout_.tensors.size()) open_file(layout_.tensors[done_].file);
  } catch (const Error& error) {
    // What another process is writing, or another plan has left, stays.
    if (error.kind() == ErrorKind::mismatch || lock_ < 0) kept_ = true;
    if (!kept_) discard();
    for (const int fd : {fd_, journal_, lock_})
      if (fd >= 0) ::close(fd);
    throw;
  }
  syncer_ = std::thread([this] { sync_until_stopped(); });
}

PartialOutput::~PartialOutput() {
  stop_syncing();
  if (fd_ >= 0) ::close(fd_);
  if (!committed_ && !kept_) discard();
  if (journal_ >= 0) ::close(journal_);
  if (lock_ >= 0) ::close(lock_);
}

void PartialOutput::discard() noexcept {
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  if (!layout_.folder) fs::remove(journal_path_, ignored);
}

std::string PartialOutput::part(size_t file) const {
  return layout_.folder ? temporary_ + "/" + layout_.files[file].name : temporary_;
}

// From the beginning: what is there goes, all files get their sizes and headers.
void PartialOutput::start() {
  const auto lock = [&](const char* name, int flags) {
    const Descriptor old(::open(name, flags | O_NOFOLLOW | O_CLOEXEC));
    if (old.fd >= 0 && ::flock(old.fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      throw Error(ErrorKind::exists, text("{}: another process is writing it", one_line(path_)),
                  "wait for it, or choose another name");
  };
  lock(temporary_.c_str(), O_RDONLY);
  discard();
  if (layout_.folder) {
    if (::mkdir(temporary_.c_str(), 0777) != 0) throw_errno(path_, "cannot create the folder");
    lock_ = ::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  for (size_t f = 0; f < layout_.files.size(); ++f) {
    const OutputFile& file = layout_.files[f];
    const Descriptor made(
        ::open(part(f).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (made.fd < 0) throw_errno(path_, "cannot write");
    if (!layout_.folder) {
      lock_ = ::dup(made.fd);
      struct stat old {};  // the replaced file's permissions stay
      if (::stat(path_.c_str(), &old) == 0 && ::fchmod(made.fd, old.st_mode & 07777) != 0) errno = 0;
    }
    if (file.size > 0 && ::fallocate(made.fd, 0, 0, static_cast<off_t>(file.size)) != 0) {
      if (errno != EOPNOTSUPP && errno != ENOSYS) throw_errno(path_, "cannot write");
      if (::ftruncate(made.fd, static_cast<off_t>(file.size)) != 0) throw_errno(path_, "cannot write");
    }
    write_at(made.fd, file.header.data(), file.header.size(), 0, path_);
    if (::fsync(made.fd) != 0) throw_errno(path_, "cannot write");
  }
  if (lock_ >= 0) ::flock(lock_, LOCK_EX | LOCK_NB);  // goes with the process
}

// Whether there is a rest to go on from; done_ says how far it is.
bool PartialOutput::take_up(const std::string& header) {
  std::error_code none;
  if (!fs::exists(journal_path_, none) || !fs::exists(temporary_, none)) return false;
  lock_ = ::open(temporary_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (lock_ < 0) throw_errno(temporary_, "cannot open");
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(std::exchange(lock_, -1));
    throw Error(ErrorKind::exists, text("{}: another process is writing it", one_line(path_)),
                "wait for it, or choose another name");
  }
  const std::string journal = read_text(journal_path_);
  if (!journal.starts_with(header))
    throw Error(ErrorKind::mismatch,
                text("{}: the run to resume had other inputs or options", one_line(path_)),
                "give the same, or leave out --resume to start anew");
  for (size_t f = 0; f < layout_.files.size(); ++f)
    if (fs::file_size(part(f), none) != layout_.files[f].size || none)
      throw Error(ErrorKind::mismatch,
                  text("{}: what was left of the run to resume is not whole", one_line(path_)),
                  "leave out --resume to start anew");
  // The last line that is whole counts.
  for (size_t at = header.size(), end; (end = journal.find('\n', at)) != std::string::npos; at = end + 1)
    done_ = static_cast<size_t>(
        std::max<int64_t>(0, to_int(std::string_view(journal).substr(at, end - at)).value_or(0)));
  done_ = std::min(done_, layout_.tensors.size());
  journal_ = ::open(journal_path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (journal_ < 0) throw_errno(path_, "cannot write");
  return true;
}

void PartialOutput::open_file(size_t file) {
  const int fd = ::open(part(file).c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) throw_errno(path_, "cannot write");
  const std::lock_guard lock(mutex_);
  fd_ = fd;
  file_ = file;
}

void PartialOutput::close_file() {
  if (fd_ < 0) return;
  if (::fdatasync(fd_) != 0) throw_errno(path_, "cannot write");
  const std::lock_guard lock(mutex_);
  if (::close(std::exchange(fd_, -1)) != 0) throw_errno(path_, "cannot write");
}

void PartialOutput::write(size_t tensor, uint64_t offset, const void* data, size_t size) {
  const TensorPlace& place = layout_.tensors[tensor];
  if (place.file != file_ || offset + size > place.size)
    throw Error(ErrorKind::internal, text("{}: written beyond a tensor", one_line(path_)));
  write_at(fd_, data, size, place.offset + offset, path_);
}

std::vector<std::byte> PartialOutput::read(size_t tensor) const {
  const TensorPlace& place = layout_.tensors[tensor];
  const Descriptor file(::open(part(place.file).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file.fd < 0) throw_errno(path_, "cannot read what was written");
  std::vector<std::byte> bytes(place.size);
  for (size_t got = 0; got < bytes.size();) {
    const ssize_t n =
        ::pread(file.fd, bytes.data() + got, bytes.size() - got, static_cast<off_t>(place.offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw_errno(path_, "cannot read what was written");
    got += static_cast<size_t>(n);
  }
  return bytes;
}

void PartialOutput::write_extras() const {
  for (const auto& [name, content] : layout_.extras) write_text(temporary_ + "/" + name, content, true);
}

const std::string& PartialOutput::readable() const {
  if (layout_.folder) write_extras();
  return temporary_;
}

void PartialOutput::amend(const std::vector<std::pair<size_t, std::vector<std::byte>>>& numbers) {
  stop_syncing();  // which would say that all is finished
  if (!failure_.empty()) throw Error(ErrorKind::io, failure_);
  close_file();
  for (const auto& [tensor, bytes] : numbers) finished_ = std::min(finished_, tensor);
  record(recorded_ = finished_);
  for (const auto& [tensor, bytes] : numbers) {
    const TensorPlace& place = layout_.tensors[tensor];
    if (bytes.size() != place.size)
      throw Error(ErrorKind::internal, text("{}: another size than the tensor's", one_line(path_)));
    if (fd_ < 0 || place.file != file_) {
      close_file();
      open_file(place.file);
    }
    write_at(fd_, bytes.data(), bytes.size(), place.offset, path_);
  }
}

void PartialOutput::finished(size_t tensor) {
  {
    const std::lock_guard lock(mutex_);
    finished_ = tensor + 1;
    if (!failure_.empty()) throw Error(ErrorKind::io, failure_);
  }
  if (tensor + 1 < layout_.tensors.size() && layout_.tensors[tensor + 1].file != file_) {
    close_file();
    open_file(layout_.tensors[tensor + 1].file);
  }
}

void PartialOutput::record(size_t tensors) {
  const std::string line = text("{}\n", tensors);
  if (::write(journal_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      ::fdatasync(journal_) != 0)
    throw_errno(path_, "cannot write");
}

void PartialOutput::sync_until_stopped() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kSync, [&] { return stop_; })) {
    const size_t finished = finished_;
    if (finished == recorded_ || fd_ < 0) continue;
    const Descriptor file(::dup(fd_));
    lock.unlock();
    std::string failure;
    try {
      if (file.fd < 0 || ::fdatasync(file.fd) != 0) throw_errno(path_, "cannot write");
      record(finished);
    } catch (const Error& error) {
      failure = error.what();
    }
    lock.lock();
    recorded_ = finished;
    if (!failure.empty()) {
      failure_ = failure;
      return;
    }
  }
}

void PartialOutput::stop_syncing() {
  if (!syncer_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  syncer_.join();
}

void PartialOutput::keep() {
  stop_syncing();
  kept_ = true;
  if (fd_ >= 0 && ::fdatasync(fd_) == 0) record(finished_);
}

void PartialOutput::commit() {
  stop_syncing();
  if (!failure_.empty()) throw Error(ErrorKind::io, failure_);
  close_file();
  std::error_code ignored;
  if (layout_.folder) {
    write_extras();
    fs::remove(journal_path_, ignored);
    flush_folder(temporary_);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_errno(path_, "cannot rename");
  } else if (force_ ||
             ::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) != 0) {
    // Somebody else's file that appeared meanwhile is not overwritten; some file systems do not know the flag.
    if (!force_) require_writable(path_, false);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_errno(path_, "cannot rename");
  }
  committed_ = true;
  if (!layout_.folder) fs::remove(journal_path_, ignored);
  flush_folder(folder_of(path_));
}

}  // namespace dws::merge
