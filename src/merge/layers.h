// Which of a network's tensors belong to which of its layers, by their names alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dws::merge {

// "model.layers.3.mlp.up_proj.weight" is "mlp.up_proj.weight" of layer 3 behind "model.layers.".
struct LayerPart {
  int64_t layer = 0;
  std::string_view part;  // with the point in front: ".mlp.up_proj.weight"
};

class Layers {
 public:
  Layers() = default;  // none
  // The numbered parts of most of the tensors: of all texts that stand before a number between points (or at the name's beginning
  // or end), that of most names; of equal ones the shortest.
  static Layers find(const std::vector<std::string_view>& names);

  bool any() const noexcept { return !numbers_.empty(); }
  const std::string& prefix() const noexcept { return prefix_; }             // "model.layers."
  const std::vector<int64_t>& numbers() const noexcept { return numbers_; }  // ascending
  bool contiguous() const noexcept;                                          // 0, 1, 2, ...
  std::optional<LayerPart> parse(std::string_view name) const noexcept;
  std::string name(int64_t layer, std::string_view part) const;
  // The same prefix with the numbers that `names` have.
  Layers of(const std::vector<std::string_view>& names) const;

 private:
  std::string prefix_;
  std::vector<int64_t> numbers_;
};

// Whether a tensor outside of the layers is used before them, by its name: embeddings, patches, a stem.
bool stands_before_layers(std::string_view name);
// Of a matrix from features to words, that of tied networks is the embedding.
bool is_output_head(std::string_view name);
bool is_word_embedding(std::string_view name);

}  // namespace dws::merge
