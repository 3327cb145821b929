#include "merge/layers.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "core/text.h"

namespace dws::merge {
namespace {

constexpr size_t kDigits = 9;  // of a layer's number at most

bool is_number(std::string_view part) noexcept {
  return !part.empty() && part.size() <= kDigits && (part == "0" || part.front() != '0') &&
         std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
}

// Calls f(begin, end) for every part between points.
template <class F>
void for_parts(std::string_view name, F&& f) {
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    f(begin, end);
    begin = end + 1;
  }
}

std::string lower(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return all;
}

template <size_t N>
bool has_any(std::string_view name, const std::array<std::string_view, N>& words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return name.find(word) != name.npos; });
}

}  // namespace

Layers Layers::find(const std::vector<std::string_view>& names) {
  std::map<std::string_view, size_t> counts;
  for (const std::string_view name : names)
    for_parts(name, [&](size_t begin, size_t end) {
      if (is_number(name.substr(begin, end - begin))) ++counts[name.substr(0, begin)];
    });
  Layers layers;
  size_t most = 0;
  for (const auto& [prefix, count] : counts)
    if (count > most || (count == most && prefix.size() < layers.prefix_.size())) {
      most = count;
      layers.prefix_ = prefix;
    }
  return layers.of(names);
}

Layers Layers::of(const std::vector<std::string_view>& names) const {
  std::set<int64_t> numbers;
  for (const std::string_view name : names)
    if (const auto part = parse(name)) numbers.insert(part->layer);
  Layers layers;
  layers.prefix_ = prefix_;
  layers.numbers_.assign(numbers.begin(), numbers.end());
  return layers;
}

bool Layers::contiguous() const noexcept {
  return any() && numbers_.front() == 0 && numbers_.back() + 1 == static_cast<int64_t>(numbers_.size());
}

std::optional<LayerPart> Layers::parse(std::string_view name) const noexcept {
  if (!name.starts_with(prefix_)) return std::nullopt;
  const size_t end = std::min(name.find('.', prefix_.size()), name.size());
  const std::string_view number = name.substr(prefix_.size(), end - prefix_.size());
  if (!is_number(number)) return std::nullopt;
  return LayerPart{*to_int(number), name.substr(end)};
}

std::string Layers::name(int64_t layer, std::string_view part) const {
  return text("{}{}{}", prefix_, layer, part);
}

bool stands_before_layers(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kAfter{"embed_out",      "output_embed", "unembed",
                                                          "post_layernorm", "pooler",       "lm_head"};
  static constexpr std::array<std::string_view, 16> kBefore{
      "emb",          "wte",      "wpe",      "shared.",    "cls_token", "class_token",
      "mask_token",   "pos_",     "position", "conv_proj.", "patch",     "pre_layernorm",
      "pre_layrnorm", "norm_pre", "ln_pre",   "stem"};
  const std::string plain = lower(name);
  return !has_any(plain, kAfter) && has_any(plain, kBefore);
}

bool is_output_head(std::string_view name) {
  return name == "lm_head.weight" || name == "output.weight" || name == "embed_out.weight" ||
         name.ends_with(".lm_head.weight") || name.ends_with("predictions.decoder.weight");
}

bool is_word_embedding(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kNames{
      "embed_tokens.weight",   "wte.weight",    "word_embeddings.weight", "embed_in.weight",
      "tok_embeddings.weight", "shared.weight", "embeddings.weight"};
  return std::ranges::any_of(kNames, [&](std::string_view end) { return name.ends_with(end); });
}

}  // namespace dws::merge
