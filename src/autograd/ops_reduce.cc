// Reductions over axes.
#include "autograd/fallback.h"
#include "autograd/op_support.h"
#include "autograd/ops.h"
#include "kernels/reduce.h"

namespace dws::ops {
namespace {

kernels::Reduce kernel_kind(Reduction kind) noexcept {
  switch (kind) {
    case Reduction::max:
      return kernels::Reduce::max;
    case Reduction::mean:
      return kernels::Reduce::mean;
    case Reduction::sum:
      return kernels::Reduce::sum;
  }
  return kernels::Reduce::sum;
}

template <class T>
class Reduce final : public Primitive<T> {
 public:
  Reduce(int64_t outer, int64_t N, int64_t inner, kernels::Reduce kind, const int32_t* index)
      : outer_(outer), N_(N), inner_(inner), kind_(kind), index_(index) {}
  std::string_view name() const noexcept override { return "reduce"; }
  void vjp(const VjpArgs<T>& a) const override {
    kernels::reduce_backward(outer_, N_, inner_, kind_, a.cotangents[0].data, index_, a.grads[0].data,
                             a.grads[0].accumulate);
  }

 private:
  int64_t outer_, N_, inner_;
  kernels::Reduce kind_;
  const int32_t* index_;
};

// Winners of a maximum for one op. The backward needs them; without one they are only the kernel's scratch.
class Winners {
 public:
  Winners(Arena& arena, int64_t count, bool keep)
      : arena_(arena),
        bytes_(static_cast<size_t>(count) * sizeof(int32_t)),
        keep_(keep),
        data_(count ? arena.take<int32_t>(static_cast<size_t>(count)) : nullptr) {}
  Winners(const Winners&) = delete;
  ~Winners() {
    if (data_ && !keep_) arena_.give_back(data_, bytes_);
  }
  int32_t* data() const noexcept { return data_; }

 private:
  Arena& arena_;
  size_t bytes_;
  bool keep_;
  int32_t* data_;
};

template <class T>
Var<T> reduce_flat(Var<T> x, const Shape& shape, int64_t outer, int64_t N, int64_t inner,
                   kernels::Reduce kind) {
  const Var<T> inputs[] = {x};
  Tape<T>& tape = x.tape();
  const View<T> y = tape.allocate(shape);
  const Winners index(tape.arena(), kind == kernels::Reduce::max ? outer * inner : 0,
                      tape.wants_grad(inputs));
  kernels::reduce(outer, N, inner, kind, x.data(), y.data, index.data());
  return tape.record(inputs, y, rule_for<Reduce<T>, T>(tape, inputs, outer, N, inner, kind, index.data()));
}

template <class T>
class PoolMatrix final : public Primitive<T> {
 public:
  PoolMatrix(kernels::Reduce kind, const int32_t* row, const int32_t* col, const int32_t* all)
      : kind_(kind), row_(row), col_(col), all_(all) {}
  std::string_view name() const noexcept override { return "pool_matrix"; }
  void vjp(const VjpArgs<T>& a) const override {
    const Shape& s = a.inputs[0].shape;
    const int64_t B = s[0], R = s[1], C = s[2], F = s[3];
    const T *drow = a.cotangents[0].data, *dcol = a.cotangents[1].data, *dall = a.cotangents[2].data;
    const auto at = [](auto* p, int64_t offset) { return p ? p + offset : nullptr; };
    for (int64_t b = 0; b < B; ++b)
      kernels::pool_matrix_backward(R, C, F, kind_, at(drow, b * R * F), at(dcol, b * C * F), at(dall, b * F),
                                    at(row_, b * R * F), at(col_, b * C * F), at(all_, b * F),
                                    a.grads[0].data + b * R * C * F, a.grads[0].accumulate);
  }

 private:
  kernels::Reduce kind_;
  const int32_t *row_, *col_, *all_;
};

template <class T>
void check_pool_matrix(Var<T> x) {
  const Shape& s = x.shape();
  if (s.rank() != 4 || s[1] < 1 || s[2] < 1)
    bad_shapes("pool_matrix", "x (B, R, C, F), R and C positive", {s});
}

}  // namespace

template <class T>
Var<T> reduce(Var<T> x, int axis, Reduction kind) {
  const Var<T> inputs[] = {x};
  tape_of<T>("reduce", inputs);
  const Shape& s = x.shape();
  if (axis < 0) axis += s.rank();
  if (axis < 0 || axis >= s.rank() || s[axis] < 1)
    throw Error(ErrorKind::mismatch, text("reduce: axis {} of {} is missing or empty", axis, s.str()));
  Shape shape;
  for (int i = 0; i < s.rank(); ++i)
    if (i != axis) shape.push_back(s[i]);
  return reduce_flat(x, shape, extent(s, 0, axis), s[axis], extent(s, axis + 1, s.rank()), kernel_kind(kind));
}

template <class T>
Pooled<T> pool_matrix(Var<T> x, Reduction kind) {
  if (use_fallbacks()) return pool_matrix_fallback(x, kind);
  const Var<T> inputs[] = {x};
  Tape<T>& tape = tape_of<T>("pool_matrix", inputs);
  check_pool_matrix(x);
  const Shape& s = x.shape();
  const int64_t B = s[0], R = s[1], C = s[2], F = s[3];
  const bool keep = tape.wants_grad(inputs), is_max = kind == Reduction::max;
  const View<T> out[] = {tape.allocate({B, R, F}), tape.allocate({B, C, F}), tape.allocate({B, F})};
  const Winners row(tape.arena(), is_max ? B * R * F : 0, keep),
      col(tape.arena(), is_max ? B * C * F : 0, keep);
  const Winners all(tape.arena(), is_max ? B * F : 0, keep);
  const auto at = [](int32_t* p, int64_t offset) { return p ? p + offset : nullptr; };
  for (int64_t b = 0; b < B; ++b)
    kernels::pool_matrix(R, C, F, kernel_kind(kind), x.data() + b * R * C * F, out[0].data + b * R * F,
                         out[1].data + b * C * F, out[2].data + b * F, at(row.data(), b * R * F),
                         at(col.data(), b * C * F), at(all.data(), b * F));
  Var<T> vars[3];
  tape.record_many(
      inputs, out,
      rule_for<PoolMatrix<T>, T>(tape, inputs, kernel_kind(kind), row.data(), col.data(), all.data()), vars);
  return {vars[0], vars[1], vars[2]};
}

template <class T>
Pooled<T> pool_matrix_fallback(Var<T> x, Reduction kind) {
  const Var<T> inputs[] = {x};
  tape_of<T>("pool_matrix", inputs);
  check_pool_matrix(x);
  const Shape& s = x.shape();
  const Shape flat{s[0], s[1] * s[2], s[3]};
  return {reduce(x, 2, kind), reduce(x, 1, kind), reduce(reshape(x, flat), 1, kind)};
}

#define DWS_INSTANTIATE(T)                           \
  template Var<T> reduce(Var<T>, int, Reduction);    \
  template Pooled<T> pool_matrix(Var<T>, Reduction); \
  template Pooled<T> pool_matrix_fallback(Var<T>, Reduction);
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws::ops
