// A network to merge: as it was given, and as it is read.
#pragma once

#include <string>
#include <vector>

#include "merge/input.h"
#include "network_input.h"

namespace dws::tools {

struct NetworkFile {
  std::string path;
  NetworkOptions options;

  merge::InputFile input() const {
    return {path, {.external = external_data(options), .follow_links = options.follow_symlinks}};
  }
};

struct MergeSource {
  std::string name;  // as it was given, which recipes say; "-" for stdin
  NetworkFile given;
  NetworkFile read;  // that itself, or the aligned copy that stands in for it
};

inline std::vector<NetworkFile> files_read(const std::vector<MergeSource>& sources) {
  std::vector<NetworkFile> files;
  for (const MergeSource& source : sources) files.push_back(source.read);
  return files;
}

// Of what was given, where `read` is open already.
inline std::string fingerprint(const MergeSource& source, const merge::Input& read) {
  return source.read.path == source.given.path ? read.fingerprint()
                                               : merge::Input::open(source.given.input()).fingerprint();
}

}  // namespace dws::tools
