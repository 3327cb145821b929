// What benches on large files share.
#pragma once

namespace dws::tools {

double resident_mib();  // of this process: how much of a file has become memory

}  // namespace dws::tools
