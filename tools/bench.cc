// dws bench: how fast this machine runs the main kernels and steps.
#include "bench.h"

#include <algorithm>
#include <chrono>

#include "command.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/text.h"
#include "kernels/bf16.h"
#include "kernels/isa.h"

namespace dws::tools {
namespace {

std::vector<BenchCase> all_cases() {
  std::vector<BenchCase> cases;
  for (const auto& list :
       {bench_machine(), bench_matmul(), bench_conv(), bench_engine(), bench_fit(), bench_dws(),
        bench_augment(), bench_scale(), bench_growth(), bench_symmetry(), bench_open(), bench_checkpoint(),
        bench_assignment(), bench_align(), bench_universe(), bench_merge()})
    cases.insert(cases.end(), list.begin(), list.end());
  return cases;
}

std::string value_of(const Json& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_integer()) return text("{}", value.as_int());
  return text("{:.4g}", value.as_double());
}

// A line of values; arrays side by side in a line each, shares of parts in one line an object.
std::string lines_of(const std::string& name, const Json& result) {
  std::string line = text("{:<40}", name), more;
  for (const auto& [key, value] : result.as_object()) {
    if (value.is_array()) {
      more += text("\n  {:<28}", key);
      for (const Json& item : value.as_array()) more += text(" {:>9}", value_of(item));
    } else if (value.is_object()) {
      more += text("\n  {:<12}", key);
      for (const auto& [part, share] : value.as_object())
        more += text("  {} {:.1f} %", part, 100 * share.as_double());
    } else if (key == "share_of_peak" || key == "rest") {
      line += text("  {} {:.1f} %", key, 100 * value.as_double());
    } else {
      line += text("  {} {}", key, value_of(value));
    }
  }
  return line + more;
}

int bench(const std::string& filter, double seconds, bool json) {
  const BenchContext context = measure_machine(seconds);
  int ran = 0;
  for (const BenchCase& test : all_cases()) {
    if (!filter.empty() && test.name.find(filter) == std::string::npos) continue;
    check_interrupt();
    Json result = test.run(context);
    ++ran;
    if (!json) {
      print(lines_of(test.name, result));
      continue;
    }
    Json line = Json::object();
    line.set("schema", "dws.bench/1");
    line.set("name", test.name);
    line.set("isa", kernels::to_string(kernels::isa()));
    line.set("precision", kernels::precision_name());
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

double timed(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const auto before = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - before).count();
}

Timing measure(double seconds, const std::function<void()>& work) {
  std::vector<double> times{timed(work)};
  // The first call meets cold memory, so one more at least, and where that is cheap a third.
  const size_t least = times[0] > seconds ? 2 : 3;
  for (double total = times[0]; times.size() < least || total < seconds; total += times.back())
    times.push_back(timed(work));
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return {*std::min_element(times.begin(), times.end()), *middle};
}

double best_seconds(double seconds, const std::function<void()>& work) {
  return measure(seconds, work).best;
}

void register_bench(Options& app, const Globals&, Run& run) {
  struct Settings {
    std::string filter;
    double seconds = 1;
    std::string precision;
    bool json = false;
  };
  auto settings = std::make_shared<Settings>();
  Options* sub = app.add_subcommand("bench", "how fast this machine runs the main kernels and steps");
  sub->footer("Example:\n  dws bench --filter matmul --seconds 0.2 --json");
  sub->add_option("--filter", settings->filter, "only cases whose name contains this");
  sub->add_option("--seconds", settings->seconds, "about how long one measurement takes")
      ->check(range(0.01, 60.0))
      ->capture_default_str();
  add_precision(*sub, settings->precision);
  sub->add_flag("--json", settings->json, "JSON Lines");
  sub->callback([settings, &run] {
    run = [settings] {
      use_precision(settings->precision);
      return bench(settings->filter, settings->seconds, settings->json);
    };
  });
}

}  // namespace dws::tools
