// Attention over heads, the one arithmetic of all operators of that name, sample by sample and on blocks of queries: no more than
// a block's scores are there at a time.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "network/engine/plan.h"

namespace dws::network::engine {

// Rows of one sample: row l of head h begins at at[h head + l row].
template <class Number>
struct Rows {
  Number* at = nullptr;
  int64_t head = 0, row = 0;
  Number* of(int64_t h, int64_t l) const noexcept { return at + h * head + l * row; }
};
// Where the rows of every sample lie: within a value, or for kNone within the step's scratch.
struct Operand {
  int value = kNone;
  int64_t offset = 0, batch = 0, head = 0, row = 0;
  Rows<float> of(const Frame& f, int64_t b) const noexcept {
    float* base = value == kNone ? f.scratch : f.values[value];
    return {base + offset + b * batch, head, row};
  }
};
// Heads beside each other in rows of `width` numbers: (B, length, width).
inline Operand within_rows(int value, int64_t length, int64_t size, int64_t width, int64_t offset = 0) {
  return {.value = value, .offset = offset, .batch = length * width, .head = size, .row = width};
}
// (B, heads, length, size)
inline Operand by_heads(int value, int64_t heads, int64_t length, int64_t size, int64_t offset = 0) {
  return {
      .value = value, .offset = offset, .batch = heads * length * size, .head = length * size, .row = size};
}

// Numbers added to the scores of one sample: that of (h, s, t) is at[h head + s query + t key], of truth values 0 where true
// and `refused` where not.
struct ScoreMask {
  const float* at = nullptr;
  int64_t head = 0, query = 0, key = 0;
  bool truth = false;
  float refused = 0;
};

// S queries of H heads see T keys of KV heads, H / KV heads of queries in a row sharing one; keys of d numbers, values of dv.
struct AttentionSizes {
  int64_t S = 0, T = 0, H = 1, KV = 1, d = 1, dv = 1;
  float scale = 1, softcap = 0;  // softcap: c tanh(s / c), before what is added; 0: none
};
inline constexpr int64_t kEveryKey = std::numeric_limits<int64_t>::max() / 4;
struct Sight {
  int64_t last = kEveryKey;    // query s sees key t where t <= last + s
  int64_t there = kEveryKey;   // and t < there
  int64_t listed = kEveryKey;  // keys from here on have `unlisted` added
  float unlisted = 0;
  std::vector<ScoreMask> masks{};
};

// y (H, S, dv) = softmax(scale q k^T + masks) v of one sample. A row that sees nothing is 0. `products` and `weights` (H, S, T),
// where given, take the scaled products and the softmax. `scratch`: attend_scratch(sizes) floats. The order of every sum depends on
// the sizes alone.
void attend(const AttentionSizes& sizes, const Rows<float>& q, const Rows<float>& k, const Rows<float>& v,
            const Sight& sight, const Rows<float>& y, float* products, float* weights, float* scratch);
int64_t attend_scratch(const AttentionSizes& sizes) noexcept;

// `to` takes `heads` x `length` rows of `size` numbers, plus `bias` (heads, size) where there is one.
void copy_rows(int64_t heads, int64_t length, int64_t size, const Rows<float>& from, const float* bias,
               const Rows<float>& to);

}  // namespace dws::network::engine
