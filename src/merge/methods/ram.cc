// RAM: an element of d_k is active where |d_k| > epsilon. With c the number of sources that are active there,
//   y = b + (sum of active d_k) / c,   b where c = 0.
// ramplus_tl: where c = 1, times lambda_k = 1 + r min(shared_k / unique_k, alpha), with the numbers of k's active elements that
// others share and that it has alone, over the tensor.
#include <algorithm>
#include <cmath>

#include "merge/block_sums.h"
#include "merge/methods/methods.h"

namespace dws::merge {
namespace {

class Ram : public TensorMerge {
 public:
  explicit Ram(const OutputTensor& tensor)
      : parameters_(tensor.parameters),
        epsilon_(static_cast<float>(tensor.parameters.ram_epsilon)),
        plus_(tensor.method == Method::ramplus_tl),
        counts_(2 * tensor.sources.size()),
        factors_(tensor.sources.size(), 1.0f) {}

  bool deltas() const override { return true; }
  bool begin_pass(int pass) override {
    if (!plus_) return false;
    if (pass == 0) return true;
    for (size_t k = 0; k < factors_.size(); ++k) {
      const double shared = counts_.total()[2 * k], unique = counts_.total()[2 * k + 1];
      const double share = unique > 0 ? std::min(shared / unique, parameters_.ram_alpha) : 0.0;
      factors_[k] = static_cast<float>(1 + parameters_.ram_r * share);
    }
    return false;
  }
  int64_t bytes_per_block() const override { return counts_.bytes_per_block(); }
  void begin_window(int64_t first, int64_t blocks) override { counts_.begin_window(first, blocks); }
  void end_window() override { counts_.end_window(); }

  void read(const Block& b) override {
    double* counts = counts_.part(b.index);
    for (int64_t i = 0; i < b.count; ++i) {
      const int c = active(b, i);
      for (int k = 0; k < b.sources; ++k)
        if (std::abs(b.x[k][i]) > epsilon_) ++counts[2 * k + (c == 1)];
    }
  }
  void write(const Block& b) override {
    for (int64_t i = 0; i < b.count; ++i) {
      float sum = 0, factor = 1;
      int c = 0;
      for (int k = 0; k < b.sources; ++k)
        if (std::abs(b.x[k][i]) > epsilon_) {
          sum += b.x[k][i];
          factor = factors_[static_cast<size_t>(k)];
          ++c;
        }
      b.out[i] = b.base[i] + (c == 0 ? 0.0f : c == 1 ? factor * sum : sum / static_cast<float>(c));
    }
  }

 private:
  int active(const Block& b, int64_t i) const {
    int c = 0;
    for (int k = 0; k < b.sources; ++k) c += std::abs(b.x[k][i]) > epsilon_;
    return c;
  }

  Parameters parameters_;
  float epsilon_;
  bool plus_;
  BlockSums counts_;
  std::vector<float> factors_;
};

}  // namespace

std::unique_ptr<TensorMerge> make_ram(const OutputTensor& tensor, const Cut&, const MergeContext&) {
  return std::make_unique<Ram>(tensor);
}

}  // namespace dws::merge
