#include "network/ops/heads.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.h"

namespace dws::network {

Heads::Heads(int64_t b, int64_t h, int64_t l, int64_t d)
    : batch(b), heads(h), length(l), size(d), x(static_cast<size_t>(b * h * l * d)) {}

Heads heads_within(const std::vector<double>& x, int64_t batch, int64_t length, int64_t heads, int64_t size,
                   int64_t width, int64_t offset, int64_t stride) {
  Heads y(batch, heads, length, size);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t l = 0; l < length; ++l)
        std::copy_n(x.data() + (b * length + l) * width + offset + h * stride, size, y.row(b, h, l));
  return y;
}
Heads heads_of(const Array& x) {
  Heads y(x.dims[0], x.dims[1], x.dims[2], x.dims[3]);
  y.x = x.reals;
  return y;
}
Heads behind(const Heads& first, const Heads& second) {
  Heads y(second.batch, second.heads, first.length + second.length, second.size);
  for (int64_t b = 0; b < y.batch; ++b)
    for (int64_t h = 0; h < y.heads; ++h) {
      std::copy_n(first.row(b, h, 0), first.length * y.size, y.row(b, h, 0));
      std::copy_n(second.row(b, h, 0), second.length * y.size, y.row(b, h, first.length));
    }
  return y;
}
void merge(const Heads& heads, std::vector<double>& out) {
  for (int64_t b = 0; b < heads.batch; ++b)
    for (int64_t h = 0; h < heads.heads; ++h)
      for (int64_t l = 0; l < heads.length; ++l)
        std::copy_n(heads.row(b, h, l), heads.size,
                    out.data() + ((b * heads.length + l) * heads.heads + h) * heads.size);
}

Heads attend(const Heads& q, const Heads& k, const Heads& v, const Scoring& how, double* raw,
             double* weights) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Heads y(q.batch, q.heads, q.length, v.size);
  const int64_t shared = q.heads / k.heads;
  parallel_for(q.batch * q.heads, [&](int64_t i) {
    const int64_t b = i / q.heads, h = i % q.heads;
    std::vector<double> p(static_cast<size_t>(k.length));
    for (int64_t s = 0; s < q.length; ++s) {
      double top = -kInfinity, sum = 0;
      for (int64_t t = 0; t < k.length; ++t) {
        const double *a = q.row(b, h, s), *c = k.row(b, h / shared, t);
        double dot = 0;
        for (int64_t n = 0; n < q.size; ++n) dot += a[n] * c[n];
        double& score = p[static_cast<size_t>(t)] = dot * how.scale;
        if (raw) raw[(i * q.length + s) * k.length + t] = score;
        if (how.softcap != 0) score = how.softcap * std::tanh(score / how.softcap);
        if (how.bias) score += how.bias(b, h, s, t);
        top = std::max(top, score);
      }
      for (double& score : p) sum += score = top == -kInfinity ? 0 : std::exp(score - top);
      double* out = y.row(b, h, s);
      for (int64_t t = 0; t < k.length; ++t) {
        const double w = sum > 0 || sum != sum ? p[static_cast<size_t>(t)] / sum : 0;
        if (weights) weights[(i * q.length + s) * k.length + t] = w;
        const double* c = v.row(b, h / shared, t);
        for (int64_t n = 0; n < v.size; ++n) out[n] += w * c[n];
      }
    }
  });
  return y;
}

void rotate(double* row, int64_t n, const double* cosines, const double* sines, bool interleaved) {
  std::vector<double> turned(static_cast<size_t>(2 * n));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t p = interleaved ? 2 * i : i, q = interleaved ? 2 * i + 1 : i + n;
    turned[static_cast<size_t>(p)] = row[p] * cosines[i] - row[q] * sines[i];
    turned[static_cast<size_t>(q)] = row[p] * sines[i] + row[q] * cosines[i];
  }
  std::ranges::copy(turned, row);
}

}  // namespace dws::network
