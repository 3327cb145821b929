// Convolutions, norms and recurrent layers.
#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "weights/graph/builder.h"

namespace dws::weights {

void note_windows(Builder& b, const char* kind, std::vector<int64_t> kernel, bool transposed) {
  GraphLayer& row = b.layer_row(kind);
  const size_t axes = kernel.size();
  row.kernel = std::move(kernel);
  row.strides = b.node().attr_ints("strides").value_or(std::vector<int64_t>(axes, 1));
  row.pads = b.node().attr_ints("pads").value_or(std::vector<int64_t>(2 * axes, 0));
  row.dilations = b.node().attr_ints("dilations").value_or(std::vector<int64_t>(axes, 1));
  row.groups = b.node().attr_int("group", 1);
  // Padding that the file leaves to be worked out (ONNX Operators.md, Conv: auto_pad).
  const std::string how = b.node().attr_string("auto_pad", "NOTSET");
  const std::vector<int64_t>*in = b.dims_in(0), *out = b.dims_out(0);
  if (transposed || !how.starts_with("SAME") || !in || !out || row.strides.size() != axes ||
      row.dilations.size() != axes || in->size() != axes + 2 || out->size() != axes + 2)
    return;
  row.pads.assign(2 * axes, 0);
  for (size_t a = 0; a < axes; ++a) {
    const int64_t all = std::max<int64_t>(
        0, ((*out)[a + 2] - 1) * row.strides[a] + (row.kernel[a] - 1) * row.dilations[a] + 1 - (*in)[a + 2]);
    row.pads[a] = how == "SAME_LOWER" ? all - all / 2 : all / 2;
    row.pads[axes + a] = all - row.pads[a];
  }
}

namespace {

using Kind = Flow::Kind;

std::vector<int> spatial(size_t rank) {
  std::vector<int> axes(rank > 2 ? rank - 2 : 0);
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}
// Parameters one a channel, under a shape that stretches to (N, C, ...).
Ids along_channels(const Ids& refs, size_t rank) {
  std::vector<int64_t> dims(rank, 1);
  dims[1] = refs->size();
  return under_dims(refs, dims);
}

// Each channel is a node; places of the picture share it. (M, C / groups, kernel), turned: (C, M / groups, kernel).
void convolution(Builder& b, bool turned, int bias) {
  if (!b.activation(0) || !b.parameters(1)) return b.activation(0) ? b.unknown() : void();
  const Ids x = b.in(0).ids, w = b.in(1).ids;
  if (x->dims.size() < 3 || w->dims.size() != x->dims.size()) return b.unknown();
  const int64_t groups = b.node().attr_int("group", 1), channels = x->dims[1];
  const std::vector<int64_t>& to = *b.dims_out(0);
  const int64_t filters = to[1], kernel = w->size() / std::max<int64_t>(1, w->dims[0] * w->dims[1]);
  if (groups < 1 || channels % groups || filters % groups) return b.unknown();
  note_windows(b, "conv", {w->dims.begin() + 2, w->dims.end()}, turned);
  const int32_t l = b.layer("conv");
  // The nodes of each channel: one, unless something has spread features over places.
  std::vector<int> others = spatial(x->dims.size());
  others.push_back(0);
  const int64_t places = x->size() / std::max<int64_t>(1, x->dims[0] * channels);
  const int64_t most = std::max<int64_t>(16, 10'000'000 / std::max<int64_t>(w->size(), 1));
  const Ids one = fold(b, x, others);
  std::vector<std::vector<int64_t>> from(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    auto& list = from[static_cast<size_t>(c)];
    if (one->ints[static_cast<size_t>(c)] > 0) {
      list.push_back(one->ints[static_cast<size_t>(c)] - 1);
      continue;
    }
    std::unordered_set<int64_t> seen;
    for (int64_t n = 0; n < x->dims[0]; ++n)
      for (int64_t p = 0; p < places; ++p) {
        const int64_t id = x->ints[static_cast<size_t>((n * channels + c) * places + p)];
        const int64_t node = b.node_of(id, l);
        if (node < 0 || !seen.insert(node).second) continue;
        if (static_cast<int64_t>(list.size()) < most) list.push_back(node);
      }
    if (static_cast<int64_t>(seen.size()) > most)
      b.remark("of parameters that very many neurons share only the first uses are edges");
  }
  const int64_t begin = b.nodes();
  for (int64_t m = 0; m < filters; ++m) b.add_node(NodeType::neuron, l);
  const EdgeType type = b.in(1).derived ? EdgeType::other : EdgeType::conv;
  const int64_t cin = channels / groups, cout = filters / groups;
  for (int64_t m = 0; m < filters; ++m)
    for (int64_t i = 0; i < cin; ++i) {
      const int64_t g = m / cout, c = g * cin + i;
      const int64_t row = turned ? c * cout + m % cout : m * cin + i;
      for (int64_t k = 0; k < kernel; ++k) {
        const int64_t ref = w->ints[static_cast<size_t>(row * kernel + k)];
        if (from[static_cast<size_t>(c)].empty() && ref > 0)
          b.add_edge(b.parameter_node(ref), begin + m, type, l, k, ref);
        for (const int64_t source : from[static_cast<size_t>(c)])
          b.add_edge(source, begin + m, type, l, k, ref);
      }
    }
  std::vector<int64_t> dims(to.size(), 1);
  dims[1] = filters;
  Ids ids = filled(dims, 0);
  auto channel = std::make_shared<network::Array>(*ids);
  std::iota(channel->ints.begin(), channel->ints.end(), begin + 1);
  ids = stretched(channel, to);
  if (bias >= 0 && b.parameters(static_cast<size_t>(bias)))
    b.attach(along_channels(b.in(static_cast<size_t>(bias)).ids, to.size()), ids, NodeType::bias,
             EdgeType::bias, "conv", b.in(static_cast<size_t>(bias)).derived);
  b.out(0, ids);
}
void conv(Builder& b) {
  convolution(b, false, 2);
}
void conv_integer(Builder& b) {
  convolution(b, false, -1);
}
void conv_transpose(Builder& b) {
  convolution(b, true, 2);
}

struct NormPart {
  size_t input;
  NodeType node;
  EdgeType edge;
};
constexpr NormPart kGamma{1, NodeType::gamma, EdgeType::gamma}, kBeta{2, NodeType::beta, EdgeType::beta},
    kMean{3, NodeType::mean, EdgeType::mean}, kVariance{4, NodeType::variance, EdgeType::variance};

void channel_norm(Builder& b, std::initializer_list<NormPart> parts) {
  if (!b.activation(0)) return;
  const Ids& x = b.in(0).ids;
  if (x->dims.size() < 2) return b.unknown();
  b.layer_row("norm").groups = b.node().attr_int("num_groups", 1);
  for (const NormPart& part : parts) {
    if (!b.parameters(part.input)) continue;
    Ids refs = b.in(part.input).ids;
    const int64_t channels = x->dims[1], given = std::max<int64_t>(refs->size(), 1);
    if (given != channels && given != 1 && channels % given == 0) {  // one a group
      auto each = std::make_shared<network::Array>(*filled({channels}, 0));
      for (int64_t c = 0; c < channels; ++c)
        each->ints[static_cast<size_t>(c)] = refs->ints[static_cast<size_t>(c / (channels / given))];
      refs = each;
    }
    if (refs->size() != channels && refs->size() != 1) return b.unknown();
    b.attach(along_channels(refs, x->dims.size()), x, part.node, part.edge, "norm", b.in(part.input).derived);
  }
  Flow flow = b.in(0);
  flow.scaled = false;
  b.out(0, flow);
}
void batch_norm(Builder& b) {
  channel_norm(b, {kGamma, kBeta, kMean, kVariance});
}
void group_norm(Builder& b) {
  channel_norm(b, {kGamma, kBeta});
}
void last_axes(Builder& b, const Ids& x, size_t scale, size_t bias) {
  for (const NormPart& part :
       {NormPart{scale, kGamma.node, kGamma.edge}, NormPart{bias, kBeta.node, kBeta.edge}})
    if (b.parameters(part.input))
      b.attach(b.in(part.input).ids, x, part.node, part.edge, "norm", b.in(part.input).derived);
  b.layer("norm");
  b.out(0, x);
}
void layer_norm(Builder& b) {
  if (b.activation(0)) last_axes(b, b.in(0).ids, 1, 2);
}
// Input and skip (and bias) are added first; the last output is the sum (com.microsoft).
void skip_norm(Builder& b) {
  if (!b.activation(0) || !b.activation(1)) return b.unknown();
  const bool centred = b.node().op == "SkipLayerNormalization";
  const Ids sum = b.join(b.in(0).ids, b.in(1).ids, b.in(0).ids->dims, EdgeType::residual, "norm");
  b.mark_context(sum, false);
  const size_t bias = centred ? 4 : 3;
  if (b.parameters(bias))
    b.attach(b.in(bias).ids, sum, NodeType::bias, EdgeType::bias, "norm", b.in(bias).derived);
  last_axes(b, sum, 2, centred ? 3 : 99);
  b.out(3, sum);
}

// A unit is a node, its gates are positions: first those of W's biases, then those of R's.
void recurrent(Builder& b, int64_t gates) {
  if (!b.activation(0) || !b.parameters(1) || !b.parameters(2)) return b.unknown();
  const Ids x = b.in(0).ids, w = b.in(1).ids, r = b.in(2).ids;
  if (x->dims.size() != 3 || w->dims.size() != 3 || r->dims.size() != 3) return b.unknown();
  const int64_t directions = w->dims[0], units = r->dims[2], inputs = x->dims[2];
  if (w->size() != directions * gates * units * inputs || r->size() != directions * gates * units * units)
    return b.unknown();
  const int32_t l = b.layer("recurrent");
  const Ids features = fold(b, x, {0, 1});
  const int64_t begin = b.nodes();
  for (int64_t u = 0; u < directions * units; ++u) b.add_node(NodeType::neuron, l);
  const EdgeType in = b.in(1).derived ? EdgeType::other : EdgeType::recurrent_input,
                 own = b.in(2).derived ? EdgeType::other : EdgeType::recurrent;
  for (int64_t d = 0; d < directions; ++d)
    for (int64_t g = 0; g < gates; ++g)
      for (int64_t u = 0; u < units; ++u) {
        const int64_t row = (d * gates + g) * units + u, unit = begin + d * units + u;
        for (int64_t i = 0; i < inputs; ++i) {
          const int64_t ref = w->ints[static_cast<size_t>(row * inputs + i)];
          const int64_t from = b.node_of(features->ints[static_cast<size_t>(i)], l);
          if (ref > 0) b.add_edge(from >= 0 ? from : b.parameter_node(ref), unit, in, l, g, ref);
        }
        for (int64_t h = 0; h < units; ++h)
          b.add_edge(begin + d * units + h, unit, own, l, g, r->ints[static_cast<size_t>(row * units + h)]);
      }
  if (b.parameters(3) && b.in(3).ids->size() == directions * 2 * gates * units) {
    const int64_t bias = b.add_node(NodeType::bias, l);
    for (int64_t k = 0; k < b.in(3).ids->size(); ++k)
      b.add_edge(bias, begin + k / (2 * gates * units) * units + k % units,
                 b.in(3).derived ? EdgeType::other : EdgeType::bias, l, k / units % (2 * gates),
                 b.in(3).ids->ints[static_cast<size_t>(k)]);
  }
  if (b.parameters(7) && b.in(7).ids->size() == directions * 3 * units)  // peepholes
    for (int64_t k = 0; k < b.in(7).ids->size(); ++k) {
      const int64_t unit = begin + k / (3 * units) * units + k % units;
      b.add_edge(unit, unit, own, l, gates + k / units % 3, b.in(7).ids->ints[static_cast<size_t>(k)]);
    }
  // Y (S, D, B, H) or (B, S, D, H); states (D, B, H) or (B, D, H).
  const bool batch_first = b.node().attr_int("layout", 0) == 1;
  const auto ids_like = [&](const std::vector<int64_t>& to, size_t axis) {
    std::vector<int64_t> dims(to.size(), 1);
    dims[axis] = directions;
    dims.back() = units;
    auto a = std::make_shared<network::Array>(*filled(dims, 0));
    std::iota(a->ints.begin(), a->ints.end(), begin + 1);
    return stretched(a, to);
  };
  for (size_t i = 0; i < b.node().outputs.size(); ++i)
    if (const auto* to = b.dims_out(i))
      b.out(i, ids_like(*to, i == 0 ? (batch_first ? 2 : 1) : (batch_first ? 1 : 0)));
  const std::vector<int64_t> state = batch_first ? std::vector<int64_t>{x->dims[0], directions, units}
                                                 : std::vector<int64_t>{directions, x->dims[1], units};
  const Ids at = ids_like(state, batch_first ? 1 : 0);
  for (const size_t i : {size_t{5}, size_t{6}}) {
    if (b.parameters(i) && b.in(i).ids->dims == state)
      b.attach(b.in(i).ids, at, NodeType::bias, EdgeType::bias, "recurrent", b.in(i).derived);
    if (b.activation(i) && b.in(i).ids->dims == state)
      b.join(b.in(i).ids, at, state, EdgeType::residual, "recurrent");
  }
  b.activate(at, b.node().op);
}
void rnn(Builder& b) {
  recurrent(b, 1);
}
void gru(Builder& b) {
  recurrent(b, 3);
}
void lstm(Builder& b) {
  recurrent(b, 4);
}

constexpr GraphRuleRow kRows[] = {
    {"Conv", conv},
    {"ConvInteger", conv_integer},
    {"ConvTranspose", conv_transpose},
    {"BatchNormalization", batch_norm},
    {"InstanceNormalization", group_norm},
    {"GroupNormalization", group_norm},
    {"LayerNormalization", layer_norm},
    {"RMSNormalization", layer_norm},
    {"SimplifiedLayerNormalization", layer_norm},
    {"SimplifiedLayerNormalization", layer_norm, "com.microsoft"},
    {"SkipLayerNormalization", skip_norm, "com.microsoft"},
    {"SkipSimplifiedLayerNormalization", skip_norm, "com.microsoft"},
    {"RNN", rnn},
    {"GRU", gru},
    {"LSTM", lstm},
};

}  // namespace

std::span<const GraphRuleRow> graph_layer_rules() {
  return kRows;
}

}  // namespace dws::weights
