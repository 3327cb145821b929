// The cases of `dws bench`, one list a file tools/bench_*.cc.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json.h"

namespace dws::tools {

// What all cases may use.
struct BenchContext {
  double seconds = 1;      // about how long one measurement may take
  double peak_gflops = 0;  // measured, one thread
};

struct BenchCase {
  std::string name;  // "matmul.forward"
  // What was measured: "seconds" of one unit of work and, where they make sense, "gflops", "share_of_peak"
  // (of as many threads as were used), "unit" and anything else worth knowing.
  std::function<Json(const BenchContext&)> run;
};

std::vector<BenchCase> bench_machine();
std::vector<BenchCase> bench_matmul();
std::vector<BenchCase> bench_fit();
std::vector<BenchCase> bench_train();
std::vector<BenchCase> bench_augment();

// Least seconds of one call of `work`, over as many calls as fit into about `seconds` (three at least).
double best_seconds(double seconds, const std::function<void()>& work);

}  // namespace dws::tools
