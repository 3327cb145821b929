#include "core/atomic_folder.h"

#include <unistd.h>

#include <filesystem>

#include "core/error.h"
#include "core/text.h"

namespace dws {

namespace fs = std::filesystem;

AtomicFolder::AtomicFolder(std::string path) : path_(std::move(path)) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  std::error_code code;
  const fs::file_status status = fs::symlink_status(path_, code);
  if (fs::exists(status) && !(fs::is_directory(status) && fs::is_empty(path_, code)))
    throw Error(ErrorKind::exists, text("{}: is there already and not empty", one_line(path_)),
                "choose another folder");
  const std::string name = text("{}.tmp{}", path_, ::getpid());
  if (!fs::create_directory(name, code))
    throw Error(ErrorKind::io, text("{}: cannot create the folder: {}", one_line(name),
                                    code ? code.message() : std::string("it is there already")));
  temporary_ = name;
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

std::string AtomicFolder::file(const std::string& name) const {
  return (fs::path(temporary_) / name).string();
}

void AtomicFolder::commit() {
  std::error_code code;
  fs::rename(temporary_, path_, code);
  if (code) throw Error(ErrorKind::io, text("{}: cannot rename: {}", one_line(path_), code.message()));
  temporary_.clear();
}

}  // namespace dws
