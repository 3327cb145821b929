// The forward of DwsTrunk for one shard: levels in an arena, one after the other.
#pragma once

#include "autograd/channels.h"
#include "nn/dws_trunk.h"

namespace dws::nn {

template <class T>
class TrunkForward {
 public:
  using Level = TrunkLevel<T>;
  using Bundle = typename Level::Bundle;

  // B networks at a time. With `keep` every level has arrays of its own (for a backward), otherwise two take
  // turns. Statistics of the batch are used where `training`.
  TrunkForward(const DwsTrunk<T>& trunk, const ParamSet<T>& params, Arena& arena, int64_t B, bool training,
               bool keep);
  // x (B, P). Returns inv of the last level.
  const T* run(const T* x, int64_t networks, T* batch_stats);

  const DwsTrunk<T>& trunk() const noexcept { return trunk_; }
  const ParamSet<T>& params() const noexcept { return params_; }
  const Level& level(int64_t l) const noexcept { return levels_[l]; }
  int64_t networks() const noexcept { return B_; }
  int64_t channels(int64_t level) const noexcept { return level == 0 ? 1 : trunk_.channels_; }
  // Whether a norm's statistics are the batch's own.
  bool uses_batch(const typename DwsTrunk<T>::Norm& norm) const noexcept {
    return training_ && norm.gamma >= 0;
  }
  Channels channels_of(const typename DwsTrunk<T>::Norm& norm, const Bundle& bundle, int64_t rows) const;

 private:
  using Norm = typename DwsTrunk<T>::Norm;
  // Matrices of `in_place`, if any, are used again.
  void allocate(Level& level, int64_t F, bool first, const Level* in_place);
  void allocate(Bundle& bundle, const Norm& norm);
  void read(const T* x);
  void activate(int64_t l);
  void layer(int64_t l, T* batch_stats);
  void matrix(int64_t l, size_t i, T* batch_stats);
  // Statistics from sums (training) or from the running ones, and the folded map.
  void fold(const Norm& norm, Bundle& bundle, int64_t rows, const double* origin, const double* sum,
            const double* sum_sq, T* batch_stats);
  void use_running_statistics();
  void set_signs(const Norm& norm, Bundle& bundle);
  // The same for an array (rows, columns) with rows `ld` apart.
  void normalise(const Norm& norm, Bundle& bundle, const T* y, int64_t rows, T* batch_stats);

  const DwsTrunk<T>& trunk_;
  const ParamSet<T>& params_;
  Arena& arena_;
  int64_t B_;
  bool training_;
  Level* levels_ = nullptr;
  T *reduced_ = nullptr, *scalars_ = nullptr, *origin_ = nullptr;  // scratch
  double *sum_ = nullptr, *sum_sq_ = nullptr, *set_origin_ = nullptr;
};

extern template class TrunkForward<float>;
extern template class TrunkForward<double>;

}  // namespace dws::nn
