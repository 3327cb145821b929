// Stands in for libFuzzer where there is none: feeds every file of the folders named to the target, then each
// file cut short and with bytes changed, in a fixed order. Fails when there is nothing to feed.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz.h"

namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxChanges = 2'000;  // of one seed

// An exact copy on the heap, so that a sanitizer sees a read of one byte too many.
void feed(const std::string& bytes) {
  const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

size_t feed_changed(const std::string& seed) {
  size_t fed = 0;
  const size_t step = std::max<size_t>(1, seed.size() * 4 / kMaxChanges);
  for (size_t i = 0; i < seed.size(); i += step) {
    feed(seed.substr(0, i));
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string changed = seed;
      changed[i] = static_cast<char>(changed[i] ^ change);
      feed(changed);
    }
    fed += 4;
  }
  return fed;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<fs::path> seeds;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      seeds.emplace_back(argv[i]);
      continue;
    }
    for (const fs::directory_entry& file : fs::directory_iterator(argv[i])) seeds.push_back(file.path());
  }
  std::sort(seeds.begin(), seeds.end());
  size_t fed = 0;
  for (const fs::path& path : seeds) {
    std::ifstream file(path, std::ios::binary);
    const std::string seed{std::istreambuf_iterator<char>(file), {}};
    feed(seed);
    fed += 1 + feed_changed(seed);
  }
  std::printf("%zu seeds, %zu inputs\n", seeds.size(), fed);
  return seeds.empty() ? 1 : 0;
}
