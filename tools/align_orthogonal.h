// dws align --orthogonal: transformers, with rotations of the residual stream.
#pragma once

#include <string>

#include "align/match_network.h"
#include "command.h"
#include "network_input.h"

namespace dws::tools {

struct AlignOrthogonal {
  std::string a, b, out, reference, spec_file, emit, rotation, groups;
  NetworkOptions network;
  align::NetworkMatchOptions options;
  bool verify = false, force = false, json = false;

  // 0, or 1 where --verify finds that what would be written computes something else; then nothing is written.
  int run(const Globals& globals);
};

}  // namespace dws::tools
