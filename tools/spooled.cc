#include "spooled.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "core/error.h"
#include "core/file.h"
#include "core/interrupt.h"
#include "core/temporary_name.h"
#include "core/text.h"
#include "output.h"

namespace dws::tools {
namespace {

constexpr size_t kPiece = size_t{1} << 20;

// Gives what was written; a part of it where the reader wants no more.
bool write_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) {
      check_interrupt();
      continue;
    }
    if (written < 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

// A header's length, then the header: a JSON object. Everything else is taken for ONNX, whose reader says what is wrong.
bool looks_like_safetensors(Bytes bytes) {
  return bytes.size() > 8 && std::to_integer<char>(bytes[8]) == '{' &&
         ByteReader(bytes, "stdin").u64_le() <= bytes.size() - 8;
}

}  // namespace

Spooled Spooled::input() {
  Spooled spooled;
  const std::string raw = spooled.folder_.file("stdin");
  const Descriptor file(::open(raw.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.fd < 0) throw_errno(raw, "cannot write");
  std::vector<char> piece(kPiece);
  for (;;) {
    check_interrupt();
    pollfd waiting{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, -1) < 0) {  // a signal must end the wait
      if (errno != EINTR) throw_errno("stdin", "cannot read");
      continue;
    }
    const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("stdin", "cannot read");
    if (got == 0) break;
    if (!write_all(file.fd, piece.data(), static_cast<size_t>(got))) throw_errno(raw, "cannot write");
  }
  const MappedFile whole(raw);
  if (whole.bytes().empty()) throw Error(ErrorKind::empty, "stdin: no network came");
  spooled.path_ = raw + (looks_like_safetensors(whole.bytes()) ? ".safetensors" : ".onnx");
  std::filesystem::rename(raw, spooled.path_);
  return spooled;
}

Spooled Spooled::output(const std::string& ending) {
  Spooled spooled;
  spooled.path_ = spooled.folder_.file("stdout" + ending);
  return spooled;
}

void Spooled::send() const {
  const MappedFile file(path_);
  for (Bytes rest = file.bytes(); !rest.empty();) {
    check_interrupt();
    const Bytes piece = rest.first(std::min(kPiece, rest.size()));
    if (!write_all(STDOUT_FILENO, reinterpret_cast<const char*>(piece.data()), piece.size())) {
      if (errno == EPIPE) throw ClosedPipe{};
      throw_errno("stdout", "cannot write");
    }
    file.release(piece);
    rest = rest.subspan(piece.size());
  }
}

}  // namespace dws::tools
