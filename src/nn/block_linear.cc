#include "nn/block_linear.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/text.h"

namespace dws::nn {

template <class T>
std::vector<int64_t> BlockLinear<T>::starts(const std::vector<Field>& fields, int64_t& total) {
  std::vector<int64_t> begin;
  total = 0;
  for (const Field& field : fields) begin.push_back(std::exchange(total, total + field.width));
  return begin;
}

template <class T>
BlockLinear<T>::BlockLinear(ParamSet<T>& params, const std::string& name, std::vector<Field> sources,
                            std::vector<Field> targets, const BlockMask& allowed, bool bias)
    : sources_(std::move(sources)), targets_(std::move(targets)) {
  source_start_ = starts(sources_, in_width_);
  target_start_ = starts(targets_, out_width_);
  std::map<std::vector<size_t>, size_t> known;  // set of sources -> class
  for (size_t t = 0; t < targets_.size(); ++t) {
    std::vector<size_t> from;
    for (size_t s = 0; s < sources_.size(); ++s)
      if (!allowed || allowed(sources_[s].tensor, targets_[t].tensor)) from.push_back(s);
    if (from.empty()) continue;
    const auto [place, fresh] = known.try_emplace(from, classes_.size());
    if (fresh) {
      Class c;
      c.sources = from;
      for (size_t s : from) c.rows += sources_[s].width;
      classes_.push_back(std::move(c));
    }
    Class& c = classes_[place->second];
    c.targets.push_back(t);
    c.columns += targets_[t].width;
  }
  for (size_t i = 0; i < classes_.size(); ++i)
    classes_[i].weight = params.add(classes_.size() == 1 ? name + ".weight" : text("{}.weight.{}", name, i),
                                    Shape{classes_[i].rows, classes_[i].columns}, true);
  if (bias && out_width_ > 0) bias_ = params.add(name + ".bias", Shape{out_width_}, false);
}

template <class T>
Var<T> BlockLinear<T>::gather_sources(const Class& c, Var<T> x) const {
  if (c.rows == in_width_) return x;
  std::vector<Var<T>> parts;
  for (size_t i = 0; i < c.sources.size();) {
    const int64_t begin = source_start_[c.sources[i]];
    int64_t end = begin;  // neighbours in x are cut out together
    while (i < c.sources.size() && source_start_[c.sources[i]] == end) end += sources_[c.sources[i++]].width;
    parts.push_back(part(x, begin, end - begin));
  }
  return join_channels(parts);
}

// Puts the classes' outputs into the order of the targets; targets that nothing reaches are zero.
template <class T>
Var<T> BlockLinear<T>::assemble(Tape<T>& tape, const std::vector<Var<T>>& outputs, const Var<T>& x) const {
  std::vector<Var<T>> parts(targets_.size());
  for (size_t i = 0; i < classes_.size(); ++i) {
    int64_t begin = 0;
    for (size_t t : classes_[i].targets) {
      parts[t] = part(outputs[i], begin, targets_[t].width);
      begin += targets_[t].width;
    }
  }
  for (size_t t = 0; t < targets_.size(); ++t) {
    if (parts[t].valid()) continue;
    Shape shape = x.shape();
    shape[shape.rank() - 1] = targets_[t].width;
    parts[t] = zeros(tape, shape);
  }
  return join_channels(parts);
}

template <class T>
Var<T> BlockLinear<T>::forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x) const {
  const bool whole = classes_.size() == 1 && classes_[0].targets.size() == targets_.size();
  if (whole) {
    const Var<T> in = gather_sources(classes_[0], x), w = tape.param(params, classes_[0].weight);
    return bias_ < 0 ? ops::linear(in, w) : ops::linear(in, w, tape.param(params, bias_));
  }
  std::vector<Var<T>> outputs;
  for (const Class& c : classes_)
    outputs.push_back(ops::linear(gather_sources(c, x), tape.param(params, c.weight)));
  const Var<T> y = assemble(tape, outputs, x);
  // The classes' outputs lie scattered, so the bias is added afterwards.
  return bias_ < 0 ? y : ops::add_bias(y, tape.param(params, bias_));
}

template <class T>
void BlockLinear<T>::init(ParamSet<T>& params, uint64_t seed, const Deviation& std_of) const {
  for (const Class& c : classes_) {
    Rng rng(seed, stream_id("nn.block_linear", static_cast<uint64_t>(c.weight)));
    T* w = params.value(c.weight).data;
    for (size_t s : c.sources)
      for (int64_t row = 0; row < sources_[s].width; ++row)
        for (size_t t : c.targets) {
          const double deviation = std_of(sources_[s].tensor, targets_[t].tensor, c.rows);
          for (int64_t column = 0; column < targets_[t].width; ++column)
            *w++ = static_cast<T>(deviation * rng.normal());
        }
  }
  if (bias_ >= 0) std::fill_n(params.value(bias_).data, out_width_, T(0));
}

template <class T>
int64_t BlockLinear<T>::weight_place(const ParamSet<T>& params, int source, int64_t row, int target,
                                     int64_t column) const {
  for (const Class& c : classes_) {
    int64_t r = 0, col = 0;
    bool has_source = false, has_target = false;
    for (size_t s : c.sources) {
      if ((has_source = sources_[s].tensor == source)) break;
      r += sources_[s].width;
    }
    for (size_t t : c.targets) {
      if ((has_target = targets_[t].tensor == target)) break;
      col += targets_[t].width;
    }
    if (has_source && has_target) return params.info(c.weight).offset + (r + row) * c.columns + col + column;
  }
  return -1;
}

template <class T>
int64_t BlockLinear<T>::bias_place(const ParamSet<T>& params, int target, int64_t column) const {
  if (bias_ < 0) return -1;
  for (size_t t = 0; t < targets_.size(); ++t)
    if (targets_[t].tensor == target) return params.info(bias_).offset + target_start_[t] + column;
  return -1;
}

template class BlockLinear<float>;
template class BlockLinear<double>;

}  // namespace dws::nn
