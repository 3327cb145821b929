// Where the networks lie that a configuration names.
#pragma once

#include <string>
#include <vector>

#include "merge/mergekit.h"

namespace dws::merge {

struct ModelPath {
  std::string path;           // what Input::open() reads
  bool follow_links = false;  // it lies in a cache, which is made of links
};

class ModelFinder {
 public:
  // `roots`: folders to look in for names that are no paths: ROOT/org/name, then ROOT/name. Then the cache of the Hugging
  // Face hub's client: HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub.
  explicit ModelFinder(std::vector<std::string> roots);
  ModelFinder(std::vector<std::string> roots, std::string cache);

  // `file` stands first in messages. Throws Error{io} with advice for a network that is nowhere, Error{unsupported} for an
  // adapter (path+adapter) and for pickled weights.
  ModelPath find(const ModelName& model, const std::string& file) const;

 private:
  std::vector<std::string> roots_;
  std::string cache_;
};

}  // namespace dws::merge
