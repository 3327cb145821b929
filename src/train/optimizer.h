// AdamW on the flat arrays of a parameter set, gradient clipping and the running average of parameters.
#pragma once

#include <cstdint>
#include <vector>

#include "autograd/params.h"
#include "core/buffer.h"

namespace dws::train {

struct AdamwOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 5e-4;
  bool amsgrad = false;
};

// Loshchilov & Hutter 2019. Decay leaves out the pieces whose ParamInfo says so.
class Adamw {
 public:
  Adamw(const ParamSet<float>& params, const AdamwOptions& options);
  // One update of params.values() with gradient `g` (params.size()) times `grad_scale`, learning rate `lr`;
  // `t` counts steps from 1.
  void step(ParamSet<float>& params, const float* g, double grad_scale, double lr, int64_t t);

  // First and second moments and, with amsgrad, the largest second moment (else empty): the state of a
  // checkpoint.
  Buffer<float>& m() noexcept { return m_; }
  Buffer<float>& v() noexcept { return v_; }
  Buffer<float>& vmax() noexcept { return vmax_; }

 private:
  struct Run {
    int64_t begin, size;
    bool decay;
  };
  AdamwOptions options_;
  std::vector<Run> runs_;  // neighbours with the same answer to "decay?" joined
  Buffer<float> m_, v_, vmax_;
};

// Factor that brings a gradient of norm `norm` down to `clip` (0: no clipping); never above 1.
double clip_scale(double norm, double clip) noexcept;

// average = d average + (1 - d) values, d = min(decay, (1 + t) / (10 + t)) so that early averages forget the
// start.
void update_average(std::span<float> average, std::span<const float> values, double decay,
                    int64_t t) noexcept;

}  // namespace dws::train
