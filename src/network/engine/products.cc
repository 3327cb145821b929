// Gemm, MatMul, FusedMatMul, MatMulNBits; bias, BatchNorm and ReLU behind them are done with them.
#include <algorithm>
#include <functional>

#include "core/buffer.h"
#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "network/engine/fold.h"
#include "network/engine/plan.h"
#include "network/engine/strided.h"

namespace dws::network::engine {
namespace {

constexpr int64_t kOne = 1;

// The weight of a product, (K, N): a fixed value as it is, or made of some.
struct Weight {
  int stored = kNone;
  std::vector<int> from{};
  std::function<void(const Frame&, float* to)> make{};
};

// y (M, N) = alpha x (M, K) w + beta bias; bias, or kNone, of N numbers or one.
void linear(Builder& b, int y, int x, const Weight& w, double alpha, int bias, double beta, int64_t M,
            int64_t N, int64_t K) {
  const size_t rank = b.shape(y).dims.size();
  const Tail tail = tail_of(b, y, rank - 1, bias == kNone);
  const int added = bias != kNone ? bias : tail.bias;
  const bool with_bias = added != kNone || tail.norm,
             as_stored = w.stored != kNone && alpha == 1 && !tail.norm;
  std::vector<int> from = tail.fixed;
  from.insert(from.end(), w.from.begin(), w.from.end());
  if (w.stored != kNone) from.push_back(w.stored);
  if (added != kNone) from.push_back(added);
  const bool one_bias = added != kNone && b.size(added) == 1 && N != 1;
  const auto scale = static_cast<float>(alpha), bias_scale = static_cast<float>(bias != kNone ? beta : 1);
  const int64_t weights = as_stored ? 0 : K * N;
  int folded = kNone;  // the weights, unless as stored, then the bias
  if (!as_stored || with_bias)
    folded = b.derive(weights + (with_bias ? N : 0), from, [=, norm = tail.norm](const Frame& f, float* to) {
      Buffer<float> factor(static_cast<size_t>(N)), own;
      if (added != kNone) {
        own = Buffer<float>(static_cast<size_t>(one_bias ? 1 : N));
        kernels::scale(static_cast<int64_t>(own.size()), bias_scale, f.in(added), own.data(), false);
      }
      fold_norm(f, norm, N, added == kNone ? nullptr : own.data(), one_bias, factor.data(),
                with_bias ? to + weights : nullptr);
      if (as_stored) return;
      if (w.make)
        w.make(f, to);
      else
        std::copy_n(f.in(w.stored), K * N, to);
      if (scale == 1 && !norm) return;
      for (int64_t k = 0; k < K; ++k)
        for (int64_t n = 0; n < N; ++n) to[k * N + n] *= scale * factor[static_cast<size_t>(n)];
    });
  std::vector<int> reads = {x};
  if (as_stored) reads.push_back(w.stored);
  if (folded != kNone) reads.push_back(folded);
  b.add_flops(2.0 * static_cast<double>(M) * static_cast<double>(N) * static_cast<double>(K));
  b.step({.reads = reads,
          .writes = {tail.out},
          .work = [=, stored = w.stored, out = tail.out, relu = tail.relu](const Frame& f) {
            const float* table = as_stored ? f.in(stored) : f.in(folded);
            float* to = f.out(out);
            if (with_bias)
              kernels::matmul_onto_rows(M, N, K, f.in(x), table, N, to, N, f.in(folded) + weights, int64_t{0},
                                        std::max(M, kOne));
            else
              kernels::matmul(M, N, K, f.in(x), K, kOne, table, N, to, N, false);
            if (relu) kernels::relu(M * N, to, to);
          }});
}

// A fixed value (K, N), or `turned` (N, K).
Weight weight(int w, bool turned, int64_t K, int64_t N) {
  if (!turned) return {.stored = w};
  return {.from = {w}, .make = [=](const Frame& f, float* to) { kernels::transpose(N, K, f.in(w), to); }};
}

// numpy's rule: a vector is a row on the left and a column on the right, leading axes are stretched.
bool product(Builder& b, const Node& node, bool turn_a, bool turn_b, double alpha) {
  const int a = node.inputs.at(0), c = node.inputs.at(1), y = node.outputs.at(0);
  if (!b.real(a) || !b.real(c)) return false;
  std::vector<int64_t> da = b.shape(a).dims, dc = b.shape(c).dims;
  if (da.size() < 2 || dc.size() < 2) return false;
  if (turn_a) std::swap(da[da.size() - 1], da[da.size() - 2]);
  if (turn_b) std::swap(dc[dc.size() - 1], dc[dc.size() - 2]);
  const int64_t m = da[da.size() - 2], k = da.back(), n = dc.back();
  if (b.fixed(c) && !turn_a && b.size(c) == k * n && b.size(y) > 0) {
    linear(b, y, a, weight(c, turn_b, k, n), alpha, kNone, 1, b.size(y) / n, n, k);
    return true;
  }
  const std::vector<int64_t> batch_a(da.begin(), da.end() - 2), batch_c(dc.begin(), dc.end() - 2);
  const std::vector<int64_t>& dims = b.shape(y).dims;
  const std::vector<int64_t> batch(dims.begin(), dims.end() - 2);
  const int64_t products = elements(batch);
  b.add_flops(2.0 * static_cast<double>(products * m) * static_cast<double>(n) * static_cast<double>(k));
  b.step({.reads = {a, c},
          .writes = {y},
          .scratch = turn_b ? k * n : 0,
          .work = [=, walk = Strided<2>({batch_a, batch_c}, batch),
                   scale = static_cast<float>(alpha)](const Frame& f) {
            const float *left = f.in(a), *right = f.in(c);
            float* out = f.out(y);
            walk.lines([&](int64_t to, const auto& at, int64_t count, const auto& step) {
              for (int64_t i = 0; i < count; ++i) {
                const float *p = left + (at[0] + i * step[0]) * m * k,
                            *q = right + (at[1] + i * step[1]) * k * n;
                if (turn_b) {
                  kernels::transpose(n, k, q, f.scratch);
                  q = f.scratch;
                }
                kernels::matmul(m, n, k, p, turn_a ? kOne : k, turn_a ? m : kOne, q, n,
                                out + (to + i) * m * n, n, false);
              }
            });
            if (scale != 1) kernels::scale(products * m * n, scale, out, out, false);
          }});
  return true;
}

bool gemm(Builder& b, const Node& node) {
  const int a = node.inputs.at(0), c = node.inputs.at(1), bias = input_of(node, 2), y = node.outputs.at(0);
  const bool turn_a = node.attr_int("transA", 0), turn_b = node.attr_int("transB", 0);
  const double alpha = node.attr_float("alpha", 1), beta = node.attr_float("beta", 1);
  if (!b.real(a) || !b.fixed(c) || turn_a) return false;
  const std::vector<int64_t>& dims = b.shape(y).dims;
  if (bias != kNone) {
    const std::vector<int64_t>& own = b.shape(bias).dims;
    const bool row = b.size(bias) == 1 || (b.size(bias) == dims[1] && !own.empty() && own.back() == dims[1]);
    if (!b.fixed(bias) || !row) return false;
  }
  const int64_t K = b.shape(a).dims[1];
  linear(b, y, a, weight(c, turn_b, K, dims[1]), alpha, bias, beta, dims[0], dims[1], K);
  return true;
}
bool fused(Builder& b, const Node& node) {
  if (node.attr_int("transBatchA", 0) || node.attr_int("transBatchB", 0)) return false;
  return product(b, node, node.attr_int("transA", 0), node.attr_int("transB", 0),
                 node.attr_float("alpha", 1));
}

// A weight of few bits in blocks along K (com.microsoft): multiplied as the floats that it stands for.
bool few_bits(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), w = node.inputs.at(1), scales = node.inputs.at(2),
            zeros = input_of(node, 3), bias = input_of(node, 5), y = node.outputs.at(0);
  for (const int v : {w, scales, zeros, bias})
    if (v != kNone && !b.fixed(v)) return false;
  const int64_t K = node.attr_int("K", 0), N = node.attr_int("N", 0), bits = node.attr_int("bits", 4),
                block = node.attr_int("block_size", 0);
  const int64_t blocks = (K + block - 1) / block, bytes = block * bits / 8, row = (blocks * bits + 7) / 8;
  const bool real_zeros = zeros != kNone && b.real(zeros);
  // The i-th number from the low bits of the bytes, which flow as floats.
  const auto number = [=](const float* packed, int64_t i) {
    const int64_t each = 8 / bits;
    return static_cast<float>(static_cast<unsigned>(packed[i / each]) >> (bits * (i % each)) &
                              ((1u << bits) - 1));
  };
  Weight made{.from = {w, scales}, .make = [=](const Frame& f, float* to) {
                for (int64_t n = 0; n < N; ++n)
                  for (int64_t at = 0; at < blocks; ++at) {
                    const int64_t own = n * blocks + at, first = at * block, end = std::min(K, first + block);
                    const float zero = zeros == kNone ? static_cast<float>(1 << (bits - 1))
                                       : real_zeros   ? f.in(zeros)[own]
                                                      : number(f.in(zeros) + n * row, at);
                    const float *packed = f.in(w) + own * bytes, scale = f.in(scales)[own];
                    for (int64_t k = first; k < end; ++k)
                      to[k * N + n] = scale * (number(packed, k - first) - zero);
                  }
              }};
  if (zeros != kNone) made.from.push_back(zeros);
  linear(b, y, x, made, 1, bias, 1, b.size(x) / K, N, K);
  return true;
}

}  // namespace

std::vector<PlannerRow> product_planners() {
  return {{"MatMul", [](Builder& b, const Node& node) { return product(b, node, false, false, 1); }},
          {"Gemm", gemm},
          {"FusedMatMul", fused, "com.microsoft"},
          {"MatMulNBits", few_bits, "com.microsoft"}};
}

}  // namespace dws::network::engine
