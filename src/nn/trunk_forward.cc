#include "nn/trunk_forward.h"

#include <algorithm>
#include <limits>

#include "kernels/fused_matrix.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/reduce.h"
#include "nn/features.h"

namespace dws::nn {

namespace {

constexpr double kEps = 1e-5;  // of batch norms, as in ops::BatchNormState

template <class T>
T* take(Arena& arena, int64_t count) {
  return arena.take<T>(static_cast<size_t>(count));
}

// out = relu(scale x + shift) for `rows` rows of n numbers, rows of out `ld` apart; without scale a copy.
template <class T>
void activate_rows(int64_t rows, int64_t n, const T* x, const T* scale, const T* shift, T* out, int64_t ld) {
  for (int64_t r = 0; r < rows; ++r, x += n, out += ld)
    for (int64_t j = 0; j < n; ++j) out[j] = scale ? std::max(T(0), x[j] * scale[j] + shift[j]) : x[j];
}

}  // namespace

template <class T>
TrunkForward<T>::TrunkForward(const DwsTrunk<T>& trunk, const ParamSet<T>& params, Arena& arena, int64_t B,
                              bool training, bool keep)
    : trunk_(trunk), params_(params), arena_(arena), B_(B), training_(training) {
  const auto count = static_cast<int64_t>(trunk.layers_.size()) + 1;
  levels_ = take<Level>(arena_, count);
  int64_t widest = std::max(trunk.z_fields_, trunk.inv_fields_);
  for (const auto& axis : trunk.axes_) widest = std::max(widest, axis.fields());
  widest *= trunk.channels_;
  reduced_ = take<T>(arena_, B * widest);
  scalars_ = take<T>(arena_, B * widest);
  origin_ = take<T>(arena_, widest);
  sum_ = take<double>(arena_, widest);
  sum_sq_ = take<double>(arena_, widest);
  set_origin_ = take<double>(arena_, widest);
  for (int64_t l = 0; l < count; ++l) {
    levels_[l] = Level{};
    if (keep || l < 3) {
      // Matrices are what is large: the second hidden level and all that share its arrays lie in those of the first.
      allocate(levels_[l], channels(l), l == 0, keep || l < 2 ? nullptr : &levels_[1]);
    } else {
      // The arrays of two levels take turns; norms are each level's own.
      levels_[l].axis = take<typename Level::Axis>(arena_, static_cast<int64_t>(trunk.axes_.size()));
      levels_[l].matrix = take<typename Level::Matrix>(arena_, static_cast<int64_t>(trunk.matrices_.size()));
      std::copy_n(levels_[l - 2].axis, trunk.axes_.size(), levels_[l].axis);
      std::copy_n(levels_[l - 2].matrix, trunk.matrices_.size(), levels_[l].matrix);
      levels_[l].z = levels_[l - 2].z;
      levels_[l].inv = levels_[l - 2].inv;
    }
    if (l == 0) continue;
    const auto& norms = trunk.norms_[static_cast<size_t>(l - 1)];
    for (size_t k = 0; k < trunk.axes_.size(); ++k) allocate(levels_[l].axis[k].norm, norms.axis[k]);
    for (size_t i = 0; i < trunk.matrices_.size(); ++i) allocate(levels_[l].matrix[i].norm, norms.matrix[i]);
    allocate(levels_[l].scalar, norms.scalar);
  }
  if (!training_) use_running_statistics();
}

template <class T>
void TrunkForward<T>::allocate(Level& level, int64_t F, bool first, const Level* in_place) {
  level.axis = take<typename Level::Axis>(arena_, static_cast<int64_t>(trunk_.axes_.size()));
  level.matrix = take<typename Level::Matrix>(arena_, static_cast<int64_t>(trunk_.matrices_.size()));
  for (size_t k = 0; k < trunk_.axes_.size(); ++k) {
    const auto& shape = trunk_.axes_[k];
    level.axis[k] = {};
    const int64_t width = shape.fields() * F, size = B_ * shape.d * width;
    level.axis[k].y = take<T>(arena_, first ? B_ * shape.d * shape.vectors : size);
    level.axis[k].u = take<T>(arena_, size);
    level.axis[k].index = take<int32_t>(arena_, B_ * width);
  }
  for (size_t i = 0; i < trunk_.matrices_.size(); ++i) {
    const auto& shape = trunk_.matrices_[i];
    level.matrix[i] = {};
    level.matrix[i].y = in_place ? in_place->matrix[i].y : take<T>(arena_, B_ * shape.R * shape.C * F);
    level.matrix[i].row = take<T>(arena_, B_ * shape.R * F);
    level.matrix[i].col = take<T>(arena_, B_ * shape.C * F);
    level.matrix[i].all = take<T>(arena_, B_ * F);
    level.matrix[i].row_sum = take<T>(arena_, B_ * shape.R * F);
    level.matrix[i].col_sum = take<T>(arena_, B_ * shape.C * F);
  }
  level.z = take<T>(arena_, B_ * (first ? trunk_.scalars_ : trunk_.z_fields_ * F));
  level.inv = take<T>(arena_, B_ * trunk_.inv_fields_ * F);
}

template <class T>
void TrunkForward<T>::allocate(Bundle& bundle, const Norm& norm) {
  const auto columns = static_cast<int64_t>(norm.set.size());
  bundle.scale = take<T>(arena_, columns);
  bundle.shift = take<T>(arena_, columns);
  bundle.sign = take<T>(arena_, columns);
  bundle.mean = take<double>(arena_, norm.sets);
  bundle.rstd = take<double>(arena_, norm.sets);
  bundle.count = take<double>(arena_, norm.sets);
  set_signs(norm, bundle);
}

// The deviation is positive, so a folded norm has the sign of gamma.
template <class T>
void TrunkForward<T>::set_signs(const Norm& norm, Bundle& bundle) {
  for (size_t c = 0; c < norm.set.size(); ++c) {
    const int k = norm.set[c];
    bundle.sign[c] = norm.gamma >= 0 && k >= 0 && params_.value(norm.gamma).data[k] < 0 ? T(-1) : T(1);
    bundle.scale[c] = k >= 0 ? T(1) : T(0);  // without a norm
    bundle.shift[c] = T(0);
  }
}

template <class T>
Channels TrunkForward<T>::channels_of(const Norm& norm, const Bundle& bundle, int64_t rows) const {
  return {rows,         static_cast<int64_t>(norm.set.size()),
          norm.sets,    norm.set.data(),
          bundle.mean,  bundle.rstd,
          bundle.count, training_};
}

template <class T>
void TrunkForward<T>::fold(const Norm& norm, Bundle& bundle, int64_t rows, const double* origin,
                           const double* sum, const double* sum_sq, T* batch_stats) {
  const Channels ch = channels_of(norm, bundle, rows);
  fill_counts(ch);
  T *mean = nullptr, *var = nullptr;
  if (batch_stats) {
    mean = batch_stats + params_.buffer_info(norm.mean).offset;
    var = batch_stats + params_.buffer_info(norm.var).offset;
  }
  finish_statistics(ch, origin, sum, sum_sq, kEps, mean, var);
  fold_norm(ch, params_.value(norm.gamma).data, params_.value(norm.beta).data, bundle.scale, bundle.shift);
}

template <class T>
void TrunkForward<T>::use_running_statistics() {
  const auto use = [&](const Norm& norm, Bundle& bundle) {
    if (norm.gamma < 0) return;
    const Channels ch = channels_of(norm, bundle, 0);
    use_statistics(ch, params_.buffer(norm.mean).data, params_.buffer(norm.var).data, kEps);
    fold_norm(ch, params_.value(norm.gamma).data, params_.value(norm.beta).data, bundle.scale, bundle.shift);
  };
  for (size_t l = 0; l < trunk_.norms_.size(); ++l) {
    const auto& norms = trunk_.norms_[l];
    Level& level = levels_[l + 1];
    for (size_t k = 0; k < norms.axis.size(); ++k) use(norms.axis[k], level.axis[k].norm);
    for (size_t i = 0; i < norms.matrix.size(); ++i) use(norms.matrix[i], level.matrix[i].norm);
    use(norms.scalar, level.scalar);
  }
}

template <class T>
void TrunkForward<T>::normalise(const Norm& norm, Bundle& bundle, const T* y, int64_t rows, T* batch_stats) {
  if (!uses_batch(norm)) return;
  const auto columns = static_cast<int64_t>(norm.set.size());
  // Sums about one of the set's own numbers: its first column's in the first row.
  for (int64_t c = columns; c-- > 0;)
    if (norm.set[static_cast<size_t>(c)] >= 0)
      set_origin_[norm.set[static_cast<size_t>(c)]] = static_cast<double>(y[c]);
  for (int64_t c = 0; c < columns; ++c) {
    const int k = norm.set[static_cast<size_t>(c)];
    origin_[c] = k < 0 ? T(0) : static_cast<T>(set_origin_[k]);
  }
  kernels::column_moments(rows, columns, y, origin_, sum_, sum_sq_);
  fold(norm, bundle, rows, set_origin_, sum_, sum_sq_, batch_stats);
}

// Level 0: the numbers themselves, and their pools.
template <class T>
void TrunkForward<T>::read(const T* x) {
  const weights::WeightSpace& space = *trunk_.space_;
  const int64_t P = space.param_count();
  Level& level = levels_[0];
  for (size_t k = 0; k < trunk_.axes_.size(); ++k)
    gather(space.vector_table(static_cast<int>(k)), P, 1, B_, x, level.axis[k].y);
  for (size_t i = 0; i < trunk_.matrices_.size(); ++i) {
    const auto& shape = trunk_.matrices_[i];
    auto& matrix = level.matrix[i];
    gather(space.matrix_table(static_cast<int>(i)), P, 1, B_, x, matrix.y);
    int32_t* unused = take<int32_t>(arena_, shape.R + shape.C + 1);
    for (int64_t b = 0; b < B_; ++b)
      kernels::pool_matrix(shape.R, shape.C, int64_t{1}, kernels::Reduce::max,
                           matrix.y + b * shape.R * shape.C, matrix.row + b * shape.R,
                           matrix.col + b * shape.C, matrix.all + b, unused, unused + shape.R,
                           unused + shape.R + shape.C);
  }
  if (trunk_.scalars_ > 0) gather(space.scalar_table(), P, 1, B_, x, level.z);
}

// u and inv of level l from y, pools and z.
template <class T>
void TrunkForward<T>::activate(int64_t l) {
  Level& level = levels_[l];
  const int64_t F = channels(l), inv_width = trunk_.inv_fields_ * F;
  for (size_t k = 0; k < trunk_.axes_.size(); ++k) {
    const auto& shape = trunk_.axes_[k];
    const int64_t width = shape.fields() * F, rows = B_ * shape.d;
    if (l == 0)
      activate_rows<T>(rows, shape.vectors, level.axis[k].y, nullptr, nullptr, level.axis[k].u, width);
    else
      kernels::affine(rows, width, level.axis[k].y, level.axis[k].norm.scale, level.axis[k].norm.shift, true,
                      level.axis[k].u);
  }
  for (size_t i = 0; i < trunk_.matrices_.size(); ++i) {
    const auto& shape = trunk_.matrices_[i];
    const auto& matrix = level.matrix[i];
    const auto &row = trunk_.axes_[static_cast<size_t>(shape.row_axis)],
               &col = trunk_.axes_[static_cast<size_t>(shape.col_axis)];
    const T *scale = l == 0 ? nullptr : matrix.norm.scale, *shift = matrix.norm.shift;
    activate_rows(B_ * shape.R, F, matrix.row, scale, shift,
                  level.axis[shape.row_axis].u + shape.row_field * F, row.fields() * F);
    activate_rows(B_ * shape.C, F, matrix.col, scale, shift,
                  level.axis[shape.col_axis].u + shape.col_field * F, col.fields() * F);
    activate_rows(B_, F, matrix.all, scale, shift, level.inv + shape.inv * F, inv_width);
  }
  for (size_t k = 0; k < trunk_.axes_.size(); ++k) {
    const auto& shape = trunk_.axes_[k];
    const int64_t width = shape.fields() * F;
    if (shape.vectors == 0) continue;
    kernels::reduce(B_, shape.d, width, kernels::Reduce::max, level.axis[k].u, reduced_, level.axis[k].index);
    for (int64_t b = 0; b < B_; ++b)
      std::copy_n(reduced_ + b * width, shape.vectors * F, level.inv + b * inv_width + shape.inv * F);
  }
  const int64_t scalars = trunk_.scalars_ * F;
  const int64_t z_width = l == 0 ? scalars : trunk_.z_fields_ * F;
  for (int64_t b = 0; b < B_ && scalars > 0; ++b)
    activate_rows<T>(1, scalars, level.z + (b + 1) * z_width - scalars, l == 0 ? nullptr : level.scalar.scale,
                     level.scalar.shift, level.inv + (b + 1) * inv_width - scalars, scalars);
}

// Level l + 1 from level l.
template <class T>
void TrunkForward<T>::layer(int64_t l, T* batch_stats) {
  const auto& layer = trunk_.layers_[static_cast<size_t>(l)];
  const auto& norms = trunk_.norms_[static_cast<size_t>(l)];
  const Level& from = levels_[l];
  Level& to = levels_[l + 1];
  const int64_t F = channels(l), G = trunk_.channels_;
  const int64_t inv = trunk_.inv_fields_ * F, z = trunk_.z_fields_ * G;
  const T* global = params_.value(layer.global).data;
  if (layer.bias >= 0)
    kernels::matmul_onto_rows(B_, z, inv, from.inv, global, z, to.z, z, params_.value(layer.bias).data,
                              int64_t{0}, int64_t{1});
  else
    kernels::matmul(B_, z, inv, from.inv, inv, int64_t{1}, global, z, to.z, z, false);
  for (size_t k = 0; k < trunk_.axes_.size(); ++k) {
    const auto& shape = trunk_.axes_[k];
    const T *w = params_.value(layer.axis[k]).data, *u = from.axis[k].u;
    T* y = to.axis[k].y;
    const int64_t rows = B_ * shape.d, in = shape.fields() * F, out = shape.fields() * G,
                  head = shape.with_global * G;
    kernels::matmul_onto_rows(rows, head, in, u, w, out, y, out, to.z + shape.z * G, z, shape.d);
    kernels::matmul(rows, out - head, in, u, in, int64_t{1}, w + head, out, y + head, out, false);
    normalise(norms.axis[k], to.axis[k].norm, y, rows, batch_stats);
  }
  for (size_t i = 0; i < trunk_.matrices_.size(); ++i) matrix(l, i, batch_stats);
  const int64_t scalars = trunk_.scalars_ * G;
  for (int64_t b = 0; b < B_; ++b) std::copy_n(to.z + (b + 1) * z - scalars, scalars, scalars_ + b * scalars);
  if (scalars > 0) normalise(norms.scalar, to.scalar, scalars_, B_, batch_stats);
}

template <class T>
void TrunkForward<T>::matrix(int64_t l, size_t i, T* batch_stats) {
  const auto& shape = trunk_.matrices_[i];
  const auto& from = levels_[l].matrix[i];
  auto& to = levels_[l + 1].matrix[i];
  const Norm& norm = trunk_.norms_[static_cast<size_t>(l)].matrix[i];
  const auto &row_axis = trunk_.axes_[static_cast<size_t>(shape.row_axis)],
             &col_axis = trunk_.axes_[static_cast<size_t>(shape.col_axis)];
  const int64_t F = channels(l), G = trunk_.channels_, row_ld = row_axis.fields() * G,
                col_ld = col_axis.fields() * G, positions = shape.R * shape.C;
  const T *row = levels_[l + 1].axis[shape.row_axis].y + shape.row_field * G,
          *col = levels_[l + 1].axis[shape.col_axis].y + shape.col_field * G;
  const T* w = params_.value(trunk_.layers_[static_cast<size_t>(l)].own[i]).data;
  const bool statistics = uses_batch(norm);
  if (statistics) {
    // The first position's result, to take the sums about.
    activate_rows(1, F, from.y, l == 0 ? nullptr : from.norm.scale, from.norm.shift, scalars_, F);
    kernels::matmul(int64_t{1}, G, F, scalars_, F, int64_t{1}, w, G, origin_, G, false);
    for (int64_t g = 0; g < G; ++g) {
      origin_[g] += row[g] + col[g];
      set_origin_[g] = static_cast<double>(origin_[g]);
    }
    std::fill_n(sum_, G, 0.0);
    std::fill_n(sum_sq_, G, 0.0);
  }
  kernels::FusedForward<T> k{};
  k.R = shape.R, k.C = shape.C, k.F = F, k.G = G;
  k.scale = l == 0 ? nullptr : from.norm.scale;
  k.shift = from.norm.shift;
  k.w = w;
  k.row_ld = row_ld, k.col_ld = col_ld;
  k.sign = to.norm.sign;
  k.origin = origin_;
  k.sum = statistics ? sum_ : nullptr;
  k.sum_sq = sum_sq_;
  for (int64_t b = 0; b < B_; ++b) {
    k.x = from.y + b * positions * F;
    k.row = row + b * shape.R * row_ld;
    k.col = col + b * shape.C * col_ld;
    k.y = to.y + b * positions * G;
    k.pool_row = to.row + b * shape.R * G;
    k.pool_col = to.col + b * shape.C * G;
    k.pool_all = to.all + b * G;
    k.row_sum = to.row_sum + b * shape.R * G;
    k.col_sum = to.col_sum + b * shape.C * G;
    kernels::fused_forward(k);
  }
  if (statistics) fold(norm, to.norm, B_ * positions, set_origin_, sum_, sum_sq_, batch_stats);
}

template <class T>
const T* TrunkForward<T>::run(const T* x, int64_t networks, T* batch_stats) {
  B_ = networks;
  read(x);
  const auto layers = static_cast<int64_t>(trunk_.layers_.size());
  for (int64_t l = 0; l < layers; ++l) {
    activate(l);
    layer(l, batch_stats);
  }
  activate(layers);
  return levels_[layers].inv;
}

template class TrunkForward<float>;
template class TrunkForward<double>;

}  // namespace dws::nn
