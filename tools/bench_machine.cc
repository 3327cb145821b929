// The yardsticks: what the machine could do at most.
#include <algorithm>

#include "bench.h"
#include "core/parallel.h"
#include "kernels/isa.h"
#include "kernels/peak.h"

namespace dws::tools {
namespace {

Json peak(const BenchContext& context, int count) {
  Json result = Json::object();
  result.set("gflops", context.peak(count));
  result.set("isa", kernels::to_string(kernels::isa()));
  result.set("threads", count);
  return result;
}

// The arrays of all threads together are larger than any cache, one thread's large enough to be read in
// pieces.
Json memory(const BenchContext& context, int count) {
  constexpr size_t kTotal = size_t{768} << 20, kLeast = size_t{96} << 20;
  std::vector<kernels::MemoryRates> rates(static_cast<size_t>(count));
  const size_t bytes = std::max(kLeast, kTotal / rates.size());
  parallel_for(count, [&](int64_t i) {
    rates[static_cast<size_t>(i)] = kernels::measure_memory_gbs(context.seconds, bytes);
  });
  kernels::MemoryRates sum;
  for (const kernels::MemoryRates& r : rates) {
    sum.read += r.read;
    sum.copy += r.copy;
    sum.triad += r.triad;
  }
  Json result = Json::object();
  result.set("gb_per_second", sum.triad);
  result.set("read_gb_per_second", sum.read);
  result.set("copy_gb_per_second", sum.copy);
  result.set("threads", count);
  return result;
}

}  // namespace

BenchContext measure_machine(double seconds) {
  BenchContext context;
  context.seconds = seconds;
  context.peak_gflops = kernels::measure_fma_gflops(seconds);
  std::vector<double> each(static_cast<size_t>(std::max(1, threads())), context.peak_gflops);
  if (each.size() > 1)
    parallel_for(static_cast<int64_t>(each.size()),
                 [&](int64_t i) { each[static_cast<size_t>(i)] = kernels::measure_fma_gflops(seconds); });
  for (const double gflops : each) context.peak_gflops_each += gflops / static_cast<double>(each.size());
  return context;
}

std::vector<BenchCase> bench_machine() {
  return {
      {"machine.peak", [](const BenchContext& context) { return peak(context, 1); }},
      {"machine.peak.all_threads", [](const BenchContext& context) { return peak(context, threads()); }},
      {"machine.memory", [](const BenchContext& context) { return memory(context, 1); }},
      {"machine.memory.all_threads", [](const BenchContext& context) { return memory(context, threads()); }}};
}

}  // namespace dws::tools
