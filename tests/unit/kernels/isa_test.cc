#include "kernels/isa.h"

#include "harness.h"
#include "kernels/peak.h"

namespace dws::kernels {
namespace {

TEST(Isa, NeverMoreThanTheProcessorHas) {
  for (Isa wanted : {Isa::portable, Isa::avx2, Isa::avx512}) {
    set_isa(wanted);
    EXPECT_LE(isa(), best_isa());
    EXPECT_LE(isa(), wanted);
  }
  set_isa(best_isa());
  EXPECT_EQ(isa(), best_isa());
  EXPECT_STREQ(to_string(Isa::portable), "portable");
  EXPECT_STREQ(to_string(Isa::avx2), "avx2");
  EXPECT_STREQ(to_string(Isa::avx512), "avx512");
}

TEST(Peak, MeasuresSomethingPossible) {
  EXPECT_GT(measure_fma_gflops(0.01), 0.1);
  EXPECT_LT(measure_fma_gflops(0.01), 2000.0);
  const MemoryRates rates = measure_memory_gbs(0.01, size_t{3} << 20);
  for (const double rate : {rates.read, rates.copy, rates.triad}) {
    EXPECT_GT(rate, 0.01);
    EXPECT_LT(rate, 10000.0);
  }
}

}  // namespace
}  // namespace dws::kernels
