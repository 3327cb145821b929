// Elementwise ops and softmax.
#include "autograd/op_support.h"
#include "autograd/ops.h"
#include "kernels/activation.h"

namespace dws::ops {
namespace {

template <class T>
class Add final : public Primitive<T> {
 public:
  std::string_view name() const noexcept override { return "add"; }
  void vjp(const VjpArgs<T>& a) const override {
    pass_on(a.cotangents[0], a.grads[0]);
    pass_on(a.cotangents[0], a.grads[1]);
  }
};

template <class T>
class Scale final : public Primitive<T> {
 public:
  explicit Scale(T factor) : factor_(factor) {}
  std::string_view name() const noexcept override { return "scale"; }
  void vjp(const VjpArgs<T>& a) const override {
    const View<const T>& dy = a.cotangents[0];
    kernels::scale(dy.size(), factor_, dy.data, a.grads[0].data, a.grads[0].accumulate);
  }

 private:
  T factor_;
};

template <class T>
class Relu final : public Primitive<T> {
 public:
  std::string_view name() const noexcept override { return "relu"; }
  void vjp(const VjpArgs<T>& a) const override {
    const View<const T>& dy = a.cotangents[0];
    kernels::relu_backward(dy.size(), a.outputs[0].data, dy.data, a.grads[0].data, a.grads[0].accumulate);
  }
};

template <class T>
class Tanh final : public Primitive<T> {
 public:
  std::string_view name() const noexcept override { return "tanh"; }
  void vjp(const VjpArgs<T>& a) const override {
    const View<const T>& dy = a.cotangents[0];
    kernels::tanh_backward(dy.size(), a.outputs[0].data, dy.data, a.grads[0].data, a.grads[0].accumulate);
  }
};

template <class T>
class Gelu final : public Primitive<T> {
 public:
  std::string_view name() const noexcept override { return "gelu"; }
  void vjp(const VjpArgs<T>& a) const override {
    const View<const T>& dy = a.cotangents[0];
    kernels::gelu_backward(dy.size(), a.inputs[0].data, dy.data, a.grads[0].data, a.grads[0].accumulate);
  }
};

template <class T>
class Softmax final : public Primitive<T> {
 public:
  std::string_view name() const noexcept override { return "softmax"; }
  void vjp(const VjpArgs<T>& a) const override {
    const View<const T>& y = a.outputs[0];
    kernels::softmax_backward(extent(y.shape, 0, y.shape.rank() - 1), y.shape.last(), y.data,
                              a.cotangents[0].data, a.grads[0].data, a.grads[0].accumulate);
  }
};

template <class T>
void require_same(std::string_view op, Var<T> a, Var<T> b) {
  if (!(a.shape() == b.shape())) bad_shapes(op, "equal shapes", {a.shape(), b.shape()});
}

}  // namespace

template <class T>
Var<T> add(Var<T> a, Var<T> b) {
  const Var<T> inputs[] = {a, b};
  Tape<T>& tape = tape_of<T>("add", inputs);
  require_same("add", a, b);
  const View<T> y = tape.allocate(a.shape());
  kernels::add(y.size(), a.data(), b.data(), y.data);
  return tape.record(inputs, y, rule_for<Add<T>, T>(tape, inputs));
}

template <class T>
Var<T> scale(Var<T> a, T factor) {
  const Var<T> inputs[] = {a};
  Tape<T>& tape = tape_of<T>("scale", inputs);
  const View<T> y = tape.allocate(a.shape());
  kernels::scale(y.size(), factor, a.data(), y.data, false);
  return tape.record(inputs, y, rule_for<Scale<T>, T>(tape, inputs, factor));
}

template <class T>
Var<T> relu(Var<T> a) {
  const Var<T> inputs[] = {a};
  Tape<T>& tape = tape_of<T>("relu", inputs);
  const View<T> y = tape.allocate(a.shape());
  kernels::relu(y.size(), a.data(), y.data);
  return tape.record(inputs, y, rule_for<Relu<T>, T>(tape, inputs));
}

template <class T>
Var<T> tanh(Var<T> a) {
  const Var<T> inputs[] = {a};
  Tape<T>& tape = tape_of<T>("tanh", inputs);
  const View<T> y = tape.allocate(a.shape());
  kernels::tanh(y.size(), a.data(), y.data);
  return tape.record(inputs, y, rule_for<Tanh<T>, T>(tape, inputs));
}

template <class T>
Var<T> gelu(Var<T> a) {
  const Var<T> inputs[] = {a};
  Tape<T>& tape = tape_of<T>("gelu", inputs);
  const View<T> y = tape.allocate(a.shape());
  kernels::gelu(y.size(), a.data(), y.data);
  return tape.record(inputs, y, rule_for<Gelu<T>, T>(tape, inputs));
}

template <class T>
Var<T> softmax(Var<T> a) {
  const Var<T> inputs[] = {a};
  Tape<T>& tape = tape_of<T>("softmax", inputs);
  if (a.shape().rank() < 1) bad_shapes("softmax", "a (..., C)", {a.shape()});
  const View<T> y = tape.allocate(a.shape());
  kernels::softmax(extent(y.shape, 0, y.shape.rank() - 1), y.shape.last(), a.data(), y.data);
  return tape.record(inputs, y, rule_for<Softmax<T>, T>(tape, inputs));
}

#define DWS_INSTANTIATE(T)             \
  template Var<T> add(Var<T>, Var<T>); \
  template Var<T> scale(Var<T>, T);    \
  template Var<T> relu(Var<T>);        \
  template Var<T> tanh(Var<T>);        \
  template Var<T> gelu(Var<T>);        \
  template Var<T> softmax(Var<T>);
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws::ops
