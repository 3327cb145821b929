// Runs a case on a tape and hands back values and gradients.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "cases.h"

namespace dws::test {

template <class T>
struct Result {
  std::vector<Tensor<T>> outputs;
  std::vector<Tensor<T>> grads;  // one an input; empty tensors where none was asked for
  std::vector<std::string> nodes;
};

struct Setup {
  // Bit i: input i wants a gradient. Others are constants.
  unsigned wanted = ~0u;
  // Bit k: output k is a root.
  unsigned roots = ~0u;
  // Puts a node between leaf and op, so that the op's gradients overwrite arena memory instead of adding to
  // zeros.
  bool behind_node = false;
  // Each input of the op is a root too, under prior_seeds(): its gradient has something in it before the op
  // adds its own. Only behind nodes.
  bool prior = false;
};

inline std::vector<Tensor<double>> prior_seeds(const std::vector<Shape>& shapes) {
  return draw_normal(shapes, 77);
}

template <class T>
Tensor<T> copy(View<const T> v) {
  Tensor<T> t(v.shape);
  std::copy_n(v.data, v.size(), t.data());
  return t;
}

// Sum of all elements, a scalar to differentiate.
template <class T>
Var<T> sum_of(Var<T> x) {
  return ops::reduce(ops::reshape(x, {x.shape().size()}), 0, ops::Reduction::sum);
}

// NaN in all memory the tape will hand out next: whatever is not written shows.
template <class T>
void poison(Tape<T>& tape, size_t bytes) {
  const size_t count = bytes / sizeof(T);
  std::fill_n(tape.arena().template take<T>(count), count, std::numeric_limits<T>::quiet_NaN());
  tape.reset();
}

template <class T>
std::vector<Var<T>> leaves(Tape<T>& tape, const std::vector<Tensor<T>>& inputs, unsigned wanted) {
  std::vector<Var<T>> vars;
  for (size_t i = 0; i < inputs.size(); ++i)
    vars.push_back(wanted >> i & 1 ? tape.input(inputs[i].view()) : tape.constant(inputs[i].view()));
  return vars;
}

template <class T>
Result<T> run_case(const Case& c, const std::vector<Tensor<T>>& inputs, const Setup& setup = {}) {
  Tape<T> tape;
  poison(tape, size_t{1} << 20);
  tape.set_training(c.training);
  tape.set_seed(7);
  const std::vector<Var<T>> vars = leaves(tape, inputs, setup.wanted);
  std::vector<Var<T>> seen = vars;
  if (setup.behind_node)
    for (Var<T>& v : seen) v = ops::scale(v, T(1));
  const std::vector<Var<T>> outputs = build_of<T>(c)(tape, seen);

  Result<T> result;
  std::vector<Shape> shapes;
  for (const Var<T>& y : outputs) {
    result.outputs.push_back(copy(y.view()));
    shapes.push_back(y.shape());
  }
  const std::vector<Tensor<T>> all_seeds = cast<T>(draw_normal(shapes, 99));
  std::vector<Var<T>> roots;
  std::vector<View<const T>> seeds;
  for (size_t k = 0; k < outputs.size(); ++k)
    if (setup.roots >> k & 1) {
      roots.push_back(outputs[k]);
      seeds.push_back(all_seeds[k].view());
    }
  std::vector<Shape> input_shapes;
  for (const Tensor<T>& t : inputs) input_shapes.push_back(t.shape());
  const std::vector<Tensor<T>> priors = cast<T>(prior_seeds(input_shapes));
  for (size_t i = 0; i < vars.size() && setup.prior; ++i) {
    roots.push_back(seen[i]);
    seeds.push_back(priors[i].view());
  }
  tape.backward(roots, seeds);
  for (size_t i = 0; i < vars.size(); ++i)
    result.grads.push_back(setup.wanted >> i & 1 ? copy(tape.grad(vars[i])) : Tensor<T>());
  for (int n = 0; n < tape.node_count(); ++n) result.nodes.emplace_back(tape.node_name(n));
  return result;
}

// Sum over outputs of <seed, output>, the function whose gradient run_case() takes.
inline double objective(const Case& c, const std::vector<Tensor<double>>& inputs) {
  Tape<double> tape;
  tape.set_training(c.training);
  tape.set_seed(7);
  tape.set_recording(false);
  const std::vector<Var<double>> outputs = c.build(tape, leaves(tape, inputs, 0));
  std::vector<Shape> shapes;
  for (const auto& y : outputs) shapes.push_back(y.shape());
  const auto seeds = draw_normal(shapes, 99);
  double sum = 0;
  for (size_t k = 0; k < outputs.size(); ++k)
    for (int64_t i = 0; i < seeds[k].size(); ++i) sum += seeds[k][i] * outputs[k].data()[i];
  return sum;
}

// Largest difference and largest magnitude; a NaN anywhere makes the difference infinite.
struct Distance {
  double error = 0, norm = 0;
  int64_t worst = -1, count = 0;
  void add(double got, double want) {
    const double e = std::abs(got - want);
    if (!(e <= error)) {
      error = std::isnan(e) ? std::numeric_limits<double>::infinity() : e;
      worst = count;
    }
    norm = std::max(norm, std::abs(want));
    ++count;
  }
};

template <class A, class B>
Distance distance(const Tensor<A>& got, const Tensor<B>& want) {
  Distance d;
  if (!(got.shape() == want.shape())) return {std::numeric_limits<double>::infinity(), 0, -1, 0};
  for (int64_t i = 0; i < got.size(); ++i) d.add(static_cast<double>(got[i]), static_cast<double>(want[i]));
  return d;
}

// Fails unless something was compared and all of it is within `relative` of the largest magnitude (at least
// 1).
#define DWS_EXPECT_NEAR(got, want, relative)                                                       \
  do {                                                                                             \
    const ::dws::test::Distance d_ = ::dws::test::distance(got, want);                             \
    EXPECT_TRUE(d_.count > 0 && d_.error <= (relative)*std::max(1.0, d_.norm))                     \
        << #got << ": error " << d_.error << " at " << d_.worst << " of " << d_.count << ", norm " \
        << d_.norm;                                                                                \
  } while (false)

}  // namespace dws::test
