#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "metanets/published.h"
#include "nn/pooling.h"

namespace dws {

int64_t PublishedMap::Piece::size() const noexcept {
  int64_t product = 1;
  for (int64_t extent : shape) product *= extent;
  return product;
}

int64_t PublishedMap::add_param(std::string name, std::vector<int64_t> shape) {
  params_.push_back({std::move(name), std::move(shape), param_count_});
  param_count_ += params_.back().size();
  return params_.back().offset;
}

int64_t PublishedMap::add_buffer(std::string name, std::vector<int64_t> shape) {
  buffers_.push_back({std::move(name), std::move(shape), buffer_count_});
  buffer_count_ += buffers_.back().size();
  return buffers_.back().offset;
}

template <class T>
void PublishedMap::fold(std::span<const T> published, std::span<T> own) const {
  std::fill(own.begin(), own.end(), T(0));
  for (const Term& t : terms_)
    own[static_cast<size_t>(t.own)] +=
        static_cast<T>(t.coefficient) * published[static_cast<size_t>(t.published)];
}

template <class T>
void PublishedMap::pull_back(std::span<const T> own, std::span<T> published) const {
  std::fill(published.begin(), published.end(), T(0));
  for (const Term& t : terms_)
    published[static_cast<size_t>(t.published)] +=
        static_cast<T>(t.coefficient) * own[static_cast<size_t>(t.own)];
}

template <class T>
void PublishedMap::fold_buffers(std::span<const T> published, std::span<T> own) const {
  for (const Term& t : buffer_terms_)
    own[static_cast<size_t>(t.own)] = published[static_cast<size_t>(t.published)];
}

namespace {

using weights::Slot;
using weights::SlotKind;

template <class T>
class Builder {
 public:
  explicit Builder(const DwsNet<T>& net)
      : net_(net),
        space_(net.space()),
        params_(net.params()),
        last_(space_.slot(space_.tensors() - 1).layer) {}

  PublishedMap build() {
    const DwsConfig& settings = net_.settings();
    const bool norm = settings.norm == nn::Norm::batch;
    const size_t stride = norm ? 4 : 3;  // layer, [norm,] rectifier, dropout
    for (size_t i = 0; i < net_.layers().size(); ++i) {
      layer(net_.layers()[i], text("layers.layers.{}.", i * stride));
      if (norm && i + 1 < net_.layers().size())
        batch_norm(net_.activations()[i], text("layers.layers.{}.", i * stride + 1));
    }
    if (settings.input_skip) linear("layers.skip", net_.input_skip());
    for (size_t i = 0; i < net_.head().layers().size(); ++i) {
      const std::string name = text("clf.layer.{}", 2 * i);
      if (i == 0)
        classifier(name, net_.head().layers()[0]);
      else
        linear(name, net_.head().layers()[i]);
    }
    return std::move(map_);
  }

 private:
  // A published weight (out, in) whose element (o, i) has coefficient c at place(row = i, column = o), and,
  // where it gives one value for all free indices of the target, at every copy of it.
  template <class Place>
  void weight(const std::string& name, int64_t out, int64_t in, int64_t copies, double c,
              const Place& place) {
    const int64_t offset = map_.add_param(name + ".weight", {out, in});
    for (int64_t o = 0; o < out; ++o)
      for (int64_t i = 0; i < in; ++i)
        for (int64_t copy = 0; copy < copies; ++copy)
          map_.add_term({offset + o * in + i, place(i, copy * out + o), c});
  }

  void bias(const std::string& name, int64_t out, int64_t copies, double c, const nn::BlockLinear<T>& global,
            int t) {
    const int64_t offset = map_.add_param(name + ".bias", {out});
    for (int64_t o = 0; o < out; ++o)
      for (int64_t copy = 0; copy < copies; ++copy)
        map_.add_term({offset + o, global.bias_place(params_, t, copy * out + o), c});
  }

  // One to one, transposed.
  void linear(const std::string& name, const nn::Linear<T>& own) {
    const int64_t w = params_.info(own.weight()).offset, b = params_.info(own.bias()).offset;
    weight(name, own.out(), own.in(), 1, 1.0,
           [&](int64_t row, int64_t column) { return w + row * own.out() + column; });
    const int64_t offset = map_.add_param(name + ".bias", {own.out()});
    for (int64_t o = 0; o < own.out(); ++o) map_.add_term({offset + o, b + o, 1.0});
  }

  void layer(const nn::DwsLayer<T>& layer, const std::string& prefix) {
    const nn::BlockMask& allowed = layer.options().allowed;
    for (int s = 0; s < space_.tensors(); ++s)
      for (int t = 0; t < space_.tensors(); ++t)
        if (!allowed || allowed(s, t)) block(layer, prefix, s, t);
    if (layer.options().skip) linear(prefix + "skip.0", layer.skip());
  }

  // Whether the published block to the last weight computes one value for all its output neurons: from the
  // weight before it, and from every bias that does not lie on one of its sides.
  bool one_value(const Slot& from, const Slot& to) const {
    if (to.bias || to.layer != last_) return false;
    return from.bias ? from.layer + 1 < last_ : from.layer + 1 == last_;
  }

  void block(const nn::DwsLayer<T>& layer, const std::string& prefix, int s, int t) {
    const Slot &from = space_.slot(s), &to = space_.slot(t);
    const bool weights_only = !from.bias && !to.bias;
    const std::string name = prefix + text("{}_to_{}.layers.{}_{}.", from.bias ? "bias" : "weight",
                                           to.bias ? "bias" : "weight", from.layer, to.layer);
    const double c = 1.0 / space_.tensors();
    const int64_t in = from.multiplicity * layer.options().in;
    const int64_t copies = one_value(from, to) ? to.multiplicity : 1;
    const int64_t out = to.multiplicity * layer.options().out / copies;
    const nn::BlockLinear<T>& global = layer.global();
    const auto at_global = [&](int64_t row, int64_t column) {
      return global.weight_place(params_, s, row, t, column);
    };
    const auto at_axis = [&](int k) {
      return [&, k](int64_t row, int64_t column) {
        return layer.axis(k).weight_place(params_, s, row, t, column);
      };
    };

    if (s == t && to.kind == SlotKind::matrix) {
      const int64_t own = params_.info(layer.own(to.bundle)).offset;
      weight(name + "lin_all.0", out, in, 1, c / 4,
             [&](int64_t row, int64_t col) { return own + row * out + col; });
      // Published matrices are (in, out): pooling over their first axis leaves our rows.
      weight(name + "lin_n.0", out, in, 1, c / 4, at_axis(to.row_group));
      weight(name + "lin_m.0", out, in, 1, c / 4, at_axis(to.col_group));
      weight(name + "lin_both.0", out, in, 1, c / 4, at_global);
      for (const char* term : {"lin_all.0", "lin_n.0", "lin_m.0", "lin_both.0"})
        bias(name + term, out, 1, c / 4, global, t);
      return;
    }
    const int k = space_.shared_group(s, t);
    if (k < 0) {
      weight(name + "layer.0", out, in, copies, c, at_global);
      bias(name + "layer.0", out, copies, c, global, t);
      return;
    }
    const std::string set = name + (weights_only ? "set_layer.set_layer." : "layer.set_layer.");
    if (!layer.options().attention) {
      weight(set + "Gamma.0", out, in, copies, c, at_axis(k));
      bias(set + "Gamma.0", out, copies, c, global, t);
      weight(set + "Lambda.0", out, in, copies, -c, at_global);
      return;
    }
    for (const auto& pair : layer.attention()) {
      if (pair.source != s || pair.target != t) continue;
      linear(set + "mab.fc_q", pair.attention.q());
      linear(set + "mab.fc_k", pair.attention.k());
      linear(set + "mab.fc_v", pair.attention.v());
      linear(set + "mab.fc_o", pair.attention.o());
    }
  }

  void batch_norm(const nn::Activation<T>& activation, const std::string& prefix) {
    const int64_t channels = net_.settings().hidden;
    for (int t = 0; t < space_.tensors(); ++t) {
      const Slot& slot = space_.slot(t);
      const std::string name = prefix + text("{}_bn.{}.", slot.bias ? "biases" : "weights", slot.layer);
      const auto place = activation.place(space_, t);
      const auto copy = [&](int64_t from, int64_t to, bool buffer) {
        for (int64_t c = 0; c < channels; ++c) {
          const PublishedMap::Term term{from + c, to + place.first + c, 1.0};
          buffer ? map_.add_buffer_term(term) : map_.add_term(term);
        }
      };
      copy(map_.add_param(name + "weight", {channels}), params_.info(place.norm->gamma()).offset, false);
      copy(map_.add_param(name + "bias", {channels}), params_.info(place.norm->beta()).offset, false);
      copy(map_.add_buffer(name + "running_mean", {channels}), params_.buffer_info(place.norm->mean()).offset,
           true);
      copy(map_.add_buffer(name + "running_var", {channels}), params_.buffer_info(place.norm->var()).offset,
           true);
    }
  }

  // Published order of the invariants: interior weights, first and last weight, biases.
  void classifier(const std::string& name, const nn::Linear<T>& own) {
    std::vector<int> order;
    for (int i = 0; i < space_.matrices(); ++i) order.push_back(space_.matrix(i));
    for (int t = 0; t < space_.tensors(); ++t)
      if (!space_.slot(t).bias && space_.slot(t).kind != SlotKind::matrix) order.push_back(t);
    for (int t = 0; t < space_.tensors(); ++t)
      if (space_.slot(t).bias) order.push_back(t);
    const int64_t channels = net_.settings().hidden;
    std::vector<int64_t> row;  // ours, of each published column
    for (int t : order)
      for (int64_t c = 0; c < space_.slot(t).multiplicity * channels; ++c)
        row.push_back(nn::invariant_start(space_, t, channels) + c);
    const int64_t w = params_.info(own.weight()).offset, b = params_.info(own.bias()).offset;
    weight(name, own.out(), own.in(), 1, 1.0,
           [&](int64_t r, int64_t column) { return w + row[static_cast<size_t>(r)] * own.out() + column; });
    const int64_t offset = map_.add_param(name + ".bias", {own.out()});
    for (int64_t o = 0; o < own.out(); ++o) map_.add_term({offset + o, b + o, 1.0});
  }

  const DwsNet<T>& net_;
  const weights::WeightSpace& space_;
  const ParamSet<T>& params_;
  int last_;
  PublishedMap map_;
};

}  // namespace

template <class T>
PublishedMap published_map(const DwsNet<T>& net) {
  if (net.space().slot(net.space().tensors() - 1).layer < 2)
    throw Error(ErrorKind::mismatch, "published DWS networks read networks of at least three layers");
  return Builder<T>(net).build();
}

#define DWS_INSTANTIATE(T)                                                          \
  template void PublishedMap::fold(std::span<const T>, std::span<T>) const;         \
  template void PublishedMap::pull_back(std::span<const T>, std::span<T>) const;    \
  template void PublishedMap::fold_buffers(std::span<const T>, std::span<T>) const; \
  template PublishedMap published_map(const DwsNet<T>&);
DWS_INSTANTIATE(float)
DWS_INSTANTIATE(double)
#undef DWS_INSTANTIATE

}  // namespace dws
