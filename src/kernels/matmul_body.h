// Float bodies of matmul.h for one instruction set: one register tile, driven over blocks that fit caches.
#pragma once

#include <utility>

#include "kernels/elementwise_body.h"

namespace dws::kernels::DWS_ISA {

// A tile of kTileRows x 2 vectors of c stays in registers: 24 of 32 with AVX-512, 12 of 16 with AVX2, 8 of 16
// with SSE or NEON; the rest hold one row of b and the element of a.
inline constexpr int kTileRows = DWS_LANES == 16 ? 12 : DWS_LANES == 8 ? 6 : 4;
inline constexpr int kPanel = 2 * kLanes;
// Long sums go in blocks of k: each summed in registers, then added to c. A block of b of one panel's width
// is at most 16 KiB (AVX-512), inside the first-level cache; and shorter partial sums lose less to rounding.
inline constexpr int64_t kBlockK = 128;
// Floats of `a` that one sweep over the panels of b reads again and again: inside the second-level cache.
inline constexpr int64_t kBlockA = 16384;

struct Product {
  const float* a;
  int64_t a_ld;
  bool turned;  // a is (K, M): columns of a product's a lie a_ld apart, not rows
  const float* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  // Where the sums start: row m of c at row[m / period] + col[m % period] (without col when that is null); at
  // zero when `row` is null.
  const float* row;
  int64_t row_ld;
  const float* col;
  int64_t col_ld;
  int64_t period;
  // What the caller reads next, from far memory: fetched one line of each a step while the product runs.
  const float* next = nullptr;
  const float* next_end = nullptr;
  const float* start = nullptr;  // where every number of row m of c starts, in place of zero
};

// How the rows of a tile start: at zero, at row[m / period], or at that plus col[m % period].
template <int MR, int NV>
DWS_INLINE void start_tile(const Product& p, int64_t m, int part, Vec (&acc)[MR][NV]) {
  constexpr int kLast = (NV - 1) * kLanes;
  const auto add = [&](Vec* to, const float* from) DWS_INLINED {
    if (NV == 2) to[0] += load(from);
    to[NV - 1] += load_part(from + kLast, part);
  };
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) acc[i][j] = p.start ? broadcast(p.start[m + i]) : zero();
  if (!p.row) return;
  int64_t r = p.period == 1 ? m : m / p.period, q = m - r * p.period;
  const float *row = p.row + r * p.row_ld, *col = p.col ? p.col + q * p.col_ld : nullptr;
  if (p.period - q >= MR) {  // one row vector for all of them
    Vec shared[NV];
    if (NV == 2) shared[0] = load(row);
    shared[NV - 1] = load_part(row + kLast, part);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) acc[i][j] = shared[j];
      if (col) add(acc[i], col + i * p.col_ld);
    }
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    add(acc[i], row);
    if (col) add(acc[i], p.col + q * p.col_ld);
    if (++q == p.period) row += p.row_ld, q = 0;
  }
}

// c (MR, up to 2 vectors) at p.c, sum over K of p.a p.b; `part` lanes of the last vector exist. The element of
// a at (i, k) is a[i + k * a_ld] with Turned, else a[i * a_ld + k].
template <int MR, int NV, bool Turned>
static void tile(const Product& p, int64_t K, int64_t m, int part, bool accumulate) noexcept {
  Vec acc[MR][NV];
  start_tile<MR, NV>(p, m, part, acc);
  const float* b = p.b;
  const int64_t a_ld = p.a_ld, ldb = p.ldb;
  // Of three rows one address, the others at one and two strides from it: few registers, no sums.
  constexpr int kBases = Turned ? 1 : (MR + 2) / 3;
  const float* a[kBases];
#pragma GCC unroll 16
  for (int i = 0; i < kBases; ++i) a[i] = p.a + 3 * i * a_ld;
  // One line ahead a step: what the caller reads next, or the next tile's rows where rows are contiguous, else
  // this tile's own.
  const bool told = p.next < p.next_end;
  const float* ahead = told ? p.next : Turned ? p.a + 16 * a_ld : p.a + MR * a_ld;
  const int64_t ahead_step = !told && Turned ? a_ld : 16;
  const auto step = [&](int64_t u) DWS_INLINED {
    Vec line[NV];
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) line[j] = load(b + j * kLanes);
    b += ldb;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const Vec factor = broadcast(Turned ? a[0][i] : a[i / 3][i % 3 * a_ld + u]);
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) acc[i][j] = fma(factor, line[j], acc[i][j]);
    }
    if (Turned) a[0] += a_ld;
    if (told)
      __builtin_prefetch(ahead, 0, 2);  // the second-level cache: the first has no room for it
    else
      __builtin_prefetch(ahead);
    ahead += ahead_step;
  };
  int64_t k = 0;
  for (; k + 2 <= K; k += 2) {
    step(0);
    step(1);
    if (!Turned) {
#pragma GCC unroll 16
      for (int i = 0; i < kBases; ++i) a[i] += 2;
    }
  }
  if (k < K) step(0);
  float* c = p.c;
  constexpr int kLast = (NV - 1) * kLanes;
  if (accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      if (NV == 2) acc[i][0] += load(c + i * p.ldc);
      acc[i][NV - 1] += load_part(c + i * p.ldc + kLast, part);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i, c += p.ldc) {
    if (NV == 2) store(c, acc[i][0]);
    if (part == kLanes)
      store(c + kLast, acc[i][NV - 1]);
    else
      store_part(c + kLast, acc[i][NV - 1], part);
  }
}

template <int MR, int NV, bool Turned>
static void last_rows(const Product& p, int64_t rows, int64_t K, int64_t m, int part,
                      bool accumulate) noexcept {
  if constexpr (MR > 0) {
    if (rows == MR)
      tile<MR, NV, Turned>(p, K, m, part, accumulate);
    else
      last_rows<MR - 1, NV, Turned>(p, rows, K, m, part, accumulate);
  }
}

template <int NV, bool Turned>
static void panel(Product p, int64_t rows, int64_t K, int64_t m, int part, bool accumulate) noexcept {
  const int64_t end = m + rows;
  for (; m + kTileRows <= end; m += kTileRows) {
    tile<kTileRows, NV, Turned>(p, K, m, part, accumulate);
    if (p.next) p.next += 16 * K;
    p.a += Turned ? kTileRows : kTileRows * p.a_ld;
    p.c += kTileRows * p.ldc;
  }
  last_rows<kTileRows - 1, NV, Turned>(p, end - m, K, m, part, accumulate);
}

// `source` sets b of a panel, rows [k, k + depth) at columns [n, n + width): where it lies, or in `packed`.
template <class Source>
static void multiply(int64_t M, int64_t N, int64_t K, const Product& whole, bool accumulate,
                     const Source& source) noexcept {
  alignas(64) float packed[kBlockK * kPanel];
  const int64_t deepest = K < kBlockK ? (K > 0 ? K : 1) : kBlockK;
  const int64_t fit = kBlockA / deepest / kTileRows * kTileRows;
  for (int64_t m = 0; m < M; m += fit) {
    const int64_t rows = M - m < fit ? M - m : fit;
    int64_t k = 0;
    do {
      const int64_t depth = K - k < kBlockK ? K - k : kBlockK;
      for (int64_t n = 0; n < N; n += kPanel) {
        const int width = static_cast<int>(N - n < kPanel ? N - n : kPanel);
        const int vectors = width > kLanes ? 2 : 1;
        const int part = width - (vectors - 1) * kLanes;
        Product p = whole;
        p.a += p.turned ? m + k * p.a_ld : m * p.a_ld + k;
        p.c += m * p.ldc + n;
        if (k > 0) p.row = p.start = nullptr;
        if (p.row) p.row += n;
        if (p.col) p.col += n;
        source(p, k, n, depth, width, rows, packed);
        const bool add = accumulate || k > 0;
        const auto run = vectors == 2 ? p.turned ? panel<2, true> : panel<2, false>
                         : p.turned ? panel<1, true>
                                      : panel<1, false>;
        run(p, rows, depth, m, part, add);
      }
      k += kBlockK;
    } while (k < K);
  }
}
// b in memory. Panels are copied side by side where rows of b lie far apart (they would fall on the same cache sets) and
// enough rows of c share the copy, or where b ends inside a vector.
static void multiply(int64_t M, int64_t N, int64_t K, const Product& whole, bool accumulate) noexcept {
  const auto stored = [](Product& p, int64_t k, int64_t n, int64_t depth, int width, int64_t rows,
                         float* packed) DWS_INLINED {
    const int vectors = width > kLanes ? 2 : 1, part = width - (vectors - 1) * kLanes;
    p.b += k * p.ldb + n;
    if (part == kLanes && (p.ldb <= 2 * kPanel || rows <= 2 * kTileRows)) return;
    float* to = packed;
    for (int64_t i = 0; i < depth; ++i, to += kPanel) {
      const float* from = p.b + i * p.ldb;
      if (vectors == 2) store(to, load(from));
      store(to + (vectors - 1) * kLanes, load_part(from + (vectors - 1) * kLanes, part));
    }
    p.b = packed;
    p.ldb = kPanel;
  };
  multiply(M, N, K, whole, accumulate, stored);
}

DWS_INLINE Product product_of(const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t ldb,
                              float* c, int64_t ldc) {
  const bool turned = a_col != 1;
  return {a, turned ? a_col : a_row, turned, b, ldb, c, ldc, nullptr, 0, nullptr, 0, 1};
}

static void matmul(int64_t M, int64_t N, int64_t K, const float* a, int64_t a_row, int64_t a_col,
                   const float* b, int64_t ldb, float* c, int64_t ldc, bool accumulate) noexcept {
  multiply(M, N, K, product_of(a, a_row, a_col, b, ldb, c, ldc), accumulate);
}

static void matmul_onto_rows(int64_t M, int64_t N, int64_t K, const float* a, const float* b, int64_t ldb,
                             float* c, int64_t ldc, const float* row, int64_t row_ld,
                             int64_t period) noexcept {
  multiply(M, N, K, {a, K, false, b, ldb, c, ldc, row, row_ld, nullptr, 0, period}, false);
}

static void matrix_update(int64_t R, int64_t C, int64_t F, int64_t G, const float* x, const float* w,
                          const float* row, const float* col, float* y) noexcept {
  multiply(R * C, G, F, {x, F, false, w, G, y, G, row, G, col, G, C}, false);
}

// lane j of `low` (`high`): a[j / 2 (+ kLanes / 2)] where j is even, b there where it is odd.
template <int... J>
DWS_INLINE void interleave(Vec a, Vec b, Vec& low, Vec& high, std::integer_sequence<int, J...>) {
  low = __builtin_shufflevector(a, b, (J / 2 + (J % 2) * kLanes)...);
  high = __builtin_shufflevector(a, b, ((J + kLanes) / 2 + (J % 2) * kLanes)...);
}

// Squares of kLanes x kLanes in registers: with n rows, log2 n rounds that interleave row i with row i + n / 2.
static void transpose(int64_t rows, int64_t cols, const float* in, float* out) noexcept {
  for (int64_t r = 0; r < rows; r += kLanes)
    for (int64_t c = 0; c < cols; c += kLanes) {
      const int64_t height = rows - r < kLanes ? rows - r : kLanes;
      const int64_t width = cols - c < kLanes ? cols - c : kLanes;
      Vec from[kLanes], to[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) from[i] = i < height ? load_n(in + (r + i) * cols + c, width) : zero();
#pragma GCC unroll 4
      for (int round = 1; round < kLanes; round *= 2) {
#pragma GCC unroll 8
        for (int i = 0; i < kLanes / 2; ++i)
          interleave(from[i], from[i + kLanes / 2], to[2 * i], to[2 * i + 1],
                     std::make_integer_sequence<int, kLanes>());
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) from[i] = to[i];
      }
#pragma GCC unroll 16
      for (int j = 0; j < kLanes; ++j)
        if (j < width) store_n(out + (c + j) * rows + r, from[j], height);
    }
}

}  // namespace dws::kernels::DWS_ISA
