// Arcee fusion: y = b + d where d matters, b elsewhere. What matters is above the usual: with importance
//   v = |d| KL(softmax(row of x) || softmax(row of b)),   p = softmax + 1e-8 in both
// and q1, q2, q3 the quartiles of v over the tensor, v >= q2 + 1.5 (q3 - q1). A quartile is the element of place
// floor(q (n - 1)) in ascending order, of all elements: the published implementation draws a million where there are more.
#include <algorithm>
#include <bit>
#include <cmath>

#include "merge/methods/methods.h"
#include "merge/selection.h"

namespace dws::merge {
namespace {

// sum p log(p / q) over a row, in double: what it is made of nearly cancels.
double divergence(const float* x, const float* y, int64_t n, double* p, double* q) {
  constexpr double kEps = 1e-8;
  const auto softmax = [n](const float* from, double* to) {
    float most = from[0];
    for (int64_t i = 1; i < n; ++i) most = from[i] > most ? from[i] : most;
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      to[i] = std::exp(static_cast<double>(from[i]) - static_cast<double>(most));
      sum += to[i];
    }
    for (int64_t i = 0; i < n; ++i) to[i] = to[i] / sum + kEps;
  };
  softmax(x, p);
  softmax(y, q);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += p[i] * std::log(p[i] / q[i]);
  return sum;
}

class Fusion : public TensorMerge {
 public:
  explicit Fusion(const Cut& cut)
      : cut_(cut),
        divergence_(static_cast<size_t>(cut.elements == 0 ? 0 : cut.rows)),
        quartiles_(1, cut.blocks()) {
    std::vector<int64_t> ranks;
    for (const double q : {0.25, 0.5, 0.75})
      ranks.push_back(cut.elements - static_cast<int64_t>(q * static_cast<double>(cut.elements - 1)));
    if (cut.elements > 0) quartiles_.set_ranks(0, ranks);
  }

  int scratch() const override { return 5; }
  bool begin_pass(int pass) override {
    first_ = pass == 0;
    // Ties do not matter to the value at a cut: two passes are enough.
    if (pass < 2) return quartiles_.begin_pass();
    quartiles_.begin_pass();
    const auto value = [&](size_t r) { return std::bit_cast<float>(quartiles_.cut(0, r).key); };
    threshold_ = value(1) + 1.5f * (value(2) - value(0));
    return false;
  }
  void end_window() override { quartiles_.end_window(); }

  void read(const Block& b) override {
    if (first_) {
      auto* p = reinterpret_cast<double*>(b.scratch);
      for (int64_t row = 0; row < b.count; row += cut_.columns)
        divergence_[static_cast<size_t>((b.begin + row) / cut_.columns)] =
            std::max(0.0, divergence(b.x[0] + row, b.base + row, cut_.columns, p, p + cut_.columns));
    }
    importance(b, b.scratch);
    quartiles_.count(0, b.index, b.scratch, b.count);
  }

  void write(const Block& b) override {
    importance(b, b.scratch);
    for (int64_t i = 0; i < b.count; ++i)
      b.out[i] = b.scratch[i] >= threshold_ ? b.base[i] + (b.x[0][i] - b.base[i]) : b.base[i];
  }

 private:
  void importance(const Block& b, float* v) const {
    for (int64_t row = 0; row < b.count; row += cut_.columns) {
      const auto factor =
          static_cast<float>(divergence_[static_cast<size_t>((b.begin + row) / cut_.columns)]);
      for (int64_t i = row; i < row + cut_.columns; ++i) v[i] = std::abs(b.x[0][i] - b.base[i]) * factor;
    }
  }

  Cut cut_;
  std::vector<double> divergence_;
  Selection quartiles_;
  bool first_ = true;
  float threshold_ = 0;
};

}  // namespace

std::unique_ptr<TensorMerge> make_fusion(const OutputTensor&, const Cut& cut, const MergeContext&) {
  return std::make_unique<Fusion>(cut);
}

}  // namespace dws::merge
