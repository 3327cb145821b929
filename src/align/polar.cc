#include "align/polar.h"

#include <cmath>
#include <cstddef>

#include "align/products.h"
#include "core/error.h"
#include "core/rng.h"

namespace dws::align {
namespace {

using Matrix = std::vector<float>;

constexpr double kSmallest = 1e-7;  // a singular value, beside 1, that float32 still tells from nothing
// The factor of a step is 3/2 of this at most. More (up to sqrt(3)) would grow small singular values faster, but brings the largest
// down among them, where float32 loses their directions.
constexpr double kLargestScale = 1.55;
constexpr int kIterations = 80, kCompletions = 5;

class Polar {
 public:
  explicit Polar(int64_t n) : n_(n), x_(static_cast<size_t>(n * n)), gram_(x_.size()), next_(x_.size()) {}

  Matrix run(std::span<const float> m) {
    scale(m);
    bool whole = iterate();
    for (int round = 0; !whole && round < kCompletions; ++round) {
      complete(round);
      whole = iterate();
    }
    if (!whole) throw Error(ErrorKind::internal, "polar_factor: directions could not be completed");
    refine();
    return std::move(x_);
  }

 private:
  void scale(std::span<const float> m) {
    double largest = 0, squares = 0;
    for (const float v : m) {
      if (!std::isfinite(v))
        throw Error(ErrorKind::bad_value, "orthogonal alignment: products of weights are not finite");
      largest = std::max(largest, std::abs(double{v}));
    }
    if (largest == 0) return;  // x_ is zero
    for (const float v : m) squares += (v / largest) * (v / largest);
    const double factor = 1 / (largest * std::sqrt(squares));
    for (size_t i = 0; i < x_.size(); ++i) x_[i] = static_cast<float>(factor * m[i]);
  }

  // gram_ = xᵀ x, of which blocks below the diagonal are copies.
  void gram() {
    parallel_blocks(n_, kProductRows, [&](int64_t begin, int64_t end) {
      kernels::matmul<float>(end - begin, n_ - begin, n_, x_.data() + begin, 1, n_, x_.data() + begin, n_,
                             gram_.data() + begin * n_ + begin, n_, false);
    });
    mirror(gram_);
  }
  void mirror(Matrix& symmetric) const {
    parallel_for(n_, [&](int64_t i) {
      for (int64_t j = 0; j < i; ++j)
        symmetric[static_cast<size_t>(i * n_ + j)] = symmetric[static_cast<size_t>(j * n_ + i)];
    });
  }
  // |I - gram_| in the Frobenius norm; `trace`: of I - gram_.
  double distance(double& trace) const {
    std::vector<double> rows(static_cast<size_t>(n_)), diagonal(rows.size());
    parallel_for(n_, [&](int64_t i) {
      double sum = 0;
      for (int64_t j = 0; j < n_; ++j) {
        const double d = (i == j ? 1.0 : 0.0) - gram_[static_cast<size_t>(i * n_ + j)];
        sum += d * d;
        if (i == j) diagonal[static_cast<size_t>(i)] = d;
      }
      rows[static_cast<size_t>(i)] = sum;
    });
    double sum = 0;
    trace = 0;
    for (size_t i = 0; i < rows.size(); ++i) sum += rows[i], trace += diagonal[i];
    return std::sqrt(sum);
  }

  // x <- x (a I - b xᵀx) until all singular values are 1; false when some stay at nothing.
  bool iterate() {
    double low = kSmallest;  // all singular values that count are at least this
    int at_end = 0;          // steps since they must all have come to 1
    for (int step = 0; step < kIterations; ++step) {
      gram();
      if (step == 0) bound();
      double trace = 0;
      const double off = distance(trace);
      if (off <= 1e-4) return true;
      if (off < 0.5) low = std::max(low, std::sqrt(1 - off));
      if (low > 0.999 && ++at_end > 4) return false;
      const double scale = std::min(std::sqrt(3 / (1 + low + low * low)), kLargestScale);
      const double a = 1.5 * scale, b = 0.5 * scale * scale * scale;
      const auto grown = [&](double s) { return s * (a - b * s * s); };
      low = std::min(grown(low), grown(1));
      parallel_for(n_, [&](int64_t i) {
        for (int64_t j = 0; j < n_; ++j) {
          float& g = gram_[static_cast<size_t>(i * n_ + j)];
          g = static_cast<float>((i == j ? a : 0.0) - b * g);
        }
      });
      product(n_, n_, n_, x_.data(), n_, 1, gram_.data(), n_, next_.data(), n_);
      x_.swap(next_);
    }
    return false;
  }
  // The fourth root of the sum of fourth powers of singular values is no less than the largest, and near it.
  void bound() {
    double sum = 0;
    for (const float g : gram_) sum += double{g} * g;
    if (sum == 0) return;
    const double root = std::sqrt(sum), factor = 1 / (std::sqrt(root) * (1 + 1e-5));
    for (float& v : x_) v = static_cast<float>(factor * v);
    for (float& g : gram_) g = static_cast<float>(factor * factor * g);
  }

  // x += (I - x xᵀ) z (I - xᵀ x): what lies in none of the directions that x has.
  void complete(int round) {
    Matrix z(x_.size(), 0.f), work(x_.size());
    if (round == 0) {
      for (int64_t i = 0; i < n_; ++i) z[static_cast<size_t>(i * n_ + i)] = 1;
    } else {
      Rng rng(static_cast<uint64_t>(round), stream_id("polar.complete"));
      const double size = 0.5 / std::sqrt(static_cast<double>(n_));
      for (float& v : z) v = static_cast<float>(size * rng.normal());
    }
    Matrix turned(x_.size());
    kernels::transpose(n_, n_, x_.data(), turned.data());
    const auto subtract = [&](const float* left, int64_t rows, int64_t columns, const Matrix& right,
                              Matrix& from) {
      product(n_, n_, n_, left, rows, columns, right.data(), n_, next_.data(), n_);
      for (size_t i = 0; i < from.size(); ++i) from[i] -= next_[i];
    };
    product(n_, n_, n_, turned.data(), n_, 1, z.data(), n_, work.data(), n_);
    subtract(x_.data(), n_, 1, work, z);
    product(n_, n_, n_, z.data(), n_, 1, turned.data(), n_, work.data(), n_);
    subtract(work.data(), n_, 1, x_, z);
    for (size_t i = 0; i < x_.size(); ++i) x_[i] += z[i];
  }

  // One more step, with xᵀx - I summed in float64 over short pieces: what float32 sums have left of it.
  void refine() {
    constexpr int64_t kPiece = 64;
    std::vector<double> sum(static_cast<size_t>(n_ * n_), 0);
    parallel_blocks(n_, kProductRows, [&](int64_t begin, int64_t end) {
      Matrix part(static_cast<size_t>((end - begin) * n_));
      for (int64_t k = 0; k < n_; k += kPiece) {
        const int64_t count = std::min(kPiece, n_ - k);
        kernels::matmul<float>(end - begin, n_, count, x_.data() + k * n_ + begin, 1, n_, x_.data() + k * n_,
                               n_, part.data(), n_, false);
        for (size_t i = 0; i < part.size(); ++i) sum[static_cast<size_t>(begin * n_) + i] += part[i];
      }
    });
    parallel_for(n_, [&](int64_t i) {
      for (int64_t j = 0; j < n_; ++j)
        gram_[static_cast<size_t>(i * n_ + j)] =
            static_cast<float>(0.5 * (sum[static_cast<size_t>(i * n_ + j)] - (i == j ? 1.0 : 0.0)));
    });
    product(n_, n_, n_, x_.data(), n_, 1, gram_.data(), n_, next_.data(), n_);
    for (size_t i = 0; i < x_.size(); ++i) x_[i] -= next_[i];
  }

  int64_t n_;
  Matrix x_, gram_, next_;
};

void require_square(int64_t n, std::span<const float> m) {
  if (n < 1 || static_cast<int64_t>(m.size()) != n * n)
    throw Error(ErrorKind::internal, "polar_factor: the matrix is not square");
}

}  // namespace

std::vector<float> polar_factor(int64_t n, std::span<const float> m) {
  require_square(n, m);
  return Polar(n).run(m);
}

// The reflection that takes the first axis to (1, ..., 1) / sqrt(n) makes it a matter of the other n - 1 axes.
std::vector<float> polar_factor_fixing_ones(int64_t n, std::span<const float> m) {
  require_square(n, m);
  if (n == 1) return {1.f};
  const auto size = static_cast<size_t>(n);
  std::vector<double> v(size, -1 / std::sqrt(static_cast<double>(n)));
  v[0] += 1;
  double squares = 0;
  for (const double x : v) squares += x * x;
  // H a H with H = I - 2 v vᵀ / |v|².
  const auto reflect = [&](std::vector<double>& a) {
    for (const bool rows : {true, false})
      for (size_t i = 0; i < size; ++i) {
        double dot = 0;
        for (size_t k = 0; k < size; ++k) dot += v[k] * (rows ? a[i * size + k] : a[k * size + i]);
        for (size_t k = 0; k < size; ++k)
          (rows ? a[i * size + k] : a[k * size + i]) -= 2 * dot / squares * v[k];
      }
  };
  std::vector<double> turned(m.begin(), m.end());
  reflect(turned);
  std::vector<float> rest((size - 1) * (size - 1));
  for (size_t i = 1; i < size; ++i)
    for (size_t j = 1; j < size; ++j)
      rest[(i - 1) * (size - 1) + j - 1] = static_cast<float>(turned[i * size + j]);
  rest = polar_factor(n - 1, rest);
  turned.assign(size * size, 0);
  turned[0] = 1;
  for (size_t i = 1; i < size; ++i)
    for (size_t j = 1; j < size; ++j) turned[i * size + j] = rest[(i - 1) * (size - 1) + j - 1];
  reflect(turned);
  return {turned.begin(), turned.end()};
}

}  // namespace dws::align
