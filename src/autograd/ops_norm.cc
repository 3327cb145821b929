// Batch and layer normalisation, and batch norm fused with what follows it.
#include "autograd/channels.h"
#include "autograd/dropout_mask.h"
#include "autograd/fallback.h"
#include "autograd/op_support.h"
#include "autograd/ops.h"
#include "kernels/norm.h"

namespace dws::ops {
namespace {

// Behind the affine map: ReLU, then dropout where there is a mask (B, C). A mask is not negative, so it goes
// through the ReLU into the map itself: m relu(a x + b) = relu(m a x + m b), network by network.
template <class T>
struct Tail {
  bool relu = false;
  const T* mask = nullptr;
  int64_t networks = 1;  // B when there is a mask, else one run over all rows
};

template <class T>
class BatchNorm final : public Primitive<T> {
 public:
  BatchNorm(std::string_view name, const Channels& channels, const Tail<T>& tail)
      : name_(name), ch_(channels), tail_(tail) {}
  std::string_view name() const noexcept override { return name_; }

  void vjp(const VjpArgs<T>& a) const override {
    const T *x = a.inputs[0].data, *gamma = a.inputs[1].data, *dy = a.cotangents[0].data;
    // Zero where ReLU or dropout put a zero, so the output itself serves as the mask.
    const T* y = tail_.relu ? a.outputs[0].data : nullptr;
    Scratch<double> g(a.scratch, ch_.P), gx(a.scratch, ch_.P);
    channel_sums(x, y, dy, g.data(), gx.data(), a.scratch);
    if (a.grads[0]) input_gradient(x, y, dy, gamma, g.data(), gx.data(), a.grads[0], a.scratch);
    for (int64_t k = 0; k < ch_.P; ++k) gx[k] *= ch_.rstd[k];
    put(g.data(), gx.data(), a.grads[1], a.grads[2]);
  }

 private:
  // g[k] = sum of g over a channel, gx[k] = sum of g (x - mean).
  void channel_sums(const T* x, const T* y, const T* dy, double* g, double* gx, Arena& arena) const {
    Scratch<T> shift(arena, ch_.C);
    Scratch<double> sum(arena, ch_.C), sum_x(arena, ch_.C);
    for (int64_t c = 0; c < ch_.C; ++c) shift[c] = static_cast<T>(ch_.mean[ch_.set[c]]);
    std::fill_n(g, ch_.P, 0.0);
    std::fill_n(gx, ch_.P, 0.0);
    const int64_t rows = ch_.rows / tail_.networks, step = rows * ch_.C;
    for (int64_t b = 0; b < tail_.networks; ++b) {
      kernels::affine_backward_sums(rows, ch_.C, x + b * step, shift.data(), y ? y + b * step : nullptr,
                                    dy + b * step, sum.data(), sum_x.data());
      for (int64_t c = 0; c < ch_.C; ++c) {
        const int k = ch_.set[c];
        const double m = tail_.mask ? static_cast<double>(tail_.mask[b * ch_.C + c]) : 1.0;
        g[k] += m * sum[c];
        gx[k] += m * (sum_x[c] + (static_cast<double>(shift[c]) - ch_.mean[k]) * sum[c]);
      }
    }
  }

  void input_gradient(const T* x, const T* y, const T* dy, const T* gamma, const double* g, const double* gx,
                      GradSlot<T> dx, Arena& arena) const {
    Scratch<T> p(arena, ch_.C), q(arena, ch_.C), r(arena, ch_.C);
    norm_backward(ch_, gamma, g, gx, p.data(), q.data(), r.data());
    const int64_t rows = ch_.rows / tail_.networks, step = rows * ch_.C;
    Scratch<T> slope(arena, ch_.C);
    for (int64_t b = 0; b < tail_.networks; ++b) {
      masked(p.data(), b, slope.data());
      kernels::affine_backward(rows, ch_.C, x + b * step, y ? y + b * step : nullptr, dy + b * step,
                               slope.data(), q.data(), r.data(), dx.data + b * step, dx.accumulate);
    }
  }

  // out (C) = v times network b's mask.
  void masked(const T* v, int64_t b, T* out) const {
    for (int64_t c = 0; c < ch_.C; ++c) out[c] = tail_.mask ? tail_.mask[b * ch_.C + c] * v[c] : v[c];
  }

  void put(const double* dbeta, const double* dgamma, GradSlot<T> gamma, GradSlot<T> beta) const {
    for (int64_t k = 0; gamma && k < ch_.P; ++k)
      gamma.data[k] = static_cast<T>(dgamma[k]) + (gamma.accumulate ? gamma.data[k] : T(0));
    for (int64_t k = 0; beta && k < ch_.P; ++k)
      beta.data[k] = static_cast<T>(dbeta[k]) + (beta.accumulate ? beta.data[k] : T(0));
  }

  std::string_view name_;
  Channels ch_;
  Tail<T> tail_;
};

// Mean and deviation of each channel over all its columns; also written to the caller's statistics.
template <class T>
void batch_statistics(const Channels& ch, const T* x, const BatchNormState<T>& state, Arena& arena) {
  // Shifting by one of the channel's own numbers keeps the squares small; columns of a channel share it.
  Scratch<T> shift(arena, ch.C);
  Scratch<double> sum(arena, ch.C), sum_sq(arena, ch.C), origin(arena, ch.P);
  for (int64_t c = ch.C; c-- > 0;) origin[ch.set[c]] = static_cast<double>(x[c]);
  for (int64_t c = 0; c < ch.C; ++c) shift[c] = static_cast<T>(origin[ch.set[c]]);
  kernels::column_moments(ch.rows, ch.C, x, shift.data(), sum.data(), sum_sq.data());
  finish_statistics(ch, origin.data(), sum.data(), sum_sq.data(), static_cast<double>(state.eps),
                    state.batch_mean, state.batch_var);
}

template <class T>
Channels channels_of(std::string_view op, Var<T> x, Var<T> gamma, Var<T> beta,
                     const BatchNormState<T>& state) {
  const Shape& s = x.shape();
  const std::string_view expected = "x (..., C) with rows, gamma (P), beta (P), channel_of (C)";
  if (s.rank() < 1 || gamma.shape().rank() != 1 || !(beta.shape() == gamma.shape()) ||
      static_cast<int64_t>(state.channel_of.size()) != s.last() || s.size() < 1)
    bad_shapes(op, expected,
               {s, gamma.shape(), beta.shape(), Shape{static_cast<int64_t>(state.channel_of.size())}});
  for (const int k : state.channel_of)
    if (k < 0 || k >= gamma.shape()[0])
      throw Error(ErrorKind::mismatch,
                  text("{}: channel {} with {} parameter sets", op, k, gamma.shape()[0]));
  Tape<T>& tape = x.tape();
  if (!tape.training() && !(state.mean && state.var))
    throw Error(ErrorKind::mismatch, text("{}: no running statistics outside training", op));

  Arena& arena = tape.arena();
  const auto P = static_cast<size_t>(gamma.shape()[0]);
  int* set = arena.take<int>(state.channel_of.size());
  std::copy(state.channel_of.begin(), state.channel_of.end(), set);
  const Channels ch{extent(s, 0, s.rank() - 1), s.last(),
                    gamma.shape()[0],           set,
                    arena.take<double>(P),      arena.take<double>(P),
                    arena.take<double>(P),      tape.training()};
  fill_counts(ch);
  if (tape.training())
    batch_statistics(ch, x.data(), state, arena);
  else
    use_statistics(ch, state.mean, state.var, static_cast<double>(state.eps));
  return ch;
}

template <class T>
Var<T> normalise(std::string_view op, Var<T> x, Var<T> gamma, Var<T> beta, const BatchNormState<T>& state,
                 const Tail<T>& tail) {
  const Var<T> inputs[] = {x, gamma, beta};
  Tape<T>& tape = x.tape();
  const Channels ch = channels_of(op, x, gamma, beta, state);
  Scratch<T> a(tape.arena(), ch.C), b(tape.arena(), ch.C);
  fold_norm(ch, gamma.data(), beta.data(), a.data(), b.data());
  const View<T> y = tape.allocate(x.shape());
  const int64_t rows = ch.rows / tail.networks, step = rows * ch.C;
  Scratch<T> ma(tape.arena(), tail.mask ? ch.C : 0), mb(tape.arena(), tail.mask ? ch.C : 0);
  for (int64_t n = 0; n < tail.networks; ++n) {
    for (int64_t c = 0; tail.mask && c < ch.C; ++c) {
      ma[c] = tail.mask[n * ch.C + c] * a[c];
      mb[c] = tail.mask[n * ch.C + c] * b[c];
    }
    kernels::affine(rows, ch.C, x.data() + n * step, tail.mask ? ma.data() : a.data(),
                    tail.mask ? mb.data() : b.data(), tail.relu, y.data + n * step);
  }
  return tape.record(inputs, y, rule_for<BatchNorm<T>, T>(tape, inputs, op, ch, tail));
}

template <class T>
class LayerNorm final : public Primitive<T> {
 public:
  LayerNorm(const T* mean, const T* rstd) : mean_(mean), rstd_(rstd) {}
  std::string_view name() const noexcept override { return "layer_norm"; }
  void vjp(const VjpArgs<T>& a) const override {
    const View<const T>& x = a.inputs[0];
    const int64_t C = x.shape.last(), rows = extent(x.shape, 0, x.shape.rank() - 1);
    for (const GradSlot<T> slot : {a.grads[1], a.grads[2]})
      if (slot && !slot.accumulate) std::fill_n(slot.data, C, T(0));
    const GradSlot<T> dx = a.grads[0];
    Scratch<T> unwanted(a.scratch, dx ? 0 : rows * C);
    kernels::layer_norm_backward(rows, C, x.data, a.inputs[1].data, mean_, rstd_, a.cotangents[0].data,
                                 dx ? dx.data : unwanted.data(), dx && dx.accumulate, a.grads[1].data,
                                 a.grads[2].data);
  }

 private:
  const T *mean_, *rstd_;
};

}  // namespace

template <class T>
Var<T> batch_norm(Var<T> x, Var<T> gamma, Var<T> beta, const BatchNormState<T>& state) {
  const Var<T> inputs[] = {x, gamma, beta};
  tape_of<T>("batch_norm", inputs);
  return normalise<T>("batch_norm", x, gamma, beta, state, {});
}

template <class T>
Var<T> norm_relu_dropout(Var<T> x, Var<T> gamma, Var<T> beta, const BatchNormState<T>& state, double p) {
  if (use_fallbacks()) return norm_relu_dropout_fallback(x, gamma, beta, state, p);
  const Var<T> inputs[] = {x, gamma, beta};
  Tape<T>& tape = tape_of<T>("norm_relu_dropout", inputs);
  require_probability("norm_relu_dropout", p);
  Tail<T> tail{true};
  if (x.shape().rank() > 1 && tape.training() && p > 0)
    tail = {true, dropout_mask(tape, x.shape(), p), x.shape()[0]};
  return normalise<T>("norm_relu_dropout", x, gamma, beta, state, tail);
}

template <class T>
Var<T> norm_relu_dropout_fallback(Var<T> x, Var<T> gamma, Var<T> beta, const BatchNormState<T>& state,
                                  double p) {
  return dropout(relu(batch_norm(x, gamma, beta, state)), p);
}

template <class T>
Var<T> layer_norm(Var<T> x, Var<T> gamma, Var<T> beta, T eps) {
  const Var<T> inputs[] = {x, gamma, beta};
  Tape<T>& tape = tape_of<T>("layer_norm", inputs);
  const Shape& s = x.shape();
  if (s.rank() < 1 || s.last() < 1 || !(gamma.shape() == Shape{s.last()}) || !(beta.shape() == gamma.shape()))
    bad_shapes("layer_norm", "x (..., C), gamma (C), beta (C)", {s, gamma.shape(), beta.shape()});
  const int64_t C = s.last(), rows = extent(s, 0, s.rank() - 1);
  const View<T> y = tape.allocate(s);
  T *mean = tape.arena().template take<T>(static_cast<size_t>(rows)),
    *rstd = tape.arena().template take<T>(static_cast<size_t>(rows));
  kernels::layer_norm(rows, C, x.data(), gamma.data(), beta.data(), eps, y.data, mean, rstd);
  return tape.record(inputs, y, rule_for<LayerNorm<T>, T>(tape, inputs, mean, rstd));
}

#define DWS_INSTANTIATE(T)                                                                              \
  template Var<T> batch_norm(Var<T>, Var<T>, Var<T>, const BatchNormState<T>&);                         \
  template Var<T> norm_relu_dropout(Var<T>, Var<T>, Var<T>, const BatchNormState<T>&, double);          \
  template Var<T> norm_relu_dropout_fallback(Var<T>, Var<T>, Var<T>, const BatchNormState<T>&, double); \
  template Var<T> layer_norm(Var<T>, Var<T>, Var<T>, T);
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws::ops
