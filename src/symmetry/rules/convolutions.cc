// Convolutions and what slides like them: channels are joined, places in the picture are not to be reordered.
#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

void pin_from(Discovery& d, const Node& node, const Axes& axes, size_t first) {
  for (size_t a = first; a < axes.size(); ++a) d.pin(node, axes[a]);
}
// What slides along places sees several at once: nothing else has an order of its own for each of them. (That they are pinned
// does not say so: what comes out may be added to what went in.)
void slides(Discovery& d, int value, int rank) {
  std::vector<int> places;
  for (int a = 2; a < rank; ++a) places.push_back(a);
  d.mix(value, places);
}
// (N, C, ...): the axes of the output, with places of its own.
Axes with_places(Discovery& d, const Node& node, FactorId batch, FactorId channels) {
  Axes out = {batch, channels};
  if (const int y = d.output(node, 0); d.known(y))
    for (size_t a = 2; a < d.dims(y).size(); ++a) out.push_back(d.pinned(node, d.dims(y)[a]));
  return out;
}

void convolution(Discovery& d, const Node& node, int input, int weight, int bias) {
  const Axes x = d.axes(input), w = d.axes(weight);
  if (x.size() < 3 || w.size() != x.size()) return d.pin_all(node);
  pin_from(d, node, x, 2);
  pin_from(d, node, w, 2);
  for (const int value : {input, weight}) slides(d, value, d.rank(value));
  const int64_t groups = node.attr_int("group", 1);
  d.contract(w[1], {x[0], w[0]});
  if (groups == 1) {
    d.contract(w[1], {}, {x[0], w[0]});
    d.unify(node, x[1], w[1]);
  } else {
    const auto in = d.factors.divide(x[1], groups), out = d.factors.divide(w[0], groups);
    if (!in || !out) return d.pin_all(node);
    d.unify(node, in->first, out->first);
    d.unify(node, in->second, w[1]);
    d.contract(w[1], {}, {x[0], out->second});
  }
  if (bias != kNone && d.rank(bias) == 1) d.unify(node, w[0], d.axis(bias, 0));
  d.make(node, d.output(node, 0), with_places(d, node, x[0], w[0]));
}
void conv(Discovery& d, const Node& node) {
  convolution(d, node, node.inputs[0], node.inputs[1], d.input(node, 2));
}
void conv_integer(Discovery& d, const Node& node) {
  const int zero = d.input(node, 3);
  if (zero != kNone && d.rank(zero) == 1 && d.dims(zero)[0] > 1)
    d.unify(node, d.axis(zero, 0), d.axis(node.inputs[1], 0));
  convolution(d, node, node.inputs[0], node.inputs[1], kNone);
}

// One scale and zero point for all, or one a filter.
void qlinear_conv(Discovery& d, const Node& node) {
  if (d.input(node, 7) == kNone) return d.pin_all(node);
  const FactorId filters = d.axis(node.inputs[3], 0);
  for (const size_t i : {4, 5}) {
    const int value = d.input(node, i);
    if (d.rank(value) == 1 && d.dims(value)[0] == d.factors.size(filters))
      d.unify(node, d.axis(value, 0), filters);
    else
      d.pin_value(value, d.why(node));
  }
  convolution(d, node, node.inputs[0], node.inputs[3], d.input(node, 8));
}
// A convolution, a second term and an activation in one: what it is divided into would say the same.
void fused_conv(Discovery& d, const Node& node) {
  convolution(d, node, node.inputs[0], node.inputs[1], d.input(node, 2));
  const int y = d.output(node, 0), z = d.input(node, 3);
  if (z == kNone) return;
  if (!d.known(y) || d.dims(y) != d.dims(z)) return d.pin_all(node);
  const Axes out = d.axes(y), term = d.axes(z);
  for (size_t a = 0; a < out.size(); ++a) d.unify(node, out[a], term[a]);
}

void conv_transpose(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]), w = d.axes(node.inputs[1]);
  if (x.size() < 3 || w.size() != x.size()) return d.pin_all(node);
  pin_from(d, node, x, 2);
  pin_from(d, node, w, 2);
  for (const size_t i : {0, 1}) slides(d, node.inputs[i], static_cast<int>(x.size()));
  d.unify(node, x[1], w[0]);
  FactorId out = w[1];
  if (node.attr_int("group", 1) == 1) d.contract(x[1], {x[0], w[1]}, {x[0], w[1]});
  if (const int64_t groups = node.attr_int("group", 1); groups != 1) {
    const auto in = d.factors.divide(w[0], groups);
    if (!in) return d.pin_all(node);
    d.contract(in->second, {x[0], in->first, w[1]}, {x[0], w[1]});
    out = d.factors.product({in->first, w[1]});
  }
  if (const int bias = d.input(node, 2); bias != kNone && d.rank(bias) == 1)
    d.unify(node, out, d.axis(bias, 0));
  d.make(node, d.output(node, 0), with_places(d, node, x[0], out));
}

void pool(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  if (x.size() < 3 || d.output(node, 1) != kNone) return d.pin_all(node);  // indices count across channels
  pin_from(d, node, x, 2);
  slides(d, node.inputs[0], static_cast<int>(x.size()));
  d.make(node, d.output(node, 0), with_places(d, node, x[0], x[1]));
}
void global_pool(Discovery& d, const Node& node) {
  Axes out = d.axes(node.inputs[0]);
  for (size_t a = 2; a < out.size(); ++a) out[a] = d.factors.leaf(1);
  d.make(node, d.output(node, 0), out);
}

// Axes that keep their size go through, the others are places.
void resize(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const int y = d.output(node, 0);
  if (!d.known(y) || d.dims(y).size() != x.size()) return d.pin_all(node);
  // A region of interest may be a part of any axis, or the other way round.
  const bool region = node.attr_string("coordinate_transformation_mode", "") == "tf_crop_and_resize";
  Axes out = x;
  for (size_t a = 0; a < x.size(); ++a) {
    if (a < 2 && !region && d.factors.size(x[a]) == d.dims(y)[a]) continue;
    d.pin(node, x[a]);
    d.mix(node.inputs[0], {static_cast<int>(a)});
    out[a] = d.pinned(node, d.dims(y)[a]);
  }
  d.make(node, y, out);
}
void grid_sample(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  if (x.size() < 3 || d.input(node, 1) == kNone) return d.pin_all(node);
  pin_from(d, node, x, 2);
  slides(d, node.inputs[0], static_cast<int>(x.size()));
  d.mix(node.inputs[0], {0});
  d.pin_value(node.inputs[1], d.why(node));
  d.pin(node, x[0]);
  d.make(node, d.output(node, 0), with_places(d, node, x[0], x[1]));
}
// (N, C, H, W) at regions (R, 4) of numbered pictures: (R, C, h, w).
void roi_align(Discovery& d, const Node& node) {
  const Axes x = d.axes(node.inputs[0]);
  const int y = d.output(node, 0);
  if (x.size() != 4 || node.inputs.size() != 3 || !d.known(y)) return d.pin_all(node);
  d.pin(node, x[0]);
  d.mix(node.inputs[0], {0});
  slides(d, node.inputs[0], 4);
  pin_from(d, node, x, 2);
  for (const size_t i : {1, 2}) d.pin_value(node.inputs[i], d.why(node));
  d.make(node, y, with_places(d, node, d.pinned(node, d.dims(y)[0]), x[1]));
}

constexpr RuleRow kRows[] = {
    {"Conv", conv},
    {"QLinearConv", qlinear_conv},
    {"FusedConv", fused_conv, "com.microsoft"},
    {"RoiAlign", roi_align},
    {"ConvInteger", conv_integer},
    {"ConvTranspose", conv_transpose},
    {"MaxPool", pool},
    {"AveragePool", pool},
    {"LpPool", pool},
    {"GlobalAveragePool", global_pool},
    {"GlobalMaxPool", global_pool},
    {"GlobalLpPool", global_pool},
    {"Resize", resize},
    {"Upsample", resize},
    {"GridSample", grid_sample},
};

}  // namespace

std::span<const RuleRow> convolution_rules() {
  return kRows;
}

}  // namespace dws::symmetry
