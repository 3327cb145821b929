// A folder that appears whole or not at all.
#pragma once

#include <string>

namespace dws {

// Files go to a folder beside `path` under a temporary name; commit() flushes it to disk and gives it its own. Without commit()
// it is removed; those that killed writers of `path` left are removed by the next one. Throws Error{exists} at once when `path` is
// there and is no empty folder: a folder may hold anything, so that nothing, --force neither, removes one. Error{io} for what the
// system refuses.
class AtomicFolder {
 public:
  explicit AtomicFolder(std::string path);
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  ~AtomicFolder();
  std::string file(const std::string& name) const;  // the path to write a file of the folder to
  void commit();

 private:
  std::string path_, temporary_;
  int fd_ = -1;  // of the temporary folder, which is locked by it
};

}  // namespace dws
