// From images to a zoo file: all networks of a selection, on all threads, resumable.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "inr/fit.h"

namespace dws {

// Where the result goes and what it says about its origin.
struct FitOutput {
  std::string path;
  bool force = false;  // overwrite `path`; start again instead of refusing a journal of other settings
  Json source;         // file names and hashes, for the zoo's metadata
  std::vector<std::pair<std::string, std::string>> metadata;  // e.g. dws.recipe
};

struct FitSummary {
  int64_t networks = 0, resumed = 0;  // resumed: taken over from an earlier, unfinished run
  double psnr_mean = 0, psnr_min = 0, psnr_max = 0;
  int64_t steps = 0;   // updates over all networks
  double seconds = 0;  // of this run's fitting
};

// Fits `options.views` networks to every selected image and writes the zoo: networks in the order of images,
// views of an image side by side, image_id = index in `images`. `labels` is empty or has one label an image.
//
// Progress goes to PATH.partial (journal.h); the same call made again after a kill continues there, and the
// zoo has the same bits as that of an uninterrupted run, on any number of threads. Memory besides the images
// does not grow with the size of the networks' data (some bytes a network). `each`, if given, is called after
// every finished network with the number done so far.
//
// Throws Error{interrupted} on SIGINT, the journal kept; Error{mismatch} when labels and images differ in
// number or the journal belongs to other settings; Error{exists}; Error{empty} when nothing is selected;
// Error{bad_value} when a fit diverges.
FitSummary fit_images(const Images& images, std::span<const int64_t> labels, const FitOptions& options,
                      const FitOutput& output, const std::function<void(int64_t)>& each = {});

}  // namespace dws
