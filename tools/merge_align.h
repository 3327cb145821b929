// `dws merge --align`: networks moved into the basis of one of them before they are combined.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "merge_source.h"
#include "temp_folder.h"

namespace dws::tools {

// Aligned copies, in the temporary folder (TMPDIR) as long as this lives. An element is found again bit by bit, so that a run that is
// resumed makes the same copies anew, and nothing is kept.
class AlignedCopies {
 public:
  // All go into the basis of `reference`, by weight matching, which leaves networks in their files where copies of their numbers would
  // take more than `max_memory`; "": half of what is left.
  AlignedCopies(MergeSource reference, uint64_t seed, std::string max_memory);

  // Makes a copy of each of these networks but the reference, one after another, and lets it stand in (MergeSource::read); the same file
  // has one copy. Throws Error{resource_limit} before
  // anything is made where the folder has no room for all; Error{mismatch|missing_tensor} for a network of another architecture.
  void make(std::vector<MergeSource>& sources);

  // {"method", "seed", "reference"}, which is the same for all documents of a configuration.
  Json recipe() const;
  // The same with "hash", of the copies that were made of these.
  Json recipe(const std::vector<MergeSource>& sources) const;

 private:
  NetworkFile copy(const NetworkFile& from);

  MergeSource reference_;
  uint64_t seed_;
  std::string max_memory_;
  TempFolder folder_;
  std::map<std::string, std::string> hashes_;  // of the copies, by their paths
};

bool same_file(const std::string& a, const std::string& b);

}  // namespace dws::tools
