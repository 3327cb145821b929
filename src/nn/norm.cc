#include "nn/norm.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace dws::nn {

std::vector<std::string> norm_names() {
  return {"none", "batch", "layer"};
}

Norm parse_norm(const std::string& name) {
  if (name == "none") return Norm::none;
  if (name == "batch") return Norm::batch;
  if (name == "layer") return Norm::layer;
  throw Error(ErrorKind::usage, text("unknown norm '{}': expected none, batch or layer", escaped(name)));
}

const char* norm_name(Norm norm) noexcept {
  return norm == Norm::none ? "none" : norm == Norm::batch ? "batch" : "layer";
}

template <class T>
BatchNorm<T>::BatchNorm(ParamSet<T>& params, const std::string& name, int64_t sets,
                        std::vector<int> channel_of)
    : channel_of_(std::move(channel_of)),
      gamma_(params.add(name + ".gamma", Shape{sets}, false)),
      beta_(params.add(name + ".beta", Shape{sets}, false)),
      mean_(params.add_buffer(name + ".mean", Shape{sets}, T(0))),
      var_(params.add_buffer(name + ".var", Shape{sets}, T(1))) {}

template <class T>
ops::BatchNormState<T> BatchNorm<T>::state(const ParamSet<T>& params, T* batch_stats) const {
  ops::BatchNormState<T> state;
  state.channel_of = channel_of_;
  state.mean = params.buffer(mean_).data;
  state.var = params.buffer(var_).data;
  if (batch_stats) {
    state.batch_mean = batch_stats + params.buffer_info(mean_).offset;
    state.batch_var = batch_stats + params.buffer_info(var_).offset;
  }
  return state;
}

template <class T>
Var<T> BatchNorm<T>::forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x, T* batch_stats,
                             double dropout) const {
  return ops::norm_relu_dropout(x, tape.param(params, gamma_), tape.param(params, beta_),
                                state(params, batch_stats), dropout);
}

template <class T>
Var<T> BatchNorm<T>::normalise(Tape<T>& tape, const ParamSet<T>& params, Var<T> x, T* batch_stats) const {
  return ops::batch_norm(x, tape.param(params, gamma_), tape.param(params, beta_),
                         state(params, batch_stats));
}

template <class T>
void BatchNorm<T>::init(ParamSet<T>& params) const {
  for (T& gamma : params.value(gamma_).span()) gamma = T(1);
  for (T& beta : params.value(beta_).span()) beta = T(0);
  for (T& mean : params.buffer(mean_).span()) mean = T(0);
  for (T& var : params.buffer(var_).span()) var = T(1);
}

namespace {

// Channels of the tensors of one bundle: all free indices of a tensor share the statistics of a channel.
std::vector<int> shared_channels(const weights::WeightSpace& space, const std::vector<int>& tensors,
                                 int64_t channels) {
  std::vector<int> channel_of;
  for (size_t v = 0; v < tensors.size(); ++v)
    for (int64_t a = 0; a < space.slot(tensors[v]).multiplicity; ++a)
      for (int64_t c = 0; c < channels; ++c)
        channel_of.push_back(static_cast<int>(static_cast<int64_t>(v) * channels + c));
  return channel_of;
}

}  // namespace

template <class T>
Activation<T>::Activation(ParamSet<T>& params, const std::string& name, const weights::WeightSpace& space,
                          int64_t channels, Norm norm, double dropout)
    : norm_(norm), dropout_(dropout), channels_(channels) {
  const auto add = [&](const std::string& bundle, const std::vector<int>& tensors) {
    if (norm == Norm::batch) {
      const int64_t sets = static_cast<int64_t>(tensors.size()) * channels;
      if (tensors.empty())
        batch_.emplace_back();
      else
        batch_.emplace_back(params, name + "." + bundle, sets, shared_channels(space, tensors, channels));
    } else if (norm == Norm::layer) {
      layer_.emplace_back(-1, -1);
      if (tensors.empty()) return;
      layer_.back().first = params.add(text("{}.{}.gamma", name, bundle), Shape{channels}, false);
      layer_.back().second = params.add(text("{}.{}.beta", name, bundle), Shape{channels}, false);
    }
  };
  for (int k = 0; k < space.groups(); ++k) add(text("axis.{}", k), space.vectors(k));
  for (int i = 0; i < space.matrices(); ++i) add(text("matrix.{}", i), {space.matrix(i)});
  add("scalar", space.scalars());
}

template <class T>
Var<T> Activation<T>::apply(Tape<T>& tape, const ParamSet<T>& params, size_t bundle, Var<T> x,
                            T* batch_stats) const {
  if (norm_ == Norm::batch) return batch_[bundle].forward(tape, params, x, batch_stats, dropout_);
  if (norm_ == Norm::layer) {
    const Shape shape = x.shape();
    const Var<T> gamma = tape.param(params, layer_[bundle].first),
                 beta = tape.param(params, layer_[bundle].second);
    x = ops::reshape(x, Shape{shape.size() / channels_, channels_});
    x = ops::reshape(ops::layer_norm(x, gamma, beta), shape);
  }
  x = ops::relu(x);
  return dropout_ > 0 ? ops::dropout(x, dropout_) : x;
}

template <class T>
WeightFeatures<T> Activation<T>::forward(Tape<T>& tape, const ParamSet<T>& params, const WeightFeatures<T>& x,
                                         T* batch_stats) const {
  WeightFeatures<T> y;
  y.channels = x.channels;
  size_t bundle = 0;
  for (const Var<T>& v : x.axis) {
    y.axis.push_back(v.valid() ? apply(tape, params, bundle, v, batch_stats) : Var<T>());
    ++bundle;
  }
  for (const Var<T>& m : x.matrix) y.matrix.push_back(apply(tape, params, bundle++, m, batch_stats));
  if (x.scalar.valid()) y.scalar = apply(tape, params, bundle, x.scalar, batch_stats);
  return y;
}

template <class T>
void Activation<T>::init(ParamSet<T>& params) const {
  for (const BatchNorm<T>& norm : batch_)
    if (norm.gamma() >= 0) norm.init(params);
  for (const auto& [gamma, beta] : layer_) {
    if (gamma < 0) continue;
    for (T& g : params.value(gamma).span()) g = T(1);
    for (T& b : params.value(beta).span()) b = T(0);
  }
}

template <class T>
typename Activation<T>::Place Activation<T>::place(const weights::WeightSpace& space, int tensor) const {
  const weights::Slot& slot = space.slot(tensor);
  size_t bundle = static_cast<size_t>(slot.bundle);
  int64_t position = 0;
  if (slot.kind == weights::SlotKind::matrix) {
    bundle += static_cast<size_t>(space.groups());
  } else {
    const bool vector = slot.kind == weights::SlotKind::vector;
    const std::vector<int>& tensors = vector ? space.vectors(slot.bundle) : space.scalars();
    if (!vector) bundle = static_cast<size_t>(space.groups() + space.matrices());
    position = std::find(tensors.begin(), tensors.end(), tensor) - tensors.begin();
  }
  return {batch_.empty() ? nullptr : &batch_.at(bundle), position * channels_};
}

template class BatchNorm<float>;
template class BatchNorm<double>;
template class Activation<float>;
template class Activation<double>;

}  // namespace dws::nn
