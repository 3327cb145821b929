// RNN, GRU and LSTM over a sequence, in one direction or both.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "core/text.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

using Activation = std::function<double(double)>;
double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

Activation activation(const Context& c, std::string name, double alpha, double beta) {
  std::ranges::transform(name, name.begin(),
                         [](char ch) { return static_cast<char>(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch); });
  if (name == "sigmoid") return sigmoid;
  if (name == "tanh") return [](double x) { return std::tanh(x); };
  if (name == "relu") return [](double x) { return std::max(x, 0.0); };
  if (name == "affine") return [=](double x) { return alpha * x + beta; };
  if (name == "leakyrelu") return [=](double x) { return x < 0 ? alpha * x : x; };
  if (name == "hardsigmoid") return [=](double x) { return std::clamp(alpha * x + beta, 0.0, 1.0); };
  if (name == "elu") return [=](double x) { return x < 0 ? alpha * std::expm1(x) : x; };
  if (name == "softsign") return [](double x) { return x / (1 + std::abs(x)); };
  if (name == "softplus") return [](double x) { return std::log1p(std::exp(x)); };
  c.fail(ErrorKind::mismatch, text("activation '{}' cannot be run", escaped(name)));
}

// Everything the three have in common. Sizes: S steps, B batch, I inputs, H hidden, D directions, G gates.
struct Recurrent {
  Context& c;
  int64_t gates;
  int64_t S = 0, B = 0, I = 0, H = 0, D = 0;
  bool batch_first = false;
  std::vector<Activation> functions{};  // in the order of the attribute, for each direction
  double clip = 0;
  Array *y = nullptr, *last = nullptr, *cell = nullptr;

  void prepare(const std::vector<std::string>& defaults);
  // The sum of a step's input and bias: (B, G H), for one direction.
  std::vector<double> from_input(int64_t direction, int64_t step) const;
  // h (B, H) R^T for gates [first, first + count): added to out (B, count H).
  void add_hidden(int64_t direction, const std::vector<double>& h, int64_t first, int64_t count,
                  std::vector<double>& out, const std::vector<double>* factor = nullptr) const;
  std::vector<double> initial(int input, int64_t direction) const;
  double clipped(double x) const { return clip > 0 ? std::clamp(x, -clip, clip) : x; }
  double bias(int64_t direction, int64_t row) const {
    return c.has(3) ? c.in(3).reals[static_cast<size_t>(direction * 2 * gates * H + row)] : 0;
  }
  int64_t length(int64_t b) const {
    return c.has(4) ? std::clamp<int64_t>(c.in(4).ints[static_cast<size_t>(b)], 0, S) : S;
  }
  // Walks the steps of each direction; step(direction, t, h) changes h (B, H), `keep` what a finished sequence keeps.
  template <class Step>
  void run(std::vector<std::vector<double>*> states, const Step& step, int64_t direction);
};

void Recurrent::prepare(const std::vector<std::string>& defaults) {
  const Array &x = c.in(0), &w = c.in(1), &r = c.in(2);
  c.require(x.real() && w.real() && r.real() && x.rank() == 3 && w.rank() == 3 && r.rank() == 3,
            "expected X, W and R of three axes");
  batch_first = c.node().attr_int("layout", 0) == 1;
  S = x.dims[batch_first ? 1 : 0];
  B = x.dims[batch_first ? 0 : 1];
  I = x.dims[2];
  D = w.dims[0];
  H = r.dims[2];
  const std::string direction = c.node().attr_string("direction", "forward");
  c.require(direction == "forward" || direction == "reverse" || direction == "bidirectional",
            "direction: no such");
  if (D != (direction == "bidirectional" ? 2 : 1) || w.dims != std::vector<int64_t>{D, gates * H, I} ||
      r.dims != std::vector<int64_t>{D, gates * H, H})
    c.fail(text("W and R do not fit {} gates of {} units in {} directions", gates, H, D));
  if (c.has(3)) c.require(c.in(3).real() && c.in(3).size() == D * 2 * gates * H, "B: two numbers a row of W");
  if (c.has(4)) c.require(!c.in(4).real() && c.in(4).size() == B, "sequence_lens: one number a sequence");
  for (int i : {5, 6})
    if (c.has(i)) c.require(c.in(i).real() && c.in(i).size() == D * B * H, "an initial state does not fit");
  if (c.has(7)) c.require(c.in(7).real() && c.in(7).size() == D * 3 * H, "P does not fit");
  clip = c.node().attr_float("clip", 0);
  using Kind = OnnxAttribute::Kind;
  const OnnxAttribute *names = c.node().find("activations", Kind::strings),
                      *alphas = c.node().find("activation_alpha", Kind::floats),
                      *betas = c.node().find("activation_beta", Kind::floats);
  for (size_t i = 0; i < defaults.size() * static_cast<size_t>(D); ++i) {
    const bool given = names && i < names->strings.size();
    const std::string name = given ? names->strings[i] : defaults[i % defaults.size()];
    const double alpha = alphas && i < alphas->floats.size() ? alphas->floats[i]
                         : name == "HardSigmoid"             ? 0.2
                         : name == "LeakyRelu"               ? 0.01
                                                             : 1;
    const double beta = betas && i < betas->floats.size() ? betas->floats[i]
                        : name == "HardSigmoid"           ? 0.5
                                                          : 0;
    functions.push_back(activation(c, name, alpha, beta));
  }
  y = &c.make(0, x.type, batch_first ? std::vector<int64_t>{B, S, D, H} : std::vector<int64_t>{S, D, B, H});
  const std::vector<int64_t> state =
      batch_first ? std::vector<int64_t>{B, D, H} : std::vector<int64_t>{D, B, H};
  last = &c.make(1, x.type, state);
  if (gates == 4) cell = &c.make(2, x.type, state);
}

std::vector<double> Recurrent::from_input(int64_t direction, int64_t step) const {
  std::vector<double> out(static_cast<size_t>(B * gates * H));
  const double* w = c.in(1).reals.data() + direction * gates * H * I;
  for (int64_t b = 0; b < B; ++b) {
    const double* x = c.in(0).reals.data() + (batch_first ? b * S + step : step * B + b) * I;
    for (int64_t row = 0; row < gates * H; ++row) {
      double sum = bias(direction, row);
      for (int64_t i = 0; i < I; ++i) sum += x[i] * w[row * I + i];
      out[static_cast<size_t>(b * gates * H + row)] = sum;
    }
  }
  return out;
}
void Recurrent::add_hidden(int64_t direction, const std::vector<double>& h, int64_t first, int64_t count,
                           std::vector<double>& out, const std::vector<double>* factor) const {
  const double* r = c.in(2).reals.data() + (direction * gates + first) * H * H;
  for (int64_t b = 0; b < B; ++b)
    for (int64_t row = 0; row < count * H; ++row) {
      double sum = 0;
      for (int64_t i = 0; i < H; ++i) {
        const auto at = static_cast<size_t>(b * H + i);
        sum += h[at] * (factor ? (*factor)[at] : 1) * r[row * H + i];
      }
      out[static_cast<size_t>(b * count * H + row)] += sum;
    }
}
std::vector<double> Recurrent::initial(int input, int64_t direction) const {
  std::vector<double> h(static_cast<size_t>(B * H));
  if (!c.has(input)) return h;
  for (int64_t b = 0; b < B; ++b)
    for (int64_t i = 0; i < H; ++i)
      h[static_cast<size_t>(b * H + i)] =
          c.in(input)
              .reals[static_cast<size_t>((batch_first ? b * D + direction : direction * B + b) * H + i)];
  return h;
}
template <class Step>
void Recurrent::run(std::vector<std::vector<double>*> states, const Step& step, int64_t direction) {
  const bool backward = direction == 1 || c.node().attr_string("direction", "forward") == "reverse";
  for (int64_t t = 0; t < S; ++t) {
    std::vector<std::vector<double>> before;
    for (const auto* s : states) before.push_back(*s);
    // A shorter sequence read backwards begins at its own end: at step S - 1 - t while that lies within it.
    const int64_t at = backward ? S - 1 - t : t;
    step(at);
    for (int64_t b = 0; b < B; ++b) {
      if (at < length(b)) {
        for (int64_t i = 0; i < H; ++i) {
          const int64_t to =
              batch_first ? ((b * S + at) * D + direction) * H + i : ((at * D + direction) * B + b) * H + i;
          y->reals[static_cast<size_t>(to)] = (*states[0])[static_cast<size_t>(b * H + i)];
        }
        continue;
      }
      for (size_t s = 0; s < states.size(); ++s)
        std::copy_n(before[s].begin() + b * H, H, states[s]->begin() + b * H);
    }
  }
  for (size_t s = 0; s < states.size(); ++s) {
    Array* out = s == 0 ? last : cell;
    for (int64_t b = 0; b < B; ++b)
      for (int64_t i = 0; i < H; ++i)
        out->reals[static_cast<size_t>((batch_first ? b * D + direction : direction * B + b) * H + i)] =
            (*states[s])[static_cast<size_t>(b * H + i)];
  }
}

void rnn(Context& c) {
  Recurrent r{c, 1};
  r.prepare({"Tanh"});
  if (!c.computing()) return;
  for (int64_t d = 0; d < r.D; ++d) {
    std::vector<double> h = r.initial(5, d);
    r.run(
        {&h},
        [&](int64_t t) {
          std::vector<double> z = r.from_input(d, t);
          r.add_hidden(d, h, 0, 1, z);
          for (size_t i = 0; i < h.size(); ++i)
            h[i] = r.functions[static_cast<size_t>(d)](
                r.clipped(z[i] + r.bias(d, r.H + static_cast<int64_t>(i) % r.H)));
        },
        d);
  }
}

// Gates z, r, h.
void gru(Context& c) {
  Recurrent r{c, 3};
  r.prepare({"Sigmoid", "Tanh"});
  if (!c.computing()) return;
  const bool before_reset = c.node().attr_int("linear_before_reset", 0) != 0;
  for (int64_t d = 0; d < r.D; ++d) {
    const Activation &f = r.functions[static_cast<size_t>(2 * d)],
                     &g = r.functions[static_cast<size_t>(2 * d + 1)];
    std::vector<double> h = r.initial(5, d);
    const int64_t H = r.H;
    r.run(
        {&h},
        [&](int64_t t) {
          const std::vector<double> x = r.from_input(d, t);
          std::vector<double> gates(static_cast<size_t>(r.B * 2 * H)), update(h.size()), reset(h.size()),
              candidate(h.size());
          r.add_hidden(d, h, 0, 2, gates);
          for (int64_t b = 0; b < r.B; ++b)
            for (int64_t i = 0; i < H; ++i) {
              const auto at = static_cast<size_t>(b * H + i);
              update[at] = f(r.clipped(x[static_cast<size_t>(b * 3 * H + i)] +
                                       gates[static_cast<size_t>(b * 2 * H + i)] + r.bias(d, 3 * H + i)));
              reset[at] = f(r.clipped(x[static_cast<size_t>(b * 3 * H + H + i)] +
                                      gates[static_cast<size_t>(b * 2 * H + H + i)] + r.bias(d, 4 * H + i)));
            }
          r.add_hidden(d, h, 2, 1, candidate, before_reset ? nullptr : &reset);
          for (int64_t b = 0; b < r.B; ++b)
            for (int64_t i = 0; i < H; ++i) {
              const auto at = static_cast<size_t>(b * H + i);
              const double own = x[static_cast<size_t>(b * 3 * H + 2 * H + i)],
                           recurrent_bias = r.bias(d, 5 * H + i);
              const double z = before_reset ? own + reset[at] * (candidate[at] + recurrent_bias)
                                            : own + candidate[at] + recurrent_bias;
              h[at] = (1 - update[at]) * g(r.clipped(z)) + update[at] * h[at];
            }
        },
        d);
  }
}

// Gates i, o, f, c; peepholes from the cell to i, o, f.
void lstm(Context& c) {
  Recurrent r{c, 4};
  r.prepare({"Sigmoid", "Tanh", "Tanh"});
  if (!c.computing()) return;
  const bool coupled = c.node().attr_int("input_forget", 0) != 0;
  for (int64_t d = 0; d < r.D; ++d) {
    const auto fn = [&](int64_t k) -> const Activation& {
      return r.functions[static_cast<size_t>(3 * d + k)];
    };
    const int64_t H = r.H;
    const auto peep = [&](int64_t gate, int64_t i) {
      return c.has(7) ? c.in(7).reals[static_cast<size_t>((d * 3 + gate) * H + i)] : 0;
    };
    std::vector<double> h = r.initial(5, d), cell = r.initial(6, d);
    r.run(
        {&h, &cell},
        [&](int64_t t) {
          std::vector<double> z = r.from_input(d, t);
          r.add_hidden(d, h, 0, 4, z);
          for (int64_t b = 0; b < r.B; ++b)
            for (int64_t i = 0; i < H; ++i) {
              const auto at = static_cast<size_t>(b * H + i);
              const auto gate = [&](int64_t k) {
                return z[static_cast<size_t>(b * 4 * H + k * H + i)] + r.bias(d, 4 * H + k * H + i);
              };
              const double in = fn(0)(r.clipped(gate(0) + peep(0, i) * cell[at]));
              const double forget = coupled ? 1 - in : fn(0)(r.clipped(gate(2) + peep(2, i) * cell[at]));
              cell[at] = forget * cell[at] + in * fn(1)(r.clipped(gate(3)));
              const double out = fn(0)(r.clipped(gate(1) + peep(1, i) * cell[at]));
              h[at] = out * fn(2)(cell[at]);
            }
        },
        d);
  }
}

// Weights of 8 bits, (D, I, 4 H) and (D, H, 4 H), a scale and zero point for each direction or each of its columns, inputs 8 to 11
// (com.microsoft). Run as the LSTM of the numbers they stand for: what a runtime loses by quantising inputs on the way is not.
ArrayPtr dequantised(const Context& c, int weight, int scale_input, OnnxType type) {
  const Array &q = c.in(weight), &scale = c.in(scale_input), &zero = c.in(scale_input + 1);
  c.require(!q.real() && q.rank() == 3 && scale.real() && !zero.real(),
            "expected integers of three axes and a scale");
  const int64_t D = q.dims[0], rows = q.dims[1], columns = q.dims[2];
  for (const Array* a : {&scale, &zero})
    c.require(a->size() == D || a->size() == D * columns, "a scale or zero point does not fit");
  auto w = std::make_shared<Array>(Array{.type = type, .dims = {D, columns, rows}});
  if (!q.known() || !scale.known() || !zero.known()) return w;
  w->reals.resize(static_cast<size_t>(q.size()));
  const auto of = [&](const Array& a, int64_t d, int64_t k) {
    return static_cast<size_t>(a.size() == D ? d : d * columns + k);
  };
  for (int64_t d = 0; d < D; ++d)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < columns; ++k)
        w->reals[static_cast<size_t>((d * columns + k) * rows + r)] =
            scale.reals[of(scale, d, k)] *
            static_cast<double>(q.ints[static_cast<size_t>((d * rows + r) * columns + k)] -
                                zero.ints[of(zero, d, k)]);
  return w;
}
void dynamic_quantize_lstm(Context& c) {
  std::vector<ArrayPtr> inputs;
  for (int i = 0; i < 8; ++i) inputs.push_back(c.in_ptr(i));
  const OnnxType type = c.in(0).type;
  inputs[1] = dequantised(c, 1, 8, type);
  inputs[2] = dequantised(c, 2, 10, type);
  Context plain = c.with_inputs(std::move(inputs));
  lstm(plain);
  std::vector<ArrayPtr> outputs = plain.take_outputs();
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i]) c.pass(static_cast<int>(i), std::move(outputs[i]));
}

constexpr OperatorRow kRows[] = {{"RNN", rnn},
                                 {"GRU", gru},
                                 {"LSTM", lstm},
                                 {"DynamicQuantizeLSTM", dynamic_quantize_lstm, "com.microsoft"}};

}  // namespace

std::span<const OperatorRow> recurrent_operators() {
  return kRows;
}

}  // namespace dws::network
