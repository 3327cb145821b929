// A whole zoo moved into the basis of one network.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "align/weight_matching.h"
#include "format/zoo.h"

namespace dws::align {

// Where the result goes and what it says about its origin.
struct AlignOutput {
  std::string path;
  bool force = false;
  Json settings = {};  // becomes `align` of the zoo's description, with the cosines added
  std::vector<std::pair<std::string, std::string>> metadata = {};  // e.g. dws.recipe
};

struct AlignSummary {
  int64_t networks = 0;
  double cosine_before = 0, cosine_after = 0;  // to the reference, mean over the networks
  double sweeps_mean = 0;
  int sweeps_max = 0;
  double seconds = 0;  // of the matching
};

// True for activations with act(-z) = -act(z), where neurons can also be negated.
bool has_signs(const ZooInfo& info) noexcept;

// Weight matching of every network of `zoo` to `reference` (arch.param_count()), on all threads. Everything else
// of the zoo (labels, images, PSNR, how it was fitted) comes along. The result is written whole or not at all: as a
// zoo, or for a single network's file as one. The same bits on any number of threads. Memory does not grow with
// the networks' numbers: they go through a scratch file beside the output.
//
// Throws Error{interrupted}, Error{exists}, Error{mismatch} when the reference has another size, Error{usage} for
// signs with an activation that is not odd, Error{bad_value} for numbers that are not finite or too large.
AlignSummary align_zoo(const Zoo& zoo, std::span<const float> reference, const MatchOptions& options,
                       const AlignOutput& output);

}  // namespace dws::align
