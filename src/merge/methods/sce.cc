// SCE (Wan et al., "FuseChat", 2024): select, calculate, erase.
//
//   select      elements where the d_k differ most: of those with a variance over k that is not 0, the share select_topk
//   calculate   w_k = mean d_k^2 of what is selected, divided by their sum (equal where that is 0)
//   erase       only the d_k whose sign is that of sum d_k
//   y = b + sum w_k d_k / sum w_k over what is left
//
// The published implementation takes the weights for equal where the sum is below 1e-6, which it is for most fine-tuned networks;
// so does `compat`.
#include <algorithm>
#include <optional>

#include "kernels/mix.h"
#include "merge/block_sums.h"
#include "merge/methods/methods.h"
#include "merge/selection.h"

namespace dws::merge {
namespace {

class Sce : public TensorMerge {
 public:
  Sce(const OutputTensor& tensor, const Cut& cut, const MergeContext& context)
      : elements_(cut.elements),
        top_(tensor.parameters.select_topk),
        least_sum_(context.compat ? 1e-6 : 0),
        compat_(context.compat),
        sums_(tensor.sources.size()) {
    if (top_ < 1) selection_.emplace(1, cut.blocks());
  }

  bool deltas() const override { return true; }
  int scratch() const override { return selection_ ? 1 : 0; }
  bool begin_pass(int) override {
    if (selection_ && !selected_) {
      if (first_) {
        const int64_t vary = elements_ - selection_->zeros(0);
        const auto kept = static_cast<int64_t>(static_cast<double>(vary) * top_);
        selection_->set_ranks(0, {vary > 0 && !compat_ && top_ > 0 ? std::max<int64_t>(kept, 1) : kept});
      }
      if (selection_->begin_pass()) {
        first_ = selection_->first_pass();
        return true;
      }
      selected_ = true;
    }
    if (!weighed_) return weighed_ = true;
    double all = 0;
    for (const double s : sums_.total()) all += s / static_cast<double>(elements_);
    for (const double s : sums_.total())
      weights_.push_back(static_cast<float>(all > least_sum_
                                                ? s / static_cast<double>(elements_) / all
                                                : 1.0 / static_cast<double>(sums_.total().size())));
    return false;
  }
  int64_t bytes_per_block() const override { return sums_.bytes_per_block(); }
  void begin_window(int64_t first, int64_t blocks) override {
    sums_.begin_window(first, weighed_ ? blocks : 0);
  }
  void end_window() override {
    if (weighed_) return sums_.end_window();
    selection_->end_window();
  }

  void read(const Block& b) override {
    if (!weighed_) {
      variance(b);
      selection_->count(0, b.index, b.scratch, b.count);
      return;
    }
    select(b);
    for (int k = 0; k < b.sources; ++k) sums_.part(b.index)[k] = kernels::dot(b.count, b.x[k], b.x[k]);
  }

  void write(const Block& b) override {
    select(b);
    for (int64_t i = 0; i < b.count; ++i) {
      float all = 0, sum = 0, weight = 0;
      for (int k = 0; k < b.sources; ++k) all += b.x[k][i];
      for (int k = 0; k < b.sources; ++k) {
        const float d = b.x[k][i], w = weights_[static_cast<size_t>(k)];
        if (all >= 0 ? d > 0 : d < 0) sum += w * d, weight += w;
      }
      b.out[i] = b.base[i] + (weight > 0 ? sum / weight : 0.0f);
    }
  }

 private:
  // Over the sources, of each element, into the scratch.
  static void variance(const Block& b) {
    const auto K = static_cast<float>(b.sources);
    for (int64_t i = 0; i < b.count; ++i) {
      float mean = 0, square = 0;
      for (int k = 0; k < b.sources; ++k) mean += b.x[k][i];
      mean /= K;
      for (int k = 0; k < b.sources; ++k) square += (b.x[k][i] - mean) * (b.x[k][i] - mean);
      b.scratch[i] = square / K;
    }
  }
  void select(const Block& b) const {
    if (!selection_) return;
    variance(b);
    keep_within(selection_->cut(0, 0), b.index, b.scratch, b.count);
    for (int k = 0; k < b.sources; ++k)
      for (int64_t i = 0; i < b.count; ++i) b.x[k][i] = b.scratch[i] > 0 ? b.x[k][i] : 0.0f;
  }

  int64_t elements_;
  double top_, least_sum_;
  bool compat_;
  std::optional<Selection> selection_;
  bool first_ = false, selected_ = false, weighed_ = false;
  BlockSums sums_;
  std::vector<float> weights_;
};

}  // namespace

std::unique_ptr<TensorMerge> make_sce(const OutputTensor& tensor, const Cut& cut,
                                      const MergeContext& context) {
  return std::make_unique<Sce>(tensor, cut, context);
}

}  // namespace dws::merge
