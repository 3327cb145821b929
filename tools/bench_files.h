// What benches on large files share: a folder that goes away, and how much of a file has become memory.
#pragma once

#include <string>

namespace dws::tools {

// A fresh folder below the system's temporary folder, removed with everything in it. Throws Error{io}.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

double resident_mib();  // of this process

}  // namespace dws::tools
