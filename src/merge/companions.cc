#include "merge/companions.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>

#include "core/file.h"

namespace dws::merge {

namespace fs = std::filesystem;

Companions companions(const Checkpoint& checkpoint) {
  constexpr uintmax_t kLargest = uintmax_t{64} << 20;
  std::error_code none;
  std::vector<fs::path> found;
  if (!checkpoint.sharded() && !fs::is_directory(checkpoint.path(), none)) return {};
  for (fs::directory_iterator at(checkpoint.folder(), none), end; !none && at != end; at.increment(none)) {
    const std::string name = at->path().filename().string(), ending = at->path().extension().string();
    const bool wanted = ending == ".json" || ending == ".txt" || ending == ".model" || ending == ".jinja" ||
                        ending == ".tiktoken";
    std::error_code odd;
    if (wanted && !name.starts_with('.') && !name.ends_with(".index.json") && at->is_regular_file(odd) &&
        at->file_size(odd) <= kLargest)
      found.push_back(at->path());
  }
  std::ranges::sort(found);
  Companions all;
  for (const fs::path& path : found) all.emplace_back(path.filename().string(), read_text(path.string()));
  return all;
}

bool is_tokenizer_file(std::string_view name) {
  static constexpr std::array<std::string_view, 8> kNames{
      "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model",
      "chat_template.jinja",     "chat_template.json"};
  return name.starts_with("tokenizer") || name.ends_with(".tiktoken") || name.ends_with(".model") ||
         std::ranges::count(kNames, name) > 0;
}

}  // namespace dws::merge
