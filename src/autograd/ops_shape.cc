// Shapes and broadcasts.
#include "autograd/op_support.h"
#include "autograd/ops.h"
#include "kernels/matmul.h"

namespace dws::ops {
namespace {

// out[r, 0..n) (+)= in[r, 0..n) for rows `in_stride` and `out_stride` apart.
template <class T>
void copy_rows(int64_t rows, int64_t n, const T* in, int64_t in_stride, T* out, int64_t out_stride,
               bool accumulate) noexcept {
  for (int64_t r = 0; r < rows; ++r, in += in_stride, out += out_stride) {
    if (accumulate)
      for (int64_t i = 0; i < n; ++i) out[i] += in[i];
    else
      std::copy_n(in, n, out);
  }
}

// out (A, J, M, I, Z) (+)= in (A, I, M, J, Z) with I and J swapped.
template <class T>
void swap_axes(int64_t A, int64_t I, int64_t M, int64_t J, int64_t Z, const T* in, T* out,
               bool accumulate) noexcept {
  for (int64_t a = 0; a < A; ++a, in += I * M * J * Z, out += I * M * J * Z) {
    if (M == 1 && Z == 1 && !accumulate) {
      kernels::transpose(I, J, in, out);
      continue;
    }
    for (int64_t i = 0; i < I; ++i)
      for (int64_t m = 0; m < M; ++m)
        copy_rows(J, Z, in + (i * M + m) * J * Z, Z, out + (m * I + i) * Z, M * I * Z, accumulate);
  }
}

template <class T>
class Reshape final : public Primitive<T> {
 public:
  std::string_view name() const noexcept override { return "reshape"; }
  bool is_view() const noexcept override { return true; }
  void vjp(const VjpArgs<T>& a) const override { pass_on(a.cotangents[0], a.grads[0]); }
};

template <class T>
class Concat final : public Primitive<T> {
 public:
  std::string_view name() const noexcept override { return "concat"; }
  void vjp(const VjpArgs<T>& a) const override {
    const Shape& shape = a.outputs[0].shape;
    const int64_t rows = extent(shape, 0, shape.rank() - 1), width = shape.last();
    const T* dy = a.cotangents[0].data;
    for (size_t k = 0; k < a.inputs.size(); dy += a.inputs[k++].shape.last())
      if (const GradSlot<T> dx = a.grads[k])
        copy_rows(rows, a.inputs[k].shape.last(), dy, width, dx.data, a.inputs[k].shape.last(),
                  dx.accumulate);
  }
};

template <class T>
class Slice final : public Primitive<T> {
 public:
  explicit Slice(int64_t begin) : begin_(begin) {}
  std::string_view name() const noexcept override { return "slice"; }
  void vjp(const VjpArgs<T>& a) const override {
    const Shape &in = a.inputs[0].shape, &out = a.outputs[0].shape;
    const GradSlot<T> dx = a.grads[0];
    if (!dx.accumulate) std::fill_n(dx.data, in.size(), T(0));
    copy_rows(extent(in, 0, in.rank() - 1), out.last(), a.cotangents[0].data, out.last(), dx.data + begin_,
              in.last(), dx.accumulate);
  }

 private:
  int64_t begin_;
};

template <class T>
class Transpose final : public Primitive<T> {
 public:
  Transpose(int64_t A, int64_t I, int64_t M, int64_t J, int64_t Z) : A_(A), I_(I), M_(M), J_(J), Z_(Z) {}
  std::string_view name() const noexcept override { return "transpose"; }
  void vjp(const VjpArgs<T>& a) const override {
    swap_axes(A_, J_, M_, I_, Z_, a.cotangents[0].data, a.grads[0].data, a.grads[0].accumulate);
  }

 private:
  int64_t A_, I_, M_, J_, Z_;
};

// y[o, n, i] = x[o, n, i] + v[o, i]: every broadcast addition, under the name of its op.
template <class T>
class Broadcast final : public Primitive<T> {
 public:
  Broadcast(std::string_view name, int64_t outer, int64_t N, int64_t inner)
      : name_(name), outer_(outer), N_(N), inner_(inner) {}
  std::string_view name() const noexcept override { return name_; }
  void vjp(const VjpArgs<T>& a) const override {
    const View<const T>& dy = a.cotangents[0];
    pass_on(dy, a.grads[0]);
    if (const GradSlot<T> dv = a.grads[1])
      for (int64_t o = 0; o < outer_; ++o)
        kernels::column_sums(N_, inner_, dy.data + o * N_ * inner_, dv.data + o * inner_, dv.accumulate);
  }

 private:
  std::string_view name_;
  int64_t outer_, N_, inner_;
};

template <class T>
Var<T> broadcast(std::string_view op, Var<T> x, Var<T> v, int64_t outer, int64_t N, int64_t inner) {
  const Var<T> inputs[] = {x, v};
  Tape<T>& tape = x.tape();
  const View<T> y = tape.allocate(x.shape());
  for (int64_t o = 0; o < outer; ++o)
    kernels::add_row_vector(N, inner, x.data() + o * N * inner, v.data() + o * inner, y.data + o * N * inner);
  return tape.record(inputs, y, rule_for<Broadcast<T>, T>(tape, inputs, op, outer, N, inner));
}

}  // namespace

template <class T>
Var<T> reshape(Var<T> a, const Shape& shape) {
  const Var<T> inputs[] = {a};
  Tape<T>& tape = tape_of<T>("reshape", inputs);
  if (shape.size() != a.shape().size()) bad_shapes("reshape", "as many elements", {a.shape(), shape});
  // Nobody writes through an output once its op has returned, so sharing is safe.
  return tape.record(inputs, {const_cast<T*>(a.data()), shape}, rule_for<Reshape<T>, T>(tape, inputs));
}

template <class T>
Var<T> concat(std::span<const Var<T>> parts) {
  Tape<T>& tape = tape_of<T>("concat", parts);
  Shape shape = parts[0].shape();
  const int rank = shape.rank();
  if (rank < 1) bad_shapes("concat", "(..., F)", {shape});
  int64_t width = 0;
  for (const Var<T>& part : parts) {
    if (part.shape().rank() != rank || !std::equal(shape.begin(), shape.end() - 1, part.shape().begin()))
      bad_shapes("concat", "equal axes but for the last", {parts[0].shape(), part.shape()});
    width += part.shape().last();
  }
  shape[rank - 1] = width;
  const View<T> y = tape.allocate(shape);
  T* out = y.data;
  for (const Var<T>& part : parts) {
    const int64_t n = part.shape().last();
    copy_rows(extent(shape, 0, rank - 1), n, part.data(), n, out, width, false);
    out += n;
  }
  return tape.record(parts, y, rule_for<Concat<T>, T>(tape, parts));
}

template <class T>
Var<T> slice(Var<T> a, int64_t begin, int64_t count) {
  const Var<T> inputs[] = {a};
  Tape<T>& tape = tape_of<T>("slice", inputs);
  Shape shape = a.shape();
  const int rank = shape.rank();
  if (rank < 1 || begin < 0 || count < 0 || begin > shape.last() - count)
    throw Error(ErrorKind::mismatch,
                text("slice: [{}, {}) is outside the last axis of {}", begin, begin + count, shape.str()));
  const int64_t width = shape.last(), rows = extent(shape, 0, rank - 1);
  shape[rank - 1] = count;
  const View<T> y = tape.allocate(shape);
  copy_rows(rows, count, a.data() + begin, width, y.data, count, false);
  return tape.record(inputs, y, rule_for<Slice<T>, T>(tape, inputs, begin));
}

template <class T>
Var<T> transpose(Var<T> a, int i, int j) {
  const Var<T> inputs[] = {a};
  Tape<T>& tape = tape_of<T>("transpose", inputs);
  Shape shape = a.shape();
  const int rank = shape.rank();
  const int first = std::min(i < 0 ? i + rank : i, j < 0 ? j + rank : j);
  const int second = std::max(i < 0 ? i + rank : i, j < 0 ? j + rank : j);
  if (first < 0 || second >= rank)
    throw Error(ErrorKind::mismatch, text("transpose: axes {} and {} of {}", i, j, shape.str()));
  if (first == second) return a;
  const int64_t A = extent(shape, 0, first), I = shape[first], M = extent(shape, first + 1, second);
  const int64_t J = shape[second], Z = extent(shape, second + 1, rank);
  std::swap(shape[first], shape[second]);
  const View<T> y = tape.allocate(shape);
  swap_axes(A, I, M, J, Z, a.data(), y.data, false);
  return tape.record(inputs, y, rule_for<Transpose<T>, T>(tape, inputs, A, I, M, J, Z));
}

template <class T>
Var<T> add_bias(Var<T> x, Var<T> v) {
  const Var<T> inputs[] = {x, v};
  tape_of<T>("add_bias", inputs);
  const Shape& s = x.shape();
  if (s.rank() < 1 || !(v.shape() == Shape{s.last()}))
    bad_shapes("add_bias", "x (..., G), v (G)", {s, v.shape()});
  return broadcast("add_bias", x, v, 1, extent(s, 0, s.rank() - 1), s.last());
}

template <class T>
Var<T> add_global(Var<T> x, Var<T> v) {
  const Var<T> inputs[] = {x, v};
  tape_of<T>("add_global", inputs);
  const Shape& s = x.shape();
  if (s.rank() < 2 || !(v.shape() == Shape{s[0], s.last()}))
    bad_shapes("add_global", "x (B, ..., G), v (B, G)", {s, v.shape()});
  return broadcast("add_global", x, v, s[0], extent(s, 1, s.rank() - 1), s.last());
}

template <class T>
Var<T> add_rows(Var<T> x, Var<T> row) {
  const Var<T> inputs[] = {x, row};
  tape_of<T>("add_rows", inputs);
  const Shape& s = x.shape();
  if (s.rank() != 4 || !(row.shape() == Shape{s[0], s[1], s[3]}))
    bad_shapes("add_rows", "x (B, R, C, G), row (B, R, G)", {s, row.shape()});
  return broadcast("add_rows", x, row, s[0] * s[1], s[2], s[3]);
}

template <class T>
Var<T> add_cols(Var<T> x, Var<T> col) {
  const Var<T> inputs[] = {x, col};
  tape_of<T>("add_cols", inputs);
  const Shape& s = x.shape();
  if (s.rank() != 4 || !(col.shape() == Shape{s[0], s[2], s[3]}))
    bad_shapes("add_cols", "x (B, R, C, G), col (B, C, G)", {s, col.shape()});
  return broadcast("add_cols", x, col, s[0], s[1], s[2] * s[3]);
}

#define DWS_INSTANTIATE(T)                         \
  template Var<T> reshape(Var<T>, const Shape&);   \
  template Var<T> concat(std::span<const Var<T>>); \
  template Var<T> slice(Var<T>, int64_t, int64_t); \
  template Var<T> transpose(Var<T>, int, int);     \
  template Var<T> add_bias(Var<T>, Var<T>);        \
  template Var<T> add_global(Var<T>, Var<T>);      \
  template Var<T> add_rows(Var<T>, Var<T>);        \
  template Var<T> add_cols(Var<T>, Var<T>);
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws::ops
