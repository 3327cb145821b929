#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "core/text.h"
#include "kernels/optimizer.h"

namespace dws::train {

namespace {
constexpr int64_t kGrain = 1 << 16;
}

Optimizer::Optimizer(const ParamSet<float>& params) {
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

Adamw::Adamw(const ParamSet<float>& params, const AdamwOptions& options)
    : Optimizer(params),
      options_(options),
      m_(static_cast<size_t>(params.size())),
      v_(static_cast<size_t>(params.size())),
      vmax_(options.amsgrad ? static_cast<size_t>(params.size()) : 0) {}

std::vector<StateArray> Adamw::state() {
  return {{"adam.m", m_.span()}, {"adam.v", v_.span()}, {"adam.vmax", vmax_.span()}};
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

Sgd::Sgd(const ParamSet<float>& params, double momentum, double weight_decay)
    : Optimizer(params), momentum_(momentum), decay_(weight_decay), v_(static_cast<size_t>(params.size())) {}

std::vector<StateArray> Sgd::state() {
  return {{"sgd.v", v_.span()}};
}

void Sgd::step(ParamSet<float>& params, const float* g, double grad_scale, double lr, int64_t) {
  const auto scale = static_cast<float>(grad_scale), rate = static_cast<float>(lr),
             momentum = static_cast<float>(momentum_);
  float* w = params.values().data;
  for (const Run& run : runs_) {
    const float decay = run.decay ? static_cast<float>(decay_) : 0.0F;
    parallel_blocks(run.size, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = run.begin + begin; i < run.begin + end; ++i) {
        float& v = v_[static_cast<size_t>(i)];
        const float gradient = scale * g[i] + decay * w[i];
        v = momentum * v + gradient;
        w[i] -= rate * (gradient + momentum * v);
      }
    });
  }
}

OptimizerKind parse_optimizer(const std::string& name) {
  if (name == "adamw") return OptimizerKind::adamw;
  if (name == "sgd") return OptimizerKind::sgd;
  throw Error(ErrorKind::usage, text("unknown optimizer '{}': expected adamw or sgd", escaped(name)));
}

std::unique_ptr<Optimizer> make_optimizer(const ParamSet<float>& params, OptimizerKind kind,
                                          const AdamwOptions& options, double momentum) {
  if (kind == OptimizerKind::sgd) return std::make_unique<Sgd>(params, momentum, options.weight_decay);
  return std::make_unique<Adamw>(params, options);
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
