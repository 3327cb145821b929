// `dws merge --align`: networks moved into the basis of one of them before they are combined.
#pragma once

#include <string>
#include <vector>

#include "network_input.h"
#include "spooled.h"

namespace dws::tools {

// Each of `files` as weight matching moves it into the basis of `reference`, which stays as it is where it is one of them: files in
// the temporary folder (TMPDIR) that go with `kept`, the names of which take the places of the others in `files`. Matching holds two
// networks in memory at a time, whatever --max-memory says.
void align_all(const std::string& reference, std::vector<std::string>& files, const NetworkOptions& network,
               uint64_t seed, std::vector<Spooled>& kept);

bool same_file(const std::string& a, const std::string& b);

}  // namespace dws::tools
