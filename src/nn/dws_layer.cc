#include "nn/dws_layer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "nn/reduction.h"

namespace dws::nn {

template <class T>
typename DwsLayer<T>::Axis DwsLayer<T>::find_axis(int k) const {
  Axis axis;
  const auto add = [&](int t, int64_t multiplicity) {
    axis.sources.push_back({t, multiplicity * options_.in});
    axis.targets.push_back({t, multiplicity * options_.out});
  };
  for (int t : space_->vectors(k)) add(t, space_->slot(t).multiplicity);
  for (int i = 0; i < space_->matrices(); ++i) {
    const weights::Slot& slot = space_->slot(space_->matrix(i));
    if (slot.row_group == k) axis.rows.push_back(i);
    if (slot.col_group == k) axis.cols.push_back(i);
  }
  for (int i : axis.rows) add(space_->matrix(i), 1);
  for (int i : axis.cols) add(space_->matrix(i), 1);
  return axis;
}

template <class T>
DwsLayer<T>::DwsLayer(ParamSet<T>& params, const std::string& name,
                      std::shared_ptr<const weights::WeightSpace> space, DwsLayerOptions options)
    : space_(std::move(space)), options_(std::move(options)) {
  const auto permitted = [this](int s, int t) { return !options_.allowed || options_.allowed(s, t); };
  // With attention, DeepSets products remain only where a matrix meets itself.
  const auto matrix_self = [this](int s, int t) {
    return s == t && space_->slot(s).kind == weights::SlotKind::matrix;
  };
  const bool attention = options_.attention;
  const BlockMask axis_mask = [=](int s, int t) {
    return permitted(s, t) && (!attention || matrix_self(s, t));
  };
  const BlockMask global_mask = [=, this](int s, int t) {
    return permitted(s, t) && (!attention || matrix_self(s, t) || !space_->share_group(s, t));
  };

  std::vector<Field> sources, targets;
  for (int k = 0; k < space_->groups(); ++k) {
    Axis& axis = axis_.emplace_back(find_axis(k));
    axis.map =
        BlockLinear<T>(params, text("{}.axis.{}", name, k), axis.sources, axis.targets, axis_mask, false);
    for (int t : space_->vectors(k)) {
      sources.push_back({t, space_->slot(t).multiplicity * options_.in});
      targets.push_back({t, space_->slot(t).multiplicity * options_.out});
    }
    // A matrix's global term travels with its row term.
    for (int i : axis.rows) targets.push_back({space_->matrix(i), options_.out});
  }
  for (int i = 0; i < space_->matrices(); ++i) {
    const int t = space_->matrix(i);
    sources.push_back({t, options_.in});
    own_.push_back(permitted(t, t) ? params.add(text("{}.matrix.{}.weight", name, i),
                                                Shape{options_.in, options_.out}, true)
                                   : -1);
  }
  for (int t : space_->scalars()) {
    sources.push_back({t, space_->slot(t).multiplicity * options_.in});
    targets.push_back({t, space_->slot(t).multiplicity * options_.out});
  }
  global_ = BlockLinear<T>(params, name + ".global", sources, targets, global_mask, options_.bias);
  if (attention) add_attention(params, name, permitted);
  if (options_.skip) skip_ = Linear<T>(params, name + ".skip", options_.in, options_.out);
}

template <class T>
void DwsLayer<T>::add_attention(ParamSet<T>& params, const std::string& name, const BlockMask& allowed) {
  int last = 0;
  for (int t = 0; t < space_->tensors(); ++t) last = std::max(last, space_->slot(t).layer);
  for (int k = 0; k < space_->groups(); ++k) {
    const Axis& axis = axis_[static_cast<size_t>(k)];
    for (const Field& source : axis.sources)
      for (const Field& target : axis.targets) {
        const int s = source.tensor, t = target.tensor;
        if (!allowed(s, t) || (s == t && space_->slot(s).kind == weights::SlotKind::matrix)) continue;
        AttentionPair pair{s, t, k, 1, {}};
        const weights::Slot &from = space_->slot(s), &to = space_->slot(t);
        if (options_.broadcast_last && !from.bias && !to.bias && to.layer == last && from.layer + 1 == last)
          pair.repeat = to.multiplicity;
        pair.attention = SetAttention<T>(params, text("{}.attention.{}_{}", name, s, t), source.width,
                                         target.width / pair.repeat, options_.heads);
        attention_.push_back(std::move(pair));
      }
  }
}

// y + the attention terms of axis k; u holds the sources side by side.
template <class T>
Var<T> DwsLayer<T>::attend(Tape<T>& tape, const ParamSet<T>& params, int k, Var<T> u, Var<T> y) const {
  const std::vector<Field>&sources = axis_[static_cast<size_t>(k)].sources,
        &targets = axis_[static_cast<size_t>(k)].targets;
  std::vector<Var<T>> terms(targets.size());
  for (const AttentionPair& pair : attention_) {
    if (pair.axis != k) continue;
    int64_t begin = 0, width = 0;
    for (const Field& source : sources) {
      width = source.width;
      if (source.tensor == pair.source) break;
      begin += source.width;
    }
    Var<T> term = pair.attention.forward(tape, params, part(u, begin, width));
    if (pair.repeat > 1) term = join_channels(std::vector<Var<T>>(static_cast<size_t>(pair.repeat), term));
    for (size_t i = 0; i < targets.size(); ++i)
      if (targets[i].tensor == pair.target) terms[i] = terms[i].valid() ? ops::add(terms[i], term) : term;
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    if (terms[i].valid()) continue;
    Shape shape = y.shape();
    shape[shape.rank() - 1] = targets[i].width;
    terms[i] = zeros(tape, shape);
  }
  return ops::add(y, ops::scale(join_channels(terms), static_cast<T>(1.0 / space_->tensors())));
}

template <class T>
WeightFeatures<T> DwsLayer<T>::forward(Tape<T>& tape, const ParamSet<T>& params,
                                       const WeightFeatures<T>& x) const {
  if (x.channels != options_.in)
    throw Error(ErrorKind::mismatch,
                text("features of {} channels where {} are expected", x.channels, options_.in));
  const int64_t out = options_.out;
  std::vector<ops::Pooled<T>> pools;
  for (const Var<T>& m : x.matrix) pools.push_back(ops::pool_matrix(m, options_.reduction));

  std::vector<Var<T>> invariant;
  for (const Var<T>& v : x.axis)
    if (v.valid()) invariant.push_back(ops::reduce(v, 1, options_.reduction));
  for (const ops::Pooled<T>& pool : pools) invariant.push_back(pool.all);
  if (x.scalar.valid()) invariant.push_back(x.scalar);
  const Var<T> z = global_.forward(tape, params, join_channels(invariant));

  WeightFeatures<T> y;
  y.channels = out;
  std::vector<Var<T>> row(pools.size()), col(pools.size());
  int64_t z_begin = 0;
  for (int k = 0; k < space_->groups(); ++k) {
    const Axis& axis = axis_[static_cast<size_t>(k)];
    const std::vector<int>&rows = axis.rows, &cols = axis.cols;
    std::vector<Var<T>> parts;
    if (x.axis[static_cast<size_t>(k)].valid()) parts.push_back(x.axis[static_cast<size_t>(k)]);
    for (int i : rows) parts.push_back(pools[static_cast<size_t>(i)].row);
    for (int i : cols) parts.push_back(pools[static_cast<size_t>(i)].col);
    if (parts.empty()) {
      y.axis.emplace_back();
      continue;
    }
    const Var<T> u = join_channels(parts);
    Var<T> terms = axis.map.forward(tape, params, u);
    if (options_.attention) terms = attend(tape, params, k, u, terms);

    const int64_t vectors = space_->vector_width(k) * out;
    const int64_t with_global = vectors + static_cast<int64_t>(rows.size()) * out;
    int64_t begin = vectors;
    if (with_global > 0) {
      const Var<T> sum = ops::add_global(part(terms, 0, with_global), part(z, z_begin, with_global));
      y.axis.push_back(vectors ? part(sum, 0, vectors) : Var<T>());
      for (int i : rows) {
        row[static_cast<size_t>(i)] = part(sum, begin, out);
        begin += out;
      }
      z_begin += with_global;
    } else {
      y.axis.emplace_back();
    }
    for (int i : cols) {
      col[static_cast<size_t>(i)] = part(terms, begin, out);
      begin += out;
    }
  }
  for (size_t i = 0; i < pools.size(); ++i) {
    if (own_[i] >= 0) {
      y.matrix.push_back(ops::matrix_update(x.matrix[i], tape.param(params, own_[i]), row[i], col[i]));
      continue;
    }
    Shape shape = x.matrix[i].shape();
    shape[3] = out;
    y.matrix.push_back(ops::add_cols(ops::add_rows(zeros(tape, shape), row[i]), col[i]));
  }
  if (x.scalar.valid()) y.scalar = part(z, z_begin, space_->scalar_width() * out);
  return options_.skip ? add(y, apply_shared(tape, params, skip_, x)) : y;
}

template <class T>
void DwsLayer<T>::init(ParamSet<T>& params, uint64_t seed) const {
  using weights::SlotKind;
  const auto share = [this](int target) {
    const SlotKind kind = space_->slot(target).kind;
    return std::sqrt(2.0 / (kind == SlotKind::matrix ? 4.0 : kind == SlotKind::vector ? 2.0 : 1.0));
  };
  for (int k = 0; k < space_->groups(); ++k)
    axis_[static_cast<size_t>(k)].map.init(params, seed, [&](int source, int target, int64_t fan_in) {
      const weights::Slot& s = space_->slot(source);
      int64_t pooled = 1;
      if (s.kind == SlotKind::matrix)
        pooled = space_->group_size(s.row_group == k ? s.col_group : s.row_group);
      const double gain = pooled_gain(options_.reduction, pooled);
      return share(target) / (gain * std::sqrt(static_cast<double>(fan_in)));
    });
  global_.init(params, seed, [&](int source, int target, int64_t fan_in) {
    const weights::Slot& s = space_->slot(source);
    int64_t pooled = 1;
    for (int group : {s.row_group, s.col_group})
      if (group >= 0) pooled *= space_->group_size(group);
    return share(target) / (pooled_gain(options_.reduction, pooled) * std::sqrt(static_cast<double>(fan_in)));
  });
  for (int place : own_) {
    if (place < 0) continue;
    Rng rng(seed, stream_id("nn.dws_layer.own", static_cast<uint64_t>(place)));
    const double deviation = std::sqrt(0.5 / static_cast<double>(options_.in));
    for (T& w : params.value(place).span()) w = static_cast<T>(deviation * rng.normal());
  }
  for (const AttentionPair& pair : attention_) pair.attention.init(params, seed);
  if (options_.skip) skip_.init(params, seed, 1.0);
}

template class DwsLayer<float>;
template class DwsLayer<double>;

}  // namespace dws::nn
