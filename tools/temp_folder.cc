#include "temp_folder.h"

#include <stdlib.h>

#include <filesystem>
#include <utility>

#include "core/file.h"

namespace dws::tools {

TempFolder::TempFolder() : TempFolder(std::filesystem::temp_directory_path().string()) {}
TempFolder::TempFolder(const std::string& parent)
    : path_((std::filesystem::path(parent) / "dws-XXXXXX").string()) {
  if (!::mkdtemp(path_.data())) throw_errno(path_, "cannot make the folder");
}
TempFolder::TempFolder(TempFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
TempFolder::~TempFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace dws::tools
