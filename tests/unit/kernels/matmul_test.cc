#include "kernels/matmul.h"

#include <algorithm>

#include "core/text.h"
#include "harness.h"

namespace dws::kernels {
namespace {

struct ProductShape {
  int64_t M, N, K;
};

std::vector<ProductShape> product_shapes() {
  std::vector<ProductShape> all;
  for (int64_t M : {0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 25})
    for (int64_t N : {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64, 67})
      for (int64_t K : {0, 1, 2, 5, 33}) all.push_back({M, N, K});
  // Blocks of k (128), of rows, panels copied side by side, long sums.
  for (ProductShape s : {ProductShape{24, 32, 128},
                         {13, 40, 129},
                         {40, 100, 300},
                         {32, 256, 256},
                         {300, 70, 257},
                         {32, 32, 5000},
                         {1, 1, 1000},
                         {1500, 8, 32},
                         {37, 96, 511}})
    all.push_back(s);
  return all;
}

// Each element of c errs by a few epsilon times |row of a| |column of b|.
double product_bound(int64_t K) {
  return 4 * kEps * (1 + static_cast<double>(K));
}

TEST(Matmul, MatchesTheTwinForEveryShape) {
  for (const auto& [M, N, K] : product_shapes()) {
    const auto a = random_values(M * K, 1), b = random_values(K * N, 2), c = random_values(M * N, 3);
    for (bool accumulate : {false, true}) {
      check_against_twin({text("{} x {} x {}", M, N, K), {a, b}, {c}, {}, product_bound(K)},
                         [&, m = M, n = N, k = K](auto in, auto out, auto) {
                           matmul(m, n, k, in[0], k, int64_t{1}, in[1], n, out[0], n, accumulate);
                         });
      check_against_twin({text("{} x {} x {} transposed", M, N, K), {a, b}, {c}, {}, product_bound(K)},
                         [&, m = M, n = N, k = K](auto in, auto out, auto) {
                           matmul(m, n, k, in[0], int64_t{1}, m, in[1], n, out[0], n, accumulate);
                         });
    }
  }
}

TEST(Matmul, LeavesTheGapsBetweenRowsAlone) {
  const int64_t M = 29, N = 37, K = 21, ldb = 41, ldc = 45;
  const auto a = random_values(M * (K + 3), 1), b = random_values(K * ldb, 2), c = random_values(M * ldc, 3);
  check_against_twin({"strided", {a, b}, {c}, {}, product_bound(K)}, [&](auto in, auto out, auto) {
    matmul(M, N, K, in[0], K + 3, int64_t{1}, in[1], ldb, out[0], ldc, true);
  });
}

TEST(Matmul, LongSumsLoseLittle) {
  // One accumulator over 65536 terms would err by some 3e-5 of the norms' product; blocks keep it far below.
  const int64_t M = 12, N = 32, K = 65536;
  const auto a = random_values(M * K, 1), b = random_values(K * N, 2);
  const double norms = static_cast<double>(K) / 3;
  check_against_twin(
      {"long", {a, b}, {random_values(M * N, 3)}, {}, 0.2 * kEps * norms},
      [&](auto in, auto out, auto) { matmul(M, N, K, in[0], int64_t{1}, M, in[1], N, out[0], N, false); });
}

TEST(MatrixUpdate, MatchesTheTwin) {
  for (int64_t R : {0, 1, 2, 5, 17})
    for (int64_t C : {0, 1, 3, 12, 32})
      for (int64_t F : {0, 1, 2, 32, 150})
        for (int64_t G : {0, 1, 5, 16, 32, 35, 64}) {
          const auto x = random_values(R * C * F, 1), w = random_values(F * G, 2);
          const auto row = random_values(R * G, 3), col = random_values(C * G, 4),
                     old = random_values(R * C * G, 5);
          check_against_twin(
              {text("update {} {} {} {}", R, C, F, G), {x, w, row, col}, {old}, {}, product_bound(F + 2)},
              [&](auto in, auto out, auto) {
                matrix_update(R, C, F, G, in[0], in[1], in[2], in[3], out[0]);
              });
        }
}

TEST(MatrixUpdate, SumsMatchTheTwin) {
  for (int64_t R : {0, 1, 2, 17})
    for (int64_t C : {0, 1, 3, 32})
      for (int64_t G : {0, 1, 5, 16, 32, 35})
        for (int flags = 0; flags < 4; ++flags) {
          const auto dy = random_values(R * C * G, 1), row = random_values(R * G, 3),
                     col = random_values(C * G, 4);
          check_against_twin(
              {text("sums {} {} {} flags {}", R, C, G, flags), {dy}, {row, col}, {}, 32 * kEps},
              [&](auto in, auto out, auto) {
                matrix_update_sums(R, C, G, in[0], out[0], flags % 2 == 1, out[1], flags / 2 == 1);
              });
        }
}

TEST(Transpose, MatchesTheTwin) {
  for (int64_t rows : {0, 1, 5, 16, 17, 40})
    for (int64_t cols : {0, 1, 3, 16, 33}) {
      const auto in_values = random_values(rows * cols, 1), old = random_values(rows * cols, 2);
      check_against_twin({text("transpose {} {}", rows, cols), {in_values}, {old}, {}, 0.0},
                         [&](auto in, auto out, auto) { transpose(rows, cols, in[0], out[0]); });
    }
}

}  // namespace
}  // namespace dws::kernels
