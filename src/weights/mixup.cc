#include "weights/mixup.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"

namespace dws::weights {

void Mixup::check() const {
  if (!(alpha >= 0.01 && alpha <= 1000))
    throw Error(ErrorKind::usage, text("--alpha {}: expected 0.01 to 1000", number(alpha)));
}

MixupKind parse_mixup(const std::string& word, const std::string& what) {
  for (const MixupKind kind : {MixupKind::none, MixupKind::direct, MixupKind::permuted})
    if (word == to_string(kind)) return kind;
  if (word == "aligned")
    throw Error(ErrorKind::usage, text("{} aligned: this version cannot align networks", what),
                "use permuted, which does nearly as well");
  const std::string near = nearest(word, {"none", "direct", "permuted"});
  throw Error(ErrorKind::usage, text("{}: expected none, direct or permuted, got '{}'", what, escaped(word)),
              near.empty() ? "" : text("did you mean '{}'?", near));
}

const char* to_string(MixupKind kind) noexcept {
  switch (kind) {
    case MixupKind::direct:
      return "direct";
    case MixupKind::permuted:
      return "permuted";
    default:
      return "none";
  }
}

namespace {

// Gamma(alpha, 1), alpha >= 1 (Marsaglia & Tsang, "A simple method for generating gamma variables", 2000).
double gamma(double alpha, Rng& rng) {
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = rng.normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root, u = 1 - rng.uniform();
    if (std::log(u) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace

double symmetric_beta(double alpha, Rng& rng) {
  if (alpha == 1) return rng.uniform();
  if (alpha > 1) {
    const double a = gamma(alpha, rng), b = gamma(alpha, rng);
    return a / (a + b);
  }
  // Joehnk 1964, in logarithms: for a small alpha the powers themselves are 0.
  for (;;) {
    const double a = std::log(1 - rng.uniform()) / alpha, b = std::log(1 - rng.uniform()) / alpha;
    if (std::exp(a) + std::exp(b) > 1) continue;
    return 1 / (1 + std::exp(b - a));
  }
}

void mix(double lambda, std::span<const float> a, std::span<const float> b, std::span<float> out) noexcept {
  const auto p = static_cast<float>(lambda), q = static_cast<float>(1 - lambda);
  for (size_t i = 0; i < out.size(); ++i) out[i] = p * a[i] + q * b[i];
}

}  // namespace dws::weights
