// Random networks for the tests of this room.
#pragma once

#include <algorithm>
#include <vector>

#include "align/signed_element.h"
#include "core/rng.h"

namespace dws::testing {

inline std::vector<float> random_network(const symmetry::Layout& layout, uint64_t seed) {
  Rng rng(seed, stream_id("test.network"));
  std::vector<float> params(static_cast<size_t>(layout.param_count()));
  for (float& p : params) p = static_cast<float>(rng.normal());
  return params;
}

inline std::vector<float> moved(const symmetry::Layout& layout, const align::SignedElement& g,
                                const std::vector<float>& params) {
  std::vector<float> out(params.size());
  align::act(layout, g, params.data(), out.data());
  return out;
}

inline bool is_identity(const align::SignedElement& g) {
  for (const auto& order : g.order.permutation)
    for (size_t i = 0; i < order.size(); ++i)
      if (order[i] != static_cast<int32_t>(i)) return false;
  return std::all_of(g.sign.begin(), g.sign.end(), [](const std::vector<float>& signs) {
    return std::all_of(signs.begin(), signs.end(), [](float s) { return s == 1.f; });
  });
}

}  // namespace dws::testing
