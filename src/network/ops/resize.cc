// Resize and Upsample: along one axis after another, each number a weighted sum of a few.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/resize.h"

namespace dws::network {
namespace {

using Settings = Resampling::Settings;
using Tap = Resampling::Tap;
using Taps = Resampling::Taps;

// Where output place i of `to` lies among the `from` input places.
double coordinate(const Settings& s, int64_t i, int64_t from, int64_t to, double scale, double roi_start,
                  double roi_end) {
  const double x = static_cast<double>(i), n = static_cast<double>(from);
  const double m = n * scale;  // not rounded, as the standard has it
  if (s.coordinates == "asymmetric") return x / scale;
  if (s.coordinates == "align_corners") return to == 1 ? 0 : x * (n - 1) / (m - 1);
  if (s.coordinates == "pytorch_half_pixel") return to > 1 ? (x + 0.5) / scale - 0.5 : 0;
  if (s.coordinates == "tf_half_pixel_for_nn") return (x + 0.5) / scale;
  if (s.coordinates == "half_pixel_symmetric") {
    const double adjustment = m / (scale * n), centre = n / 2;
    return centre * (1 - adjustment) + (x + 0.5) / scale - 0.5;
  }
  if (s.coordinates == "tf_crop_and_resize")
    return to > 1 ? roi_start * (n - 1) + x * (roi_end - roi_start) * (n - 1) / (m - 1)
                  : 0.5 * (roi_start + roi_end) * (n - 1);
  return (x + 0.5) / scale - 0.5;  // half_pixel
}
int64_t nearest_place(const Settings& s, double x) {
  if (s.nearest == "floor") return static_cast<int64_t>(std::floor(x));
  if (s.nearest == "ceil") return static_cast<int64_t>(std::ceil(x));
  if (s.nearest == "round_prefer_ceil") return static_cast<int64_t>(std::floor(x + 0.5));
  return static_cast<int64_t>(std::ceil(x - 0.5));  // round_prefer_floor
}
Taps taps(const Settings& s, double x, int64_t n) {
  const auto clamped = [&](int64_t p) { return std::clamp<int64_t>(p, 0, n - 1); };
  if (s.mode == "nearest") return {{clamped(nearest_place(s, x)), 1}};
  if (s.mode == "linear") {
    const double inside = std::clamp(x, 0.0, static_cast<double>(n - 1));
    const auto low = static_cast<int64_t>(std::floor(inside));
    const double t = inside - static_cast<double>(low);
    return {{low, 1 - t}, {clamped(low + 1), t}};
  }
  const auto low = static_cast<int64_t>(std::floor(x));
  const double t = x - static_cast<double>(low), a = s.cubic;
  const double weights[] = {((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
                            ((a + 2) * t - (a + 3)) * t * t + 1,
                            ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1,
                            ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a};
  Taps found;
  double sum = 0;
  for (int k = 0; k < 4; ++k) {
    const int64_t p = low - 1 + k;
    const bool out = p < 0 || p >= n;
    if (out && s.exclude_outside) continue;
    found.push_back({clamped(p), weights[k]});
    sum += weights[k];
  }
  if (s.exclude_outside)
    for (Tap& tap : found) tap.weight /= sum;
  return found;
}

// One axis stretched from n to m places by `lines` (an entry an output place; empty: the value for what is outside).
std::vector<double> stretch(const std::vector<double>& x, int64_t outer, int64_t n, int64_t inner,
                            const std::vector<Taps>& lines, double outside_value) {
  const auto m = static_cast<int64_t>(lines.size());
  std::vector<double> y(static_cast<size_t>(outer * m * inner));
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t k = 0; k < inner; ++k) {
        double sum = lines[static_cast<size_t>(i)].empty() ? outside_value : 0;
        for (const Tap& tap : lines[static_cast<size_t>(i)])
          sum += tap.weight * x[static_cast<size_t>((o * n + tap.from) * inner + k)];
        y[static_cast<size_t>((o * m + i) * inner + k)] = sum;
      }
  return y;
}

// The scale of each axis, or the size each shall have (scales then follow).
Resampling resampling(const Context& c, const std::vector<double>& scales, const std::vector<int64_t>& sizes,
                      std::vector<double> roi, Settings s) {
  const Array& x = c.in(0);
  const size_t rank = x.dims.size();
  std::vector<int64_t> axes = c.node().attr_ints("axes").value_or(std::vector<int64_t>{});
  if (axes.empty())
    for (size_t a = 0; a < rank; ++a) axes.push_back(static_cast<int64_t>(a));
  if (c.node().attr_int("antialias", 0) ||
      c.node().attr_string("keep_aspect_ratio_policy", "stretch") != "stretch")
    c.fail(ErrorKind::mismatch, "antialias and keep_aspect_ratio_policy cannot be run");
  c.require(scales.empty() ? sizes.size() == axes.size() : scales.size() == axes.size(),
            "scales or sizes: one an axis");
  c.require(s.mode == "nearest" || s.mode == "linear" || s.mode == "cubic", "mode: no such");
  Resampling r{.settings = std::move(s),
               .from = x.dims,
               .to = x.dims,
               .scales = std::vector<double>(rank, 1),
               .roi = std::move(roi)};
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto a = static_cast<size_t>(c.axis(axes[i], x.rank()));
    if (scales.empty()) {
      c.require(sizes[i] >= 0 && sizes[i] < (int64_t{1} << 40), "a size out of range");
      r.to[a] = sizes[i];
      r.scales[a] = x.dims[a] > 0 ? static_cast<double>(sizes[i]) / static_cast<double>(x.dims[a]) : 1;
    } else {
      const double size = std::floor(static_cast<double>(x.dims[a]) * scales[i]);
      c.require(scales[i] > 0 && size < 1e12, "a scale out of range");
      r.to[a] = static_cast<int64_t>(size);
      r.scales[a] = scales[i];
    }
    c.require(r.to[a] == 0 || x.dims[a] > 0, "nothing to resize");
  }
  return r;
}

void resample(Context& c) {
  const Array& x = c.in(0);
  const Resampling r = resampling(c);
  Array& y = c.make(0, x.type, r.to);
  if (!c.computing()) return;
  std::vector<double> numbers = x.real() ? x.reals : std::vector<double>(x.ints.begin(), x.ints.end());
  for (const Resampling::Axis& axis : r.axes())
    numbers = stretch(numbers, axis.outer, axis.n, axis.inner, axis.lines, r.settings.outside_value);
  if (y.real())
    y.reals = std::move(numbers);
  else
    for (size_t i = 0; i < y.ints.size(); ++i) y.ints[i] = wrap_to(y.type, static_cast<int64_t>(numbers[i]));
}

constexpr OperatorRow kRows[] = {{"Resize", resample}, {"Upsample", resample}};

}  // namespace

std::vector<Resampling::Axis> Resampling::axes() const {
  const size_t rank = from.size();
  const bool cropped = settings.coordinates == "tf_crop_and_resize";
  std::vector<Axis> found;
  for (size_t a = 0; a < rank; ++a) {
    if (to[a] == from[a] && scales[a] == 1 && !cropped) continue;
    const double begin = cropped && roi.size() == 2 * rank ? roi[a] : 0,
                 end = cropped && roi.size() == 2 * rank ? roi[rank + a] : 1;
    Axis axis{.n = from[a]};
    for (int64_t i = 0; i < to[a]; ++i) {
      const double at = coordinate(settings, i, from[a], to[a], scales[a], begin, end);
      const bool out = cropped && (at < 0 || at > static_cast<double>(from[a] - 1));
      axis.lines.push_back(out ? Taps{} : taps(settings, at, from[a]));
    }
    for (size_t k = 0; k < rank; ++k)
      if (k != a) (k < a ? axis.outer : axis.inner) *= (k < a ? to : from)[k];
    found.push_back(std::move(axis));
  }
  return found;
}

Resampling resampling(const Context& c) {
  const Node& node = c.node();
  if (node.op == "Upsample") {
    const OnnxAttribute* given = node.find("scales", OnnxAttribute::Kind::floats);
    return resampling(
        c, given ? given->floats : c.reals(1), {}, {},
        {.mode = node.attr_string("mode", "nearest"), .coordinates = "asymmetric", .nearest = "floor"});
  }
  Settings s{.mode = node.attr_string("mode", "nearest"),
             .coordinates = node.attr_string("coordinate_transformation_mode",
                                             c.version() < 11 ? "asymmetric" : "half_pixel"),
             .nearest = node.attr_string("nearest_mode", c.version() < 11 ? "floor" : "round_prefer_floor"),
             .cubic = node.attr_float("cubic_coeff_a", -0.75),
             .outside_value = node.attr_float("extrapolation_value", 0),
             .exclude_outside = node.attr_int("exclude_outside", 0) != 0};
  const int scales_input = c.version() < 11 ? 1 : 2;
  const bool sized = c.version() >= 11 && c.has(3) && c.in(3).size() > 0;
  const bool cropped = c.version() >= 11 && c.has(1) && s.coordinates == "tf_crop_and_resize";
  return resampling(c, sized || !c.has(scales_input) ? std::vector<double>{} : c.reals(scales_input),
                    sized ? c.ints(3) : std::vector<int64_t>{}, cropped ? c.reals(1) : std::vector<double>{},
                    std::move(s));
}

std::span<const OperatorRow> resize_operators() {
  return kRows;
}

}  // namespace dws::network
