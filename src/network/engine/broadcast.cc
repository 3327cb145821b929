// Operators on two and more inputs that are stretched to one shape.
#include <algorithm>
#include <cmath>

#include "kernels/activation.h"
#include "kernels/elementwise.h"
#include "kernels/special.h"
#include "network/engine/plan.h"
#include "network/engine/strided.h"

namespace dws::network::engine {
namespace {

// Lines of y = f(a, b); each of the four cases a loop of its own, which the compiler turns into vectors.
template <class F>
void line(int64_t n, const float* a, int64_t step_a, const float* b, int64_t step_b, float* y, F f) {
  if (step_a && step_b)
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  else if (step_a)
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], *b);
  else if (step_b)
    for (int64_t i = 0; i < n; ++i) y[i] = f(*a, b[i]);
  else
    std::fill_n(y, n, f(*a, *b));
}

template <class F>
Work zip(Builder& b, int a, int c, int y, F f) {
  return [=, walk = Strided<2>({b.shape(a).dims, b.shape(c).dims}, b.shape(y).dims)](const Frame& frame) {
    const float *p = frame.in(a), *q = frame.in(c);
    float* out = frame.out(y);
    walk.lines([&](int64_t to, const auto& at, int64_t n, const auto& step) {
      line(n, p + at[0], step[0], q + at[1], step[1], out + to, f);
    });
  };
}
// A ReLU that alone reads the sum is done with it.
int with_relu(Builder& b, int y, bool& relu) {
  const Node* next = b.sole_reader(y);
  relu = next && next->domain.empty() && next->op == "Relu";
  if (!relu) return y;
  b.absorb(*next);
  return next->outputs.at(0);
}

template <auto f>
bool binary(Builder& b, const Node& node) {
  const int a = node.inputs.at(0), c = node.inputs.at(1), y = node.outputs.at(0);
  if (!b.real(a) || !b.real(c)) return false;
  b.step({.reads = {a, c}, .writes = {y}, .in_place = b.size(a) == b.size(y), .work = zip(b, a, c, y, f)});
  return true;
}
bool add(Builder& b, const Node& node) {
  const int a = node.inputs.at(0), c = node.inputs.at(1);
  if (!b.real(a) || !b.real(c)) return false;
  bool relu = false;
  const int y = with_relu(b, node.outputs.at(0), relu);
  const auto sum = [](float p, float q) { return p + q; };
  const auto rectified = [](float p, float q) {
    const float s = p + q;
    return s < 0 ? 0.0f : s;
  };
  b.step({.reads = {a, c},
          .writes = {y},
          .in_place = b.size(a) == b.size(y),
          .work = relu ? zip(b, a, c, y, rectified) : zip(b, a, c, y, sum)});
  return true;
}
// Truth of two inputs of any type.
template <auto f>
bool compare(Builder& b, const Node& node) {
  const int a = node.inputs.at(0), c = node.inputs.at(1), y = node.outputs.at(0);
  b.step({.reads = {a, c}, .writes = {y}, .work = zip(b, a, c, y, [](float p, float q) {
                                            return f(p, q) ? 1.0f : 0.0f;
                                          })});
  return true;
}
bool same(float a, float b) {
  return a == b;
}

// The usual exponents without a power.
bool power(Builder& b, const Node& node) {
  const int a = node.inputs.at(0), c = node.inputs.at(1), y = node.outputs.at(0);
  if (!b.real(a)) return false;
  const Work any = zip(b, a, c, y, [](float p, float q) { return std::pow(p, q); });
  const bool scalar = b.size(c) == 1 && b.size(a) == b.size(y);
  b.step({.reads = {a, c},
          .writes = {y},
          .in_place = b.size(a) == b.size(y),
          .work = [=, n = b.size(y)](const Frame& f) {
            const float e = *f.in(c), *x = f.in(a);
            float* out = f.out(y);
            if (scalar && e == 2)
              for (int64_t i = 0; i < n; ++i) out[i] = x[i] * x[i];
            else if (scalar && e == 3)
              for (int64_t i = 0; i < n; ++i) out[i] = x[i] * x[i] * x[i];
            else
              any(f);
          }});
  return true;
}

template <auto f, bool mean = false>
bool variadic(Builder& b, const Node& node) {
  const int y = node.outputs.at(0);
  std::vector<Work> works;
  for (const int x : node.inputs)
    if (x == kNone || !b.real(x)) return false;
  const auto first = node.inputs[0];
  // y = x0, stretched; then each of the others onto it.
  works.push_back([=, walk = Strided<1>({b.shape(first).dims}, b.shape(y).dims)](const Frame& frame) {
    walk.lines([&](int64_t to, const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) frame.out(y)[to + i] = frame.in(first)[at[0] + i * step[0]];
    });
  });
  for (size_t i = 1; i < node.inputs.size(); ++i) works.push_back(zip(b, y, node.inputs[i], y, f));
  b.step({.reads = node.inputs,
          .writes = {y},
          .work = [=, n = b.size(y), count = static_cast<float>(node.inputs.size())](const Frame& frame) {
            for (const Work& work : works) work(frame);
            if (mean)
              for (int64_t i = 0; i < n; ++i) frame.out(y)[i] /= count;
          }});
  return true;
}

bool where(Builder& b, const Node& node) {
  const int c = node.inputs.at(0), p = node.inputs.at(1), q = node.inputs.at(2), y = node.outputs.at(0);
  b.step({.reads = {c, p, q},
          .writes = {y},
          .work = [=, walk = Strided<3>({b.shape(c).dims, b.shape(p).dims, b.shape(q).dims},
                                        b.shape(y).dims)](const Frame& f) {
            const float *truth = f.in(c), *yes = f.in(p), *no = f.in(q);
            float* out = f.out(y);
            walk.lines([&](int64_t to, const auto& at, int64_t n, const auto& step) {
              for (int64_t i = 0; i < n; ++i)
                out[to + i] =
                    truth[at[0] + i * step[0]] != 0 ? yes[at[1] + i * step[1]] : no[at[2] + i * step[2]];
            });
          }});
  return true;
}

// The slope is stretched to the input; before operator set 7 it stands along the channels.
bool prelu(Builder& b, const Node& node) {
  if (node.version < 7) return false;
  return binary<[](float x, float slope) { return x < 0 ? slope * x : x; }>(b, node);
}

// x + bias through an activation (com.microsoft).
template <auto kernel>
bool biased(Builder& b, const Node& node) {
  const int x = node.inputs.at(0), bias = input_of(node, 1), y = node.outputs.at(0);
  const int64_t n = b.size(y), width = bias == kNone ? 1 : b.size(bias);
  std::vector<int> reads = {x};
  if (bias != kNone) reads.push_back(bias);
  b.step({.reads = reads, .writes = {y}, .in_place = true, .work = [=](const Frame& f) {
            const float* in = f.in(x);
            if (bias != kNone) kernels::add_row_vector(n / width, width, in, f.in(bias), f.out(y));
            kernel(n, bias == kNone ? in : f.out(y), f.out(y));
          }});
  return true;
}

}  // namespace

std::vector<PlannerRow> broadcast_planners() {
  constexpr auto smaller = [](float a, float b) { return std::isnan(a) || a < b ? a : b; };
  constexpr auto larger = [](float a, float b) { return std::isnan(a) || a > b ? a : b; };
  constexpr auto plus = [](float a, float b) { return a + b; };
  return {
      {"Add", add},
      {"Sub", binary<[](float a, float b) { return a - b; }>},
      {"Mul", binary<[](float a, float b) { return a * b; }>},
      {"Div", binary<[](float a, float b) { return a / b; }>},
      {"Pow", power},
      {"Where", where},
      {"PRelu", prelu},
      {"Max", variadic<larger>},
      {"Min", variadic<smaller>},
      {"Sum", variadic<plus>},
      {"Mean", variadic<plus, true>},
      {"Equal", compare<same>},
      {"Less", compare<[](float a, float b) { return a < b; }>},
      {"LessOrEqual", compare<[](float a, float b) { return a <= b; }>},
      {"Greater", compare<[](float a, float b) { return (a > b); }>},
      {"GreaterOrEqual", compare<[](float a, float b) { return a >= b; }>},
      {"And", compare<[](float a, float b) { return a != 0 && b != 0; }>},
      {"Or", compare<[](float a, float b) { return a != 0 || b != 0; }>},
      {"BiasGelu", biased<kernels::gelu_erf>, "com.microsoft"},
      {"FastGelu", biased<kernels::gelu<float>>, "com.microsoft"},
  };
}

}  // namespace dws::network::engine
