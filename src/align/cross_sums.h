// How the items of two networks go together over data, as running sums: products of each pair, and mean and variance of each item.
#pragma once

#include <cstdint>
#include <vector>

namespace dws::align {

class CrossSums {
 public:
  explicit CrossSums(int64_t items) : items_(items) {}
  // What they take while data is added.
  static uint64_t bytes(int64_t items) noexcept {
    return sizeof(double) * static_cast<uint64_t>(items * items);
  }

  // a, b (rows, items), of the same samples and places; both are overwritten. The numbers are taken from about the first rows' means, so
  // that nothing is lost where a mean is far larger than what varies. Products are float32 over at most 1,024 rows, their sums float64:
  // the same bits on any number of threads.
  void add(int64_t rows, float* a, float* b);

  int64_t rows() const noexcept { return rows_; }
  bool finite() const noexcept;
  double mean_a(int64_t item) const noexcept { return mean(a_, item); }
  double mean_b(int64_t item) const noexcept { return mean(b_, item); }
  double variance_a(int64_t item) const noexcept { return variance(a_, item); }
  double variance_b(int64_t item) const noexcept { return variance(b_, item); }
  // out (items, items) at [i][j]: of item i of A and item j of B. Pearson's correlation, 0 where one of the two does not vary; the mean
  // product.
  void correlations(std::vector<float>& out) const;
  void products(std::vector<float>& out) const;

 private:
  struct Side {
    std::vector<float> origin;
    std::vector<double> sum, squares;  // of what is above the origin
  };
  void take(Side& side, int64_t rows, float* x) const;
  double mean(const Side& s, int64_t item) const noexcept;
  double variance(const Side& s, int64_t item) const noexcept;
  double covariance(int64_t i, int64_t j) const noexcept;

  int64_t items_, rows_ = 0;
  Side a_, b_;
  std::vector<double> cross_;  // (items, items)
};

}  // namespace dws::align
