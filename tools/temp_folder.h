// A folder that goes away.
#pragma once

#include <string>

namespace dws::tools {

// A fresh folder dws-PROCESS-N.tmp below the system's temporary folder (TMPDIR), or below `parent`, removed with everything in it. Those
// that killed processes left there are removed by the next one. Throws Error{io}.
class TempFolder {
 public:
  TempFolder();
  explicit TempFolder(const std::string& parent);
  TempFolder(TempFolder&& other) noexcept;
  TempFolder& operator=(TempFolder&&) = delete;
  ~TempFolder();
  const std::string& path() const noexcept { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  int lock_ = -1;  // goes with the process
};

}  // namespace dws::tools
