// Mixup of networks (Shamsian, Navon et al., "Improved generalization of weight space networks via
// augmentations", ICML 2024): w = lambda a + (1 - lambda) g b, the targets mixed with the same lambda.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/rng.h"

namespace dws::weights {

enum class MixupKind { none, direct, permuted };
struct Mixup {
  // direct: g is the identity; permuted: a random element of the group, another for each mix.
  MixupKind kind = MixupKind::none;
  double alpha = 1;  // lambda ~ Beta(alpha, alpha); 1 is uniform
  bool on() const noexcept { return kind != MixupKind::none; }
  // Throws Error{usage} for an alpha out of range.
  void check() const;
};

// "none", "direct", "permuted"; throws Error{usage} naming `what` for anything else.
MixupKind parse_mixup(const std::string& word, const std::string& what);
const char* to_string(MixupKind kind) noexcept;

// Beta(alpha, alpha), alpha > 0: in [0, 1], symmetric about 1/2.
double symmetric_beta(double alpha, Rng& rng);

// out = lambda a + (1 - lambda) b, all of one size; out may be a or b.
void mix(double lambda, std::span<const float> a, std::span<const float> b, std::span<float> out) noexcept;

}  // namespace dws::weights
