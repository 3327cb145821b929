// dws align --universe: many networks in one basis.
#pragma once

#include <string>
#include <vector>

#include "align/match_network.h"
#include "command.h"
#include "network_input.h"

namespace dws::tools {

struct AlignUniverse {
  std::vector<std::string> inputs;
  std::string out, method, spec_file, emit, groups;
  NetworkOptions network;
  align::NetworkMatchOptions options;
  bool verify = false, json = false;

  // 0, or 1 where --verify finds that one does not compute what it did; then nothing is written.
  int run(const Globals& globals) const;
};

}  // namespace dws::tools
