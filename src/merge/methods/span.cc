// slerp, nuslerp, multislerp, karcher, model_stock (geometry.h): one pass for the Gram matrix, one for the sum. Over rows the
// matrix of each is known before the block is written, so that there is one pass; over columns each has a matrix of its own.
#include <algorithm>
#include <cmath>

#include "kernels/mix.h"
#include "merge/block_sums.h"
#include "merge/methods/geometry.h"
#include "merge/methods/methods.h"

namespace dws::merge {
namespace {

class Span : public TensorMerge {
 public:
  Span(const OutputTensor& tensor, const Cut& cut, const MergeContext& context)
      : method_(tensor.method),
        parameters_(tensor.parameters),
        cut_(cut),
        compat_(context.compat),
        base_(tensor.base.has_value() && traits(tensor.method).takes_base),
        K_(static_cast<int>(tensor.sources.size())) {
    for (const Source& s : tensor.sources) weights_.push_back(s.weight);
    if (!cut.by_rows) parameters_.over = Over::tensor;
    const auto pairs = static_cast<size_t>(K_ * (K_ + 1) / 2);
    sums_ = BlockSums(parameters_.over == Over::columns ? pairs * static_cast<size_t>(cut.columns) : pairs);
  }

  bool deltas() const override { return base_; }
  bool begin_pass(int pass) override {
    if (parameters_.over == Over::rows) return false;
    if (pass == 0) return true;
    if (parameters_.over == Over::columns)
      by_column();
    else
      factors_ = floats(factors(gram(sums_.total().data(), 1)));
    return false;
  }
  int64_t bytes_per_block() const override { return sums_.bytes_per_block(); }
  void begin_window(int64_t first, int64_t blocks) override { sums_.begin_window(first, blocks); }
  void end_window() override { sums_.end_window(); }

  void read(const Block& b) override {
    double* part = sums_.part(b.index);
    if (parameters_.over != Over::columns) return products(b, 0, b.count, part);
    for (int j = 0; j < K_; ++j)
      for (int k = j; k < K_; ++k, part += cut_.columns)
        for (int64_t row = 0; row < b.count; row += cut_.columns)
          for (int64_t c = 0; c < cut_.columns; ++c)
            part[c] += static_cast<double>(b.x[j][row + c]) * static_cast<double>(b.x[k][row + c]);
  }

  void write(const Block& b) override {
    if (parameters_.over == Over::rows) {
      std::vector<double> part(static_cast<size_t>(K_ * (K_ + 1) / 2));
      for (int64_t row = 0; row < b.count; row += cut_.columns) {
        products(b, row, cut_.columns, part.data());
        combine(b, row, cut_.columns, floats(factors(gram(part.data(), 1))));
      }
    } else if (parameters_.over == Over::columns) {
      for (int64_t row = 0; row < b.count; row += cut_.columns)
        for (int64_t c = 0; c < cut_.columns; ++c) {
          float sum = base_ ? b.base[row + c] : 0;
          for (int k = 0; k < K_; ++k) sum += factors_[static_cast<size_t>(c * K_ + k)] * b.x[k][row + c];
          b.out[row + c] = sum;
        }
    } else {
      combine(b, 0, b.count, factors_);
    }
  }

 private:
  static std::vector<float> floats(const std::vector<double>& x) { return {x.begin(), x.end()}; }

  // The upper triangle of the matrix, row by row.
  void products(const Block& b, int64_t begin, int64_t count, double* part) const {
    for (int j = 0; j < K_; ++j)
      for (int k = j; k < K_; ++k) *part++ = kernels::dot(count, b.x[j] + begin, b.x[k] + begin);
  }
  Gram gram(const double* upper, int64_t stride) const {
    Gram g{K_, std::vector<double>(static_cast<size_t>(K_ * K_))};
    for (int j = 0; j < K_; ++j)
      for (int k = j; k < K_; ++k, upper += stride)
        g.g[static_cast<size_t>(j * K_ + k)] = g.g[static_cast<size_t>(k * K_ + j)] = *upper;
    return g;
  }
  std::vector<double> factors(const Gram& g) const {
    switch (method_) {
      case Method::slerp:
        return slerp(g, parameters_.t);
      case Method::nuslerp: {
        const double all = weights_[0] + weights_[1];
        return nuslerp(g, std::abs(all) < 1e-8 ? 0.5 : weights_[1] / all);
      }
      case Method::multislerp:
        return multislerp(g, weights_, parameters_.normalize);
      case Method::karcher:
        return karcher(g, weights_, parameters_);
      default:
        return model_stock(g, compat_);
    }
  }
  void by_column() {
    for (int64_t c = 0; c < cut_.columns; ++c)
      for (const double f : factors(gram(sums_.total().data() + c, cut_.columns)))
        factors_.push_back(static_cast<float>(f));
  }
  void combine(const Block& b, int64_t begin, int64_t count, const std::vector<float>& c) const {
    std::vector<const float*> from;
    std::vector<float> by;
    if (base_) from.push_back(b.base + begin), by.push_back(1);
    for (int k = 0; k < K_; ++k) from.push_back(b.x[k] + begin), by.push_back(c[static_cast<size_t>(k)]);
    kernels::weighted_sum(count, static_cast<int>(from.size()), from.data(), by.data(), b.out + begin);
  }

  Method method_;
  Parameters parameters_;
  Cut cut_;
  bool compat_, base_;
  int K_;
  std::vector<double> weights_;
  BlockSums sums_;
  std::vector<float> factors_;
};

}  // namespace

std::unique_ptr<TensorMerge> make_span(const OutputTensor& tensor, const Cut& cut,
                                       const MergeContext& context) {
  return std::make_unique<Span>(tensor, cut, context);
}

}  // namespace dws::merge
