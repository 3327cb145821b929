// Task arithmetic and its kin: y = b + lambda mix(thinned d_k), d_k = x_k - b.
//
//   task_arithmetic   d_k as they are
//   ties              of each d_k the density * n largest by magnitude, of equal ones the first
//   breadcrumbs       ... without the gamma * n largest, so that density * n are left
//   dare              each element with chance density
//   della             each element with chance density - epsilon + 2 epsilon r, r from 0 for the smallest of its row to 1
// What is dropped at random is made up for (Rescale): times 1 / chance, or so that sum |d| is what it was.
//
//   mix, linear       sum w_k d_k, divided by sum w_k where `normalize`
//   mix, by sign      kernels/mix.h, agree()
//
// The random word of element i of source k is word i of the Philox stream stream_id("merge.mask " + tensor, k).
#include <algorithm>
#include <cmath>
#include <optional>

#include "core/rng.h"
#include "kernels/mix.h"
#include "merge/block_sums.h"
#include "merge/methods/methods.h"
#include "merge/ranks.h"
#include "merge/round.h"
#include "merge/selection.h"

namespace dws::merge {
namespace {

bool by_sign(Method m) {
  return m == Method::ties || m == Method::dare_ties || m == Method::breadcrumbs_ties || m == Method::della;
}
bool by_size(Method m) {
  return m == Method::ties || m == Method::breadcrumbs || m == Method::breadcrumbs_ties;
}

class Task : public TensorMerge {
 public:
  Task(const OutputTensor& tensor, const Cut& cut, const MergeContext& context)
      : method_(tensor.method),
        parameters_(tensor.parameters),
        sources_(tensor.sources),
        cut_(cut),
        seed_(context.seed),
        rounding_(context.compat ? context.dtype : Dtype::f32),
        compat_(context.compat) {
    for (size_t k = 0; k < sources_.size(); ++k) {
      weights_.push_back(rounded(static_cast<float>(sources_[k].weight), rounding_));
      streams_.push_back(stream_id(("merge.mask " + tensor.name).c_str(), k));
    }
    if (by_size(method_)) choose_by_size();
    if (traits(method_).random && parameters_.rescale == Rescale::l1) sums_ = BlockSums(2 * sources_.size());
  }

  bool deltas() const override { return true; }
  int scratch() const override {
    if (!traits(method_).random) return 0;
    return method_ == Method::della || method_ == Method::della_linear ? 6 : 1;
  }
  bool begin_pass(int pass) override {
    if (selection_) return selection_->begin_pass();
    if (sums_.total().empty()) return false;
    if (pass == 0) return true;
    for (size_t k = 0; k < sources_.size(); ++k) {
      const double all = sums_.total()[2 * k], left = sums_.total()[2 * k + 1];
      l1_.push_back(all < 1e-7 || left < 1e-7 ? 1.0f : static_cast<float>(all / left));
    }
    return false;
  }
  bool wants(int k) const override {
    if (selection_)
      return stream_[static_cast<size_t>(k)] >= 0 && selection_->wants(stream_[static_cast<size_t>(k)]);
    return true;
  }
  int64_t bytes_per_block() const override { return sums_.bytes_per_block(); }
  void begin_window(int64_t first, int64_t blocks) override { sums_.begin_window(first, blocks); }
  void end_window() override {
    if (selection_)
      selection_->end_window();
    else
      sums_.end_window();
  }

  void read(const Block& b) override {
    for (int k = 0; k < b.sources; ++k) {
      if (selection_) {
        if (wants(k)) selection_->count(stream_[static_cast<size_t>(k)], b.index, b.x[k], b.count);
        continue;
      }
      double* sums = sums_.part(b.index) + 2 * k;
      sums[0] = kernels::sum_abs(b.count, b.x[k]);
      drop_at_random(b, k, false);
      sums[1] = kernels::sum_abs(b.count, b.x[k]);
    }
  }

  void write(const Block& b) override {
    for (int k = 0; k < b.sources; ++k) thin(b, k);
    if (compat_) return mix_rounded(b);
    if (by_sign(method_)) {
      kernels::agree(b.count, b.sources, b.x, weights_.data(), parameters_.normalize, b.out);
    } else {
      kernels::weighted_sum(b.count, b.sources, b.x, linear_weights().data(), b.out);
    }
    const float factors[2] = {1, static_cast<float>(parameters_.lambda)};
    const float* both[2] = {b.base, b.out};
    kernels::weighted_sum(b.count, 2, both, factors, b.out);
  }

 private:
  void choose_by_size() {
    std::vector<std::vector<int64_t>> ranks;
    const int64_t n = cut_.elements;
    for (const Source& s : sources_) {
      stream_.push_back(-1);
      if (s.density >= 1) continue;
      auto kept = static_cast<int64_t>(s.density * static_cast<double>(n));
      if (s.density > 0 && !compat_) kept = std::max<int64_t>(kept, 1);
      int64_t top = 0;
      if (method_ != Method::ties) {
        top = static_cast<int64_t>(s.gamma * static_cast<double>(n));
        if (top == 0 && compat_) kept = 0;  // the published implementation's slice is empty then
        top = std::min(top, n - kept);
      }
      stream_.back() = static_cast<int>(ranks.size());
      ranks.push_back({top + kept, top});
      if (kept == 0) ranks.back() = {0, 0};
    }
    selection_.emplace(static_cast<int>(ranks.size()), cut_.blocks());
    for (size_t s = 0; s < ranks.size(); ++s) selection_->set_ranks(static_cast<int>(s), ranks[s]);
  }

  void thin(const Block& b, int k) {
    const auto at = static_cast<size_t>(k);
    if (traits(method_).random) return drop_at_random(b, k, true);
    if (!selection_ || stream_[at] < 0) return;
    const OrderCut& outer = selection_->cut(stream_[at], 0);
    const OrderCut& inner = selection_->cut(stream_[at], 1);
    if (inner.rank > 0)
      keep_between(outer, inner, b.index, b.x[k], b.count);
    else
      keep_within(outer, b.index, b.x[k], b.count);
  }

  // Where `scaled`, what is left is made up for too.
  void drop_at_random(const Block& b, int k, bool scaled) const {
    const auto at = static_cast<size_t>(k);
    const Source& s = sources_[at];
    if (s.density >= 1) return;
    // Words come in fours.
    auto* words = reinterpret_cast<uint32_t*>(b.scratch);
    const int64_t before = b.begin % 4;
    const auto first = static_cast<uint64_t>(b.begin - before);
    uint32_t start[4];
    int64_t head = 0;
    if (before > 0) {
      head = std::min<int64_t>(4 - before, b.count);
      kernels::random_words(4, seed_, streams_[at], first, start);
      std::copy_n(start + before, head, words);
    }
    if (b.count > head)
      kernels::random_words(b.count - head, seed_, streams_[at], static_cast<uint64_t>(b.begin + head),
                            words + head);
    const float factor = !scaled || parameters_.rescale == Rescale::none ? 1.0f
                         : parameters_.rescale == Rescale::l1            ? l1_[at]
                         : s.density > 0                                 ? static_cast<float>(1 / s.density)
                                                                         : 1.0f;
    float* x = b.x[k];
    if (method_ != Method::della && method_ != Method::della_linear) {
      const auto least = static_cast<uint64_t>(std::ceil(s.density * 0x1p32));
      for (int64_t i = 0; i < b.count; ++i) x[i] = words[i] < least ? x[i] * factor : 0.0f;
      return;
    }
    const bool paper = scaled && parameters_.rescale == Rescale::paper;
    auto* order = reinterpret_cast<uint64_t*>(b.scratch + 2 * b.count);
    for (int64_t row = 0; row < b.count; row += cut_.columns) {
      sort_by_magnitude(x + row, cut_.columns, order, order + cut_.columns);
      const double step = cut_.columns > 1 ? 2 * s.epsilon / static_cast<double>(cut_.columns - 1) : 0;
      const double low = cut_.columns > 1 ? s.density - s.epsilon : s.density;
      for (int64_t r = 0; r < cut_.columns; ++r) {
        const int64_t i = row + static_cast<int64_t>(order[r] & 0xffffffffu);
        const double chance = low + step * static_cast<double>(r);
        const bool kept = static_cast<double>(words[i]) < chance * 0x1p32;
        x[i] = kept ? x[i] * (paper ? static_cast<float>(1 / chance) : factor) : 0.0f;
      }
    }
  }

  std::vector<float> linear_weights() const {
    double sum = 0;
    for (const Source& s : sources_) sum += s.weight;
    if (!parameters_.normalize || std::abs(sum) < 1e-8) return weights_;
    std::vector<float> w;
    for (const Source& s : sources_) w.push_back(static_cast<float>(s.weight / sum));
    return w;
  }

  // As the published implementation computes: every step in the tensor's type.
  void mix_rounded(const Block& b) const {
    const auto R = [&](float x) { return rounded(x, rounding_); };
    float weight_sum = 0;
    for (const float w : weights_) weight_sum += w;
    weight_sum = R(weight_sum);
    const auto lambda = static_cast<float>(parameters_.lambda);
    for (int64_t i = 0; i < b.count; ++i) {
      float all = 0;
      for (int k = 0; k < b.sources; ++k) {
        b.x[k][i] = R(b.x[k][i] * weights_[static_cast<size_t>(k)]);
        all += b.x[k][i];
      }
      float mixed = R(all), divisor = std::abs(weight_sum) < 1e-8f ? 1 : weight_sum;
      if (by_sign(method_)) {
        const bool up = mixed >= 0;
        float sum = 0, weight = 0;
        for (int k = 0; k < b.sources; ++k)
          if (up ? b.x[k][i] > 0 : b.x[k][i] < 0)
            sum += b.x[k][i], weight += weights_[static_cast<size_t>(k)];
        mixed = R(sum);
        divisor = R(weight) == 0 ? 1 : R(weight);
      }
      if (parameters_.normalize) mixed = R(mixed / divisor);
      if (lambda != 1) mixed = R(mixed * lambda);
      b.out[i] = R(b.base[i] + mixed);
    }
  }

  Method method_;
  Parameters parameters_;
  std::vector<Source> sources_;
  Cut cut_;
  uint64_t seed_;
  Dtype rounding_;
  bool compat_;
  std::vector<float> weights_, l1_;
  std::vector<uint64_t> streams_;
  std::optional<Selection> selection_;
  std::vector<int> stream_;  // of the selection, for each source; -1: all of it is kept
  BlockSums sums_;
};

}  // namespace

std::unique_ptr<TensorMerge> make_task(const OutputTensor& tensor, const Cut& cut,
                                       const MergeContext& context) {
  return std::make_unique<Task>(tensor, cut, context);
}

}  // namespace dws::merge
