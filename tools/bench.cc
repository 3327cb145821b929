// dws bench: how fast this machine runs the main kernels and steps.
#include "bench.h"

#include <algorithm>
#include <chrono>

#include "command.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/text.h"
#include "kernels/isa.h"
#include "kernels/peak.h"

namespace dws::tools {
namespace {

std::vector<BenchCase> all_cases() {
  std::vector<BenchCase> cases;
  for (const auto& list : {bench_machine(), bench_matmul(), bench_fit(), bench_train(), bench_augment()})
    cases.insert(cases.end(), list.begin(), list.end());
  return cases;
}

std::string line_of(const std::string& name, const Json& result) {
  std::string line = text("{:<28}", name);
  for (const auto& [key, value] : result.as_object()) {
    if (key == "share_of_peak")
      line += text("  {:.0f} % of peak", 100 * value.as_double());
    else
      line += text("  {} {}", key, value.is_number() ? text("{:.4g}", value.as_double()) : value.as_string());
  }
  return line;
}

int bench(const std::string& filter, double seconds, bool json) {
  BenchContext context;
  context.seconds = seconds;
  context.peak_gflops = kernels::measure_fma_gflops(seconds);
  int ran = 0;
  for (const BenchCase& test : all_cases()) {
    if (!filter.empty() && test.name.find(filter) == std::string::npos) continue;
    check_interrupt();
    Json result = test.run(context);
    ++ran;
    if (!json) {
      print(line_of(test.name, result));
      continue;
    }
    Json line = Json::object();
    line.set("schema", "dws.bench/1");
    line.set("name", test.name);
    line.set("isa", kernels::to_string(kernels::isa()));
    for (const auto& [key, value] : result.as_object()) line.set(key, value);
    print(line.dump());
  }
  if (ran == 0) {
    std::vector<std::string> names;
    for (const BenchCase& test : all_cases()) names.push_back(test.name);
    throw Error(ErrorKind::usage, text("--filter '{}': no such case", escaped(filter)),
                "cases: " + join(names, ", "));
  }
  return 0;
}

}  // namespace

double best_seconds(double seconds, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  double best = 1e300;
  for (int round = 0; round < 3 || std::chrono::duration<double>(Clock::now() - start).count() < seconds;
       ++round) {
    const auto before = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - before).count());
  }
  return best;
}

std::vector<BenchCase> bench_machine() {
  const auto peak = [](const BenchContext& context) {
    Json result = Json::object();
    result.set("gflops", context.peak_gflops);
    result.set("isa", kernels::to_string(kernels::isa()));
    result.set("threads", 1);
    return result;
  };
  const auto memory = [](const BenchContext& context) {
    Json result = Json::object();
    result.set("gb_per_second", kernels::measure_memory_gbs(context.seconds));
    result.set("threads", 1);
    return result;
  };
  return {{"machine.peak", peak}, {"machine.memory", memory}};
}

void register_bench(CLI::App& app, const Globals&, Run& run) {
  struct Settings {
    std::string filter;
    double seconds = 1;
    bool json = false;
  };
  auto settings = std::make_shared<Settings>();
  CLI::App* sub = app.add_subcommand("bench", "how fast this machine runs the main kernels and steps");
  sub->footer("Example:\n  dws bench --filter matmul --seconds 0.2 --json");
  sub->add_option("--filter", settings->filter, "only cases whose name contains this");
  sub->add_option("--seconds", settings->seconds, "about how long one measurement takes")
      ->check(CLI::Range(0.01, 60.0))
      ->capture_default_str();
  sub->add_flag("--json", settings->json, "JSON Lines");
  sub->callback([settings, &run] {
    run = [settings] { return bench(settings->filter, settings->seconds, settings->json); };
  });
}

}  // namespace dws::tools
