// Zoo files: many networks of one architecture, stacked tensors in one safetensors file (see docs in
// src/README.md).
//   layers.I.weight (N, out, in) F32, layers.I.bias (N, out) F32, image_id (N) I64, label (N) I64 where
//   known, psnr (N) F32 where fitted, label_soft (N, classes) F32 and mixed_image_id (N) I64 where networks
//   were mixed; metadata "dws.zoo": a JSON object.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/shape.h"

namespace dws {

// A fully connected network as data: dims d_0 .. d_L, weights (d_{i+1}, d_i) row-major as PyTorch's
// nn.Linear.
struct MlpArch {
  std::vector<int64_t> dims;
  int layers() const noexcept { return static_cast<int>(dims.size()) - 1; }
  int64_t weight_size(int layer) const noexcept { return dims[size_t(layer)] * dims[size_t(layer) + 1]; }
  int64_t bias_size(int layer) const noexcept { return dims[size_t(layer) + 1]; }
  int64_t param_count() const noexcept;
  std::string str() const;                        // "2-32-32-1"
  static MlpArch parse(const std::string& text);  // throws Error{usage}
  bool operator==(const MlpArch&) const = default;
};

// What "dws.zoo" holds. Everything needed to render a network: f(x) = net(x) + output_offset, coordinates of
// an image's pixel centres from range[0] to range[1] inclusive, x = (column, row); sine layers are sin(omega
// (W x + b)). With Fourier features the first layer's input is [sin(2 pi B x), cos(2 pi B x)], all sines
// first.
struct ZooInfo {
  MlpArch arch;
  std::string activation = "siren";  // siren, relu, tanh
  double omega = 30;
  static constexpr int kMaxFourierFeatures = 4096;
  int fourier_features = 0;  // relu, tanh: number of random Fourier features before the first layer; 0 none
  double fourier_scale = 0;  // above 0 where there are features
  uint64_t fourier_seed = 0;
  // B (fourier_features, 2) row-major, what counts; empty: made from scale and seed (inr/field.h).
  std::vector<double> fourier_matrix;
  double output_offset = 0.5;
  double range[2] = {-1, 1};
  int64_t image_height = 0, image_width = 0, channels = 1;  // 0: not images
  bool assumed = false;  // the file said nothing: all but arch are defaults. Not written
  Json source;           // file names, hashes
  Json fit;              // recipe: steps, lr, seed, ...
  Json summary;          // PSNR mean, min, max
  Json align;            // to which network, and how, where the zoo was moved into a common basis
  Json to_json() const;
  static ZooInfo from_json(const Json& json, const std::string& file);  // throws Error{bad_schema}
  // Throws Error{mismatch} saying what differs when networks of `other` cannot stand in one data set with
  // these.
  void require_same_network(const ZooInfo& other, const std::string& this_name,
                            const std::string& other_name) const;
};

// A mapped zoo; copies nothing until asked. Opens a zoo file, or a folder of single networks with labels.csv
// (`file,label`), or a single network file (a zoo of one; `single` names it).
class Zoo {
 public:
  // Checks the structure; not the values. Throws Error.
  static Zoo open(const std::string& path);
  ~Zoo();
  Zoo(Zoo&&) noexcept;
  Zoo& operator=(Zoo&&) noexcept;

  const std::string& path() const noexcept;
  const ZooInfo& info() const noexcept;
  int64_t size() const noexcept;
  bool has_labels() const noexcept;
  int64_t label(int64_t i) const;     // -1 when unknown
  int64_t image_id(int64_t i) const;  // i when the file has none
  bool has_image_ids() const noexcept;
  std::optional<float> psnr(int64_t i) const;
  // Targets of several classes at once: how many classes (0: the file has none), and network i's row (classes),
  // not negative, of sum 1.
  int64_t soft_classes() const noexcept;
  void soft_label(int64_t i, std::span<float> row) const;
  // The second image of a network that is a mixture of networks of two; image_id(i) of any other.
  int64_t mixed_image_id(int64_t i) const;
  std::string name(int64_t i) const;  // "zoo.safetensors#12", or the single network's file
  // Copies network i's numbers: W_0, b_0, W_1, b_1, ... each row-major (out, in). `out` has
  // arch.param_count() elements. Throws Error{bad_value} naming network and tensor when one is not finite.
  void read(int64_t i, std::span<float> out) const;
  // The same with NaN and infinities let through, for looking at a damaged zoo.
  void read_as_is(int64_t i, std::span<float> out) const;
  // What was read of networks [begin, end) no longer counts as memory of this process; the next read() brings
  // it back (MappedFile::release). prefetch(): will be read soon. Hints: they do nothing for a folder, whose
  // files are open only while they are read. Indices outside [0, size()) are left out.
  void release(int64_t begin, int64_t end) const noexcept;
  void prefetch(int64_t begin, int64_t end) const noexcept;
  // Networks to read between two calls of release(): about 4 MiB of them, at least 1 and at most 1,024. Enough
  // that a disk reads in long stretches and the calls cost nothing, little beside the memory of a run.
  int64_t block() const noexcept;
  // Safetensors::remark() of the file; of a folder, of its first file.
  std::string remark() const;

 private:
  struct Impl;
  explicit Zoo(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// For who reads a zoo in ascending order, any number of times: releases a block once it was passed. The zoo
// outlives the object.
class PagesBehind {
 public:
  explicit PagesBehind(const Zoo& zoo) : zoo_(&zoo) {}
  // After network i was read.
  void passed(int64_t i) noexcept {
    if (i < begin_) begin_ = i;  // from the start again
    if (i + 1 - begin_ < zoo_->block() && i + 1 < zoo_->size()) return;
    zoo_->release(begin_, i + 1);
    begin_ = i + 1;
  }

 private:
  const Zoo* zoo_;
  int64_t begin_ = 0;
};

// Writes a zoo whole or not at all. `network(i)` gives the numbers of network i in read()'s order; called for
// ascending i once a tensor, so that nothing but one tensor's row is in memory. labels, psnr may be empty.
struct ZooContent {
  ZooInfo info;
  int64_t count = 0;
  std::span<const int64_t> labels;  // empty: none
  std::span<const int64_t> image_ids;
  std::span<const float> psnr;  // empty: none
  // Fills row i (classes) of label_soft; in ascending order. Empty: none.
  int64_t soft_classes = 0;
  std::function<void(int64_t i, std::span<float> row)> soft_label;
  std::span<const int64_t> mixed_image_ids;  // empty: none is a mixture
  // Start of network i's numbers.
  const float* (*network)(const void* context, int64_t i) = nullptr;
  const void* context = nullptr;
  std::vector<std::pair<std::string, std::string>> metadata;  // besides dws.zoo, e.g. dws.recipe
};
// Throws Error{empty} for no networks, Error{size_mismatch} when labels, image_ids, mixed_image_ids or psnr
// are not one a network, Error{bad_value} for NaN, infinities and labels below -1.
void write_zoo(const std::string& path, const ZooContent& content, bool force);

// One network in a file of its own: tensors layers.I.weight (out, in), layers.I.bias (out,), metadata
// "dws.zoo". `params` (param_count) in Zoo::read()'s order. Throws as write_zoo.
void write_network(const std::string& path, const ZooInfo& info, std::span<const float> params,
                   const std::vector<std::pair<std::string, std::string>>& metadata, bool force);

}  // namespace dws
