// Matrix products: linear, matrix_update, matmul.
#include "autograd/fallback.h"
#include "autograd/op_support.h"
#include "autograd/ops.h"
#include "kernels/matmul.h"

namespace dws::ops {
namespace {

// The gradients of y (M, G) = x (M, F) w (F, G).
template <class T>
void product_backward(int64_t M, int64_t F, int64_t G, const T* x, const T* w, const T* dy, GradSlot<T> dx,
                      GradSlot<T> dw, Arena& arena) {
  if (dx) {
    Scratch<T> wt(arena, F * G);
    kernels::transpose(F, G, w, wt.data());
    kernels::matmul(M, F, G, dy, G, int64_t{1}, wt.data(), F, dx.data, F, dx.accumulate);
  }
  if (dw) kernels::matmul(F, G, M, x, int64_t{1}, F, dy, G, dw.data, G, dw.accumulate);
}

template <class T>
class Linear final : public Primitive<T> {
 public:
  std::string_view name() const noexcept override { return "linear"; }
  void vjp(const VjpArgs<T>& a) const override {
    const int64_t F = a.inputs[1].shape[0], G = a.inputs[1].shape[1];
    const int64_t M = extent(a.inputs[0].shape, 0, a.inputs[0].shape.rank() - 1);
    const T* dy = a.cotangents[0].data;
    product_backward(M, F, G, a.inputs[0].data, a.inputs[1].data, dy, a.grads[0], a.grads[1], a.scratch);
    if (a.inputs.size() == 3 && a.grads[2])
      kernels::column_sums(M, G, dy, a.grads[2].data, a.grads[2].accumulate);
  }
};

// `inputs` are x, w and perhaps bias.
template <class T>
Var<T> linear_impl(std::span<const Var<T>> inputs) {
  Tape<T>& tape = tape_of<T>("linear", inputs);
  const Shape &x = inputs[0].shape(), &w = inputs[1].shape();
  const bool with_bias = inputs.size() == 3;
  if (w.rank() != 2 || x.rank() < 1 || x.last() != w[0]) bad_shapes("linear", "x (..., F), w (F, G)", {x, w});
  if (with_bias && !(inputs[2].shape() == Shape{w[1]}))
    bad_shapes("linear", "x (..., F), w (F, G), bias (G)", {x, w, inputs[2].shape()});
  const int64_t F = w[0], G = w[1], M = extent(x, 0, x.rank() - 1);
  Shape shape = x;
  shape[x.rank() - 1] = G;
  const View<T> y = tape.allocate(shape);
  kernels::matmul(M, G, F, inputs[0].data(), F, int64_t{1}, inputs[1].data(), G, y.data, G, false);
  if (with_bias) kernels::add_row_vector(M, G, y.data, inputs[2].data(), y.data);
  return tape.record(inputs, y, rule_for<Linear<T>, T>(tape, inputs));
}

template <class T>
class MatrixUpdate final : public Primitive<T> {
 public:
  std::string_view name() const noexcept override { return "matrix_update"; }
  void vjp(const VjpArgs<T>& a) const override {
    const Shape& shape = a.outputs[0].shape;
    const int64_t B = shape[0], R = shape[1], C = shape[2], G = shape[3], F = a.inputs[1].shape[0];
    const T* dy = a.cotangents[0].data;
    product_backward(B * R * C, F, G, a.inputs[0].data, a.inputs[1].data, dy, a.grads[0], a.grads[1],
                     a.scratch);
    const GradSlot<T> drow = a.grads[2], dcol = a.grads[3];
    if (!drow && !dcol) return;
    // The kernel fills both sums in one pass, so each needs an array of its own.
    const bool own_row = drow && drow.data != dcol.data, own_col = static_cast<bool>(dcol);
    Scratch<T> row(a.scratch, own_row ? 0 : R * G), col(a.scratch, own_col ? 0 : C * G);
    for (int64_t b = 0; b < B; ++b) {
      kernels::matrix_update_sums(R, C, G, dy + b * R * C * G, own_row ? drow.data + b * R * G : row.data(),
                                  own_row && drow.accumulate, own_col ? dcol.data + b * C * G : col.data(),
                                  own_col && dcol.accumulate && (own_row || !drow || drow.accumulate));
      if (drow && !own_row) kernels::add(R * G, drow.data + b * R * G, row.data(), drow.data + b * R * G);
    }
  }
};

template <class T>
class Matmul final : public Primitive<T> {
 public:
  Matmul(bool transpose_a, bool transpose_b) : ta_(transpose_a), tb_(transpose_b) {}
  std::string_view name() const noexcept override { return "matmul"; }

  // y = A B with A (M, K), B (K, N) the operands after transposition.
  static void forward(bool ta, bool tb, const View<const T>& a, const View<const T>& b, const View<T>& y,
                      Arena& arena) {
    const int rank = y.shape.rank();
    const int64_t M = y.shape[rank - 2], N = y.shape[rank - 1], K = a.shape[ta ? rank - 2 : rank - 1];
    Scratch<T> right(arena, tb ? K * N : 0);
    for (int64_t i = 0, count = extent(y.shape, 0, rank - 2); i < count; ++i) {
      const T* bi = b.data + i * K * N;
      if (tb) {
        kernels::transpose(N, K, bi, right.data());
        bi = right.data();
      }
      kernels::matmul(M, N, K, a.data + i * M * K, ta ? int64_t{1} : K, ta ? M : int64_t{1}, bi, N,
                      y.data + i * M * N, N, false);
    }
  }

  void vjp(const VjpArgs<T>& args) const override {
    const Shape& shape = args.outputs[0].shape;
    const int rank = shape.rank();
    const int64_t M = shape[rank - 2], N = shape[rank - 1],
                  K = args.inputs[0].shape[ta_ ? rank - 2 : rank - 1];
    const int64_t count = extent(shape, 0, rank - 2), one = 1;
    const T *a = args.inputs[0].data, *b = args.inputs[1].data, *dy = args.cotangents[0].data;
    Scratch<T> turned(args.scratch, std::max({K * N, M * N, M * K}));
    if (const GradSlot<T> da = args.grads[0]) {
      for (int64_t i = 0; i < count; ++i) {
        const T *bi = b + i * K * N, *dyi = dy + i * M * N;
        T* dai = da.data + i * M * K;
        if (ta_) {  // da (K, M) = B dy^T
          kernels::transpose(M, N, dyi, turned.data());
          kernels::matmul(K, M, N, bi, tb_ ? one : N, tb_ ? K : one, turned.data(), M, dai, M, da.accumulate);
        } else {  // da (M, K) = dy B^T
          if (!tb_) kernels::transpose(K, N, bi, turned.data());
          kernels::matmul(M, K, N, dyi, N, one, tb_ ? bi : turned.data(), K, dai, K, da.accumulate);
        }
      }
    }
    if (const GradSlot<T> db = args.grads[1]) {
      for (int64_t i = 0; i < count; ++i) {
        const T *ai = a + i * M * K, *dyi = dy + i * M * N;
        T* dbi = db.data + i * K * N;
        if (tb_) {  // db (N, K) = dy^T A
          if (ta_) kernels::transpose(K, M, ai, turned.data());
          kernels::matmul(N, K, M, dyi, one, N, ta_ ? turned.data() : ai, K, dbi, K, db.accumulate);
        } else {  // db (K, N) = A^T dy
          kernels::matmul(K, N, M, ai, ta_ ? M : one, ta_ ? one : K, dyi, N, dbi, N, db.accumulate);
        }
      }
    }
  }

 private:
  bool ta_, tb_;
};

template <class T>
void check_matrix_update(Var<T> x, Var<T> w, Var<T> row, Var<T> col) {
  const Shape &s = x.shape(), &m = w.shape();
  if (s.rank() != 4 || m.rank() != 2 || s[3] != m[0] || !(row.shape() == Shape{s[0], s[1], m[1]}) ||
      !(col.shape() == Shape{s[0], s[2], m[1]}))
    bad_shapes("matrix_update", "x (B, R, C, F), w (F, G), row (B, R, G), col (B, C, G)",
               {s, m, row.shape(), col.shape()});
}

}  // namespace

template <class T>
Var<T> linear(Var<T> x, Var<T> w) {
  const Var<T> inputs[] = {x, w};
  return linear_impl<T>(inputs);
}

template <class T>
Var<T> linear(Var<T> x, Var<T> w, Var<T> bias) {
  const Var<T> inputs[] = {x, w, bias};
  return linear_impl<T>(inputs);
}

template <class T>
Var<T> matrix_update(Var<T> x, Var<T> w, Var<T> row, Var<T> col) {
  if (use_fallbacks()) return matrix_update_fallback(x, w, row, col);
  const Var<T> inputs[] = {x, w, row, col};
  Tape<T>& tape = tape_of<T>("matrix_update", inputs);
  check_matrix_update(x, w, row, col);
  const Shape& s = x.shape();
  const int64_t B = s[0], R = s[1], C = s[2], F = s[3], G = w.shape()[1];
  const View<T> y = tape.allocate({B, R, C, G});
  for (int64_t b = 0; b < B; ++b)
    kernels::matrix_update(R, C, F, G, x.data() + b * R * C * F, w.data(), row.data() + b * R * G,
                           col.data() + b * C * G, y.data + b * R * C * G);
  return tape.record(inputs, y, rule_for<MatrixUpdate<T>, T>(tape, inputs));
}

template <class T>
Var<T> matrix_update_fallback(Var<T> x, Var<T> w, Var<T> row, Var<T> col) {
  const Var<T> inputs[] = {x, w, row, col};
  tape_of<T>("matrix_update", inputs);
  check_matrix_update(x, w, row, col);
  return add_cols(add_rows(linear(x, w), row), col);
}

template <class T>
Var<T> matmul(Var<T> a, Var<T> b, bool transpose_a, bool transpose_b) {
  const Var<T> inputs[] = {a, b};
  Tape<T>& tape = tape_of<T>("matmul", inputs);
  const Shape &sa = a.shape(), &sb = b.shape();
  const int rank = sa.rank();
  const std::string_view expected = "a (..., M, K), b (..., K, N) after transposition, equal leading axes";
  if (rank < 2 || sb.rank() != rank || !std::equal(sa.begin(), sa.end() - 2, sb.begin()))
    bad_shapes("matmul", expected, {sa, sb});
  const int64_t M = sa.dim(transpose_a ? -1 : -2), K = sa.dim(transpose_a ? -2 : -1);
  if (sb.dim(transpose_b ? -1 : -2) != K) bad_shapes("matmul", expected, {sa, sb});
  Shape shape = sa;
  shape[rank - 2] = M;
  shape[rank - 1] = sb.dim(transpose_b ? -2 : -1);
  const View<T> y = tape.allocate(shape);
  Matmul<T>::forward(transpose_a, transpose_b, a.view(), b.view(), y, tape.arena());
  return tape.record(inputs, y, rule_for<Matmul<T>, T>(tape, inputs, transpose_a, transpose_b));
}

#define DWS_INSTANTIATE(T)                                                \
  template Var<T> linear(Var<T>, Var<T>);                                 \
  template Var<T> linear(Var<T>, Var<T>, Var<T>);                         \
  template Var<T> matrix_update(Var<T>, Var<T>, Var<T>, Var<T>);          \
  template Var<T> matrix_update_fallback(Var<T>, Var<T>, Var<T>, Var<T>); \
  template Var<T> matmul(Var<T>, Var<T>, bool, bool);
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws::ops
