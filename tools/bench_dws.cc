// A DWS network reading networks: the forward pass of `dws classify` and a whole step of `dws train`.
#include <algorithm>
#include <numeric>

#include "bench.h"
#include "bench_work.h"
#include "core/parallel.h"
#include "core/text.h"

namespace dws::tools {
namespace {

Json rates(const BenchContext& context, const DwsWork& work, const Timing& time, double flops) {
  const DwsSize& size = work.size();
  const double batch = static_cast<double>(size.batch), gflops = 1e-9 * flops / time.best;
  Json result = Json::object();
  result.set("threads", threads());
  result.set("channels", size.channels);
  result.set("layers", size.layers);
  result.set("batch", size.batch);
  result.set("networks_per_second", batch / time.best);
  result.set("median_networks_per_second", batch / time.median);
  result.set("gflops", gflops);
  result.set("share_of_peak", gflops / context.peak(threads()));
  result.set("mflop_per_network", 1e-6 * flops / batch);
  return result;
}

Json forward(const BenchContext& context, const DwsSize& size) {
  DwsWork work(size);
  const Timing time = measure(context.seconds, [&] { work.forward(); });
  return rates(context, work, time, work.flops().forward);
}

Json training_step(const BenchContext& context, const DwsSize& size) {
  DwsWork work(size);
  const Timing time = measure(context.seconds, [&] { work.training_step(); });
  Json result = rates(context, work, time, work.flops().training);
  result.set("shards", work.shards());
  return result;
}

// name -> share of `total` seconds, the largest first.
Json shares(std::vector<std::pair<std::string, double>> parts, double total) {
  std::stable_sort(parts.begin(), parts.end(), [](auto& a, auto& b) { return a.second > b.second; });
  Json result = Json::object();
  for (const auto& [name, seconds] : parts)
    if (seconds > 0) result.set(name, seconds / total);
  return result;
}

// Where the time of all threads goes, as shares of it: primitive by primitive, and the rest, which is the sum
// over shards, AdamW and waiting for the last shard.
Json split(const BenchContext& context, const DwsSize& size, bool training) {
  DwsWork work(size);
  const auto step = [&] { training ? work.training_step() : work.recorded_forward(); };
  step();  // memory is there from now on
  work.start_profile();
  std::vector<double> walls;
  measure(context.seconds, [&] { walls.push_back(timed(step)); });
  const double wall = std::accumulate(walls.begin(), walls.end(), 0.0), total = wall * threads();
  std::vector<std::pair<std::string, double>> ahead, back;
  double named = 0;
  const Profile profile = work.profile();
  for (const Profile::Entry& e : profile.entries()) {
    ahead.emplace_back(e.name, e.forward);
    back.emplace_back(e.name, e.backward);
    named += e.forward + e.backward;
  }
  Json result = Json::object();
  result.set("threads", threads());
  result.set("channels", size.channels);
  result.set("layers", size.layers);
  result.set("batch", size.batch);
  result.set("milliseconds", 1e3 * wall / static_cast<double>(walls.size()));
  result.set("forward", shares(ahead, total));
  if (training) result.set("backward", shares(back, total));
  result.set("rest", std::max(0.0, total - named) / total);
  return result;
}

}  // namespace

std::vector<BenchCase> bench_dws() {
  std::vector<BenchCase> cases;
  const auto add = [&](const std::string& suffix, const DwsSize& size) {
    cases.push_back(
        {"dws.forward." + suffix, [size](const BenchContext& context) { return forward(context, size); }});
    cases.push_back({"dws.training_step." + suffix,
                     [size](const BenchContext& context) { return training_step(context, size); }});
  };
  // The default model of `dws train`, then the published depth, whose rates others can be compared with.
  constexpr int64_t kPublishedLayers = 5;
  for (const int64_t channels : {32, 64}) add(text("{}", channels), {.channels = channels});
  for (const int64_t channels : {32, 64})
    for (const int64_t batch : {64, 128, 512})
      add(text("{}.layers{}.batch{}", channels, kPublishedLayers, batch),
          {.channels = channels, .layers = kPublishedLayers, .batch = batch});
  for (const int64_t channels : {32, 64})
    for (const bool training : {false, true}) {
      const DwsSize size{.channels = channels, .layers = kPublishedLayers};
      cases.push_back(
          {text("dws.split.{}.{}", training ? "training_step" : "forward", channels),
           [size, training](const BenchContext& context) { return split(context, size, training); }});
    }
  return cases;
}

}  // namespace dws::tools
