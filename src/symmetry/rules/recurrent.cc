// RNN, GRU, LSTM: the hidden units of a direction, the same in every gate.
#include "symmetry/rules/families.h"

namespace dws::symmetry {
namespace {

using network::kNone;
using network::Node;

// X (S, B, I), W (D, G H, I), R (D, G H, H), B (D, 2 G H), initial states (D, B, H), P (D, 3 H), Y (S, D, B, H); the gates
// and the directions stay. With layout 1 the batch stands first.
// `quantised`: W (D, I, G H), R (D, H, G H), and scales and zero points (D) or (D, G H).
void recurrent(Discovery& d, const Node& node, int64_t gates, bool quantised = false) {
  const bool batch_first = node.attr_int("layout", 0) == 1;
  Axes x = d.axes(node.inputs[0]), w = d.axes(node.inputs[1]), r = d.axes(node.inputs[2]);
  if (x.size() != 3 || w.size() != 3 || r.size() != 3) return d.pin_all(node);
  if (quantised) {
    std::swap(w[1], w[2]);
    std::swap(r[1], r[2]);
  }
  const FactorId sequence = batch_first ? x[1] : x[0], batch = batch_first ? x[0] : x[1], directions = w[0],
                 hidden = r[2];
  d.pin(node, sequence);
  d.pin(node, directions);
  d.unify(node, x[2], w[2]);
  d.unify(node, directions, r[0]);
  // A step sees the one before, and all inputs and units of its own item.
  for (const FactorId summed : {sequence, x[2], hidden})
    d.contract(summed, {sequence, batch, directions, hidden}, {sequence, batch});
  d.contract(x[2], {}, {directions, hidden});
  const FactorId rows = d.factors.product({d.pinned(node, gates), hidden});
  d.unify(node, w[1], rows);
  d.unify(node, r[1], rows);
  const auto states = [&](int value, FactorId last) {
    if (value == kNone) return;
    const Axes own = d.axes(value);
    if (own.size() != 3) return d.pin_value(value, d.why(node));
    d.unify(node, own[batch_first ? 1 : 0], directions);
    d.unify_stretched(node, batch, own[batch_first ? 0 : 1]);
    d.unify(node, own[2], last);
  };
  const auto per_direction = [&](int value, int64_t rows_of) {
    if (value == kNone) return;
    const Axes own = d.axes(value);
    if (own.size() != 2) return d.pin_value(value, d.why(node));
    d.unify(node, own[0], directions);
    d.unify(node, own[1], d.factors.product({d.pinned(node, rows_of), hidden}));
  };
  per_direction(d.input(node, 3), 2 * gates);
  if (const int lengths = d.input(node, 4); lengths != kNone) d.pin_value(lengths, d.why(node));
  states(d.input(node, 5), hidden);
  if (gates == 4) {
    states(d.input(node, 6), hidden);
    per_direction(d.input(node, 7), 3);
  }
  d.make(node, d.output(node, 0),
         batch_first ? Axes{batch, sequence, directions, hidden} : Axes{sequence, directions, batch, hidden});
  for (size_t i = 1; i < 3; ++i)
    d.make(node, d.output(node, i),
           batch_first ? Axes{batch, directions, hidden} : Axes{directions, batch, hidden});
}
void dynamic_quantize_lstm(Discovery& d, const Node& node) {
  if (node.inputs.size() < 12 || d.rank(node.inputs[2]) != 3) return d.pin_all(node);
  recurrent(d, node, 4, true);
  const Axes r = d.axes(node.inputs[2]);
  for (size_t i = 8; i < 12; ++i) {
    const Axes own = d.axes(node.inputs[i]);
    if (own.empty()) continue;
    d.unify(node, own[0], r[0]);
    if (own.size() == 2)
      d.unify(node, own[1], r[2]);
    else if (own.size() > 2)
      d.pin_value(node.inputs[i], d.why(node));
  }
}
void rnn(Discovery& d, const Node& node) {
  recurrent(d, node, 1);
}
void gru(Discovery& d, const Node& node) {
  recurrent(d, node, 3);
}
void lstm(Discovery& d, const Node& node) {
  recurrent(d, node, 4);
}

constexpr RuleRow kRows[] = {{"RNN", rnn},
                             {"GRU", gru},
                             {"LSTM", lstm},
                             {"DynamicQuantizeLSTM", dynamic_quantize_lstm, "com.microsoft"}};

}  // namespace

std::span<const RuleRow> recurrent_rules() {
  return kRows;
}

}  // namespace dws::symmetry
