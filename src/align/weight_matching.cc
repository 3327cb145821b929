#include "align/weight_matching.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "kernels/matmul.h"

namespace dws::align {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
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
      step_(identity_),
      trial_(reference.size()) {
  if (static_cast<int64_t>(reference.size()) != layout_.param_count())
    throw Error(ErrorKind::mismatch, text("a reference of {} parameters for a layout of {}", reference.size(),
                                          layout_.param_count()));
}

WeightMatcher::Walk WeightMatcher::from(std::span<const float> network) const {
  return {identity_, {network.begin(), network.end()}, {dot(reference_, network)}};
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

// The best step of one group for the gains as gathered, to step_. False when it is to stay.
bool WeightMatcher::find_step(size_t group) {
  step_ = identity_;
  std::vector<int32_t>& order = step_.order.permutation[group];
  std::vector<float>& sign = step_.sign[group];
  // The better sign of a pair is that of its product, so the pair is worth the product's magnitude.
  std::span<const float> worth = gain_;
  if (options_.signs) {
    magnitude_.resize(gain_.size());
    std::transform(gain_.begin(), gain_.end(), magnitude_.begin(), [](float g) { return std::abs(g); });
    worth = magnitude_;
  }
  order = solver_.solve(layout_.groups[group].size, worth).column;
  bool moves = false;
  for (size_t i = 0; i < order.size(); ++i) {
    const auto j = static_cast<size_t>(order[i]);
    if (options_.signs && gain_[i * order.size() + j] < 0) sign[i] = -1.f;
    moves = moves || i != j || sign[i] < 0;
  }
  return moves;
}

// trial_ holds the network after step_.
void WeightMatcher::take_step(Walk& walk, double objective) {
  std::swap(walk.current, trial_);
  walk.element = compose(step_, walk.element);
  walk.objective.back() = objective;
}

// Moves one group with the others held, when the true objective rises by it: rounding, or a group on two axes of one
// tensor (where the gains are a linearisation), cannot make it fall.
bool WeightMatcher::improve(size_t group, Walk& walk) {
  gather_gains(group, std::vector<bool>(layout_.groups.size(), true), walk.current);
  if (!find_step(group)) return false;
  act(layout_, step_, walk.current.data(), trial_.data());
  const double objective = dot(reference_, trial_);
  if (!(objective > walk.objective.back() + kRise * scale_)) return false;
  take_step(walk, objective);
  return true;
}

// The first pass of the second start.
void WeightMatcher::place_all(Walk& walk) {
  std::vector<bool> known(layout_.groups.size(), false);
  walk.objective.push_back(walk.objective.back());
  for (size_t group = 0; group < known.size(); ++group) {
    gather_gains(group, known, walk.current);
    known[group] = true;
    if (!find_step(group)) continue;
    act(layout_, step_, walk.current.data(), trial_.data());
    take_step(walk, dot(reference_, trial_));
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
