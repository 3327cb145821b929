// Labelled pictures to learn from, and how they are changed as they are read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/json.h"
#include "format/images.h"
#include "train/source.h"
#include "weights/normalise.h"

namespace dws::train {

// Pictures of one size as numbers in [0, 1], channels last: (H, W, C).
class ImageSet final : public Source {
 public:
  // Files that format/images.h reads, joined; a folder with CIFAR-10 batches (data_batch_*.bin) stands for these. The
  // labels are those of `labels`, one file for each of `paths`, or where it is empty those that the pictures' own file
  // holds (CIFAR-10) or that lie beside it under the usual name (images-idx3 becomes labels-idx1). At most the first
  // `limit` pictures (0: all). Throws Error{mismatch} for pictures of different sizes or as many labels as pictures,
  // Error{usage} where no labels are found, Error{bad_value} for one below 0.
  static ImageSet open(const std::vector<std::string>& paths, const std::vector<std::string>& labels,
                       int64_t limit = 0);

  int64_t height() const noexcept { return height_; }
  int64_t width() const noexcept { return width_; }
  int64_t channels() const noexcept { return channels_; }
  int64_t classes() const noexcept;                                          // largest label + 1
  const std::vector<std::string>& files() const noexcept { return files_; }  // all that was read
  // Throws Error{mismatch} unless `other` has pictures of this size and no label beyond `classes`.
  void require_same(const ImageSet& other, int64_t classes) const;

  const char* noun() const noexcept override { return "images"; }
  int64_t size() const noexcept override { return static_cast<int64_t>(labels_.size()); }
  std::span<const int32_t> labels() const noexcept override { return labels_; }
  std::string name(int64_t i) const override;
  void read(int64_t i, std::span<float> out) const override;
  // All are in memory: one block, so that the order is a full shuffle.
  int64_t block() const noexcept override { return std::max<int64_t>(1, size()); }
  void release(int64_t, int64_t) const noexcept override {}
  void prefetch(int64_t, int64_t) const noexcept override {}

  // Mean and standard deviation of each channel over all pictures.
  struct Colours {
    std::vector<double> mean, deviation;
  };
  Colours colours() const;

 private:
  int64_t height_ = 0, width_ = 0, channels_ = 0;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_;
  std::vector<std::string> files_;
};

// (value - mean) / deviation of each channel. A deviation of zero counts as one.
weights::Normaliser colour_normaliser(const ImageSet& images, const ImageSet::Colours& colours);

struct ImageAugmentation {
  bool flip = false;        // left and right, every other time
  int64_t crop = 0;         // moved by up to so many pixels each way; what comes in has the mean colour
  std::string str() const;  // "none", "flip,crop=4"
};
// "none" or a list of flip, crop (4) and crop=PIXELS. Throws Error{usage}.
ImageAugmentation parse_image_augmentation(const std::string& list);

class ImageReader final : public SampleReader {
 public:
  // Both outlive the object.
  ImageReader(const ImageSet& images, const weights::Normaliser& normaliser, const ImageAugmentation& how,
              uint64_t seed);
  void read(int64_t sample, int64_t epoch, std::span<float> scratch, std::span<float> x,
            std::span<float> target = {}) const override;
  int64_t scratch_size(int64_t classes) const noexcept override;

 private:
  const ImageSet& images_;
  const weights::Normaliser& normaliser_;
  ImageAugmentation how_;
  uint64_t seed_;
};

}  // namespace dws::train
