#include "nn/mlp.h"

#include <numbers>
#include <numeric>

#include "core/text.h"

namespace dws::nn {

template <class T>
Mlp<T>::Mlp(ParamSet<T>& params, const std::string& name, int64_t in, const std::vector<int64_t>& hidden,
            int64_t out, double dropout, const std::string& norm_name)
    : dropout_(dropout) {
  for (size_t i = 0; i <= hidden.size(); ++i) {
    const int64_t width = i < hidden.size() ? hidden[i] : out;
    layers_.emplace_back(params, text("{}.{}", name, i), in, width);
    in = width;
    if (i == hidden.size() || norm_name.empty()) continue;
    std::vector<int> channel_of(static_cast<size_t>(width));
    std::iota(channel_of.begin(), channel_of.end(), 0);
    norms_.emplace_back(params, text("{}.{}", norm_name, i), width, channel_of);
  }
}

template <class T>
Var<T> Mlp<T>::forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x, T* batch_stats) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    x = layers_[i].forward(tape, params, x);
    if (i + 1 == layers_.size()) break;
    if (norms_.empty()) {
      x = ops::relu(x);
      if (dropout_ > 0) x = ops::dropout(x, dropout_);
    } else {
      x = norms_[i].forward(tape, params, x, batch_stats, dropout_);
    }
  }
  return x;
}

template <class T>
void Mlp<T>::init(ParamSet<T>& params, uint64_t seed) const {
  // The last map starts small, so that the first losses are near log(classes).
  for (size_t i = 0; i < layers_.size(); ++i)
    layers_[i].init(params, seed, i + 1 < layers_.size() ? std::numbers::sqrt2 : 0.5);
  for (const BatchNorm<T>& norm : norms_) norm.init(params);
}

template class Mlp<float>;
template class Mlp<double>;

}  // namespace dws::nn
