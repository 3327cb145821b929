// The fused passes over a weight matrix's features against their twins, and the twins' derivatives by complex
// step.
#include "kernels/fused_matrix.h"

#include <algorithm>

#include "core/text.h"
#include "harness.h"
#include "kernels/matmul.h"
#include "kernels/ref/fused_matrix.h"
#include "kernels/ref/reduce.h"

namespace dws::kernels {
namespace {

struct FusedSize {
  int64_t R, C, F, G;
};
// Rows short and long (a block is 1,024 or 2,048 floats), channels beside the vectors' widths.
const std::vector<FusedSize> kFusedShapes = {{1, 1, 1, 1},    {3, 5, 1, 16},    {2, 7, 5, 5},
                                             {5, 3, 16, 16},  {4, 32, 32, 32},  {7, 6, 33, 33},
                                             {2, 70, 67, 67}, {3, 301, 32, 32}, {2, 9, 8, 20}};

std::vector<double> signs(int64_t n) {
  std::vector<double> s(static_cast<size_t>(n), 1.0);
  for (size_t i = 0; i < s.size(); i += 3) s[i] = -1.0;
  return s;
}

TEST(FusedForward, MatchesTheTwin) {
  for (const auto& [R, C, F, G] : kFusedShapes)
    for (int variant = 0; variant < 5; ++variant) {
      const bool raw = variant == 1, evaluation = variant == 2, in_place = variant == 4 && F == G;
      const int64_t ld = variant == 3 ? G + 3 : G;
      const auto x = random_values(R * C * F, 1), scale = random_values(F, 2), shift = random_values(F, 3),
                 w = random_values(F * G, 4), row = random_values(R * ld, 5), col = random_values(C * ld, 6),
                 origin = random_values(G, 7), sign = signs(G);
      const auto size = [](int64_t n) { return std::vector<double>(static_cast<size_t>(n), 0.5); };
      std::vector<std::vector<double>> sums;  // of the twin, then of each run of the float kernel
      check_against_twin(
          {text("forward {} {} {} {} variant {}", R, C, F, G, variant),
           {x, scale, shift, w, row, col, origin, sign},
           {in_place ? x : size(R * C * G), size(R * G), size(C * G), size(G), size(R * G), size(C * G)},
           {},
           8 * kEps * static_cast<double>((F + 3) * (R + C))},
          [&, R = R, C = C, F = F, G = G](auto in, auto out, auto) {
            using T = Element<decltype(out[0])>;
            std::vector<double> sum(static_cast<size_t>(2 * G), 0.25);
            FusedForward<T> k{};
            k.R = R, k.C = C, k.F = F, k.G = G;
            k.x = in_place ? out[0] : in[0], k.scale = raw ? nullptr : in[1], k.shift = in[2], k.w = in[3];
            k.row = in[4], k.row_ld = ld, k.col = in[5], k.col_ld = ld;
            k.origin = in[6], k.sign = in[7];
            k.y = out[0], k.pool_row = out[1], k.pool_col = out[2], k.pool_all = out[3];
            k.sum = evaluation ? nullptr : sum.data(), k.sum_sq = sum.data() + G;
            k.row_sum = out[4], k.col_sum = out[5];
            fused_forward(k);
            sums.push_back(std::move(sum));
          });
      for (size_t i = 1; i < sums.size(); ++i)
        expect_close("sums", sums[i], sums[0],
                     64 * kEps * static_cast<double>(R * C) * static_cast<double>((F + 3) * (F + 3)));
      EXPECT_EQ(sums[0][0] == 0.25, evaluation);
    }
}

// The pools of x, where scale has the sign of `sign`.
struct Pools {
  std::vector<double> row, col, all;
};
Pools pools_of(const FusedSize& s, const std::vector<double>& x, const std::vector<double>& scale) {
  Pools pools;
  pools.row.resize(static_cast<size_t>(s.R * s.F));
  pools.col.resize(static_cast<size_t>(s.C * s.F));
  pools.all.resize(static_cast<size_t>(s.F));
  for (int64_t r = 0; r < s.R; ++r)
    for (int64_t c = 0; c < s.C; ++c)
      for (int64_t f = 0; f < s.F; ++f) {
        const auto at = [](int64_t i) { return static_cast<size_t>(i); };
        const double value = x[at((r * s.C + c) * s.F + f)], sign = scale[at(f)] < 0 ? -1 : 1;
        ref::challenge(value, sign, pools.row[at(r * s.F + f)], c == 0);
        ref::challenge(value, sign, pools.col[at(c * s.F + f)], r == 0);
        ref::challenge(value, sign, pools.all[at(f)], r == 0 && c == 0);
      }
  return pools;
}

enum class Variant { plain, last, in_place, tied, raw };

TEST(FusedBackward, MatchesTheTwin) {
  for (const auto& shape : kFusedShapes)
    for (Variant variant : {Variant::plain, Variant::last, Variant::in_place, Variant::tied, Variant::raw}) {
      const auto [R, C, F, G] = shape;
      const bool last = variant == Variant::last, in_place = variant == Variant::in_place && F == G,
                 raw = variant == Variant::raw;
      const int64_t ld = F + 1;
      // Tied values: the first of several maxima gets the gradient.
      const auto x = variant == Variant::tied ? tied_values(R * C * F, 1) : random_values(R * C * F, 1);
      const auto scale = random_values(F, 2), shift = random_values(F, 3), gy = random_values(R * C * G, 4),
                 wt = random_values(G * F, 5), dw = random_values(F * G, 6), drow = random_values(R * ld, 7),
                 dcol = random_values(C * ld, 8), dall = random_values(F, 9), origin = random_values(F, 10),
                 y = random_values(R * C * G, 11), p = random_values(G, 12), q = random_values(G, 13),
                 r = random_values(G, 14);
      const Pools pools = pools_of(shape, x, scale);
      const auto size = [](int64_t n) { return std::vector<double>(static_cast<size_t>(n), 0.5); };
      std::vector<std::vector<double>> sums;
      check_against_twin(
          {text("backward {} {} {} {} variant {}", R, C, F, G, static_cast<int>(variant)),
           {x, scale, shift, gy, wt, pools.row, pools.col, pools.all, drow, dall, origin, y, p, q, r},
           {in_place ? gy : size(R * C * F), dw, dcol, size(R * F), size(C * F)},
           {},
           24 * kEps * static_cast<double>(R * C + G + 3)},
          [&, R = R, C = C, F = F, G = G](auto in, auto out, auto) {
            using T = Element<decltype(out[0])>;
            std::vector<double> sum(static_cast<size_t>(2 * F), 0.25);
            FusedBackward<T> k{};
            k.R = R, k.C = C, k.F = F, k.G = G;
            k.x = in[0], k.scale = raw ? nullptr : in[1], k.shift = in[2];
            k.y = last ? nullptr : in[11], k.gy = in_place ? out[0] : in[3];
            k.p = in[12], k.q = in[13], k.r = in[14];
            k.wt = in[4], k.pool_row = in[5], k.pool_col = in[6], k.pool_all = in[7];
            k.drow = last ? nullptr : in[8], k.drow_ld = ld, k.dcol = out[2], k.dcol_ld = ld;
            k.dall = in[9], k.origin = in[10];
            k.g = out[0], k.dw = out[1], k.sum = sum.data(), k.sum_x = sum.data() + F;
            k.row_sum = out[3], k.col_sum = out[4];
            fused_backward(k);
            sums.push_back(std::move(sum));
          });
      for (size_t i = 1; i < sums.size(); ++i)
        expect_close("sums", sums[i], sums[0], 128 * kEps * static_cast<double>(R * C * (G + 3)));
      if (raw) {
        EXPECT_EQ(sums[0], std::vector<double>(sums[0].size(), 0.25)) << "raw numbers have no gradient";
      }
    }
}

// d/dx and d/dw of <dy, y> + <pools of a, their cotangents>, with dx = scale g and dy = p gy + q y + r.
TEST(FusedBackward, IsTheDerivative) {
  const int64_t R = 3, C = 4, F = 2, G = 3;
  const auto x = random_values(R * C * F, 1), w = random_values(F * G, 2), row = random_values(R * G, 3),
             col = random_values(C * G, 4), gy = random_values(R * C * G, 5), drow = random_values(R * F, 6),
             dall = random_values(F, 8), y = random_values(R * C * G, 9), p = random_values(G, 10),
             q = random_values(G, 11), r = random_values(G, 12);
  auto dcol = random_values(C * F, 7);
  const std::vector<double> scale = {0.8, -0.7}, shift = {0.3, 0.2}, sign = {1, -1, 1}, zeros(8, 0.0);
  const Pools pools = pools_of({R, C, F, G}, x, scale);

  std::vector<double> cotangent(gy.size());  // of y, row pools, column pools, the whole
  for (size_t i = 0; i < gy.size(); ++i)
    cotangent[i] = p[i % size_t{G}] * gy[i] + q[i % size_t{G}] * y[i] + r[i % size_t{G}];
  for (const std::vector<double>& part : {drow, dcol, dall})
    cotangent.insert(cotangent.end(), part.begin(), part.end());
  const auto forward = [&](const Complex* px, const Complex* pw, Complex* out) {
    const auto widen = [](const std::vector<double>& v) { return std::vector<Complex>(v.begin(), v.end()); };
    const auto s = widen(scale), t = widen(shift), pr = widen(row), pc = widen(col), ps = widen(sign);
    std::vector<Complex> unused(static_cast<size_t>((R + C + 1) * G));
    FusedForward<Complex> k{};
    k.R = R, k.C = C, k.F = F, k.G = G;
    k.x = px, k.scale = s.data(), k.shift = t.data(), k.w = pw;
    k.row = pr.data(), k.row_ld = G, k.col = pc.data(), k.col_ld = G, k.sign = ps.data();
    k.y = out, k.pool_row = unused.data(), k.pool_col = k.pool_row + R * G, k.pool_all = k.pool_col + C * G;
    ref::fused_forward(k);
    std::vector<Complex> a(static_cast<size_t>(R * C * F));
    for (int64_t i = 0; i < R * C; ++i)
      for (int64_t f = 0; f < F; ++f)
        a[static_cast<size_t>(i * F + f)] = ref::activated(px + i * F, s.data(), t.data(), f);
    std::vector<int32_t> index(static_cast<size_t>((R + C + 1) * F));
    Complex* pooled = out + R * C * G;
    ref::pool_matrix(R, C, F, Reduce::max, a.data(), pooled, pooled + R * F, pooled + (R + C) * F,
                     index.data(), index.data() + R * F, index.data() + (R + C) * F);
  };
  const std::vector<Complex> cx(x.begin(), x.end()), cw(w.begin(), w.end());

  std::vector<double> wt(w.size()), g(x.size()), dw(w.size()), sum(2), sum_x(2), row_sum(size_t{R * F}),
      col_sum(size_t{C * F});
  for (int64_t f = 0; f < F; ++f)
    for (int64_t j = 0; j < G; ++j) wt[static_cast<size_t>(j * F + f)] = w[static_cast<size_t>(f * G + j)];
  FusedBackward<double> k{};
  k.R = R, k.C = C, k.F = F, k.G = G;
  k.x = x.data(), k.scale = scale.data(), k.shift = shift.data(), k.wt = wt.data();
  k.y = y.data(), k.gy = gy.data(), k.p = p.data(), k.q = q.data(), k.r = r.data();
  k.pool_row = pools.row.data(), k.pool_col = pools.col.data(), k.pool_all = pools.all.data();
  k.drow = drow.data(), k.drow_ld = F, k.dcol = dcol.data(), k.dcol_ld = F, k.dall = dall.data();
  k.origin = zeros.data(), k.g = g.data(), k.dw = dw.data(), k.sum = sum.data(), k.sum_x = sum_x.data();
  k.row_sum = row_sum.data(), k.col_sum = col_sum.data();
  ref::fused_backward(k);

  // The row and column terms reach every position of theirs: their gradients are the sums of g over it.
  std::vector<double> over_columns(row_sum.size()), over_rows(col_sum.size());
  for (size_t i = 0; i < g.size(); ++i) {
    const size_t position = i / size_t{F}, f = i % size_t{F};
    over_columns[position / size_t{C} * size_t{F} + f] += g[i];
    over_rows[position % size_t{C} * size_t{F} + f] += g[i];
  }
  expect_close("rows", row_sum, over_columns, 1e-12);
  expect_close("columns", col_sum, over_rows, 1e-12);
  for (size_t i = 0; i < g.size(); ++i) g[i] *= scale[i % 2];
  expect_close("x", g, complex_step(x, cotangent, [&](auto* in, auto* out) { forward(in, cw.data(), out); }),
               1e-12);
  expect_close("w", dw, complex_step(w, cotangent, [&](auto* in, auto* out) { forward(cx.data(), in, out); }),
               1e-12);
}

TEST(MatmulOntoRows, MatchesTheTwin) {
  for (int64_t M : {0, 1, 6, 12, 40})
    for (int64_t N : {1, 16, 33, 100})
      for (int64_t K : {0, 1, 32, 131})
        for (int64_t period : {1, 5, 40}) {
          const auto a = random_values(M * K, 1), b = random_values(K * (N + 2), 2),
                     row = random_values((M / period + 1) * (N + 1), 3), c = random_values(M * (N + 3), 4);
          check_against_twin({text("onto rows {} {} {} {}", M, N, K, period),
                              {a, b, row},
                              {c},
                              {},
                              4 * kEps * static_cast<double>(K + 2)},
                             [&](auto in, auto out, auto) {
                               matmul_onto_rows(M, N, K, in[0], in[1], N + 2, out[0], N + 3, in[2], N + 1,
                                                period);
                             });
        }
}

}  // namespace
}  // namespace dws::kernels
