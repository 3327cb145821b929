// Operators that treat each number of one input alone.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/activation.h"
#include "kernels/elementwise.h"
#include "kernels/special.h"
#include "network/engine/plan.h"

namespace dws::network::engine {
namespace {

// work(n, x, y) on the first input; y may be x.
template <class Apply>
bool unary(Builder& b, const Node& node, const Apply& apply, int64_t scratch = 0) {
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  if (!b.real(x)) return false;
  b.step({.reads = {x},
          .writes = {y},
          .scratch = scratch,
          .in_place = true,
          .work = [=, n = b.size(y)](const Frame& f) { apply(f, n, f.in(x), f.out(y)); }});
  return true;
}
template <auto f>
bool each(Builder& b, const Node& node) {
  return unary(b, node, [](const Frame&, int64_t n, const float* x, float* y) {
    for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
  });
}
// By a kernel y = k(x).
template <auto kernel>
bool by_kernel(Builder& b, const Node& node) {
  return unary(b, node, [](const Frame&, int64_t n, const float* x, float* y) { kernel(n, x, y); });
}
template <auto f>
bool with_attributes(Builder& b, const Node& node, const char* alpha_name, double alpha_default,
                     const char* beta_name = "", double beta_default = 0) {
  const auto alpha = static_cast<float>(node.attr_float(alpha_name, alpha_default)),
             beta = static_cast<float>(node.attr_float(beta_name, beta_default));
  return unary(b, node, [=](const Frame&, int64_t n, const float* x, float* y) {
    for (int64_t i = 0; i < n; ++i) y[i] = f(x[i], alpha, beta);
  });
}

void gelu(int64_t n, const float* x, float* y) noexcept {
  kernels::gelu_erf(n, x, y);
}
void sigmoid(int64_t n, const float* x, float* y) noexcept {
  kernels::sigmoid(n, 1.0f, x, y);
}
bool swish(Builder& b, const Node& node, double otherwise) {
  const auto alpha = static_cast<float>(node.attr_float("alpha", otherwise));
  return unary(
      b, node,
      [alpha](const Frame& f, int64_t n, const float* x, float* y) {
        kernels::sigmoid(n, alpha, x, f.scratch);
        for (int64_t i = 0; i < n; ++i) y[i] = x[i] * f.scratch[i];
      },
      b.size(node.outputs[0]));
}
bool any_gelu(Builder& b, const Node& node) {
  return node.attr_string("approximate", "none") == "tanh" ? by_kernel<kernels::gelu<float>>(b, node)
                                                           : by_kernel<gelu>(b, node);
}
bool sine(Builder& b, const Node& node, bool cosine) {
  return unary(
      b, node,
      [cosine](const Frame& f, int64_t n, const float* x, float* y) {
        kernels::sincos(n, x, cosine ? f.scratch : y, cosine ? y : f.scratch);
      },
      b.size(node.outputs[0]));
}

// Bounds are attributes up to operator set 10, inputs after.
bool clip(Builder& b, const Node& node) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool attributes = node.version < 11;
  const auto low = static_cast<float>(attributes ? node.attr_float("min", -kInfinity) : -kInfinity),
             high = static_cast<float>(attributes ? node.attr_float("max", kInfinity) : kInfinity);
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  const int from = attributes ? kNone : input_of(node, 1), to = attributes ? kNone : input_of(node, 2);
  if (!b.real(x)) return false;
  std::vector<int> reads = {x};
  for (const int bound : {from, to}) {
    if (bound == kNone) continue;
    if (b.size(bound) != 1) return false;
    reads.push_back(bound);
  }
  b.step({.reads = reads, .writes = {y}, .in_place = true, .work = [=, n = b.size(y)](const Frame& f) {
            const float least = from == kNone ? low : *f.in(from), most = to == kNone ? high : *f.in(to);
            const float* in = f.in(x);
            float* out = f.out(y);
            for (int64_t i = 0; i < n; ++i) out[i] = std::min(std::max(in[i], least), most);
          }});
  return true;
}

bool identity(Builder& b, const Node& node) {
  if (output_of(node, 1) != kNone) return false;
  b.alias(node.outputs.at(0), node.inputs.at(0));
  return true;
}
// Everything flows as float: integers and truth values already do.
bool cast(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  const OnnxType to = b.shape(y).type, from = b.shape(x).type;
  if (is_real(to) || from == OnnxType::boolean || from == to) return b.alias(y, x), true;
  const bool truth = to == OnnxType::boolean;
  if (!truth && (!is_real(from) || (to != OnnxType::i64 && to != OnnxType::i32))) return false;
  b.step({.reads = {x}, .writes = {y}, .in_place = true, .work = [=, n = b.size(y)](const Frame& f) {
            const float* in = f.in(x);
            float* out = f.out(y);
            for (int64_t i = 0; i < n; ++i) out[i] = truth ? in[i] != 0 : std::trunc(in[i]);
          }});
  return true;
}
bool negation(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), y = node.outputs.at(0);
  if (b.shape(x).type != OnnxType::boolean) return false;
  b.step({.reads = {x}, .writes = {y}, .in_place = true, .work = [=, n = b.size(y)](const Frame& f) {
            for (int64_t i = 0; i < n; ++i) f.out(y)[i] = f.in(x)[i] == 0;
          }});
  return true;
}

float sign(float x) {
  return x > 0 ? 1.0f : x < 0 ? -1.0f : x;
}
float softplus(float x) {
  return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x)));
}

}  // namespace

std::vector<PlannerRow> elementwise_planners() {
  return {
      {"Relu", by_kernel<kernels::relu<float>>},
      {"Tanh", by_kernel<static_cast<void (*)(int64_t, const float*, float*) noexcept>(kernels::tanh)>},
      {"Sigmoid", by_kernel<sigmoid>},
      {"Exp", by_kernel<kernels::exp>},
      {"Erf", by_kernel<kernels::erf>},
      {"Gelu", any_gelu},
      {"Gelu", by_kernel<gelu>, "com.microsoft"},
      {"QuickGelu", [](Builder& b, const Node& n) { return swish(b, n, 1.702); }, "com.microsoft"},
      {"Swish", [](Builder& b, const Node& n) { return swish(b, n, 1); }},
      {"Sin", [](Builder& b, const Node& n) { return sine(b, n, false); }},
      {"Cos", [](Builder& b, const Node& n) { return sine(b, n, true); }},
      {"Abs", each<[](float x) { return std::abs(x); }>},
      {"Neg", each<[](float x) { return -x; }>},
      {"Sqrt", each<[](float x) { return std::sqrt(x); }>},
      {"Reciprocal", each<[](float x) { return 1 / x; }>},
      {"Log", each<[](float x) { return std::log(x); }>},
      {"Floor", each<[](float x) { return std::floor(x); }>},
      {"Ceil", each<[](float x) { return std::ceil(x); }>},
      {"Round", each<[](float x) { return std::nearbyint(x); }>},
      {"Sign", each<sign>},
      {"Softplus", each<softplus>},
      {"Softsign", each<[](float x) { return x / (1 + std::abs(x)); }>},
      {"Mish", each<[](float x) { return x * std::tanh(softplus(x)); }>},
      {"HardSwish", each<[](float x) { return x * std::clamp(x / 6 + 0.5f, 0.0f, 1.0f); }>},
      {"LeakyRelu",
       [](Builder& b, const Node& n) {
         return with_attributes<[](float x, float a, float) { return x < 0 ? a * x : x; }>(b, n, "alpha",
                                                                                           0.01);
       }},
      {"Elu",
       [](Builder& b, const Node& n) {
         return with_attributes<[](float x, float a, float) { return x < 0 ? a * std::expm1(x) : x; }>(
             b, n, "alpha", 1);
       }},
      {"Celu",
       [](Builder& b, const Node& n) {
         return with_attributes<[](float x, float a, float) {
           return std::max(0.0f, x) + std::min(0.0f, a * std::expm1(x / a));
         }>(b, n, "alpha", 1);
       }},
      {"Selu",
       [](Builder& b, const Node& n) {
         return with_attributes<[](float x, float a, float g) {
           return g * ((x > 0) ? x : a * std::expm1(x));
         }>(b, n, "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875);
       }},
      {"HardSigmoid",
       [](Builder& b, const Node& n) {
         return with_attributes<[](float x, float a, float c) { return std::clamp(a * x + c, 0.0f, 1.0f); }>(
             b, n, "alpha", 0.2, "beta", 0.5);
       }},
      {"Clip", clip},
      {"Dropout", identity},
      {"Identity", identity},
      {"Cast", cast},
      {"CastLike", cast},
      {"Not", negation},
  };
}

}  // namespace dws::network::engine
