// Convolution and pooling of pictures with channels last.
#include "autograd/op_support.h"
#include "autograd/ops.h"
#include "kernels/conv.h"
#include "kernels/pool.h"

namespace dws::ops {
namespace {

template <class T>
class Conv final : public Primitive<T> {
 public:
  explicit Conv(const kernels::Conv2d& c) : c_(c) {}
  std::string_view name() const noexcept override { return "conv2d"; }
  void vjp(const VjpArgs<T>& a) const override {
    const int64_t images = a.inputs[0].shape[0];
    const T *x = a.inputs[0].data, *w = a.inputs[1].data, *dy = a.cotangents[0].data;
    {
      Scratch<T> room(a.scratch, kernels::conv2d_nhwc_scratch(c_));
      if (const GradSlot<T> dx = a.grads[0])
        kernels::conv2d_nhwc_dx(c_, images, w, dy, dx.data, dx.accumulate, room.data());
      if (const GradSlot<T> dw = a.grads[1])
        kernels::conv2d_nhwc_dw(c_, images, x, dy, dw.data, dw.accumulate, room.data());
    }
    if (a.inputs.size() == 3 && a.grads[2])
      kernels::column_sums(images * c_.places(), c_.filters, dy, a.grads[2].data, a.grads[2].accumulate);
  }

 private:
  kernels::Conv2d c_;
};

// `inputs` are x, w and perhaps bias.
template <class T>
Var<T> conv_impl(std::span<const Var<T>> inputs, const Window& window) {
  Tape<T>& tape = tape_of<T>("conv2d", inputs);
  const Shape &x = inputs[0].shape(), &w = inputs[1].shape();
  const char* expected = "x (N, H, W, C), w (KH, KW, C, F), perhaps bias (F), H and W not below the kernel";
  if (x.rank() != 4 || w.rank() != 4 || x[3] != w[2]) bad_shapes("conv2d", expected, {x, w});
  if (inputs.size() == 3 && !(inputs[2].shape() == Shape{w[3]}))
    bad_shapes("conv2d", expected, {x, w, inputs[2].shape()});
  const int64_t pad = window.padding;
  const kernels::Conv2d c{.channels = x[3],
                          .height = x[1],
                          .width = x[2],
                          .filters = w[3],
                          .kernel_h = w[0],
                          .kernel_w = w[1],
                          .stride_h = window.stride,
                          .stride_w = window.stride,
                          .pad_top = pad,
                          .pad_left = pad,
                          .pad_bottom = pad,
                          .pad_right = pad,
                          .dilation_h = window.dilation,
                          .dilation_w = window.dilation};
  if (window.stride < 1 || window.dilation < 1 || pad < 0 || w.size() < 1 ||
      c.height + 2 * pad <= c.dilation_h * (c.kernel_h - 1) ||
      c.width + 2 * pad <= c.dilation_w * (c.kernel_w - 1))
    bad_shapes("conv2d", expected, {x, w});
  const View<T> y = tape.allocate({x[0], c.out_height(), c.out_width(), c.filters});
  {
    Scratch<T> room(tape.arena(), kernels::conv2d_nhwc_scratch(c));
    kernels::conv2d_nhwc(c, x[0], inputs[0].data(), inputs[1].data(),
                         inputs.size() == 3 ? inputs[2].data() : nullptr, y.data, room.data());
  }
  return tape.record(inputs, y, rule_for<Conv<T>, T>(tape, inputs, c));
}

template <class T>
class MaxPool final : public Primitive<T> {
 public:
  MaxPool(const kernels::Pool2d& p, const int32_t* index) : p_(p), index_(index) {}
  std::string_view name() const noexcept override { return "max_pool2d"; }
  void vjp(const VjpArgs<T>& a) const override {
    const Shape& s = a.inputs[0].shape;
    kernels::max_pool2d_backward(p_, s[0], s[3], a.cotangents[0].data, index_, a.grads[0].data,
                                 a.grads[0].accumulate);
  }

 private:
  kernels::Pool2d p_;
  const int32_t* index_;
};

template <class T>
class MeanPool final : public Primitive<T> {
 public:
  explicit MeanPool(const kernels::Pool2d& p) : p_(p) {}
  std::string_view name() const noexcept override { return "mean_pool2d"; }
  void vjp(const VjpArgs<T>& a) const override {
    const Shape& s = a.inputs[0].shape;
    kernels::mean_pool2d_backward(p_, s[0], s[3], a.cotangents[0].data, a.grads[0].data,
                                  a.grads[0].accumulate);
  }

 private:
  kernels::Pool2d p_;
};

template <class T>
kernels::Pool2d pool_of(std::string_view op, Var<T> x, int64_t kernel, const Window& window) {
  const Shape& s = x.shape();
  const int64_t pad = window.padding, span = window.dilation * (kernel - 1) + 1;
  // Pads below the window: each window holds an element.
  if (s.rank() != 4 || kernel < 1 || window.stride < 1 || window.dilation < 1 || pad < 0 || pad >= kernel ||
      (pad > 0 && window.dilation > 1) || s[1] + 2 * pad < span || s[2] + 2 * pad < span)
    bad_shapes(op, "x (N, H, W, C), H and W not below the window, which is larger than its padding", {s});
  return {.height = s[1],
          .width = s[2],
          .kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = window.stride,
          .stride_w = window.stride,
          .pad_top = pad,
          .pad_left = pad,
          .pad_bottom = pad,
          .pad_right = pad,
          .dilation_h = window.dilation,
          .dilation_w = window.dilation};
}

}  // namespace

template <class T>
Var<T> conv2d(Var<T> x, Var<T> w, const Window& window) {
  const Var<T> inputs[] = {x, w};
  return conv_impl<T>(inputs, window);
}

template <class T>
Var<T> conv2d(Var<T> x, Var<T> w, Var<T> bias, const Window& window) {
  const Var<T> inputs[] = {x, w, bias};
  return conv_impl<T>(inputs, window);
}

template <class T>
Var<T> max_pool2d(Var<T> x, int64_t kernel, const Window& window) {
  const Var<T> inputs[] = {x};
  Tape<T>& tape = tape_of<T>("max_pool2d", inputs);
  const kernels::Pool2d p = pool_of("max_pool2d", x, kernel, window);
  const int64_t N = x.shape()[0], C = x.shape()[3];
  const View<T> y = tape.allocate({N, p.out_height(), p.out_width(), C});
  int32_t* index = nullptr;
  if (tape.wants_grad(inputs)) index = tape.arena().template take<int32_t>(static_cast<size_t>(y.size()));
  kernels::max_pool2d(p, N, C, x.data(), y.data, index);
  return tape.record(inputs, y, rule_for<MaxPool<T>, T>(tape, inputs, p, index));
}

template <class T>
Var<T> mean_pool2d(Var<T> x, int64_t kernel, const Window& window) {
  const Var<T> inputs[] = {x};
  Tape<T>& tape = tape_of<T>("mean_pool2d", inputs);
  const kernels::Pool2d p = pool_of("mean_pool2d", x, kernel, window);
  const int64_t N = x.shape()[0], C = x.shape()[3];
  const View<T> y = tape.allocate({N, p.out_height(), p.out_width(), C});
  kernels::mean_pool2d(p, N, C, x.data(), y.data);
  return tape.record(inputs, y, rule_for<MeanPool<T>, T>(tape, inputs, p));
}

#define DWS_INSTANTIATE(T)                                       \
  template Var<T> conv2d(Var<T>, Var<T>, const Window&);         \
  template Var<T> conv2d(Var<T>, Var<T>, Var<T>, const Window&); \
  template Var<T> max_pool2d(Var<T>, int64_t, const Window&);    \
  template Var<T> mean_pool2d(Var<T>, int64_t, const Window&);
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws::ops
