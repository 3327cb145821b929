// Methods that look at one place of the inputs at a time.
//
//   linear        y = sum_k w_k x_k, divided by sum_k w_k where `normalize`
//   passthrough   y = scale x
//   nearswap      w = clamp(t / max(|x - b|, 1e-6), 0, 1); y = w x + (1 - w) b
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "kernels/mix.h"
#include "merge/methods/methods.h"
#include "merge/round.h"

namespace dws::merge {
namespace {

class Linear : public TensorMerge {
 public:
  Linear(const OutputTensor& tensor, const MergeContext& context)
      : rounding_(context.compat ? context.dtype : Dtype::f32) {
    double sum = 0;
    for (const Source& s : tensor.sources) sum += s.weight;
    const bool normalize = tensor.parameters.normalize;
    if (normalize && std::abs(sum) < 1e-12)
      throw Error(ErrorKind::usage,
                  text("tensor '{}': the weights' sum is {}, by which nothing can be divided",
                       escaped(tensor.name), number(sum)),
                  "--no-normalize leaves the sum as it is");
    float rounded_sum = 0;
    for (const Source& s : tensor.sources) {
      const bool divide = normalize && !context.compat;
      weights_.push_back(static_cast<float>(divide ? s.weight / sum : s.weight));
      weights_.back() = rounded(weights_.back(), rounding_);
      rounded_sum += weights_.back();
    }
    if (context.compat && normalize) divisor_ = rounded(rounded_sum, rounding_);
  }

  void write(const Block& b) override {
    const auto n = static_cast<size_t>(b.count);
    // What the published implementation does in 16 bits: products rounded, their sum, the quotient.
    if (rounding_ != Dtype::f32)
      for (size_t k = 0; k < weights_.size(); ++k)
        for (size_t i = 0; i < n; ++i) b.x[k][i] = rounded(weights_[k] * b.x[k][i], rounding_);
    const std::vector<float> ones(weights_.size(), 1.0f);
    kernels::weighted_sum(b.count, b.sources, b.x, (rounding_ != Dtype::f32 ? ones : weights_).data(), b.out);
    if (rounding_ != Dtype::f32) round_to(rounding_, {b.out, n});
    if (divisor_ != 1)
      for (size_t i = 0; i < n; ++i) b.out[i] /= divisor_;
  }

 private:
  Dtype rounding_;
  std::vector<float> weights_;
  float divisor_ = 1;
};

class Passthrough : public TensorMerge {
 public:
  explicit Passthrough(const OutputTensor& tensor)
      : scale_(static_cast<float>(tensor.sources.front().scale)) {}
  void write(const Block& b) override { kernels::weighted_sum(b.count, 1, b.x, &scale_, b.out); }

 private:
  float scale_;
};

class Nearswap : public TensorMerge {
 public:
  explicit Nearswap(const OutputTensor& tensor) : t_(static_cast<float>(tensor.parameters.t)) {}
  void write(const Block& b) override {
    const float* x = b.x[0];
    for (int64_t i = 0; i < b.count; ++i) {
      const float gap = std::abs(x[i] - b.base[i]);
      const float share = t_ / std::max(gap, 1e-6f);
      const float w = share < 0 ? 0 : share > 1 ? 1 : share;
      b.out[i] = w * x[i] + (1 - w) * b.base[i];
    }
  }

 private:
  float t_;
};

}  // namespace

std::unique_ptr<TensorMerge> make_linear(const OutputTensor& tensor, const Cut&,
                                         const MergeContext& context) {
  return std::make_unique<Linear>(tensor, context);
}
std::unique_ptr<TensorMerge> make_passthrough(const OutputTensor& tensor, const Cut&, const MergeContext&) {
  return std::make_unique<Passthrough>(tensor);
}
std::unique_ptr<TensorMerge> make_nearswap(const OutputTensor& tensor, const Cut&, const MergeContext&) {
  return std::make_unique<Nearswap>(tensor);
}

}  // namespace dws::merge
