// Products in bfloat16, on every instruction set and unit of this processor, against twins in double.
#include "kernels/bf16.h"

#include <algorithm>
#include <cstring>

#include "core/text.h"
#include "harness.h"
#include "kernels/fused_matrix.h"
#include "kernels/matmul.h"
#include "kernels/ref/fused_matrix.h"

namespace dws::kernels {
namespace {

std::vector<Bf16Unit> available_units() {
  std::vector<Bf16Unit> units{Bf16Unit::emulated};
  for (Bf16Unit unit : {Bf16Unit::avx512_bf16, Bf16Unit::amx})
    if (best_bf16_unit() >= unit) units.push_back(unit);
  return units;
}

// bfloat16 while it lives.
struct InBf16 {
  explicit InBf16(Bf16Unit unit) { set_precision(Precision::bf16, unit); }
  InBf16(const InBf16&) = delete;
  InBf16& operator=(const InBf16&) = delete;
  ~InBf16() { set_precision(Precision::f32); }
};

// n numbers of 8 bits, which bfloat16 holds.
std::vector<double> short_values(int64_t n, uint64_t seed) {
  std::vector<double> values = random_values(n, seed);
  for (double& v : values) v = std::round(v * 128) / 128;
  return values;
}

struct Shape3 {
  int64_t M, N, K;
};
// Around the tiles' sides of 16 and 32, the stage of 32 and the packed blocks of 128.
const std::vector<Shape3> kShapes = {{8, 9, 11},     {16, 16, 16},   {17, 19, 33},  {31, 32, 32},
                                     {32, 33, 64},   {48, 40, 47},   {64, 32, 32},  {128, 64, 128},
                                     {130, 70, 129}, {33, 32, 1000}, {257, 96, 161}};

TEST(Bf16, ProductsOfShortNumbersAreThoseOfFloat32) {
  for (Bf16Unit unit : available_units())
    for (const auto& [M, N, K] : kShapes)
      for (bool turned : {false, true})
        for (bool accumulate : {false, true}) {
          const int64_t ld = turned ? M + 3 : K + 3;
          const auto a = short_values((turned ? K : M) * ld, 1), b = short_values(K * (N + 1), 2),
                     c = short_values(M * (N + 5), 3);
          check_against_twin({text("{} {} {} turned {} onto {}", M, N, K, turned, accumulate),
                              {a, b},
                              {c},
                              {},
                              kEps * static_cast<double>(K + 2)},
                             [&, m = M, n = N, k = K](auto in, auto out, auto) {
                               const InBf16 setting(unit);
                               matmul(m, n, k, in[0], turned ? 1 : ld, turned ? ld : 1, in[1], n + 1, out[0],
                                      n + 5, accumulate);
                             });
        }
}

// To nearest and even: 1 + 2^-8 lies between 1 and 1 + 2^-7, 1 + 3 2^-8 between that and 1 + 2^-6.
TEST(Bf16, FactorsAreRounded) {
  const std::vector<std::pair<float, float>> rounded = {{1 + 0x1p-8F, 1.0F},
                                                        {1 + 3 * 0x1p-8F, 1 + 0x1p-6F},
                                                        {1 + 0x1p-8F + 0x1p-20F, 1 + 0x1p-7F},
                                                        {-(1 + 3 * 0x1p-8F), -(1 + 0x1p-6F)},
                                                        {0x1.fffffep127F, INFINITY},
                                                        {0x1.fep127F, 0x1.fep127F}};
  for (Isa isa : available_isas())
    for (Bf16Unit unit : available_units())
      for (const auto& [value, expected] : rounded)
        for (bool left : {true, false}) {
          set_isa(isa);
          const InBf16 setting(unit);
          // The value at (3, 5) of one factor, ones on the diagonal of the other.
          std::vector<float> a(16 * 16), b(16 * 16), c(16 * 16);
          for (size_t i = 0; i < 16; ++i) (left ? b : a)[i * 17] = 1;
          (left ? a : b)[3 * 16 + 5] = value;
          matmul(int64_t{16}, int64_t{16}, int64_t{16}, a.data(), int64_t{16}, int64_t{1}, b.data(),
                 int64_t{16}, c.data(), int64_t{16}, false);
          if (std::isfinite(expected)) {
            for (size_t i = 0; i < c.size(); ++i)
              EXPECT_EQ(c[i], i == 3 * 16 + 5 ? expected : 0) << to_string(isa) << i;
          } else {
            EXPECT_EQ(c[3 * 16 + 5], expected) << to_string(isa);
          }
        }
  set_isa(best_isa());
}

TEST(Bf16, NaNStaysNaN) {
  uint32_t bits = 0x7fffffff;  // rounding up would make it -0
  float nan = 0;
  std::memcpy(&nan, &bits, sizeof nan);
  for (Isa isa : available_isas()) {
    set_isa(isa);
    const InBf16 setting(Bf16Unit::amx);
    std::vector<float> a(256), b(256, 1.0F), c(256);
    a[0] = nan;
    matmul(int64_t{16}, int64_t{16}, int64_t{16}, a.data(), int64_t{16}, int64_t{1}, b.data(), int64_t{16},
           c.data(), int64_t{16}, false);
    EXPECT_TRUE(std::isnan(c[0])) << to_string(isa);
    EXPECT_EQ(c[16], 0);
  }
  set_isa(best_isa());
}

TEST(Bf16, SmallProductsAndOtherTypesStayInFloat32) {
  const InBf16 setting(Bf16Unit::amx);
  EXPECT_EQ(bf16_kernels(7, 16, 16), nullptr);
  EXPECT_EQ(bf16_kernels(16, 7, 16), nullptr);
  EXPECT_EQ(bf16_kernels(16, 16, 1), nullptr);
  EXPECT_NE(bf16_kernels(8, 8, 8), nullptr);
  set_precision(Precision::f32);
  EXPECT_EQ(bf16_kernels(16, 16, 16), nullptr);
  EXPECT_EQ(precision_name(), "f32");
  set_precision(Precision::bf16, Bf16Unit::emulated);
  EXPECT_EQ(precision_name(), "bf16-emulated");
}

struct Size {
  int64_t R, C, F, G;
};
const std::vector<Size> kMatrices = {
    {5, 3, 16, 16}, {4, 32, 32, 32}, {2, 70, 67, 40}, {7, 6, 33, 33}, {3, 301, 32, 32}};

// With scale 1 and shift 0 what is multiplied is short, so that only sums are rounded.
TEST(Bf16, FusedForwardMatchesTheTwin) {
  for (Bf16Unit unit : available_units())
    for (const auto& [R, C, F, G] : kMatrices) {
      const auto x = short_values(R * C * F, 1), w = short_values(F * G, 4), row = random_values(R * G, 5),
                 col = random_values(C * G, 6), origin = random_values(G, 7);
      const std::vector<double> ones(static_cast<size_t>(std::max(F, G)), 1.0), zeros(ones.size());
      const auto size = [](int64_t n) { return std::vector<double>(static_cast<size_t>(n)); };
      check_against_twin(
          {text("{} {} {} {}", R, C, F, G),
           {x, ones, zeros, w, row, col, origin},
           {size(R * C * G), size(R * G), size(C * G), size(G), size(R * G), size(C * G)},
           {},
           8 * kEps * static_cast<double>((F + 3) * (R + C))},
          [&, R = R, C = C, F = F, G = G](auto in, auto out, auto) {
            using T = Element<decltype(out[0])>;
            const InBf16 setting(unit);
            std::vector<double> sum(static_cast<size_t>(2 * G));
            FusedForward<T> k{};
            k.R = R, k.C = C, k.F = F, k.G = G;
            k.x = in[0], k.scale = in[1], k.shift = in[2], k.w = in[3];
            k.row = in[4], k.row_ld = G, k.col = in[5], k.col_ld = G, k.origin = in[6], k.sign = in[1];
            k.y = out[0], k.pool_row = out[1], k.pool_col = out[2], k.pool_all = out[3];
            k.sum = sum.data(), k.sum_sq = sum.data() + G, k.row_sum = out[4], k.col_sum = out[5];
            fused_forward(k);
          });
    }
}

TEST(Bf16, FusedKernelsRoundWhatTheyMultiply) {
  const int64_t n = 16;
  std::vector<float> x(n), w(n * n), ones(n, 1.0F), zeros(n), y(n), pools(5 * n), far(n, 2.0F), dw(n * n),
      wt(n * n);
  x[0] = 1 + 0x1p-8F;  // rounded: 1
  for (size_t i = 0; i < n; ++i) w[i * 17] = wt[i * 17] = 1;
  for (Bf16Unit unit : available_units()) {
    const InBf16 setting(unit);
    FusedForward<float> k{};
    k.R = k.C = 1, k.F = k.G = n;
    k.x = x.data(), k.scale = k.sign = ones.data(), k.shift = k.row = k.col = zeros.data(), k.w = w.data();
    k.y = y.data(), k.pool_row = pools.data(), k.pool_col = pools.data() + n,
    k.pool_all = pools.data() + 2 * n;
    fused_forward(k);
    EXPECT_EQ(y[0], x[0]) << "one position: a tile would be mostly empty";
    std::vector<float> xs(n * n), ys(n * n), columns(2 * n * n);
    for (size_t i = 0; i < n; ++i) xs[i * n] = x[0];
    std::vector<float> zero_columns(n * n);
    k.C = n, k.x = xs.data(), k.y = ys.data(), k.pool_col = columns.data(), k.col = zero_columns.data(),
    k.col_ld = n;
    fused_forward(k);
    EXPECT_EQ(ys[0], 1);

    std::vector<double> sums(2 * n);
    std::vector<float> g(n * n), dcol(n * n), row_sum(n), col_sum(n * n), far_columns(n * n, 2.0F);
    std::fill(dw.begin(), dw.end(), 0.0F);
    FusedBackward<float> b{};
    b.R = 1, b.C = n, b.F = b.G = n;
    b.x = b.y = b.gy = xs.data(), b.scale = b.p = ones.data(), b.shift = b.q = b.r = zeros.data(),
    b.wt = wt.data();
    b.pool_row = b.pool_all = far.data(), b.pool_col = far_columns.data();
    b.drow = b.dall = b.origin = zeros.data(), b.dcol = dcol.data(), b.dcol_ld = n;
    b.g = g.data(), b.dw = dw.data(), b.sum = sums.data(), b.sum_x = sums.data() + n;
    b.row_sum = row_sum.data(), b.col_sum = col_sum.data();
    fused_backward(b);
    EXPECT_EQ(g[0], 1);
    EXPECT_EQ(dw[0], n);
  }
}

// dy = gy, of few bits; the pools get no gradients, which float32 proves already.
TEST(Bf16, FusedBackwardMatchesTheTwin) {
  for (Bf16Unit unit : available_units())
    for (const auto& [R, C, F, G] : kMatrices) {
      const auto x = short_values(R * C * F, 1), gy = short_values(R * C * G, 2), wt = short_values(G * F, 3),
                 dw = short_values(F * G, 4);
      const auto size = [](int64_t n) { return std::vector<double>(static_cast<size_t>(n)); };
      const std::vector<double> ones(static_cast<size_t>(std::max(F, G)), 1.0), zeros(ones.size()),
          far(static_cast<size_t>((R + C + 1) * F), 2.0);
      check_against_twin({text("{} {} {} {}", R, C, F, G),
                          {x, ones, zeros, gy, wt, far, size(R * F)},
                          {size(R * C * F), dw, size(C * F), size(R * F), size(C * F)},
                          {},
                          4 * kEps * static_cast<double>((G + 3) * (R + C) + R * C)},
                         [&, R = R, C = C, F = F, G = G](auto in, auto out, auto) {
                           using T = Element<decltype(out[0])>;
                           const InBf16 setting(unit);
                           std::vector<double> sum(static_cast<size_t>(2 * F));
                           FusedBackward<T> k{};
                           k.R = R, k.C = C, k.F = F, k.G = G;
                           k.x = in[0], k.scale = in[1], k.shift = in[2], k.y = in[3], k.gy = in[3];
                           k.p = in[1], k.q = in[2], k.r = in[2], k.wt = in[4];
                           k.pool_row = k.pool_col = k.pool_all = in[5];
                           k.drow = in[6], k.drow_ld = F, k.dcol = out[2], k.dcol_ld = F, k.dall = in[2],
                           k.origin = in[2];
                           k.g = out[0], k.dw = out[1], k.sum = sum.data(), k.sum_x = sum.data() + F;
                           k.row_sum = out[3], k.col_sum = out[4];
                           fused_backward(k);
                         });
    }
}

}  // namespace
}  // namespace dws::kernels
