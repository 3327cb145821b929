// Normalisation of all kinds, at inference.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "network/ops/broadcast.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

int64_t product_of(const std::vector<int64_t>& dims, size_t first, size_t last) {
  int64_t n = 1;
  for (size_t a = first; a < last; ++a) n *= dims[a];
  return n;
}
const std::vector<double>& vector_of(const Context& c, int input, int64_t size) {
  const Array& a = c.in(input);
  if (!a.real() || a.size() != size)
    c.fail(text("input {}: expected {} numbers, got {}", input, size, a.size()));
  return a.reals;
}
struct Moments {
  double mean = 0, variance = 0;
};
// Of n numbers, `stride` apart.
Moments moments(const double* x, int64_t n) {
  Moments m;
  for (int64_t i = 0; i < n; ++i) m.mean += x[i];
  m.mean /= static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) m.variance += (x[i] - m.mean) * (x[i] - m.mean);
  m.variance /= static_cast<double>(n);
  return m;
}

void batch_normalization(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real() && x.rank() >= 2, "expected (N, C, ...)");
  if (c.node().attr_int("training_mode", 0) || c.wants(1))
    c.fail(ErrorKind::mismatch, "training mode cannot be run: export the network for inference");
  const int64_t channels = x.dims[1], inner = product_of(x.dims, 2, x.dims.size());
  for (int i = 1; i < 5; ++i)
    c.require(c.in(i).size() == channels, "scale, bias, mean and variance: one number a channel");
  const double epsilon = c.node().attr_float("epsilon", 1e-5);
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  const auto &scale = c.in(1).reals, &bias = c.in(2).reals, &mean = c.in(3).reals, &variance = c.in(4).reals;
  for (size_t i = 0; i < y.reals.size(); ++i) {
    const size_t ch = i / static_cast<size_t>(inner) % static_cast<size_t>(channels);
    y.reals[i] = (x.reals[i] - mean[ch]) / std::sqrt(variance[ch] + epsilon) * scale[ch] + bias[ch];
  }
}

// (N, G, ...) normalised each; `scale_of(n, index)` gives scale and bias.
template <class Affine>
void normalise_blocks(const Array& x, Array& y, int64_t blocks, double epsilon, const Affine& affine) {
  if (blocks == 0) return;
  const int64_t size = x.size() / blocks;
  for (int64_t b = 0; b < blocks; ++b) {
    const double* in = x.reals.data() + b * size;
    const Moments m = moments(in, size);
    for (int64_t i = 0; i < size; ++i) {
      const auto [scale, bias] = affine(b, i);
      y.reals[static_cast<size_t>(b * size + i)] =
          (in[i] - m.mean) / std::sqrt(m.variance + epsilon) * scale + bias;
    }
  }
}
void instance_normalization(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real() && x.rank() >= 2, "expected (N, C, ...)");
  const int64_t channels = x.dims[1];
  for (int i = 1; i < 3; ++i) c.require(c.in(i).size() == channels, "scale and bias: one number a channel");
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  const auto &scale = vector_of(c, 1, channels), &bias = vector_of(c, 2, channels);
  normalise_blocks(x, y, x.dims[0] * channels, c.node().attr_float("epsilon", 1e-5), [&](int64_t b, int64_t) {
    const auto ch = static_cast<size_t>(b % channels);
    return std::pair(scale[ch], bias[ch]);
  });
}
// Operator set 18 has a scale and bias for each group, 21 for each channel.
void group_normalization(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real() && x.rank() >= 2, "expected (N, C, ...)");
  const int64_t channels = x.dims[1], groups = c.node().attr_int("num_groups", 0);
  c.require(groups > 0 && channels % groups == 0, "the channels do not divide into the groups");
  const int64_t given = c.in(1).size(), inner = product_of(x.dims, 2, x.dims.size());
  c.require((given == groups || given == channels) && c.in(2).size() == given,
            "scale and bias: one number a group or channel");
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  const auto &scale = c.in(1).reals, &bias = c.in(2).reals;
  const int64_t each = channels / groups;
  normalise_blocks(x, y, x.dims[0] * groups, c.node().attr_float("epsilon", 1e-5), [&](int64_t b, int64_t i) {
    const int64_t group = b % groups;
    const auto at = static_cast<size_t>(given == channels ? group * each + i / inner : group);
    return std::pair(scale[at], bias[at]);
  });
}

// Over the last axes from `axis` on; scale and bias stretch to them.
void layer(Context& c, const Array& x, int axis, bool centred, int scale_input, int bias_input) {
  c.require(x.real(), "expected floating point numbers");
  const auto from = static_cast<size_t>(axis);
  const int64_t rows = product_of(x.dims, 0, from), size = product_of(x.dims, from, x.dims.size());
  const std::vector<int64_t> tail(x.dims.begin() + axis, x.dims.end());
  const double epsilon = c.node().attr_float("epsilon", 1e-5);
  Array& y = c.make(0, x.type, x.dims);
  std::vector<int64_t> reduced = x.dims;
  std::fill(reduced.begin() + axis, reduced.end(), 1);
  Array *mean = c.wants(1) ? &c.make(1, x.type, reduced) : nullptr,
        *inverse = c.wants(2) ? &c.make(2, x.type, reduced) : nullptr;
  if (!c.computing()) return;
  const auto stretched = [&](int input, double otherwise) {
    std::vector<double> values(static_cast<size_t>(size), otherwise);
    if (input < 0 || !c.has(input)) return values;
    const Array& a = c.in(input);
    if (broadcast_dims(c, tail, a.dims) != tail)
      c.fail("scale or bias does not stretch to the normalised axes");
    Stretched at(a.dims, tail);
    for (double& v : values) {
      v = a.reals[static_cast<size_t>(at.at())];
      at.next();
    }
    return values;
  };
  const std::vector<double> scale = stretched(scale_input, 1), bias = stretched(bias_input, 0);
  for (int64_t r = 0; r < rows; ++r) {
    const double* in = x.reals.data() + r * size;
    Moments m = moments(in, size);
    if (!centred) {
      m.variance += m.mean * m.mean;
      m.mean = 0;
    }
    const double factor = 1 / std::sqrt(m.variance + epsilon);
    for (int64_t i = 0; i < size; ++i)
      y.reals[static_cast<size_t>(r * size + i)] =
          (in[i] - m.mean) * factor * scale[static_cast<size_t>(i)] + bias[static_cast<size_t>(i)];
    if (mean) mean->reals[static_cast<size_t>(r)] = centred ? m.mean : factor;
    if (inverse) inverse->reals[static_cast<size_t>(r)] = factor;
  }
}
void layer_normalization(Context& c) {
  const Array& x = c.in(0);
  layer(c, x, c.axis(c.node().attr_int("axis", -1), x.rank()), true, 1, 2);
}
void rms_normalization(Context& c) {
  const Array& x = c.in(0);
  layer(c, x, c.axis(c.node().attr_int("axis", -1), x.rank()), false, 1, -1);
}
// Input and skip (and bias) are added first; the last output is the sum (com.microsoft).
void skip_normalization(Context& c, bool centred) {
  const Array &x = c.in(0), &skip = c.in(1);
  c.require(x.real() && skip.real(), "expected floating point numbers");
  const int bias_input = centred ? 4 : 3;
  if (broadcast_dims(c, x.dims, skip.dims) != x.dims) c.fail("the skip does not stretch to the input");
  Array sum{.type = x.type, .dims = x.dims};
  if (c.computing()) {
    sum.reals = x.reals;
    Stretched at(skip.dims, x.dims);
    for (size_t i = 0; i < sum.reals.size(); ++i, at.next()) {
      sum.reals[i] += skip.reals[static_cast<size_t>(at.at())];
      if (c.has(bias_input) && c.in(bias_input).size() > 0)
        sum.reals[i] += c.in(bias_input).reals[i % c.in(bias_input).reals.size()];
    }
  }
  layer(c, sum, c.axis(-1, x.rank()), centred, 2, centred ? 3 : -1);
  if (c.wants(3)) {
    Array& out = c.make(3, x.type, x.dims);
    if (c.computing()) out.reals = sum.reals;
  }
}
void skip_layer_normalization(Context& c) {
  skip_normalization(c, true);
}
void skip_rms_normalization(Context& c) {
  skip_normalization(c, false);
}

// Squares are summed over neighbouring channels.
void lrn(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real() && x.rank() >= 2, "expected (N, C, ...)");
  const int64_t size = c.node().attr_int("size", 1), channels = x.dims[1],
                inner = product_of(x.dims, 2, x.dims.size());
  const double alpha = c.node().attr_float("alpha", 1e-4), beta = c.node().attr_float("beta", 0.75),
               bias = c.node().attr_float("bias", 1);
  c.require(size >= 1, "size is at least 1");
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  for (int64_t n = 0; n < x.dims[0]; ++n)
    for (int64_t ch = 0; ch < channels; ++ch)
      for (int64_t i = 0; i < inner; ++i) {
        double squares = 0;
        for (int64_t k = std::max<int64_t>(0, ch - (size - 1) / 2);
             k <= std::min(channels - 1, ch + size / 2); ++k) {
          const double v = x.reals[static_cast<size_t>((n * channels + k) * inner + i)];
          squares += v * v;
        }
        const auto at = static_cast<size_t>((n * channels + ch) * inner + i);
        y.reals[at] = x.reals[at] / std::pow(bias + alpha / static_cast<double>(size) * squares, beta);
      }
}

// (x - mean) / (deviation + 1e-9) over the named axes, as the standard's function has it.
void mean_variance(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real(), "expected floating point numbers");
  std::vector<int64_t> kept = x.dims;
  for (const int64_t a : c.node().attr_ints("axes").value_or(std::vector<int64_t>{0, 2, 3}))
    kept[static_cast<size_t>(c.axis(a, x.rank()))] = 1;
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing() || x.size() == 0) return;
  const auto sets = static_cast<size_t>(elements(kept));
  const double count = static_cast<double>(x.size()) / static_cast<double>(sets);
  std::vector<double> mean(sets), square(sets);
  const auto each = [&](const auto& visit) {
    Stretched at(kept, x.dims);
    for (size_t i = 0; i < x.reals.size(); ++i, at.next()) visit(i, static_cast<size_t>(at.at()));
  };
  each([&](size_t i, size_t s) { mean[s] += x.reals[i] / count; });
  each([&](size_t i, size_t s) { square[s] += (x.reals[i] - mean[s]) * (x.reals[i] - mean[s]) / count; });
  each([&](size_t i, size_t s) { y.reals[i] = (x.reals[i] - mean[s]) / (std::sqrt(square[s]) + 1e-9); });
}

constexpr OperatorRow kRows[] = {
    {"BatchNormalization", batch_normalization},
    {"InstanceNormalization", instance_normalization},
    {"GroupNormalization", group_normalization},
    {"LayerNormalization", layer_normalization},
    {"RMSNormalization", rms_normalization},
    {"SimplifiedLayerNormalization", rms_normalization},
    {"SimplifiedLayerNormalization", rms_normalization, "com.microsoft"},
    {"SkipLayerNormalization", skip_layer_normalization, "com.microsoft"},
    {"SkipSimplifiedLayerNormalization", skip_rms_normalization, "com.microsoft"},
    {"LRN", lrn},
    {"MeanVarianceNormalization", mean_variance},
};

}  // namespace

std::span<const OperatorRow> norm_operators() {
  return kRows;
}

}  // namespace dws::network
