// A folder that goes away.
#pragma once

#include <string>

namespace dws::tools {

// A fresh folder below the system's temporary folder (TMPDIR), or below `parent`, removed with everything in it. Throws Error{io}.
class TempFolder {
 public:
  TempFolder();
  explicit TempFolder(const std::string& parent);
  TempFolder(TempFolder&& other) noexcept;
  TempFolder& operator=(TempFolder&&) = delete;
  ~TempFolder();
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace dws::tools
