// Losses.
#include <cmath>

#include "autograd/op_support.h"
#include "autograd/ops.h"

namespace dws::ops {
namespace {

template <class T>
class CrossEntropy final : public Primitive<T> {
 public:
  CrossEntropy(const T* targets, T weight) : targets_(targets), weight_(weight) {}
  std::string_view name() const noexcept override { return "cross_entropy"; }

  // sum over k of t_k (log sum exp z - z_k), shifted by the row's maximum so that exp cannot overflow.
  static double row_loss(int64_t K, const T* z, const T* t) noexcept {
    const T top = *std::max_element(z, z + K);
    double sum = 0, mass = 0, hit = 0;
    for (int64_t k = 0; k < K; ++k) {
      const double shifted = static_cast<double>(z[k]) - static_cast<double>(top);
      sum += std::exp(shifted);
      mass += static_cast<double>(t[k]);
      if (t[k] != 0) hit += static_cast<double>(t[k]) * shifted;
    }
    return mass * std::log(sum) - hit;
  }

  // dz = weight dy (softmax(z) sum(t) - t).
  void vjp(const VjpArgs<T>& a) const override {
    const int64_t B = a.inputs[0].shape[0], K = a.inputs[0].shape[1];
    const T factor = weight_ * a.cotangents[0].data[0];
    Scratch<T> dz(a.scratch, B * K);
    kernels::softmax(B, K, a.inputs[0].data, dz.data());
    for (int64_t b = 0; b < B; ++b) {
      const T* t = targets_ + b * K;
      T* row = dz.data() + b * K;
      T mass = 0;
      for (int64_t k = 0; k < K; ++k) mass += t[k];
      for (int64_t k = 0; k < K; ++k) row[k] = row[k] * mass - t[k];
    }
    kernels::scale(B * K, factor, dz.data(), a.grads[0].data, a.grads[0].accumulate);
  }

 private:
  const T* targets_;
  T weight_;
};

}  // namespace

template <class T>
Var<T> cross_entropy(Var<T> logits, View<const T> targets, T weight) {
  const Var<T> inputs[] = {logits};
  Tape<T>& tape = tape_of<T>("cross_entropy", inputs);
  const Shape& s = logits.shape();
  if (s.rank() != 2 || s[1] < 1 || !(targets.shape == s))
    bad_shapes("cross_entropy", "logits (B, K), targets (B, K)", {s, targets.shape});
  double loss = 0;
  for (int64_t b = 0; b < s[0]; ++b)
    loss += CrossEntropy<T>::row_loss(s[1], logits.data() + b * s[1], targets.data + b * s[1]);
  const View<T> y = tape.allocate({});
  y.data[0] = static_cast<T>(static_cast<double>(weight) * loss);
  return tape.record(inputs, y, rule_for<CrossEntropy<T>, T>(tape, inputs, targets.data, weight));
}

template Var<float> cross_entropy(Var<float>, View<const float>, float);
template Var<double> cross_entropy(Var<double>, View<const double>, double);

}  // namespace dws::ops
