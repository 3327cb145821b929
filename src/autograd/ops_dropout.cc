// Dropout of whole channels.
#include "autograd/dropout_mask.h"
#include "autograd/op_support.h"
#include "autograd/ops.h"
#include "kernels/norm.h"

namespace dws::ops {
namespace {

template <class T>
class Dropout final : public Primitive<T> {
 public:
  Dropout(const T* mask, int64_t positions, int64_t channels)
      : mask_(mask), positions_(positions), channels_(channels) {}
  std::string_view name() const noexcept override { return "dropout"; }
  void vjp(const VjpArgs<T>& a) const override {
    const View<const T>& dy = a.cotangents[0];
    const GradSlot<T> dx = a.grads[0];
    Scratch<T> zeros(a.scratch, channels_);
    std::fill_n(zeros.data(), channels_, T(0));
    const int64_t step = positions_ * channels_;
    for (int64_t b = 0; b * step < dy.size(); ++b)
      kernels::affine_backward(positions_, channels_, dy.data + b * step, static_cast<const T*>(nullptr),
                               dy.data + b * step, mask_ + b * channels_, zeros.data(), zeros.data(),
                               dx.data + b * step, dx.accumulate);
  }

 private:
  const T* mask_;  // (B, C)
  int64_t positions_, channels_;
};

}  // namespace

template <class T>
Var<T> dropout(Var<T> a, double p) {
  const Var<T> inputs[] = {a};
  Tape<T>& tape = tape_of<T>("dropout", inputs);
  require_probability("dropout", p);
  const Shape& s = a.shape();
  if (s.rank() < 2) bad_shapes("dropout", "a (B, ..., C)", {s});
  if (!tape.training() || p == 0 || s.size() == 0) return a;
  const T* mask = dropout_mask(tape, s, p);
  const int64_t channels = s.last(), positions = extent(s, 1, s.rank() - 1), step = positions * channels;
  Scratch<T> zeros(tape.arena(), channels);
  std::fill_n(zeros.data(), channels, T(0));
  const View<T> y = tape.allocate(s);
  for (int64_t b = 0; b < s[0]; ++b)
    kernels::affine(positions, channels, a.data() + b * step, mask + b * channels, zeros.data(), false,
                    y.data + b * step);
  return tape.record(inputs, y, rule_for<Dropout<T>, T>(tape, inputs, mask, positions, channels));
}

template Var<float> dropout(Var<float>, double);
template Var<double> dropout(Var<double>, double);

}  // namespace dws::ops
