// Resize and Upsample: an axis after another (network/ops/resize.h says by what sums).
#include <algorithm>

#include "kernels/elementwise.h"
#include "network/context.h"
#include "network/engine/plan.h"
#include "network/ops/resize.h"

namespace dws::network::engine {
namespace {

void stretch(const Resampling::Axis& axis, float outside, const float* x, float* y) {
  for (int64_t o = 0; o < axis.outer; ++o, x += axis.n * axis.inner)
    for (const Resampling::Taps& taps : axis.lines) {
      if (taps.empty()) {
        y = std::fill_n(y, axis.inner, outside);
      } else if (axis.inner == 1) {
        float sum = 0;
        for (const auto& tap : taps) sum += static_cast<float>(tap.weight) * x[tap.from];
        *y++ = sum;
      } else {
        bool more = false;
        for (const auto& tap : taps) {
          kernels::scale(axis.inner, static_cast<float>(tap.weight), x + tap.from * axis.inner, y, more);
          more = true;
        }
        y += axis.inner;
      }
    }
}

bool resize(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  if (!b.real(x) || b.size(y) == 0) return false;
  std::vector<ArrayPtr> inputs;
  for (const int input : node.inputs) inputs.push_back(input == kNone ? nullptr : b.shape_ptr(input));
  const Context context(node, std::move(inputs), true, [&] { return node.where(b.network().values); }, {});
  std::vector<Resampling::Axis> axes;
  float outside = 0;
  try {
    const Resampling how = resampling(context);
    if (how.to != b.shape(y).dims) return false;
    axes = how.axes();
    outside = static_cast<float>(how.settings.outside_value);
  } catch (const UnknownShape&) {
    return false;
  }
  if (axes.empty()) return b.alias(y, x), true;
  int64_t between = 0;
  for (const auto& axis : axes)
    between = std::max(between, axis.outer * static_cast<int64_t>(axis.lines.size()) * axis.inner);
  b.step({.reads = {x}, .writes = {y}, .scratch = 2 * between, .work = [=](const Frame& f) {
            const float* from = f.in(x);
            for (size_t a = 0; a < axes.size(); ++a) {
              float* to = a + 1 == axes.size() ? f.out(y) : f.scratch + static_cast<int64_t>(a % 2) * between;
              stretch(axes[a], outside, from, to);
              from = to;
            }
          }});
  return true;
}

}  // namespace

std::vector<PlannerRow> resize_planners() {
  return {{"Resize", resize}, {"Upsample", resize}};
}

}  // namespace dws::network::engine
