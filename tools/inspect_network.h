// What `inspect` says of networks.
#pragma once

#include <string>

#include "core/json.h"
#include "network_input.h"

namespace dws::tools {

// {"schema", "file", "kind": "network", ...}: what a person wants to know at first sight.
Json inspect_network(const std::string& path, const NetworkOptions& options);

}  // namespace dws::tools
