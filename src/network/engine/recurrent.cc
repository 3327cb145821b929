// RNN, GRU and LSTM: the inputs of many steps in one product, then a small product a step (network/ops/recurrent.cc says what each
// means).
#include <algorithm>
#include <array>

#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/sincos.h"
#include "kernels/special.h"
#include "network/engine/plan.h"

namespace dws::network::engine {
namespace {

constexpr int64_t kOne = 1;
// Rows of a product beyond which more of them gain nothing.
constexpr int64_t kRows = 192;

using Activation = void (*)(int64_t n, const float* x, float* y);
void sigmoid(int64_t n, const float* x, float* y) {
  kernels::sigmoid(n, 1.0f, x, y);
}
void hyperbolic(int64_t n, const float* x, float* y) {
  kernels::tanh(n, x, y);
}
void rectified(int64_t n, const float* x, float* y) {
  kernels::relu(n, x, y);
}
Activation activation(std::string name) {
  std::ranges::transform(name, name.begin(),
                         [](char ch) { return static_cast<char>(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch); });
  return name == "sigmoid" ? sigmoid : name == "tanh" ? hyperbolic : name == "relu" ? rectified : nullptr;
}

// Sizes: S steps, B batch, I inputs, H hidden, D directions, G gates.
struct Recurrent {
  int64_t G, S = 0, B = 0, I = 0, H = 0, D = 0;
  bool batch_first = false, backward = false, before_reset = false, coupled = false;
  float clip = 0;
  std::vector<Activation> functions{};  // in the order of the attribute, for each direction
  size_t each = 1;                      // of them a direction
  int x = kNone, lengths = kNone, first_h = kNone, first_cell = kNone, peepholes = kNone;
  int y = kNone, last_h = kNone, last_cell = kNone;
  int weights =
      kNone;  // a direction: W^T (I, G H), R^T (H, G H), what is added to the inputs (G H) and to R_h h (H)

  int64_t width() const { return G * H; }
  int64_t direction_size() const { return (I + H + 1) * width() + H; }
  int64_t steps_together() const { return std::min(S, std::max(kOne, kRows / std::max(B, kOne))); }
  int64_t scratch() const { return steps_together() * B * width() + (3 + 3) * B * H; }
  // Row b of a state (D, B, H) or (B, D, H).
  int64_t state_row(int64_t d, int64_t b) const { return (batch_first ? b * D + d : d * B + b) * H; }
  int64_t output_row(int64_t d, int64_t t, int64_t b) const {
    return (batch_first ? (b * S + t) * D + d : (t * D + d) * B + b) * H;
  }
  void bound(int64_t n, float* v) const {
    if (clip > 0)
      for (int64_t i = 0; i < n; ++i) v[i] = std::clamp(v[i], -clip, clip);
  }
  Activation function(int64_t d, size_t k) const { return functions[static_cast<size_t>(d) * each + k]; }
  void fold(const Frame& f, int w, int r, int bias, float* to) const;
  void run(const Frame& f) const;
  void direction(const Frame& f, int64_t d) const;

  // One step of all samples: z (B, G H) holds the inputs' part and is overwritten; h and cell (B, H) are those before, `next_h` and
  // `next_cell` take those after.
  struct Now {
    const float *turned, *candidate_bias, *peep;       // R^T, R_h's bias, (3, H) or null
    float *z, *h, *cell, *next_h, *next_cell, *spare;  // spare (B, H)
    int64_t d;
  };
  void rnn_step(const Now& s) const;
  void gru_step(const Now& s) const;
  void lstm_step(const Now& s) const;
};

void Recurrent::fold(const Frame& f, int w, int r, int bias, float* to) const {
  for (int64_t d = 0; d < D; ++d, to += direction_size()) {
    float *recurrent = to + I * width(), *added = recurrent + H * width(), *candidate = added + width();
    kernels::transpose(width(), I, f.in(w) + d * width() * I, to);
    kernels::transpose(width(), H, f.in(r) + d * width() * H, recurrent);
    std::fill_n(added, width() + H, 0.0f);
    if (bias == kNone) continue;
    const float *own = f.in(bias) + d * 2 * width(), *second = own + width();
    // A reset gate stands between the candidate's two.
    const int64_t joined = G == 3 ? 2 * H : width();
    std::copy_n(own, width(), added);
    for (int64_t i = 0; i < joined; ++i) added[i] += second[i];
    if (G == 3) std::copy_n(second + joined, H, candidate);
  }
}

void Recurrent::rnn_step(const Now& s) const {
  kernels::matmul(B, H, H, s.h, H, kOne, s.turned, H, s.z, H, true);
  bound(B * H, s.z);
  function(s.d, 0)(B * H, s.z, s.next_h);
}
// Gates z, r, h.
void Recurrent::gru_step(const Now& s) const {
  kernels::matmul(B, 2 * H, H, s.h, H, kOne, s.turned, 3 * H, s.z, 3 * H, true);
  for (int64_t b = 0; b < B; ++b) {
    float* gates = s.z + b * 3 * H;
    bound(2 * H, gates);
    function(s.d, 0)(2 * H, gates, gates);
    if (before_reset) continue;
    const float *reset = gates + H, *h = s.h + b * H;
    for (int64_t i = 0; i < H; ++i) s.spare[b * H + i] = reset[i] * h[i];
  }
  if (before_reset)
    kernels::matmul(B, H, H, s.h, H, kOne, s.turned + 2 * H, 3 * H, s.spare, H, false);
  else
    kernels::matmul(B, H, H, s.spare, H, kOne, s.turned + 2 * H, 3 * H, s.z + 2 * H, 3 * H, true);
  for (int64_t b = 0; b < B; ++b) {
    float *update = s.z + b * 3 * H, *reset = update + H, *own = reset + H;
    const float *h = s.h + b * H, *product = s.spare + b * H;
    float* out = s.next_h + b * H;
    if (before_reset)
      for (int64_t i = 0; i < H; ++i) own[i] += reset[i] * (product[i] + s.candidate_bias[i]);
    else
      kernels::add(H, own, s.candidate_bias, own);
    bound(H, own);
    function(s.d, 1)(H, own, own);
    for (int64_t i = 0; i < H; ++i) out[i] = (1 - update[i]) * own[i] + update[i] * h[i];
  }
}
// Gates i, o, f, c; peepholes from the cell to i, o, f.
void Recurrent::lstm_step(const Now& s) const {
  kernels::matmul(B, 4 * H, H, s.h, H, kOne, s.turned, 4 * H, s.z, 4 * H, true);
  const Activation gate = function(s.d, 0), content = function(s.d, 1), shown = function(s.d, 2);
  for (int64_t b = 0; b < B; ++b) {
    float *in = s.z + b * 4 * H, *out = in + H, *forget = out + H, *fresh = forget + H;
    const float* cell = s.cell + b * H;
    float *next = s.next_cell + b * H, *h = s.next_h + b * H;
    if (s.peep) {
      const float *to_in = s.peep, *to_forget = s.peep + 2 * H;
      for (int64_t i = 0; i < H; ++i) {
        in[i] += to_in[i] * cell[i];
        forget[i] += to_forget[i] * cell[i];
      }
    }
    bound(H, in);
    bound(2 * H, forget);  // and what is beside it
    gate(H, in, in);
    gate(H, forget, forget);
    content(H, fresh, fresh);
    for (int64_t i = 0; i < H; ++i) next[i] = (coupled ? 1 - in[i] : forget[i]) * cell[i] + in[i] * fresh[i];
    if (s.peep)
      for (int64_t i = 0; i < H; ++i) out[i] += s.peep[H + i] * next[i];
    bound(H, out);
    gate(H, out, out);
    shown(H, next, h);
    for (int64_t i = 0; i < H; ++i) h[i] *= out[i];
  }
}

void Recurrent::direction(const Frame& f, int64_t d) const {
  const int64_t N = width(), state = B * H;
  const float *w = f.in(weights) + d * direction_size(), *r = w + I * N, *added = r + H * N;
  float* z = f.scratch;
  float *h = z + steps_together() * B * N, *cell = h + state, *next_h = cell + state,
        *next_cell = next_h + state, *spare = next_cell + state;
  for (const auto& [to, from] : {std::pair(h, first_h), std::pair(cell, first_cell)})
    for (int64_t b = 0; b < B; ++b) {
      if (from == kNone)
        std::fill_n(to + b * H, H, 0.0f);
      else
        std::copy_n(f.in(from) + state_row(d, b), H, to + b * H);
    }
  const bool reversed = backward || d == 1;
  for (int64_t done = 0; done < S;) {
    const int64_t count = std::min(steps_together(), S - done), begin = reversed ? S - done - count : done;
    if (batch_first)
      for (int64_t t = 0; t < count; ++t) {
        float* rows = z + t * B * N;
        for (int64_t b = 0; b < B; ++b) std::copy_n(added, N, rows + b * N);
        kernels::matmul(B, N, I, f.in(x) + (begin + t) * I, S * I, kOne, w, N, rows, N, true);
      }
    else
      kernels::matmul_onto_rows(count * B, N, I, f.in(x) + begin * B * I, w, N, z, N, added, int64_t{0},
                                std::max(count * B, kOne));
    for (int64_t k = 0; k < count; ++k) {
      const int64_t t = reversed ? begin + count - 1 - k : begin + k;
      const Now now{.turned = r,
                    .candidate_bias = added + N,
                    .peep = peepholes == kNone ? nullptr : f.in(peepholes) + d * 3 * H,
                    .z = z + (t - begin) * B * N,
                    .h = h,
                    .cell = cell,
                    .next_h = next_h,
                    .next_cell = next_cell,
                    .spare = spare,
                    .d = d};
      G == 4 ? lstm_step(now) : G == 3 ? gru_step(now) : rnn_step(now);
      for (int64_t b = 0; b < B; ++b) {
        // A shorter sequence keeps its state behind its end, and shows zeros there.
        const bool within = lengths == kNone || static_cast<float>(t) < f.in(lengths)[b];
        if (!within) {
          std::copy_n(h + b * H, H, next_h + b * H);
          if (G == 4) std::copy_n(cell + b * H, H, next_cell + b * H);
        }
        if (y == kNone) continue;
        float* out = f.out(y) + output_row(d, t, b);
        within ? std::copy_n(next_h + b * H, H, out) : std::fill_n(out, H, 0.0f);
      }
      std::swap(h, next_h);
      if (G == 4) std::swap(cell, next_cell);
    }
    done += count;
  }
  for (const auto& [to, from] : {std::pair(last_h, h), std::pair(last_cell, cell)})
    for (int64_t b = 0; to != kNone && b < B; ++b) std::copy_n(from + b * H, H, f.out(to) + state_row(d, b));
}
void Recurrent::run(const Frame& f) const {
  for (int64_t d = 0; d < D; ++d) direction(f, d);
}

bool recurrent(Builder& b, const Node& node, int64_t gates, const std::vector<std::string>& defaults) {
  const int w = node.inputs.at(1), r = node.inputs.at(2), bias = input_of(node, 3);
  if (!b.fixed(w) || !b.fixed(r) || (bias != kNone && !b.fixed(bias))) return false;
  Recurrent c{.G = gates};
  c.x = node.inputs.at(0), c.lengths = input_of(node, 4);
  c.first_h = input_of(node, 5), c.y = output_of(node, 0), c.last_h = output_of(node, 1);
  if (gates == 4) {
    c.first_cell = input_of(node, 6);
    c.peepholes = input_of(node, 7);
    c.last_cell = output_of(node, 2);
  }
  const std::vector<int64_t>& dims = b.shape(c.x).dims;
  c.batch_first = node.attr_int("layout", 0) == 1;
  c.S = dims[c.batch_first ? 1 : 0], c.B = dims[c.batch_first ? 0 : 1], c.I = dims[2];
  c.D = b.shape(w).dims[0], c.H = b.shape(r).dims[2];
  c.backward = node.attr_string("direction", "forward") == "reverse";
  c.before_reset = node.attr_int("linear_before_reset", 0) != 0;
  c.coupled = node.attr_int("input_forget", 0) != 0;
  c.clip = static_cast<float>(node.attr_float("clip", 0));
  c.each = defaults.size();
  const OnnxAttribute* names = node.find("activations", OnnxAttribute::Kind::strings);
  for (size_t i = 0; i < c.each * static_cast<size_t>(c.D); ++i) {
    const bool given = names && i < names->strings.size();
    c.functions.push_back(activation(given ? names->strings[i] : defaults[i % c.each]));
    if (!c.functions.back()) return false;
  }
  std::vector<int> from = {w, r};
  if (bias != kNone) from.push_back(bias);
  c.weights =
      b.derive(c.D * c.direction_size(), from, [=](const Frame& f, float* to) { c.fold(f, w, r, bias, to); });
  std::vector<int> reads = {c.x, c.weights}, writes;
  for (const int v : {c.lengths, c.first_h, c.first_cell, c.peepholes})
    if (v != kNone) reads.push_back(v);
  for (const int v : {c.y, c.last_h, c.last_cell})
    if (v != kNone) writes.push_back(v);
  b.add_flops(2.0 * static_cast<double>(c.D * c.S * c.B) * static_cast<double>(c.width() * (c.I + c.H)));
  b.step(
      {.reads = reads, .writes = writes, .scratch = c.scratch(), .work = [c](const Frame& f) { c.run(f); }});
  return true;
}

}  // namespace

std::vector<PlannerRow> recurrent_planners() {
  return {
      {"RNN", [](Builder& b, const Node& node) { return recurrent(b, node, 1, {"Tanh"}); }},
      {"GRU",
       [](Builder& b, const Node& node) {
         return recurrent(b, node, 3, {"Sigmoid", "Tanh"});
       }},
      {"LSTM",
       [](Builder& b, const Node& node) {
         return recurrent(b, node, 4, {"Sigmoid", "Tanh", "Tanh"});
       }},
  };
}

}  // namespace dws::network::engine
