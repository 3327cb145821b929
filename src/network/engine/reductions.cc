// Reductions over axes, softmax and its relations.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/elementwise.h"
#include "kernels/reduce.h"
#include "kernels/special.h"
#include "network/engine/plan.h"

namespace dws::network::engine {
namespace {

struct Around {
  int64_t outer = 1, n = 1, inner = 1;
};

// The reduced axes as one block in the middle; false where they are not side by side or not known.
bool reduced(Builder& b, const Node& node, Around& s) {
  const std::vector<int64_t>& dims = b.shape(node.inputs.at(0)).dims;
  const auto rank = static_cast<int64_t>(dims.size());
  std::vector<int64_t> axes;
  if (const auto named = node.attr_ints("axes")) axes = *named;
  if (input_of(node, 1) != kNone) {
    const ArrayPtr known = b.integers(node.inputs[1]);
    if (!known) return false;
    axes = known->ints;
  }
  if (axes.empty()) {
    if (node.attr_int("noop_with_empty_axes", 0)) return false;
    for (int64_t a = 0; a < rank; ++a) axes.push_back(a);
  }
  for (int64_t& a : axes) a += a < 0 ? rank : 0;
  std::ranges::sort(axes);
  if (axes.empty() || axes.front() < 0 || axes.back() >= rank ||
      axes.back() - axes.front() + 1 != static_cast<int64_t>(axes.size()))
    return false;
  for (int64_t a = 0; a < rank; ++a)
    (a < axes.front() ? s.outer : a > axes.back() ? s.inner : s.n) *= dims[static_cast<size_t>(a)];
  return s.n > 0;
}
bool by_kernel(Builder& b, const Node& node, kernels::Reduce kind) {
  Around s;
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  if (!b.real(x) || !reduced(b, node, s)) return false;
  b.step({.reads = {x}, .writes = {y}, .work = [=](const Frame& f) {
            kernels::reduce(s.outer, s.n, s.inner, kind, f.in(x), f.out(y), nullptr);
          }});
  return true;
}
// end(sum of step(x)), in double.
template <auto step, auto end>
bool by_sum(Builder& b, const Node& node) {
  Around s;
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  if (!b.real(x) || !reduced(b, node, s)) return false;
  b.step({.reads = {x}, .writes = {y}, .work = [=](const Frame& f) {
            for (int64_t o = 0; o < s.outer; ++o)
              for (int64_t i = 0; i < s.inner; ++i) {
                const float* from = f.in(x) + o * s.n * s.inner + i;
                double sum = 0;
                for (int64_t k = 0; k < s.n; ++k) sum += step(static_cast<double>(from[k * s.inner]));
                f.out(y)[o * s.inner + i] = static_cast<float>(end(sum));
              }
          }});
  return true;
}
bool smallest(Builder& b, const Node& node) {
  Around s;
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  if (!b.real(x) || !reduced(b, node, s)) return false;
  b.step({.reads = {x}, .writes = {y}, .work = [=](const Frame& f) {
            for (int64_t o = 0; o < s.outer; ++o)
              for (int64_t i = 0; i < s.inner; ++i) {
                const float* from = f.in(x) + o * s.n * s.inner + i;
                float least = from[0];
                for (int64_t k = 1; k < s.n; ++k) least = std::min(least, from[k * s.inner]);
                f.out(y)[o * s.inner + i] = least;
              }
          }});
  return true;
}

// Up to operator set 12 over all axes from `axis` on (default 1), after over one axis (default the last).
bool over_axis(const Builder& b, const Node& node, Around& s) {
  const std::vector<int64_t>& dims = b.shape(node.inputs.at(0)).dims;
  const bool old = node.version < 13;
  const auto rank = static_cast<int64_t>(dims.size());
  int64_t axis = node.attr_int("axis", old ? 1 : -1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank || !b.real(node.inputs[0])) return false;
  for (int64_t a = 0; a < rank; ++a)
    (a < axis ? s.outer : a == axis || old ? s.n : s.inner) *= dims[static_cast<size_t>(a)];
  return s.n > 0;
}
void log_softmax_row(int64_t n, const float* x, float* y) {
  const float top = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(std::exp(x[i] - top));
  const float shift = top + static_cast<float>(std::log(sum));
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] - shift;
}
bool softmax(Builder& b, const Node& node, bool logarithm) {
  Around s;
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  if (!over_axis(b, node, s)) return false;
  const bool rows = s.inner == 1;
  b.step({.reads = {x},
          .writes = {y},
          .scratch = rows ? 0 : 2 * s.n,
          .in_place = true,
          .work = [=](const Frame& f) {
            const float* in = f.in(x);
            float* out = f.out(y);
            if (rows && !logarithm) return kernels::softmax(s.outer, s.n, in, out);
            for (int64_t o = 0; o < s.outer; ++o)
              for (int64_t i = 0; i < s.inner; ++i) {
                const int64_t at = o * s.n * s.inner + i;
                if (rows) {
                  log_softmax_row(s.n, in + at, out + at);
                  continue;
                }
                float *line = f.scratch, *done = f.scratch + s.n;
                for (int64_t k = 0; k < s.n; ++k) line[k] = in[at + k * s.inner];
                logarithm ? log_softmax_row(s.n, line, done) : kernels::softmax(int64_t{1}, s.n, line, done);
                for (int64_t k = 0; k < s.n; ++k) out[at + k * s.inner] = done[k];
              }
          }});
  return true;
}

// The place of the largest or smallest number along an axis; of equals the first, or the last.
bool place(Builder& b, const Node& node, bool largest) {
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  const std::vector<int64_t>& dims = b.shape(x).dims;
  const auto rank = static_cast<int64_t>(dims.size());
  int64_t axis = node.attr_int("axis", 0);
  if (axis < 0) axis += rank;
  Around s;
  for (int64_t a = 0; a < rank; ++a)
    (a < axis ? s.outer : a == axis ? s.n : s.inner) *= dims[static_cast<size_t>(a)];
  const bool last = node.attr_int("select_last_index", 0) != 0;
  b.step({.reads = {x}, .writes = {y}, .work = [=](const Frame& f) {
            for (int64_t o = 0; o < s.outer; ++o)
              for (int64_t i = 0; i < s.inner; ++i) {
                const float* from = f.in(x) + o * s.n * s.inner + i;
                int64_t best = 0;
                for (int64_t k = 1; k < s.n; ++k) {
                  const float now = from[k * s.inner], so_far = from[best * s.inner];
                  if ((largest ? now > so_far : now < so_far) || (last && now == so_far)) best = k;
                }
                f.out(y)[o * s.inner + i] = static_cast<float>(best);
              }
          }});
  return true;
}

double same(double v) {
  return v;
}
double square(double v) {
  return v * v;
}

}  // namespace

std::vector<PlannerRow> reduction_planners() {
  constexpr auto magnitude = [](double v) { return std::abs(v); };
  constexpr auto root = [](double v) { return std::sqrt(v); };
  constexpr auto logarithm = [](double v) { return std::log(v); };
  constexpr auto power = [](double v) { return std::exp(v); };
  return {
      {"ReduceMean", [](Builder& b, const Node& node) { return by_kernel(b, node, kernels::Reduce::mean); }},
      {"ReduceSum", [](Builder& b, const Node& node) { return by_kernel(b, node, kernels::Reduce::sum); }},
      {"ReduceMax", [](Builder& b, const Node& node) { return by_kernel(b, node, kernels::Reduce::max); }},
      {"ReduceMin", smallest},
      {"ReduceL1", by_sum<magnitude, same>},
      {"ReduceL2", by_sum<square, root>},
      {"ReduceSumSquare", by_sum<square, same>},
      {"ReduceLogSum", by_sum<same, logarithm>},
      {"ReduceLogSumExp", by_sum<power, logarithm>},
      {"ArgMax", [](Builder& b, const Node& node) { return place(b, node, true); }},
      {"ArgMin", [](Builder& b, const Node& node) { return place(b, node, false); }},
      {"Softmax", [](Builder& b, const Node& node) { return softmax(b, node, false); }},
      {"LogSoftmax", [](Builder& b, const Node& node) { return softmax(b, node, true); }},
  };
}

}  // namespace dws::network::engine
