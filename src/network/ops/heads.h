// Attention over heads, the one arithmetic of all operators of that name.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "network/context.h"

namespace dws::network {

// (batch, heads, length, size), row-major.
struct Heads {
  int64_t batch = 0, heads = 0, length = 0, size = 0;
  std::vector<double> x{};

  Heads(int64_t batch, int64_t heads, int64_t length, int64_t size);
  double* row(int64_t b, int64_t h, int64_t l) { return x.data() + ((b * heads + h) * length + l) * size; }
  const double* row(int64_t b, int64_t h, int64_t l) const {
    return x.data() + ((b * heads + h) * length + l) * size;
  }
};
// Number i of (b, l, h) is x[(b length + l) width + offset + h stride + i]: heads that lie within the last axis.
Heads heads_within(const std::vector<double>& x, int64_t batch, int64_t length, int64_t heads, int64_t size,
                   int64_t width, int64_t offset, int64_t stride);
// Of an array (batch, heads, length, size).
Heads heads_of(const Array& x);
// The items of `first`, then those of `second`, along the length.
Heads behind(const Heads& first, const Heads& second);
// (batch, length, heads size)
void merge(const Heads& heads, std::vector<double>& out);

struct Scoring {
  double scale = 1, softcap = 0;  // softcap: c tanh(s / c), before what is added; 0: none
  std::function<double(int64_t b, int64_t h, int64_t s, int64_t t)> bias{};  // minus infinity: not seen
};
// y = softmax(scale q k^T + bias) v; several heads of q in a row share one of k and v. A row that sees nothing is 0. `raw` and
// `weights` (batch, heads, length of q, length of k), where given, take the scaled products and the softmax.
Heads attend(const Heads& q, const Heads& k, const Heads& v, const Scoring& how, double* raw = nullptr,
             double* weights = nullptr);

// Pairs of the first 2 n numbers turned by angles: (i, i + n), interleaved (2 i, 2 i + 1).
void rotate(double* row, int64_t n, const double* cosines, const double* sines, bool interleaved);

}  // namespace dws::network
