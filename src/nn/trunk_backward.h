// The backward of DwsTrunk for one shard: from the cotangent of the pooled invariants down to the parameters.
#pragma once

#include "kernels/fused_matrix.h"
#include "nn/trunk_forward.h"

namespace dws::nn {

template <class T>
class TrunkBackward {
 public:
  // args.cotangents[0] (B, invariant width); args.grads[i] belongs to parameter i.
  TrunkBackward(const TrunkForward<T>& forward, const VjpArgs<T>& args);
  void run();

 private:
  using Norm = typename DwsTrunk<T>::Norm;
  using Bundle = typename TrunkLevel<T>::Bundle;
  // What the backward of a norm multiplies: dy = p g + q y + r, columns as the array's.
  struct Coefficients {
    T *p = nullptr, *q = nullptr, *r = nullptr;
  };

  // From gradients of u and inv of level l to those of its y. Of matrices g and coefficients, which stand for
  // dy = p g + q y + r: those of level l + 1 are read, with the gradient of layer l's own weights taken on the way,
  // and overwritten by those of level l.
  void activation(int64_t l);
  void axis_activation(int64_t l, size_t k);
  void matrix_activation(int64_t l, size_t i);
  void scalar_activation(int64_t l);
  // From gradients of y of level l + 1 to those of layer l's parameters and, for l > 0, of u and inv of level l.
  void layer(int64_t l);
  void matrix_sums(int64_t l);
  void raw_matrix_weights();
  // The part of the kernel's arguments that stands for dy of level l + 1, network b.
  void set_cotangent(kernels::FusedBackward<T>& k, int64_t l, size_t i, int64_t b) const;
  // Folds sums of g and g (y - origin) of each column into coefficients and the gradients of gamma and beta.
  void finish_norm(const Norm& norm, const Bundle& bundle, int64_t rows, const T* origin, Coefficients& c);
  // Where the gradient of parameter i goes, null when nobody asks.
  T* gradient(int i) const noexcept { return args_.grads[static_cast<size_t>(i)].data; }

  const TrunkForward<T>& forward_;
  const DwsTrunk<T>& trunk_;
  const VjpArgs<T>& args_;
  int64_t B_, G_;
  T *dinv_, *dz_, *dscalars_, *reduced_, *origin_, *transposed_, *unwanted_;
  T **du_, **dy_;                  // of axes
  T **g_, **row_sum_, **col_sum_;  // of matrices: g and its sums over columns and rows
  Coefficients axis_, scalar_, *matrix_;
  double *sum_, *sum_x_, *set_sum_, *set_sum_x_;
};

extern template class TrunkBackward<float>;
extern template class TrunkBackward<double>;

}  // namespace dws::nn
