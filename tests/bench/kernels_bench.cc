// Timings of the kernels on the shapes that matter; DWS_ISA chooses the instruction set.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/reduce.h"

namespace dws::kernels {
namespace {

std::vector<float> values(int64_t n) {
  std::vector<float> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i % 251) / 251.0f - 0.5f;
  return v;
}

// Arguments: M, N, K, whether a is transposed (weight gradients).
void BM_matmul(benchmark::State& state) {
  const int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  const bool transposed = state.range(3) != 0;
  const auto a = values(M * K), b = values(K * N);
  auto c = values(M * N);
  for (auto _ : state) {
    matmul<float>(M, N, K, a.data(), transposed ? 1 : K, transposed ? M : 1, b.data(), N, c.data(), N, false);
    benchmark::DoNotOptimize(c.data());
    benchmark::ClobberMemory();
  }
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * static_cast<double>(M * N * K),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_matmul)
    ->Args({65536, 32, 32, 0})
    ->Args({65536, 64, 64, 0})
    ->Args({1024, 32, 32, 0})
    ->Args({32, 96, 96, 0})
    ->Args({128, 256, 256, 0})
    ->Args({32, 32, 4096, 1})
    ->Args({32, 32, 65536, 1})
    ->Args({64, 64, 65536, 1});

// 8 networks of (32, 32, 32).
void BM_pool_matrix(benchmark::State& state) {
  const int64_t R = 32, C = 32, F = 32, networks = 8;
  const auto x = values(networks * R * C * F);
  auto row = values(R * F), col = values(C * F), all = values(F);
  std::vector<int32_t> row_index(row.size()), col_index(col.size()), all_index(all.size());
  for (auto _ : state) {
    for (int64_t s = 0; s < networks; ++s)
      pool_matrix<float>(R, C, F, static_cast<Reduce>(state.range(0)), x.data() + s * R * C * F, row.data(),
                         col.data(), all.data(), row_index.data(), col_index.data(), all_index.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(x.size() * sizeof(float)));
}
BENCHMARK(BM_pool_matrix)->Arg(static_cast<int>(Reduce::max))->Arg(static_cast<int>(Reduce::mean));

void BM_column_moments(benchmark::State& state) {
  const int64_t rows = 8192, C = state.range(0);
  const auto x = values(rows * C), shift = values(C);
  std::vector<double> sum(shift.size()), square(shift.size());
  for (auto _ : state) {
    column_moments<float>(rows, C, x.data(), shift.data(), sum.data(), square.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(x.size() * sizeof(float)));
}
BENCHMARK(BM_column_moments)->Arg(32)->Arg(64);

}  // namespace
}  // namespace dws::kernels
