#include "align/weight_matching.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "kernels/matmul.h"

namespace dws::align {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  // Several sums, that one addition need not wait for the one before.
  std::array<double, 8> sums{};
  size_t i = 0;
  for (; i + sums.size() <= a.size(); i += sums.size())
    for (size_t k = 0; k < sums.size(); ++k) sums[k] += double{a[i + k]} * b[i + k];
  for (size_t k = 0; i < a.size(); ++i, ++k) sums[k] += double{a[i]} * b[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// A rise below this share of |A| |B| is rounding and no progress.
constexpr double kRise = 1e-12;

}  // namespace

WeightMatcher::WeightMatcher(symmetry::Layout layout, std::span<const float> reference,
                             const MatchOptions& options)
    : layout_(std::move(layout)),
      reference_(reference.begin(), reference.end()),
      options_(options),
      reference_norm_(std::sqrt(dot(reference, reference))),
      identity_(signed_identity(layout_)),
      all_known_(layout_.groups.size(), true),
      neighbours_(layout_.groups.size()),
      trial_(reference.size()) {
  for (const symmetry::TensorAxes& tensor : layout_.tensors)
    for (size_t a = 0; a < tensor.axis_group.size(); ++a)
      for (size_t b = 0; b < tensor.axis_group.size(); ++b)
        if (a != b && tensor.axis_group[a] != symmetry::kFree && tensor.axis_group[b] != symmetry::kFree)
          neighbours_[static_cast<size_t>(tensor.axis_group[a])].push_back(
              static_cast<size_t>(tensor.axis_group[b]));
  if (static_cast<int64_t>(reference.size()) != layout_.param_count())
    throw Error(ErrorKind::mismatch, text("a reference of {} parameters for a layout of {}", reference.size(),
                                          layout_.param_count()));
}

WeightMatcher::Walk WeightMatcher::from(std::span<const float> network) const {
  const size_t groups = layout_.groups.size();
  return {.element = identity_,
          .current = {network.begin(), network.end()},
          .objective = {dot(reference_, network)},
          .dirty = std::vector<uint8_t>(groups, 1),
          .dual = std::vector<std::vector<double>>(groups)};
}

// gain_[i, j] = <slice i of A, slice j of the network as it stands>, summed over all axes the group moves whose tensor
// has no other axis in a group that is not `known`. Other groups are already applied, so that what the solver finds
// is a step from where we are.
void WeightMatcher::gather_gains(size_t group, const std::vector<bool>& known,
                                 std::span<const float> current) {
  const int64_t n = layout_.groups[group].size;
  gain_.assign(static_cast<size_t>(n * n), 0.f);
  const float* a = reference_.data();
  const float* b = current.data();
  for (const symmetry::TensorAxes& tensor : layout_.tensors) {
    int64_t outer = 1, inner = tensor.size();
    for (size_t axis = 0; axis < tensor.dims.size(); ++axis) {
      inner /= tensor.dims[axis];
      bool counts = tensor.axis_group[axis] == static_cast<int>(group);
      for (size_t other = 0; counts && other < tensor.dims.size(); ++other)
        counts = other == axis || tensor.axis_group[other] == symmetry::kFree ||
                 known[static_cast<size_t>(tensor.axis_group[other])];
      if (counts && inner == 1) {  // (outer, n): A^T B
        kernels::matmul<float>(n, n, outer, a, 1, n, b, n, gain_.data(), n, true);
      } else if (counts) {  // A B^T for each outer
        columns_.resize(static_cast<size_t>(n * inner));
        for (int64_t o = 0; o < outer; ++o) {
          kernels::transpose<float>(n, inner, b + o * n * inner, columns_.data());
          kernels::matmul<float>(n, n, inner, a + o * n * inner, inner, 1, columns_.data(), n, gain_.data(),
                                 n, true);
        }
      }
      outer *= tensor.dims[axis];
    }
    a += tensor.size();
    b += tensor.size();
  }
}

// The best step of one group for the gains as gathered, to order_ and sign_. False when it is to stay.
bool WeightMatcher::find_step(size_t group, Walk& walk) {
  const auto n = static_cast<size_t>(layout_.groups[group].size);
  // The better sign of a pair is that of its product, so the pair is worth the product's magnitude.
  std::span<const float> worth = gain_;
  if (options_.signs) {
    magnitude_.resize(gain_.size());
    for (size_t k = 0; k < gain_.size(); ++k) magnitude_[k] = std::abs(gain_[k]);
    worth = magnitude_;
  }
  std::vector<double>& dual = walk.dual[group];
  const WarmStart warm{dual, identity_.order.permutation[group]};
  const Assignment& best = solver_.solve(static_cast<int64_t>(n), worth, dual.empty() ? nullptr : &warm);
  order_ = best.column;
  sign_.assign(n, 1.f);
  dual.resize(n);
  bool moves = false;
  for (size_t i = 0; i < n; ++i) {
    const auto j = static_cast<size_t>(order_[i]);
    dual[i] = best.column_dual[j];  // where the step will have put that neuron
    if (options_.signs && gain_[i * n + j] < 0) sign_[i] = -1.f;
    moves = moves || i != j || sign_[i] < 0;
  }
  return moves;  // a step not taken leaves the duals in another order: a start need not be good
}

// The step of one group on a network.
void WeightMatcher::act_one(size_t group, std::span<float> network) {
  float* numbers = network.data();
  for (const symmetry::TensorAxes& tensor : layout_.tensors) {
    const auto size = static_cast<size_t>(tensor.size());
    size_t inner = size;
    for (size_t axis = 0; axis < tensor.dims.size(); ++axis) {
      const auto n = static_cast<size_t>(tensor.dims[axis]);
      inner /= n;
      if (tensor.axis_group[axis] != static_cast<int>(group)) continue;
      columns_.assign(numbers, numbers + size);
      float* to = numbers;
      for (size_t o = 0; o < size; o += n * inner)
        for (size_t i = 0; i < n; ++i) {
          const float* old = columns_.data() + o + static_cast<size_t>(order_[i]) * inner;
          for (size_t k = 0; k < inner; ++k) *to++ = sign_[i] * old[k];
        }
    }
    numbers += size;
  }
}

// trial_ holds the network after the step.
void WeightMatcher::take_step(size_t group, Walk& walk, double objective) {
  std::swap(walk.current, trial_);
  old_order_ = walk.element.order.permutation[group];
  old_sign_ = walk.element.sign[group];
  for (size_t i = 0; i < order_.size(); ++i) {
    const auto j = static_cast<size_t>(order_[i]);
    walk.element.order.permutation[group][i] = old_order_[j];
    walk.element.sign[group][i] = sign_[i] * old_sign_[j];
  }
  walk.objective.back() = objective;
  for (const size_t other : neighbours_[group]) walk.dirty[other] = 1;
}

// Moves one group with the others held, when the true objective rises by it: rounding, or a group on two axes of one
// tensor (where the gains are a linearisation), cannot make it fall. A group whose neighbours have not moved since is
// best as it is.
bool WeightMatcher::improve(size_t group, Walk& walk) {
  if (!walk.dirty[group]) return false;
  walk.dirty[group] = 0;
  gather_gains(group, all_known_, walk.current);
  if (!find_step(group, walk)) return false;
  trial_ = walk.current;
  act_one(group, trial_);
  const double objective = dot(reference_, trial_);
  if (!(objective > walk.objective.back() + kRise * scale_)) return false;
  take_step(group, walk, objective);
  return true;
}

// The first pass of the second start.
void WeightMatcher::place_all(Walk& walk) {
  std::vector<bool> known(layout_.groups.size(), false);
  walk.objective.push_back(walk.objective.back());
  for (size_t group = 0; group < known.size(); ++group) {
    gather_gains(group, known, walk.current);
    known[group] = true;
    if (!find_step(group, walk)) continue;
    trial_ = walk.current;
    act_one(group, trial_);
    take_step(group, walk, dot(reference_, trial_));
  }
}

void WeightMatcher::descend(Walk& walk, Rng rng) {
  std::vector<size_t> groups(layout_.groups.size());
  std::iota(groups.begin(), groups.end(), size_t{0});
  for (bool progress = true; progress && static_cast<int>(walk.objective.size()) <= options_.max_sweeps;) {
    progress = false;
    walk.objective.push_back(walk.objective.back());
    rng.shuffle(std::span<size_t>(groups));
    for (const size_t group : groups) progress |= improve(group, walk);
  }
}

Match WeightMatcher::match(std::span<const float> network, uint64_t stream, std::span<float> aligned) {
  if (network.size() != reference_.size() || aligned.size() != reference_.size())
    throw Error(ErrorKind::mismatch,
                text("a network of {} parameters for a reference of {}", network.size(), reference_.size()));
  scale_ = reference_norm_ * std::sqrt(dot(network, network));
  Walk best = from(network), second = best;
  descend(best, Rng(options_.seed, stream_id("align.order", stream, 0)));
  place_all(second);
  // A start below the network as it is would be a fall.
  if (second.objective.back() >= second.objective.front()) {
    descend(second, Rng(options_.seed, stream_id("align.order", stream, 1)));
    if (second.objective.back() > best.objective.back() + kRise * scale_) std::swap(best, second);
  }
  std::copy(best.current.begin(), best.current.end(), aligned.begin());
  Match result{std::move(best.element), std::move(best.objective)};
  if (scale_ > 0) {
    result.cosine_before = result.objective.front() / scale_;
    result.cosine_after = result.objective.back() / scale_;
  }
  return result;
}

}  // namespace dws::align
