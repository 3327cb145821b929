// What reading a network costs as it grows, wider or deeper: a line through time against weights.
#include <algorithm>

#include "bench.h"
#include "bench_work.h"
#include "core/line_fit.h"

namespace dws::tools {
namespace {

// `matrices` weight matrices between layers of `width`: two inputs, one output.
std::vector<int64_t> dims_of(int64_t width, int64_t matrices) {
  std::vector<int64_t> dims(static_cast<size_t>(matrices + 1), width);
  dims.front() = 2;
  dims.back() = 1;
  return dims;
}

// Seconds a network on one thread.
double forward_time(double seconds, const std::vector<int64_t>& dims, int64_t& weights) {
  DwsSize size{.dims = dims};
  // Passes over equally many weights, as far as that goes: no more than one block of the predictor, which is
  // one thread's.
  constexpr int64_t kWeights = 20000, kBlock = 16;
  weights = MlpArch{dims}.param_count();
  size.batch = std::clamp<int64_t>(kWeights / weights, 1, kBlock);
  DwsWork work(size);
  return best_seconds(seconds, [&] { work.forward(); }) / static_cast<double>(size.batch);
}

Json growth(const BenchContext& context, const std::string& what, const std::vector<int64_t>& values,
            const std::function<std::vector<int64_t>(int64_t)>& dims) {
  Json of = Json::array(), counts = Json::array(), times = Json::array();
  std::vector<double> x, y;
  for (const int64_t value : values) {
    int64_t weights = 0;
    y.push_back(forward_time(context.seconds, dims(value), weights));
    x.push_back(static_cast<double>(weights));
    of.push_back(value);
    counts.push_back(weights);
    times.push_back(y.back());
  }
  const Line line = fit_line(x, y);
  Json result = Json::object();
  result.set("threads", 1);
  result.set(what, of);
  result.set("weights", counts);
  result.set("seconds_per_network", times);
  result.set("seconds_fixed", line.intercept);
  result.set("seconds_per_weight", line.slope);
  result.set("r_squared", line.r_squared);
  result.set("exponent", fit_exponent(x, y));
  return result;
}

}  // namespace

std::vector<BenchCase> bench_growth() {
  return {{"growth.width",
           [](const BenchContext& context) {
             return growth(context, "width", {16, 32, 64, 128, 256, 512},
                           [](int64_t width) { return dims_of(width, 3); });
           }},
          {"growth.depth", [](const BenchContext& context) {
             return growth(context, "depth", {3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                           [](int64_t depth) { return dims_of(32, depth); });
           }}};
}

}  // namespace dws::tools
