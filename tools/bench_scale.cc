// Throughput on one thread, two, four ... up to all of them, in one run.
#include <algorithm>

#include "bench.h"
#include "bench_work.h"
#include "core/parallel.h"

namespace dws::tools {
namespace {

// Networks a second on threads() threads, within about `seconds`.
using Rate = std::function<double(double seconds)>;

// Sets the number of threads, and puts it back however the case ends.
class ThreadsFor {
 public:
  explicit ThreadsFor(int count) : before_(threads()) { set_threads(count); }
  ThreadsFor(const ThreadsFor&) = delete;
  ThreadsFor& operator=(const ThreadsFor&) = delete;
  ~ThreadsFor() { set_threads(before_); }

 private:
  int before_;
};

Json scale(const BenchContext& context, const Rate& rate) {
  const int most = std::max(1, threads());
  std::vector<int> counts;
  for (int count = 1; count < most; count *= 2) counts.push_back(count);
  counts.push_back(most);
  Json used = Json::array(), rates = Json::array(), ratios = Json::array();
  double alone = 0;
  for (const int count : counts) {
    const ThreadsFor guard(count);
    const double networks = rate(context.seconds);
    if (count == 1) alone = networks;
    used.push_back(count);
    rates.push_back(networks);
    ratios.push_back(networks / alone);
  }
  Json result = Json::object();
  result.set("threads", used);
  result.set("networks_per_second", rates);
  result.set("ratio", ratios);
  return result;
}

BenchCase dws_case(const std::string& name, void (DwsWork::*step)()) {
  return {name, [step](const BenchContext& context) {
            return scale(context, [step](double seconds) {
              DwsWork work({.batch = 128});
              const double time = best_seconds(seconds, [&] { (work.*step)(); });
              return static_cast<double>(work.size().batch) / time;
            });
          }};
}

}  // namespace

std::vector<BenchCase> bench_scale() {
  return {{"scale.fit",
           [](const BenchContext& context) {
             return scale(context, [](double seconds) { return fit_rate(seconds, threads()); });
           }},
          dws_case("scale.forward", &DwsWork::forward),
          dws_case("scale.training_step", &DwsWork::training_step)};
}

}  // namespace dws::tools
