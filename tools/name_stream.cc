#include "name_stream.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/interrupt.h"

namespace dws::tools {

bool NameStream::fill() {
  if (end_) return false;
  bytes_.erase(0, at_);
  at_ = 0;
  constexpr size_t kLongest = 1 << 20;
  if (bytes_.size() > kLongest)
    throw Error(ErrorKind::too_large, "stdin: a line of more than 1 MiB", "give one file name a line");
  // poll() rather than a plain read(): a signal must end the wait.
  pollfd waiting{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (::poll(&waiting, 1, -1) < 0) {
    if (errno != EINTR) throw_errno("stdin", "cannot read");
    check_interrupt();
  }
  char block[1 << 14];
  ssize_t got = 0;
  while ((got = ::read(STDIN_FILENO, block, sizeof block)) < 0)
    if (errno != EINTR) throw_errno("stdin", "cannot read");
  if (got == 0) end_ = true;
  bytes_.append(block, static_cast<size_t>(got));
  return true;
}

std::optional<std::string> NameStream::next() {
  for (;;) {
    size_t stop = bytes_.find('\n', at_);
    if (stop == std::string::npos) {
      if (fill()) continue;
      if (at_ >= bytes_.size()) return std::nullopt;
      stop = bytes_.size();
    }
    std::string name = bytes_.substr(at_, stop - at_);
    at_ = std::min(stop + 1, bytes_.size());
    if (name.ends_with('\r')) name.pop_back();
    if (!name.empty()) return name;
  }
}

bool NameStream::ready() const {
  if (end_ || bytes_.find('\n', at_) != std::string::npos) return true;
  pollfd waiting{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 0) > 0;
}

}  // namespace dws::tools
