// Labelled samples to evaluate a network on: pictures, or any arrays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/picture_files.h"

namespace dws {

class LabelledData {
 public:
  // One safetensors file with `inputs` (N, ...) of numbers and `labels` (N) of integers; or the pictures of picture_files(), joined.
  // At most the first `limit` samples (0: all). Throws Error as picture_files() and read_pictures() do, Error{mismatch} for
  // pictures of different sizes or other numbers of labels, Error{empty}.
  static LabelledData open(const std::vector<std::string>& paths, const std::vector<std::string>& labels,
                           int64_t limit = 0);

  int64_t size() const noexcept { return static_cast<int64_t>(labels_.size()); }
  // Of one sample; of pictures (channels, height, width).
  const std::vector<int64_t>& dims() const noexcept { return dims_; }
  int64_t sample_size() const noexcept;
  bool pictures() const noexcept { return pictures_; }
  const std::vector<int64_t>& labels() const noexcept { return labels_; }
  const std::vector<std::string>& files() const noexcept { return files_; }  // all that was read

  // (value - mean) / std of each channel (the first axis of a sample); one number stands for all channels. Throws
  // Error{usage} for another count or a std that is not positive.
  void normalise(const std::vector<double>& mean, const std::vector<double>& std);

  // Samples [first, first + count) to `to` (count, dims): pixels in [0, 1], channels first, then normalised. Thread safe.
  void read(int64_t first, int64_t count, float* to) const noexcept;

 private:
  void add_pictures(const PictureFile& file, int64_t limit);
  void read_tensors(const std::string& path, int64_t limit);

  std::vector<int64_t> dims_, labels_;
  std::vector<std::string> files_;
  bool pictures_ = true;
  std::vector<uint8_t> pixels_;       // (N, H, W, C)
  std::vector<float> numbers_;        // (N, dims) where these are no pictures
  std::vector<float> scale_, shift_;  // a channel; empty: none
};

}  // namespace dws
