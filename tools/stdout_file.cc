#include "stdout_file.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "core/interrupt.h"
#include "output.h"

namespace dws::tools {

StdoutFile::StdoutFile(const std::string& ending)
    : folder_((std::filesystem::temp_directory_path() / "dws-XXXXXX").string()) {
  if (!::mkdtemp(folder_.data())) throw_errno(folder_, "cannot make the folder");
  path_ = folder_ + "/stdout" + ending;
}

StdoutFile::~StdoutFile() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void StdoutFile::send() const {
  const MappedFile file(path_);
  Bytes rest = file.bytes();
  while (!rest.empty()) {
    check_interrupt();
    const ssize_t written =
        ::write(STDOUT_FILENO, rest.data(), std::min<size_t>(rest.size(), size_t{1} << 20));
    if (written >= 0)
      rest = rest.subspan(static_cast<size_t>(written));
    else if (errno == EPIPE)
      throw ClosedPipe{};
    else if (errno != EINTR)
      throw_errno("stdout", "cannot write");
  }
}

}  // namespace dws::tools
