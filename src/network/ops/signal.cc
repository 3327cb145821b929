// Of sound: Fourier transforms by their definition, windows, mel filters.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/pick.h"

namespace dws::network {
namespace {

constexpr int64_t kLongest = int64_t{1} << 20;

struct Complex {
  double re = 0, im = 0;
};
// y[k] = sum x[n] exp(-+2 pi i n k / N), N = x.size().
std::vector<Complex> transform(const std::vector<Complex>& x, int64_t bins, bool inverse) {
  const auto n = static_cast<int64_t>(x.size());
  std::vector<Complex> y(static_cast<size_t>(bins));
  for (int64_t k = 0; k < bins; ++k) {
    Complex& sum = y[static_cast<size_t>(k)];
    for (int64_t i = 0; i < n; ++i) {
      const double angle =
          (inverse ? 2 : -2) * std::numbers::pi * static_cast<double>(i * k % n) / static_cast<double>(n);
      const Complex& v = x[static_cast<size_t>(i)];
      sum.re += v.re * std::cos(angle) - v.im * std::sin(angle);
      sum.im += v.re * std::sin(angle) + v.im * std::cos(angle);
    }
    if (inverse) {
      sum.re /= static_cast<double>(n);
      sum.im /= static_cast<double>(n);
    }
  }
  return y;
}
int64_t one_number(const Context& c, int input) {
  const std::vector<int64_t> given = c.ints(input);
  c.require(given.size() == 1, "expected one number");
  if (given[0] < 1 || given[0] > kLongest) c.fail(ErrorKind::bad_value, text("a length of {}", given[0]));
  return given[0];
}

// (..., N, ..., 1 or 2): real, or real and imaginary parts.
void dft(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real() && x.rank() >= 2 && (x.dims.back() == 1 || x.dims.back() == 2),
            "expected (..., 1) or (..., 2) of floating point numbers");
  std::vector<int64_t> given = {c.version() >= 20 ? -2 : c.node().attr_int("axis", 1)};
  if (c.version() >= 20 && c.has(2)) given = c.ints(2);
  c.require(given.size() == 1, "the axis is one number");
  const auto axis = static_cast<size_t>(c.axis(given[0], x.rank()));
  c.require(axis + 1 < x.dims.size(), "the last axis holds the parts of a number");
  const bool inverse = c.node().attr_int("inverse", 0), one_sided = c.node().attr_int("onesided", 0);
  c.require(!(inverse && one_sided), "an inverse of one side cannot be run");
  const int64_t n = c.has(1) ? one_number(c, 1) : x.dims[axis], bins = one_sided ? n / 2 + 1 : n;
  c.require(n > 0, "an empty signal");
  std::vector<int64_t> dims = x.dims;
  dims[axis] = bins;
  dims.back() = 2;
  Array& y = c.make(0, x.type, dims);
  if (!c.computing()) return;
  const int64_t parts = x.dims.back();
  int64_t outer = 1, inner = 1;
  for (size_t a = 0; a + 1 < dims.size(); ++a) (a < axis ? outer : inner) *= a == axis ? 1 : dims[a];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      std::vector<Complex> line(static_cast<size_t>(n));  // cut, or filled up with 0
      for (int64_t k = 0; k < std::min(n, x.dims[axis]); ++k) {
        const auto at = static_cast<size_t>(((o * x.dims[axis] + k) * inner + i) * parts);
        line[static_cast<size_t>(k)] = {x.reals[at], parts == 2 ? x.reals[at + 1] : 0};
      }
      const std::vector<Complex> out = transform(line, bins, inverse);
      for (int64_t k = 0; k < bins; ++k) {
        const auto at = static_cast<size_t>(((o * bins + k) * inner + i) * 2);
        y.reals[at] = out[static_cast<size_t>(k)].re;
        y.reals[at + 1] = out[static_cast<size_t>(k)].im;
      }
    }
}

// signal (B, L, 1 or 2) -> (B, frames, bins, 2).
void stft(Context& c) {
  const Array& x = c.in(0);
  c.require(x.real() && x.rank() == 3 && (x.dims[2] == 1 || x.dims[2] == 2), "expected (B, L, 1 or 2)");
  const int64_t step = one_number(c, 1);
  c.require(c.has(2) || c.has(3), "a window or a frame's length is needed");
  const int64_t n = c.has(3) ? one_number(c, 3) : c.in(2).size();
  c.require(n > 0 && n <= x.dims[1], "a frame longer than the signal");
  if (c.has(2)) c.require(c.in(2).real() && c.in(2).size() == n, "window: one number a place of the frame");
  const int64_t frames = (x.dims[1] - n) / step + 1, bins = c.node().attr_int("onesided", 1) ? n / 2 + 1 : n;
  Array& y = c.make(0, x.type, {x.dims[0], frames, bins, 2});
  if (!c.computing()) return;
  size_t to = 0;
  for (int64_t b = 0; b < x.dims[0]; ++b)
    for (int64_t f = 0; f < frames; ++f) {
      std::vector<Complex> line(static_cast<size_t>(n));
      for (int64_t k = 0; k < n; ++k) {
        const auto at = static_cast<size_t>((b * x.dims[1] + f * step + k) * x.dims[2]);
        const double w = c.has(2) ? c.in(2).reals[static_cast<size_t>(k)] : 1;
        line[static_cast<size_t>(k)] = {w * x.reals[at], x.dims[2] == 2 ? w * x.reals[at + 1] : 0};
      }
      for (const Complex& v : transform(line, bins, false)) {
        y.reals[to++] = v.re;
        y.reals[to++] = v.im;
      }
    }
}

OnnxType output_type(const Context& c) {
  const int64_t type = c.node().attr_int("output_datatype", 1);
  c.require(type >= 1 && type <= kLastOnnxType, "output_datatype: no such type");
  return static_cast<OnnxType>(type);
}
// a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N); N is the size, or one less where the last place mirrors the first.
void window(Context& c, double a0, double a1, double a2) {
  const int64_t size = one_number(c, 0);
  const double n = static_cast<double>(c.node().attr_int("periodic", 1) ? size : size - 1);
  Array& y = c.make(0, output_type(c), {size});
  c.require(y.real(), "a window of integers");
  if (!c.computing()) return;
  for (size_t i = 0; i < y.reals.size(); ++i) {
    const double angle = n > 0 ? 2 * std::numbers::pi * static_cast<double>(i) / n : 0;
    y.reals[i] = a0 - a1 * std::cos(angle) + a2 * std::cos(2 * angle);
  }
}
void hann(Context& c) {
  window(c, 0.5, 0.5, 0);
}
void hamming(Context& c) {
  window(c, 25.0 / 46, 21.0 / 46, 0);
}
void blackman(Context& c) {
  window(c, 0.42, 0.5, 0.08);
}

// Triangles between places that lie evenly on the mel scale, in whole bins.
void mel_weight_matrix(Context& c) {
  const int64_t filters = one_number(c, 0), length = one_number(c, 1), rate = one_number(c, 2);
  const std::vector<double> low = c.reals(3), high = c.reals(4);
  c.require(low.size() == 1 && high.size() == 1 && low[0] >= 0 && high[0] >= low[0],
            "expected a lower and an upper edge");
  const int64_t bins = length / 2 + 1;
  Array& y = c.make(0, output_type(c), {bins, filters});
  c.require(y.real(), "a matrix of integers");
  if (!c.computing()) return;
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  std::vector<int64_t> edges;
  for (int64_t i = 0; i < filters + 2; ++i) {
    const double m = mel(low[0]) +
                     static_cast<double>(i) * (mel(high[0]) - mel(low[0])) / static_cast<double>(filters + 2);
    const double hertz = 700 * (std::pow(10, m / 2595) - 1);
    edges.push_back(static_cast<int64_t>(
        std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate))));
  }
  for (int64_t i = 0; i < filters; ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t left = edges[at], middle = edges[at + 1], right = edges[at + 2];
    const auto put = [&](int64_t bin, double v) {
      if (bin < bins) y.reals[static_cast<size_t>(bin * filters + i)] = v;
    };
    if (left == middle) put(middle, 1);
    for (int64_t b = left; left < middle && b <= middle; ++b)
      put(b, static_cast<double>(b - left) / static_cast<double>(middle - left));
    for (int64_t b = middle; middle < right && b < right; ++b)
      put(b, static_cast<double>(right - b) / static_cast<double>(right - middle));
  }
}

constexpr OperatorRow kRows[] = {
    {"DFT", dft},
    {"STFT", stft},
    {"HannWindow", hann},
    {"HammingWindow", hamming},
    {"BlackmanWindow", blackman},
    {"MelWeightMatrix", mel_weight_matrix},
};

}  // namespace

std::span<const OperatorRow> signal_operators() {
  return kRows;
}

}  // namespace dws::network
