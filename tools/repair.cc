#include "repair.h"

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"

namespace dws::tools {

network::RepairData repair_data(const LabelledData& data) {
  return {.samples = data.size(),
          .fill = [&data](int, int64_t first, int64_t count, float* to) { data.read(first, count, to); }};
}

void say_repair(const network::Repair& repair, const std::string& file, int64_t samples) {
  log_info(text("{}: {} of {} layers on {} samples, {} passes", one_line(file),
                repair.has_norms() ? "running statistics of the norms" : "means and deviations",
                repair.layers(), samples, repair.passes()));
  for (const std::string& layer : repair.skipped())
    log_warn(text("{}: not repaired: {}", one_line(file), layer));
}

Json repair_merged(const std::string& merged, const std::vector<std::string>& from,
                   const std::vector<double>& weights, const NetworkOptions& options, const DataOptions& data,
                   const std::string& out, bool force) {
  const NetworkInput input = read_network(merged, options);
  const LabelledData samples = read_data(data, input);
  const std::vector<int64_t> dims = network::sample_dims(input.network, samples);
  const network::RepairData given = repair_data(samples);
  network::Repair repair(input.network, {dims});
  std::vector<std::vector<network::ChannelStatistics>> goals;
  for (size_t k = 0; k < from.size() && !repair.has_norms(); ++k) {
    const NetworkInput one = read_network(from[k], options);
    goals.push_back(network::Repair(one.network, {dims}).measure(given));
    if (goals.back().size() != repair.layers())
      throw Error(ErrorKind::mismatch, text("{}: {} layers, where the merged network has {}",
                                            one_line(from[k]), goals.back().size(), repair.layers()));
  }
  const auto changed = repair.run(
      given, goals.empty() ? std::vector<network::ChannelStatistics>{} : network::mean_of(goals, weights));
  std::vector<Patch> patches;
  for (const auto& [constant, numbers] : changed) {
    const network::Constant& c = input.network.constants[static_cast<size_t>(constant)];
    patches.push_back({c.bytes, [&c, &numbers] {
                         network::Array array{.type = c.type, .dims = c.dims};
                         array.reals.assign(numbers.begin(), numbers.end());
                         return network::to_bytes(array);
                       }});
  }
  write_changed(input, out, patches, force);
  say_repair(repair, out, samples.size());
  return Json::object({{"kind", repair.has_norms() ? "batch_norm" : "repair"},
                       {"layers", static_cast<int64_t>(repair.layers())},
                       {"passes", repair.passes()},
                       {"samples", samples.size()},
                       {"skipped", static_cast<int64_t>(repair.skipped().size())}});
}

}  // namespace dws::tools
