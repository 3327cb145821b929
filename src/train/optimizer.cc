#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "kernels/optimizer.h"

namespace dws::train {

Adamw::Adamw(const ParamSet<float>& params, const AdamwOptions& options)
    : options_(options),
      m_(static_cast<size_t>(params.size())),
      v_(static_cast<size_t>(params.size())),
      vmax_(options.amsgrad ? static_cast<size_t>(params.size()) : 0) {
  for (int i = 0; i < params.count(); ++i) {
    const ParamInfo& info = params.info(i);
    const int64_t size = info.shape.size();
    if (!runs_.empty() && runs_.back().decay == info.decay &&
        runs_.back().begin + runs_.back().size == info.offset)
      runs_.back().size += size;
    else
      runs_.push_back({info.offset, size, info.decay});
  }
}

void Adamw::step(ParamSet<float>& params, const float* g, double grad_scale, double lr, int64_t t) {
  kernels::AdamwStep step{.lr = lr,
                          .beta1 = options_.beta1,
                          .beta2 = options_.beta2,
                          .eps = options_.eps,
                          .weight_decay = 0,
                          .correction1 = 1 - std::pow(options_.beta1, static_cast<double>(t)),
                          .correction2 = 1 - std::pow(options_.beta2, static_cast<double>(t)),
                          .amsgrad = options_.amsgrad};
  float* w = params.values().data;
  constexpr int64_t kGrain = 1 << 16;
  for (const Run& run : runs_) {
    step.weight_decay = run.decay ? options_.weight_decay : 0;
    parallel_blocks(run.size, kGrain, [&](int64_t begin, int64_t end) {
      const int64_t at = run.begin + begin;
      const auto o = static_cast<size_t>(at);
      kernels::adamw<float>(end - begin, step, static_cast<float>(grad_scale), g + at, w + at, m_.data() + o,
                            v_.data() + o, vmax_.empty() ? nullptr : vmax_.data() + o);
    });
  }
}

double clip_scale(double norm, double clip) noexcept {
  return clip > 0 && norm > clip ? clip / (norm + 1e-6) : 1.0;
}

void update_average(std::span<float> average, std::span<const float> values, double decay,
                    int64_t t) noexcept {
  const double d = std::min(decay, (1.0 + static_cast<double>(t)) / (10.0 + static_cast<double>(t)));
  const auto keep = static_cast<float>(d), take = static_cast<float>(1 - d);
  for (size_t i = 0; i < average.size(); ++i) average[i] = keep * average[i] + take * values[i];
}

}  // namespace dws::train
