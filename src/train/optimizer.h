// AdamW and SGD on the flat arrays of a parameter set, gradient clipping and the running average of parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "autograd/params.h"
#include "core/buffer.h"
#include "train/checkpoint.h"

namespace dws::train {

struct AdamwOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 5e-4;
  bool amsgrad = false;
};

// Decay leaves out the pieces whose ParamInfo says so.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // One update of params.values() with gradient `g` (params.size()) times `grad_scale`, learning rate `lr`;
  // `t` counts steps from 1.
  virtual void step(ParamSet<float>& params, const float* g, double grad_scale, double lr, int64_t t) = 0;
  // What a checkpoint must carry.
  virtual std::vector<StateArray> state() = 0;

 protected:
  struct Run {
    int64_t begin, size;
    bool decay;
  };
  explicit Optimizer(const ParamSet<float>& params);
  std::vector<Run> runs_;  // neighbours with the same answer to "decay?" joined
};

// Loshchilov & Hutter 2019.
class Adamw final : public Optimizer {
 public:
  Adamw(const ParamSet<float>& params, const AdamwOptions& options);
  void step(ParamSet<float>& params, const float* g, double grad_scale, double lr, int64_t t) override;
  std::vector<StateArray> state() override;

  // First and second moments and, with amsgrad, the largest second moment (else empty): the state of a
  // checkpoint.
  Buffer<float>& m() noexcept { return m_; }
  Buffer<float>& v() noexcept { return v_; }
  Buffer<float>& vmax() noexcept { return vmax_; }

 private:
  AdamwOptions options_;
  Buffer<float> m_, v_, vmax_;
};

// Stochastic gradient descent with Nesterov's momentum (Sutskever et al. 2013): g += decay w; v = momentum v + g;
// w -= lr (g + momentum v).
class Sgd final : public Optimizer {
 public:
  Sgd(const ParamSet<float>& params, double momentum, double weight_decay);
  void step(ParamSet<float>& params, const float* g, double grad_scale, double lr, int64_t t) override;
  std::vector<StateArray> state() override;

 private:
  double momentum_, decay_;
  Buffer<float> v_;
};

enum class OptimizerKind { adamw, sgd };
OptimizerKind parse_optimizer(const std::string& name);  // throws Error{usage}
std::unique_ptr<Optimizer> make_optimizer(const ParamSet<float>& params, OptimizerKind kind,
                                          const AdamwOptions& options, double momentum);

// Factor that brings a gradient of norm `norm` down to `clip` (0: no clipping); never above 1.
double clip_scale(double norm, double clip) noexcept;

// average = d average + (1 - d) values, d = min(decay, (1 + t) / (10 + t)) so that early averages forget the
// start.
void update_average(std::span<float> average, std::span<const float> values, double decay,
                    int64_t t) noexcept;

}  // namespace dws::train
