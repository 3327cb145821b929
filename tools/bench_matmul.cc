// Products of the shapes that training meets.
#include "bench.h"
#include "core/buffer.h"
#include "core/rng.h"
#include "core/text.h"
#include "kernels/matmul.h"

namespace dws::tools {
namespace {

Buffer<float> random_buffer(int64_t size) {
  Buffer<float> buffer(static_cast<size_t>(size));
  Rng rng(1);
  for (float& x : buffer) x = rng.uniform_float() - 0.5f;
  return buffer;
}

// c (M, N) = a b, with `transposed` a stored as (K, M): the gradient of a weight.
BenchCase product(const std::string& name, int64_t M, int64_t N, int64_t K, bool transposed) {
  return {name, [=](const BenchContext& context) {
            const Buffer<float> a = random_buffer(M * K), b = random_buffer(K * N);
            Buffer<float> c(static_cast<size_t>(M * N));
            constexpr int kRepeats = 20;
            const double seconds =
                best_seconds(context.seconds,
                             [&] {
                               for (int i = 0; i < kRepeats; ++i)
                                 kernels::matmul(M, N, K, a.data(), transposed ? 1 : K, transposed ? M : 1,
                                                 b.data(), N, c.data(), N, false);
                             }) /
                kRepeats;
            Json result = Json::object();
            const double gflops = 2e-9 * static_cast<double>(M * N * K) / seconds;
            result.set("shape", text("{}x{}x{}", M, N, K));
            result.set("seconds", seconds);
            result.set("gflops", gflops);
            result.set("share_of_peak", gflops / context.peak_gflops);
            return result;
          }};
}

}  // namespace

std::vector<BenchCase> bench_matmul() {
  return {product("matmul.forward", 1024, 32, 32, false), product("matmul.wide", 1024, 128, 128, false),
          product("matmul.weight_gradient", 32, 32, 1024, true),
          product("matmul.square", 256, 256, 256, false)};
}

}  // namespace dws::tools
