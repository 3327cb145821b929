#include "merge/selection.h"

#include <algorithm>
#include <numeric>

#include "core/parallel.h"
#include "core/rng.h"
#include "merge/ranks.h"
#include "testing.h"

namespace dws::merge {
namespace {

constexpr int64_t kBlock = 100;

// What a sort says is within the first `rank`.
std::vector<bool> by_sort(const std::vector<float>& x, int64_t rank) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return magnitude(x[a]) > magnitude(x[b]); });
  std::vector<bool> within(x.size());
  for (int64_t i = 0; i < rank; ++i) within[order[static_cast<size_t>(i)]] = true;
  return within;
}

template <class Visit>
void blocks(std::vector<float>& x, Visit visit) {
  const auto n = static_cast<int64_t>(x.size());
  parallel_for((n + kBlock - 1) / kBlock,
               [&](int64_t b) { visit(b, x.data() + b * kBlock, std::min(kBlock, n - b * kBlock)); });
}

TEST(Selection, CutsWhereASortCuts) {
  Rng rng(2);
  for (const int kind : {0, 1, 2, 3}) {
    std::vector<float> x(2345);
    for (float& v : x)
      v = kind == 0   ? static_cast<float>(rng.normal())
          : kind == 1 ? static_cast<float>(static_cast<int64_t>(rng.below(7)) - 3)  // many of one size
          : kind == 2 ? 1.0f + 1e-6f * static_cast<float>(rng.below(40))            // in one bin
                      : 0.5f;
    const auto n = static_cast<int64_t>(x.size());
    for (const int64_t rank : {int64_t{0}, int64_t{1}, int64_t{700}, n - 1, n}) {
      const int64_t inner = rank / 3;
      Selection selection(2, (n + kBlock - 1) / kBlock);
      selection.set_ranks(0, {rank, inner});
      selection.set_ranks(1, {rank});
      while (selection.begin_pass()) {
        blocks(x, [&](int64_t b, float* part, int64_t count) {
          for (int s : {0, 1})
            if (selection.wants(s)) selection.count(s, b, part, count);
        });
        selection.end_window();
      }
      std::vector<float> within = x, between = x;
      blocks(within, [&](int64_t b, float* p, int64_t c) { keep_within(selection.cut(1, 0), b, p, c); });
      blocks(between, [&](int64_t b, float* p, int64_t c) {
        keep_between(selection.cut(0, 0), selection.cut(0, 1), b, p, c);
      });
      const std::vector<bool> outer = by_sort(x, rank), core = by_sort(x, inner);
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_EQ(within[i], outer[i] ? x[i] : 0.0f) << kind << " " << rank << " " << i;
        ASSERT_EQ(between[i], outer[i] && !core[i] ? x[i] : 0.0f) << kind << " " << rank << " " << i;
      }
    }
  }
}

TEST(Selection, RanksOfARowAreThoseOfASort) {
  Rng rng(3);
  for (const int64_t n : {1, 2, 100, 5000}) {
    std::vector<float> x(static_cast<size_t>(n));
    for (float& v : x) v = static_cast<float>(static_cast<int64_t>(rng.below(600)) - 300) * 0.37f;
    std::vector<uint64_t> order(x.size()), spare(x.size());
    sort_by_magnitude(x.data(), n, order.data(), spare.data());
    std::vector<size_t> want(x.size());
    std::iota(want.begin(), want.end(), size_t{0});
    std::ranges::stable_sort(want, [&](size_t a, size_t b) { return magnitude(x[a]) < magnitude(x[b]); });
    for (size_t i = 0; i < want.size(); ++i) ASSERT_EQ(order[i] & 0xffffffffu, want[i]) << n;
  }
}

}  // namespace
}  // namespace dws::merge
