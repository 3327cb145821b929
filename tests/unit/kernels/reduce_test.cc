#include "kernels/reduce.h"

#include "core/text.h"
#include "harness.h"

namespace dws::kernels {
namespace {

constexpr Reduce kKinds[] = {Reduce::max, Reduce::mean, Reduce::sum};

TEST(Reduce, ForwardAndBackwardMatchTheTwin) {
  for (int64_t outer : {0, 1, 3})
    for (int64_t N : {1, 2, 5, 16, 33, 64, 67, 200})
      for (int64_t inner : {0, 1, 2, 3, 8, 15, 16, 17, 33})
        for (Reduce kind : kKinds) {
          const std::string shape = text("({}, {}, {}) kind {}", outer, N, inner, static_cast<int>(kind));
          const auto old = random_values(outer * inner, 2), dy = random_values(outer * inner, 3);
          const bool largest = kind == Reduce::max;
          for (bool ties : {false, true}) {
            const auto x = ties ? tied_values(outer * N * inner, 1) : random_values(outer * N * inner, 1);
            check_against_twin({"reduce " + shape,
                                {x},
                                {old},
                                {largest ? outer * inner : 0},
                                kEps * (32 + static_cast<double>(N))},
                               [&](auto in, auto out, auto index) {
                                 reduce(outer, N, inner, kind, in[0], out[0], largest ? index[0] : nullptr);
                               });
          }
          std::vector<int32_t> index;
          for (int64_t i = 0; i < outer * inner; ++i) index.push_back(static_cast<int32_t>((i * 7 + 3) % N));
          for (bool accumulate : {false, true})
            check_against_twin({"reduce_backward " + shape, {dy}, {random_values(outer * N * inner, 4)}},
                               [&](auto in, auto out, auto) {
                                 reduce_backward(outer, N, inner, kind, in[0],
                                                 largest ? index.data() : nullptr, out[0], accumulate);
                               });
        }
}

TEST(Reduce, MaxWithoutIndex) {
  const auto x = random_values(3 * 40, 1);
  check_against_twin({"lines", {x}, {std::vector<double>(3)}, {}, 0.0},
                     [&](auto in, auto out, auto) { reduce(3, 40, 1, Reduce::max, in[0], out[0], nullptr); });
  check_against_twin({"columns", {x}, {std::vector<double>(20)}, {}, 0.0},
                     [&](auto in, auto out, auto) { reduce(1, 6, 20, Reduce::max, in[0], out[0], nullptr); });
}

// The largest of anything with a NaN in it is NaN, and the last NaN is the winner.
TEST(Reduce, MaxLetsNaNThrough) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (int64_t inner : {1, 20})
    for (int64_t N : {5, 67})
      for (int64_t last : {int64_t{0}, N / 2, N - 2}) {
        std::vector<double> x = random_values(N * inner, 1), y(static_cast<size_t>(inner));
        for (int64_t i = 0; i < inner; ++i)
          for (int64_t n : {last / 2, last}) x[static_cast<size_t>(n * inner + i)] = nan;
        const std::vector<float> narrow(x.begin(), x.end());
        const std::vector<int32_t> want(y.size(), static_cast<int32_t>(last));
        std::vector<int32_t> index(y.size(), -1);
        reduce<double>(1, N, inner, Reduce::max, x.data(), y.data(), index.data());
        EXPECT_EQ(index, want) << "twin";
        for (double value : y) EXPECT_TRUE(std::isnan(value)) << "twin";
        for (Isa isa : available_isas()) {
          set_isa(isa);
          const std::string what = text("{} N {} inner {} last {}", to_string(isa), N, inner, last);
          std::vector<float> fast(y.size());
          reduce<float>(1, N, inner, Reduce::max, narrow.data(), fast.data(), index.data());
          EXPECT_EQ(index, want) << what;
          for (float value : fast) EXPECT_TRUE(std::isnan(value)) << what;
        }
      }
  set_isa(best_isa());
}

TEST(PoolMatrix, MaxLetsNaNThrough) {
  const int64_t R = 5, C = 4;
  for (int64_t F : {1, 20}) {
    std::vector<double> x = random_values(R * C * F, 1);
    for (int64_t f = 0; f < F; ++f)
      x[static_cast<size_t>((2 * C + 1) * F + f)] = std::numeric_limits<double>::quiet_NaN();
    const std::vector<float> narrow(x.begin(), x.end());
    const auto check = [&](const auto& row, const auto& col, const auto& all, const auto& at,
                           const std::string& what) {
      for (int64_t f = 0; f < F; ++f) {
        for (int64_t r = 0; r < R; ++r)
          EXPECT_EQ(std::isnan(row[static_cast<size_t>(r * F + f)]), r == 2) << what;
        for (int64_t c = 0; c < C; ++c)
          EXPECT_EQ(std::isnan(col[static_cast<size_t>(c * F + f)]), c == 1) << what;
        EXPECT_TRUE(std::isnan(all[static_cast<size_t>(f)])) << what;
        EXPECT_EQ(at[static_cast<size_t>(f)], 2 * C + 1) << what;
      }
    };
    const auto run = [&](auto element, const auto& in, const std::string& what) {
      using T = decltype(element);
      std::vector<T> row(static_cast<size_t>(R * F)), col(static_cast<size_t>(C * F)),
          all(static_cast<size_t>(F));
      std::vector<int32_t> row_at(row.size()), col_at(col.size()), all_at(all.size());
      pool_matrix<T>(R, C, F, Reduce::max, in.data(), row.data(), col.data(), all.data(), row_at.data(),
                     col_at.data(), all_at.data());
      check(row, col, all, all_at, what);
    };
    run(0.0, x, "twin");
    for (Isa isa : available_isas()) {
      set_isa(isa);
      run(0.0f, narrow, text("{} F {}", to_string(isa), F));
    }
  }
  set_isa(best_isa());
}

TEST(PoolMatrix, ForwardMatchesTheTwinAndTiesGoToTheFirst) {
  for (int64_t R : {1, 2, 7, 32})
    for (int64_t C : {1, 3, 16, 33})
      for (int64_t F : {0, 1, 2, 7, 8, 16, 17, 31, 32, 64})
        for (Reduce kind : kKinds)
          for (bool ties : {false, true}) {
            const auto x = ties ? tied_values(R * C * F, 1) : random_values(R * C * F, 1);
            const bool largest = kind == Reduce::max;
            const double error = largest                ? 0
                                 : kind == Reduce::mean ? 8 * kEps
                                                        : kEps * (32 + static_cast<double>(R * C));
            std::vector<int64_t> sizes = {R * F, C * F, F};
            if (!largest) sizes = {0, 0, 0};
            check_against_twin({text("pool ({}, {}, {}) kind {}", R, C, F, static_cast<int>(kind)),
                                {x},
                                {random_values(R * F, 2), random_values(C * F, 3), random_values(F, 4)},
                                sizes,
                                error},
                               [&](auto in, auto out, auto index) {
                                 pool_matrix(R, C, F, kind, in[0], out[0], out[1], out[2],
                                             largest ? index[0] : nullptr, largest ? index[1] : nullptr,
                                             largest ? index[2] : nullptr);
                               });
          }
}

TEST(PoolMatrix, BackwardMatchesTheTwin) {
  for (int64_t R : {1, 2, 7})
    for (int64_t C : {1, 3, 33})
      for (int64_t F : {0, 1, 2, 16, 17, 40})
        for (Reduce kind : kKinds)
          for (int given = 0; given < 8; ++given)
            for (bool accumulate : {false, true}) {
              const auto x = tied_values(R * C * F, 1);
              std::vector<double> row(static_cast<size_t>(R * F)), col(static_cast<size_t>(C * F)),
                  all(static_cast<size_t>(F));
              std::vector<int32_t> row_index(row.size()), col_index(col.size()), all_index(all.size());
              pool_matrix<double>(R, C, F, Reduce::max, x.data(), row.data(), col.data(), all.data(),
                                  row_index.data(), col_index.data(), all_index.data());
              check_against_twin({text("pool backward ({}, {}, {}) kind {} given {}", R, C, F,
                                       static_cast<int>(kind), given),
                                  {random_values(R * F, 2), random_values(C * F, 3), random_values(F, 4)},
                                  {random_values(R * C * F, 5)}},
                                 [&](auto in, auto out, auto) {
                                   pool_matrix_backward(R, C, F, kind, given & 1 ? in[0] : nullptr,
                                                        given & 2 ? in[1] : nullptr,
                                                        given & 4 ? in[2] : nullptr, row_index.data(),
                                                        col_index.data(), all_index.data(), out[0],
                                                        accumulate);
                                 });
            }
}

}  // namespace
}  // namespace dws::kernels
