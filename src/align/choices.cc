#include "align/choices.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "align/slices.h"
#include "core/parallel.h"

namespace dws::align {
namespace {

constexpr size_t kAll = 10;  // generators of which all combinations are tried; of more, one after another

}  // namespace

Choices::Choices(const Problem& problem, const Unit& unit) : unit_(&unit) {
  const symmetry::NetworkGroup& group = problem.groups[static_cast<size_t>(unit.group)];
  const size_t signs = group.signs.size();
  phases_ = group.phases.size();
  generators_ = static_cast<int64_t>(signs + phases_);
  std::vector<int> root(static_cast<size_t>(generators_));
  std::iota(root.begin(), root.end(), 0);
  const auto find = [&](int x) {
    while (root[static_cast<size_t>(x)] != x) x = root[static_cast<size_t>(x)];
    return x;
  };
  const auto join = [&](int x, int y) { root[static_cast<size_t>(find(x))] = find(y); };
  for (const std::vector<int>& c : unit.classes)
    for (size_t k = 1; k < c.size(); ++k) join(c[0], c[k]);
  for (const Place& p : unit.places)
    if (p.phase >= 0)
      for (const int k : unit.classes[static_cast<size_t>(p.sign_class)])
        join(k, static_cast<int>(signs) + p.phase);
  std::map<int, size_t> number;
  const auto component = [&](int generator) -> Component& {
    const auto [at, fresh] = number.emplace(find(generator), components_.size());
    if (fresh) components_.emplace_back();
    return components_[at->second];
  };
  std::vector<bool> used(static_cast<size_t>(generators_));
  for (const std::vector<int>& c : unit.classes)
    for (const int k : c) used[static_cast<size_t>(k)] = true;
  for (const Place& p : unit.places)
    if (p.phase >= 0) used[signs + static_cast<size_t>(p.phase)] = true;
  for (int k = 0; k < static_cast<int>(generators_); ++k)
    if (used[static_cast<size_t>(k)]) component(k).generators.push_back(k);
  const auto bits = [&](const Component& c, const std::vector<int>& generators) {
    uint32_t flips = 0;
    for (const int k : generators) {
      const auto at = std::ranges::find(c.generators, k) - c.generators.begin();
      if (at < 32) flips |= uint32_t{1} << at;
    }
    return flips;
  };
  for (size_t c = 1; c < unit.classes.size(); ++c) {
    Component& here = component(unit.classes[c].front());
    here.classes.push_back({static_cast<int>(c), bits(here, unit.classes[c])});
  }
  for (size_t at = 0; at < unit.places.size(); ++at) {
    const Place& p = unit.places[at];
    if (p.phase < 0) continue;
    const int parity = static_cast<int>(signs) + p.phase;
    Component& here = component(parity);
    auto turned = std::ranges::find(here.phases, p.phase, &Turned::phase);
    if (turned == here.phases.end()) {
      here.phases.push_back(
          {p.phase,
           static_cast<int>(std::ranges::find(here.generators, parity) - here.generators.begin()),
           {}});
      turned = here.phases.end() - 1;
    }
    turned->shifted.push_back({.a = {},
                               .b = {},
                               .per_item = 0,
                               .half_turn = p.half_turn,
                               .flips = bits(here, unit.classes[static_cast<size_t>(p.sign_class)]),
                               .place = static_cast<int>(at)});
  }
}

void Choices::take_shifted(const Problem& problem, const Standing& numbers, bool known) {
  for (Component& c : components_)
    for (Turned& turned : c.phases)
      for (Shifted& s : turned.shifted) {
        const Place& place = unit_->places[static_cast<size_t>(s.place)];
        const auto f = static_cast<size_t>(place.field);
        const Walk walk(problem.fields[f], place, unit_->size);
        s.per_item = known ? walk.rows() : 0;
        s.a.resize(static_cast<size_t>(s.per_item * unit_->size));
        s.b.resize(s.a.size());
        for (int64_t i = 0; known && i < unit_->size; ++i) {
          take_item(walk, numbers.a[f].data(), i, s.a.data() + i * s.per_item);
          take_item(walk, numbers.b[f].data(), i, s.b.data() + i * s.per_item);
        }
      }
}

double Choices::value(const Component& c, const ClassGains& gains, int64_t i, int64_t j, uint32_t flipped,
                      std::vector<int32_t>* turns) const {
  const auto at = static_cast<size_t>(i * unit_->size + j);
  double sum = 0;
  for (const Class& k : c.classes) {
    const std::vector<float>& gain = gains[static_cast<size_t>(k.number)];
    if (!gain.empty()) sum += std::popcount(flipped & k.flips) % 2 != 0 ? -gain[at] : gain[at];
  }
  for (const Turned& turned : c.phases) {
    // Half turns of the right parity that bring B's numbers nearest to A's.
    double along = 0, square = 0;
    for (const Shifted& s : turned.shifted) {
      const double sign = std::popcount(flipped & s.flips) % 2 != 0 ? -1 : 1;
      for (int64_t p = 0; p < s.per_item; ++p)
        along += s.half_turn * (double{s.a[static_cast<size_t>(i * s.per_item + p)]} -
                                sign * double{s.b[static_cast<size_t>(j * s.per_item + p)]});
      square += s.half_turn * s.half_turn * static_cast<double>(s.per_item);
    }
    const double parity = (flipped >> turned.parity) & 1u;
    const double k = square > 0 ? parity + 2 * std::nearbyint((along / square - parity) / 2) : 0;
    if (turns) (*turns)[static_cast<size_t>(turned.phase)] = static_cast<int32_t>(std::clamp(k, -1e9, 1e9));
    for (const Shifted& s : turned.shifted) {
      const double sign = std::popcount(flipped & s.flips) % 2 != 0 ? -1 : 1;
      for (int64_t p = 0; p < s.per_item; ++p) {
        const double now = sign * double{s.b[static_cast<size_t>(j * s.per_item + p)]} + k * s.half_turn;
        sum += s.a[static_cast<size_t>(i * s.per_item + p)] * now - now * now / 2;
      }
    }
  }
  return sum;
}

uint32_t Choices::best_flips(const Component& c, const ClassGains& gains, int64_t i, int64_t j,
                             double& best) const {
  uint32_t flips = 0;
  best = value(c, gains, i, j, 0, nullptr);
  const auto consider = [&](uint32_t z) {
    const double now = value(c, gains, i, j, z, nullptr);
    if (!(now > best)) return false;
    best = now, flips = z;
    return true;
  };
  const size_t count = std::min<size_t>(c.generators.size(), 32);
  if (count <= kAll) {
    for (uint32_t z = 1; z < uint32_t{1} << count; ++z) consider(z);
    return flips;
  }
  for (bool better = true; better;) {
    better = false;
    for (size_t k = 0; k < count; ++k) better |= consider(flips ^ (uint32_t{1} << k));
  }
  return flips;
}

void Choices::best(const ClassGains& gains, std::vector<float>& total) const {
  const int64_t n = unit_->size;
  total.assign(static_cast<size_t>(n * n), 0.f);
  parallel_for(n, [&](int64_t i) {
    float* row = total.data() + i * n;
    if (!gains[0].empty()) std::copy_n(gains[0].data() + i * n, n, row);
    for (const Component& c : components_) {
      if (c.generators.size() == 1 && c.phases.empty() && c.classes.size() == 1) {
        const std::vector<float>& gain = gains[static_cast<size_t>(c.classes[0].number)];
        for (int64_t j = 0; !gain.empty() && j < n; ++j)
          row[j] += std::abs(gain[static_cast<size_t>(i * n + j)]);
        continue;
      }
      for (int64_t j = 0; j < n; ++j) {
        double value = 0;
        best_flips(c, gains, i, j, value);
        row[j] += static_cast<float>(value);
      }
    }
  });
}

Choice Choices::choose(const ClassGains& gains, int64_t i, int64_t j) const {
  Choice choice{std::vector<float>(static_cast<size_t>(generators_), 1.f), std::vector<int32_t>(phases_, 0)};
  for (const Component& c : components_) {
    double unused = 0;
    const uint32_t flips = best_flips(c, gains, i, j, unused);
    for (size_t k = 0; k < std::min<size_t>(c.generators.size(), 32); ++k)
      if ((flips >> k) & 1u) choice.signs[static_cast<size_t>(c.generators[k])] = -1.f;
    value(c, gains, i, j, flips, &choice.turns);
  }
  return choice;
}

float Choices::factor(int sign_class, const Choice& choice) const noexcept {
  float f = 1;
  for (const int k : unit_->classes[static_cast<size_t>(sign_class)])
    f *= choice.signs[static_cast<size_t>(k)];
  return f;
}

}  // namespace dws::align
