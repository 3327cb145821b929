#include "merge_align.h"

#include <filesystem>

#include "align_network.h"
#include "core/interrupt.h"

namespace dws::tools {

bool same_file(const std::string& a, const std::string& b) {
  std::error_code none;
  return a == b || std::filesystem::equivalent(a, b, none);
}

void align_all(const std::string& reference, std::vector<std::string>& files, const NetworkOptions& network,
               uint64_t seed, std::vector<Spooled>& kept) {
  for (std::string& file : files) {
    check_interrupt();
    if (same_file(reference, file)) continue;
    kept.push_back(Spooled::output(is_onnx(file) ? ".onnx" : is_sharded(file) ? "" : ".safetensors"));
    align_file(reference, file, kept.back().path(), network, seed);
    file = kept.back().path();
  }
}

}  // namespace dws::tools
