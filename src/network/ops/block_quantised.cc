// Products with a weight of few bits, quantised in blocks along the summed axis (com.microsoft).
#include <algorithm>

#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/gemm.h"

namespace dws::network {
namespace {

// y (..., N) = x (..., K) W^T. Inputs: x, W's bytes (N, blocks, block bits / 8), scales (N blocks), zero points packed a row each
// or as floating point numbers (N blocks), a block for each column of W (not known here), bias (N).
void matmul_nbits(Context& c) {
  const Array &x = c.in(0), &w = c.in(1), &scales = c.in(2);
  const int64_t K = c.node().attr_int("K", 0), N = c.node().attr_int("N", 0),
                bits = c.node().attr_int("bits", 4), block = c.node().attr_int("block_size", 0);
  c.require(x.real() && scales.real() && x.rank() >= 1 && w.type == OnnxType::u8,
            "expected numbers, bytes and scales");
  c.require(K > 0 && N > 0 && K < (int64_t{1} << 31) && N < (int64_t{1} << 31) &&
                N <= (int64_t{1} << 40) / K && block > 0 && block < (1 << 20) &&
                (bits == 2 || bits == 4 || bits == 8) && block * bits % 8 == 0,
            "K, N, bits or block_size out of range");
  c.require(x.dims.back() == K, "the input's last axis is not K");
  const int64_t blocks = (K + block - 1) / block, bytes = block * bits / 8, row = (blocks * bits + 7) / 8;
  c.require(w.size() == N * blocks * bytes && scales.size() == N * blocks,
            "bytes or scales do not fit N and K");
  const bool real_zeros = c.has(3) && c.in(3).real();
  if (c.has(3)) c.require(c.in(3).size() == (real_zeros ? N * blocks : N * row), "zero points do not fit");
  if (c.has(4)) c.fail(ErrorKind::mismatch, "blocks in another order cannot be run");
  if (c.has(5)) c.require(c.in(5).real() && c.in(5).size() == N, "bias: one number a column");
  std::vector<int64_t> dims = x.dims;
  dims.back() = N;
  Array& y = c.make(0, x.type, dims);
  if (!c.computing()) return;
  // The i-th number of a row of bytes, from the low bits.
  const auto number = [&](const std::vector<int64_t>& packed, int64_t first, int64_t i) {
    const int64_t per_byte = 8 / bits;
    return packed[static_cast<size_t>(first + i / per_byte)] >> (bits * (i % per_byte)) & ((1 << bits) - 1);
  };
  std::vector<double> turned(static_cast<size_t>(K * N));  // (K, N)
  for (int64_t n = 0; n < N; ++n)
    for (int64_t k = 0; k < K; ++k) {
      const int64_t b = k / block, at = n * blocks + b;
      const double zero = real_zeros ? c.in(3).reals[static_cast<size_t>(at)]
                          : c.has(3) ? static_cast<double>(number(c.in(3).ints, n * row, b))
                                     : static_cast<double>(1 << (bits - 1));
      turned[static_cast<size_t>(k * N + n)] =
          scales.reals[static_cast<size_t>(at)] *
          (static_cast<double>(number(w.ints, at * bytes, k % block)) - zero);
    }
  gemm_add(x.size() / K, N, K, x.reals.data(), K, turned.data(), N, y.reals.data(), N);
  if (c.has(5))
    for (size_t i = 0; i < y.reals.size(); ++i) y.reals[i] += c.in(5).reals[i % static_cast<size_t>(N)];
}

constexpr OperatorRow kRows[] = {{"MatMulNBits", matmul_nbits, "com.microsoft"}};

}  // namespace

std::span<const OperatorRow> block_quantised_operators() {
  return kRows;
}

}  // namespace dws::network
