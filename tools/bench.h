// The cases of `dws bench`, one list a file tools/bench_*.cc.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json.h"

namespace dws::tools {

// What all cases may use.
struct BenchContext {
  double seconds = 1;           // about how long one measurement may take
  double peak_gflops = 0;       // measured: one thread alone,
  double peak_gflops_each = 0;  // and each of threads() threads while all of them run
  double peak(int count) const noexcept { return count > 1 ? count * peak_gflops_each : peak_gflops; }
};

struct BenchCase {
  std::string name;  // "matmul.forward"
  // What was measured: "seconds" of one unit of work and, where they make sense, "gflops", "share_of_peak"
  // (of as many threads as were used), "networks_per_second" and anything else worth knowing. An array holds
  // one value a point, an object the shares of parts.
  std::function<Json(const BenchContext&)> run;
};

std::vector<BenchCase> bench_machine();
std::vector<BenchCase> bench_matmul();
std::vector<BenchCase> bench_engine();
std::vector<BenchCase> bench_fit();
std::vector<BenchCase> bench_augment();
std::vector<BenchCase> bench_dws();
std::vector<BenchCase> bench_scale();
std::vector<BenchCase> bench_growth();
std::vector<BenchCase> bench_symmetry();
std::vector<BenchCase> bench_align();
std::vector<BenchCase> bench_open();
std::vector<BenchCase> bench_checkpoint();
std::vector<BenchCase> bench_assignment();
std::vector<BenchCase> bench_merge();

// Seconds of one call of `work`, over as many calls as fit into about `seconds` (two at least).
struct Timing {
  double best = 0, median = 0;
};
Timing measure(double seconds, const std::function<void()>& work);
double timed(const std::function<void()>& work);  // one call
double best_seconds(double seconds, const std::function<void()>& work);

// Measures peak_gflops and peak_gflops_each.
BenchContext measure_machine(double seconds);

// Networks fitted a second at the default recipe, every one of `workers` threads at its own network.
double fit_rate(double seconds, int workers);

}  // namespace dws::tools
