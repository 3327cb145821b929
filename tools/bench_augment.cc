// Augmentation: what each step and the whole chain cost a network, on one thread, reading left out.
#include <string>
#include <utility>
#include <vector>

#include "bench.h"
#include "core/rng.h"
#include "format/zoo.h"
#include "weights/augment.h"

namespace dws::tools {
namespace {

Json augment(const BenchContext& context, const std::string& steps, weights::MixupKind mixup) {
  constexpr int64_t kNetworks = 64;
  ZooInfo info;
  info.arch.dims = {2, 32, 32, 1};
  const auto params = static_cast<size_t>(info.arch.param_count());
  const weights::Augmenter augmenter(info, weights::parse_augmentation(steps, "bench"), {mixup, 1}, 1,
                                     "bench");
  std::vector<float> networks(kNetworks * params), other(params), x(params), scratch(params);
  Rng rng(2);
  for (float& v : networks) v = static_cast<float>(rng.normal());
  const auto network = [&](int64_t i) { return networks.begin() + i * static_cast<int64_t>(params); };
  int64_t epoch = 0;
  const double seconds = best_seconds(context.seconds, [&] {
    for (int64_t i = 0; i < kNetworks; ++i) {
      std::copy_n(network(i), params, x.begin());
      if (const auto partner = augmenter.partner(epoch, i, kNetworks, i)) {
        std::copy_n(network(partner->place), params, other.begin());
        augmenter.mix(epoch, i, partner->lambda, x, other, scratch);
      }
      augmenter.apply(epoch, i, x, scratch);
    }
    ++epoch;
  });
  Json result = Json::object();
  result.set("threads", 1);
  result.set("seconds", seconds / kNetworks);
  result.set("networks_per_second", kNetworks / seconds);
  return result;
}

}  // namespace

std::vector<BenchCase> bench_augment() {
  using weights::MixupKind;
  const auto of = [](std::string name, std::string steps, MixupKind mixup) {
    return BenchCase{"augment." + name, [steps = std::move(steps), mixup](const BenchContext& context) {
                       return augment(context, steps, mixup);
                     }};
  };
  return {of("permute", "permute", MixupKind::none),
          of("neurons", "sign,phase", MixupKind::none),
          of("picture", "rotate=15,translate=0.1,zoom=0.1,reflect", MixupKind::none),
          of("noise", "noise=0.1", MixupKind::none),
          of("dropout", "dropout=0.01", MixupKind::none),
          of("mixup", "none", MixupKind::permuted),
          of("all", "permute,sign,phase,noise=0.1,dropout=0.01,rotate=15,translate=0.1,zoom=0.1,reflect",
             MixupKind::permuted)};
}

}  // namespace dws::tools
