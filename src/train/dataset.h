// Networks to learn from: one or more zoos of one architecture as one list, read from their mappings on
// demand.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/zoo.h"
#include "weights/augment.h"
#include "weights/normalise.h"

namespace dws::train {

class Dataset {
 public:
  // Opens and joins the zoos of `paths`; at most the first `limit` networks of all together (0: all). Throws
  // Error{mismatch} for different networks, Error{empty} when there is none.
  static Dataset open(const std::vector<std::string>& paths, int64_t limit = 0);

  const ZooInfo& info() const noexcept { return zoos_.front().info(); }
  const std::string& path() const noexcept { return zoos_.front().path(); }
  int64_t size() const noexcept { return static_cast<int64_t>(places_.size()); }
  std::span<const int64_t> labels() const noexcept { return labels_; }  // -1 where unknown
  std::span<const int64_t> image_ids() const noexcept { return image_ids_; }
  // The second image of networks that are mixtures, image_ids() of the others; empty when none is a mixture.
  std::span<const int64_t> mixed_image_ids() const noexcept { return mixed_ids_; }
  std::string name(int64_t i) const;
  // Zoo::remark() of the files that have one.
  std::vector<std::string> remarks() const;
  // Which images network i is of, across files: its source's hash and its number there, of a mixture two;
  // nothing when the file does not say.
  std::vector<std::string> image_keys(int64_t i) const;
  // Network i's target over `row.size()` classes: its soft label, or 1 for its label. After require_labels().
  void target(int64_t i, std::span<float> row) const;

  // Network i's numbers (info().arch.param_count()). Throws Error{bad_value} naming network and tensor when
  // one is not finite.
  void read(int64_t i, std::span<float> out) const;
  // Reads every network once, so that bad numbers are found before hours of training. Throws as read() does.
  void check_values() const;
  // Checks that every network has a label in [0, classes); `classes` 0: any. Returns the largest label + 1, or
  // the classes of soft labels where they are more.
  // Throws Error{missing_tensor} without labels, Error{bad_value} naming the network for one out of range.
  int64_t require_labels(int64_t classes) const;

 private:
  struct Place {
    int zoo;
    int64_t index;
  };
  std::vector<Zoo> zoos_;
  std::vector<Place> places_;
  std::vector<int64_t> labels_, image_ids_, mixed_ids_;
};

// How many networks of `b` are of images that `a` has networks of, as far as the files say.
int64_t shared_images(const Dataset& a, const Dataset& b);

// Some networks of a data set: a part of a split, or a whole other file.
struct Part {
  const Dataset* data = nullptr;
  std::vector<int64_t> samples;
  bool empty() const noexcept { return samples.empty(); }
  int64_t size() const noexcept { return static_cast<int64_t>(samples.size()); }
  static Part all(const Dataset& data);
};

// Mean and deviation over (at most the first 10,000 networks of) the training part.
weights::Normaliser fit_normaliser(const Part& part);

// Gives the networks of a training part to the model: mixed, augmented, normalised. Random numbers are a
// function of (seed, epoch, sample) alone.
class Reader {
 public:
  // Partners of a mix come from `part` alone, so that nothing of another part is seen. Throws Error{usage} when
  // these networks do not allow the augmentation.
  Reader(const Part& part, const weights::Normaliser& normaliser, const weights::Augmentation& augmentation,
         const weights::Mixup& mixup, uint64_t seed);

  // Writes network `sample` of the data set to `x` (P) and its target to `target` (classes; empty: not
  // wanted), mixed with the same lambda as the networks. `scratch` (scratch_size()) is overwritten.
  void read(int64_t sample, int64_t epoch, std::span<float> scratch, std::span<float> x,
            std::span<float> target = {}) const;
  int64_t scratch_size(int64_t classes) const noexcept;

 private:
  const Dataset& data_;
  const weights::Normaliser& normaliser_;
  weights::Augmenter augmenter_;
  bool mixes_;
  std::vector<int64_t> candidates_;  // ascending, of the part, for mixing
};

}  // namespace dws::train
