// Training, validation and test parts of a data set. The unit that is dealt out is the image: all networks
// that were fitted to one image (views) land in one part, so that nothing of a test image is seen in
// training.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dws::train {

// Fractions of the networks when they sum to at most 1, otherwise numbers of networks. What is left over is
// unused.
struct SplitSizes {
  double train = 0.8, val = 0.1, test = 0.1;
};

// "0.8,0.1,0.1", "8000,0,2000", "0.9,0.1". Throws Error{usage}.
SplitSizes parse_split(const std::string& text);

// Indices into the data set, ascending.
struct Split {
  std::vector<int64_t> train, val, test;
};

// Deals out the images of `image_ids` (N) in an order that depends on `seed` alone and spreads each label (N,
// may be -1) evenly. A part reaches its size by whole images, so it can be larger by one image's views.
//
// `mixed_image_ids` (N, or empty) names the second image of networks that are mixtures of two. A mixture is
// used for training alone, and only when both its images are of the training part: it would show what is to be
// judged, and what it is itself has no one answer.
//
// Throws Error{empty} when a part that was asked for gets nothing.
Split split_by_image(std::span<const int64_t> image_ids, std::span<const int32_t> labels,
                     const SplitSizes& sizes, uint64_t seed, std::span<const int64_t> mixed_image_ids = {});

}  // namespace dws::train
