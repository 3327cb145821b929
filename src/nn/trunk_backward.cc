#include "nn/trunk_backward.h"

#include <algorithm>

#include "kernels/elementwise.h"
#include "kernels/fused_matrix.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/reduce.h"

namespace dws::nn {

template <class T>
TrunkBackward<T>::TrunkBackward(const TrunkForward<T>& forward, const VjpArgs<T>& args)
    : forward_(forward), trunk_(forward.trunk()), args_(args), B_(forward.networks()), G_(trunk_.channels_) {
  Arena& arena = args.scratch;
  const auto take = [&](int64_t n) { return arena.take<T>(static_cast<size_t>(n)); };
  int64_t widest = std::max(trunk_.z_fields_, trunk_.inv_fields_),
          largest = trunk_.z_fields_ * trunk_.inv_fields_;
  for (const auto& axis : trunk_.axes_) {
    widest = std::max(widest, axis.fields());
    largest = std::max(largest, axis.fields() * axis.fields());
  }
  widest *= G_;
  largest = std::max<int64_t>(largest, 1) * G_ * G_;
  dinv_ = take(B_ * trunk_.inv_fields_ * G_);
  dz_ = take(B_ * trunk_.z_fields_ * G_);
  dscalars_ = take(B_ * trunk_.scalars_ * G_);
  reduced_ = take(B_ * widest);
  origin_ = take(widest);
  transposed_ = take(largest);
  unwanted_ = take(G_ * G_);
  const size_t axes = trunk_.axes_.size(), matrices = trunk_.matrices_.size();
  du_ = arena.take<T*>(axes);
  dy_ = arena.take<T*>(axes);
  g_ = arena.take<T*>(matrices);
  row_sum_ = arena.take<T*>(matrices);
  col_sum_ = arena.take<T*>(matrices);
  matrix_ = arena.take<Coefficients>(matrices);
  axis_ = {take(widest), take(widest), take(widest)};
  scalar_ = {take(widest), take(widest), take(widest)};
  for (size_t k = 0; k < axes; ++k) {
    const int64_t size = B_ * trunk_.axes_[k].d * trunk_.axes_[k].fields() * G_;
    du_[k] = take(size);
    dy_[k] = take(size);
  }
  for (size_t i = 0; i < matrices; ++i) {
    g_[i] = take(B_ * trunk_.matrices_[i].R * trunk_.matrices_[i].C * G_);
    row_sum_[i] = take(B_ * trunk_.matrices_[i].R * G_);
    col_sum_[i] = take(B_ * trunk_.matrices_[i].C * G_);
    matrix_[i] = {take(G_), take(G_), take(G_)};
  }
  const auto wide = static_cast<size_t>(widest);
  sum_ = arena.take<double>(wide);
  sum_x_ = arena.take<double>(wide);
  set_sum_ = arena.take<double>(wide);
  set_sum_x_ = arena.take<double>(wide);
}

template <class T>
void TrunkBackward<T>::run() {
  std::copy_n(args_.cotangents[0].data, B_ * trunk_.inv_fields_ * G_, dinv_);
  for (size_t k = 0; k < trunk_.axes_.size(); ++k)
    std::fill_n(du_[k], B_ * trunk_.axes_[k].d * trunk_.axes_[k].fields() * G_, T(0));
  // Parameters' slots accumulate onto what their owner put there, so everything below adds.
  const auto layers = static_cast<int64_t>(trunk_.layers_.size());
  activation(layers);
  for (int64_t l = layers - 1; l >= 0; --l) {
    layer(l);
    if (l > 0) activation(l);
  }
}

template <class T>
void TrunkBackward<T>::finish_norm(const Norm& norm, const Bundle& bundle, int64_t rows, const T* origin,
                                   Coefficients& c) {
  const auto columns = static_cast<int64_t>(norm.set.size());
  if (norm.gamma < 0) {
    for (int64_t j = 0; j < columns; ++j) {
      c.p[j] = norm.set[static_cast<size_t>(j)] < 0 ? T(0) : T(1);
      c.q[j] = c.r[j] = T(0);
    }
    return;
  }
  const Channels ch = forward_.channels_of(norm, bundle, rows);
  std::fill_n(set_sum_, norm.sets, 0.0);
  std::fill_n(set_sum_x_, norm.sets, 0.0);
  for (int64_t j = 0; j < columns; ++j) {
    const int k = ch.set[j];
    if (k < 0) continue;
    set_sum_[k] += sum_[j];
    set_sum_x_[k] += sum_x_[j] + (static_cast<double>(origin[j]) - ch.mean[k]) * sum_[j];
  }
  norm_backward(ch, forward_.params().value(norm.gamma).data, set_sum_, set_sum_x_, c.p, c.q, c.r);
  T *gamma = gradient(norm.gamma), *beta = gradient(norm.beta);
  for (int64_t k = 0; k < norm.sets; ++k) {
    if (gamma) gamma[k] += static_cast<T>(set_sum_x_[k] * ch.rstd[k]);
    if (beta) beta[k] += static_cast<T>(set_sum_[k]);
  }
}

template <class T>
void TrunkBackward<T>::activation(int64_t l) {
  for (size_t i = 0; i < trunk_.matrices_.size(); ++i) matrix_activation(l, i);
  for (size_t k = 0; k < trunk_.axes_.size(); ++k) axis_activation(l, k);
  if (trunk_.scalars_ > 0) scalar_activation(l);
}

template <class T>
void TrunkBackward<T>::axis_activation(int64_t l, size_t k) {
  const auto& shape = trunk_.axes_[k];
  const auto& axis = forward_.level(l).axis[k];
  const Norm& norm = trunk_.norms_[static_cast<size_t>(l - 1)].axis[k];
  const int64_t width = shape.fields() * G_, rows = B_ * shape.d, inv = trunk_.inv_fields_ * G_;
  if (shape.vectors > 0) {
    for (int64_t b = 0; b < B_; ++b) {
      T* line = reduced_ + b * width;
      std::copy_n(dinv_ + b * inv + shape.inv * G_, shape.vectors * G_, line);
      std::fill(line + shape.vectors * G_, line + width, T(0));
    }
    kernels::reduce_backward(B_, shape.d, width, kernels::Reduce::max, reduced_, axis.index, du_[k], true);
  }
  for (int64_t c = 0; c < width; ++c) {
    const int set = norm.set[static_cast<size_t>(c)];
    origin_[c] = norm.gamma < 0 || set < 0 ? T(0) : static_cast<T>(axis.norm.mean[set]);
  }
  kernels::affine_backward_sums(rows, width, axis.y, origin_, axis.u, du_[k], sum_, sum_x_);
  finish_norm(norm, axis.norm, rows, origin_, axis_);
  kernels::affine_backward(rows, width, axis.y, axis.u, du_[k], axis_.p, axis_.q, axis_.r, dy_[k], false);
}

template <class T>
void TrunkBackward<T>::set_cotangent(kernels::FusedBackward<T>& k, int64_t l, size_t i, int64_t b) const {
  const int64_t size = trunk_.matrices_[i].R * trunk_.matrices_[i].C * G_;
  k.y = forward_.level(l + 1).matrix[i].y + b * size;
  k.gy = g_[i] + b * size;
  k.p = matrix_[i].p, k.q = matrix_[i].q, k.r = matrix_[i].r;
}

template <class T>
void TrunkBackward<T>::matrix_activation(int64_t l, size_t i) {
  const auto& shape = trunk_.matrices_[i];
  const auto& matrix = forward_.level(l).matrix[i];
  const Norm& norm = trunk_.norms_[static_cast<size_t>(l - 1)].matrix[i];
  const int64_t positions = shape.R * shape.C, inv = trunk_.inv_fields_ * G_;
  const int64_t row_ld = trunk_.axes_[static_cast<size_t>(shape.row_axis)].fields() * G_,
                col_ld = trunk_.axes_[static_cast<size_t>(shape.col_axis)].fields() * G_;
  const bool last = l == static_cast<int64_t>(trunk_.layers_.size());  // only the final pools read this level
  for (int64_t g = 0; g < G_; ++g) {
    origin_[g] = norm.gamma < 0 ? T(0) : static_cast<T>(matrix.norm.mean[g]);
    sum_[g] = sum_x_[g] = 0;
  }
  kernels::FusedBackward<T> k{};
  k.R = shape.R, k.C = shape.C, k.F = k.G = G_;
  k.scale = matrix.norm.scale, k.shift = matrix.norm.shift;
  k.origin = origin_;
  k.sum = sum_, k.sum_x = sum_x_;
  k.drow_ld = row_ld, k.dcol_ld = col_ld;
  // A gradient that nobody asks for is taken all the same, into scratch.
  if (!last) {
    const int own = trunk_.layers_[static_cast<size_t>(l)].own[i];
    kernels::transpose(G_, G_, forward_.params().value(own).data, transposed_);
    k.wt = transposed_;
    k.dw = gradient(own);
    if (!k.dw) std::fill_n(k.dw = unwanted_, G_ * G_, T(0));
  }
  for (int64_t b = 0; b < B_; ++b) {
    k.x = matrix.y + b * positions * G_;
    k.g = g_[i] + b * positions * G_;
    k.row_sum = row_sum_[i] + b * shape.R * G_;
    k.col_sum = col_sum_[i] + b * shape.C * G_;
    k.pool_row = matrix.row + b * shape.R * G_;
    k.pool_col = matrix.col + b * shape.C * G_;
    k.pool_all = matrix.all + b * G_;
    if (!last) {
      set_cotangent(k, l, i, b);
      k.drow = du_[shape.row_axis] + b * shape.R * row_ld + shape.row_field * G_;
      k.dcol = du_[shape.col_axis] + b * shape.C * col_ld + shape.col_field * G_;
    }
    k.dall = dinv_ + b * inv + shape.inv * G_;
    kernels::fused_backward(k);
  }
  finish_norm(norm, matrix.norm, B_ * positions, origin_, matrix_[i]);
}

template <class T>
void TrunkBackward<T>::scalar_activation(int64_t l) {
  const auto& level = forward_.level(l);
  const Norm& norm = trunk_.norms_[static_cast<size_t>(l - 1)].scalar;
  const int64_t width = trunk_.scalars_ * G_, inv = trunk_.inv_fields_ * G_, z = trunk_.z_fields_ * G_;
  Arena& arena = args_.scratch;
  const auto size = static_cast<size_t>(B_ * width);
  T *y = arena.template take<T>(size), *u = arena.template take<T>(size), *du = arena.template take<T>(size);
  for (int64_t b = 0; b < B_; ++b) {
    std::copy_n(level.z + (b + 1) * z - width, width, y + b * width);
    std::copy_n(level.inv + (b + 1) * inv - width, width, u + b * width);
    std::copy_n(dinv_ + (b + 1) * inv - width, width, du + b * width);
  }
  for (int64_t c = 0; c < width; ++c)
    origin_[c] = norm.gamma < 0 ? T(0) : static_cast<T>(level.scalar.mean[norm.set[static_cast<size_t>(c)]]);
  kernels::affine_backward_sums(B_, width, y, origin_, u, du, sum_, sum_x_);
  finish_norm(norm, level.scalar, B_, origin_, scalar_);
  kernels::affine_backward(B_, width, y, u, du, scalar_.p, scalar_.q, scalar_.r, dscalars_, false);
  for (T* memory : {y, u, du}) arena.give_back(memory, size * sizeof(T));
}

// The sums of a matrix' dy over columns and rows join the axes' dy; they follow from those of g and of y.
template <class T>
void TrunkBackward<T>::matrix_sums(int64_t l) {
  for (size_t i = 0; i < trunk_.matrices_.size(); ++i) {
    const auto& shape = trunk_.matrices_[i];
    const auto& matrix = forward_.level(l + 1).matrix[i];
    const Coefficients& c = matrix_[i];
    const bool of_batch = forward_.uses_batch(trunk_.norms_[static_cast<size_t>(l)].matrix[i]);
    // `count` terms in each sum; d neurons on the axis.
    const auto sums = [&](int axis, int64_t field, int64_t d, int64_t count, const T* g, const T* y) {
      const int64_t ld = trunk_.axes_[static_cast<size_t>(axis)].fields() * G_;
      T* dy = dy_[axis] + field * G_;
      for (int64_t n = 0; n < B_ * d; ++n, g += G_, y += G_, dy += ld)
        for (int64_t j = 0; j < G_; ++j)
          // Without statistics of the batch q and r are zero, and nobody summed y.
          dy[j] = of_batch ? c.p[j] * g[j] + (c.q[j] * y[j] + c.r[j] * static_cast<T>(count)) : c.p[j] * g[j];
    };
    sums(shape.row_axis, shape.row_field, shape.R, shape.C, row_sum_[i], matrix.row_sum);
    sums(shape.col_axis, shape.col_field, shape.C, shape.R, col_sum_[i], matrix.col_sum);
  }
}

// Layer 0 reads the raw matrices, whose gradient nobody asks for.
template <class T>
void TrunkBackward<T>::raw_matrix_weights() {
  for (size_t i = 0; i < trunk_.matrices_.size(); ++i) {
    const auto& shape = trunk_.matrices_[i];
    kernels::FusedBackward<T> k{};
    k.R = shape.R, k.C = shape.C, k.F = 1, k.G = G_;
    k.dw = gradient(trunk_.layers_[0].own[i]);
    for (int64_t b = 0; k.dw && b < B_; ++b) {
      k.x = forward_.level(0).matrix[i].y + b * shape.R * shape.C;
      set_cotangent(k, 0, i, b);
      kernels::fused_backward(k);
    }
  }
}

template <class T>
void TrunkBackward<T>::layer(int64_t l) {
  const auto& layer = trunk_.layers_[static_cast<size_t>(l)];
  const TrunkLevel<T>& from = forward_.level(l);
  const int64_t F = forward_.channels(l), z = trunk_.z_fields_ * G_, inv = trunk_.inv_fields_ * F,
                scalars = trunk_.scalars_ * G_;
  matrix_sums(l);
  for (size_t k = 0; k < trunk_.axes_.size(); ++k) {
    const auto& shape = trunk_.axes_[k];
    const int64_t rows = B_ * shape.d, in = shape.fields() * F, out = shape.fields() * G_,
                  head = shape.with_global * G_;
    if (T* dw = gradient(layer.axis[k]))
      kernels::matmul(in, out, rows, from.axis[k].u, int64_t{1}, in, dy_[k], out, dw, out, true);
    kernels::reduce(B_, shape.d, out, kernels::Reduce::sum, dy_[k], reduced_, nullptr);
    for (int64_t b = 0; b < B_; ++b) std::copy_n(reduced_ + b * out, head, dz_ + b * z + shape.z * G_);
    if (l == 0) continue;
    kernels::transpose(in, out, forward_.params().value(layer.axis[k]).data, transposed_);
    kernels::matmul(rows, in, out, dy_[k], out, int64_t{1}, transposed_, in, du_[k], in, false);
  }
  for (int64_t b = 0; b < B_; ++b) std::copy_n(dscalars_ + b * scalars, scalars, dz_ + (b + 1) * z - scalars);
  if (T* dw = gradient(layer.global))
    kernels::matmul(inv, z, B_, from.inv, int64_t{1}, inv, dz_, z, dw, z, true);
  if (layer.bias >= 0)
    if (T* dbias = gradient(layer.bias)) kernels::column_sums(B_, z, dz_, dbias, true);
  if (l == 0) return raw_matrix_weights();
  kernels::transpose(inv, z, forward_.params().value(layer.global).data, transposed_);
  kernels::matmul(B_, inv, z, dz_, z, int64_t{1}, transposed_, inv, dinv_, inv, false);
}

template class TrunkBackward<float>;
template class TrunkBackward<double>;

}  // namespace dws::nn
