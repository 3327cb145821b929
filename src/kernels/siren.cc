#include "kernels/siren.h"

#include <algorithm>

#include "kernels/sincos.h"
#include "kernels/table_fields.h"

namespace dws::kernels {

int64_t inr_packed_size(const InrShape& shape) noexcept {
  const int last = shape.layers - 1;
  int64_t size = 0;
  for (int i = 0; i < last; ++i) size += (shape.dims[i] + 1) * inr_padded(shape.dims[i + 1]);
  return size + shape.dims[last + 1] * inr_padded(shape.dims[last]) + inr_padded(shape.dims[last + 1]);
}

namespace {

// move(natural element, packed element) for every parameter.
template <class Move>
void each_parameter(const InrShape& shape, Move move) {
  int64_t natural = 0, packed = 0;
  for (int i = 0; i < shape.layers; ++i) {
    const bool last = i == shape.layers - 1;
    const int64_t out = shape.dims[i + 1], in = shape.dims[i];
    const int64_t row = last ? inr_padded(in) : 1, column = last ? 1 : inr_padded(out);
    for (int64_t o = 0; o < out; ++o)
      for (int64_t k = 0; k < in; ++k) move(natural + o * in + k, packed + o * row + k * column);
    natural += out * in;
    packed += last ? out * row : in * column;
    for (int64_t o = 0; o < out; ++o) move(natural + o, packed + o);
    natural += out;
    packed += inr_padded(out);
  }
}

}  // namespace

void inr_pack(const InrShape& shape, const float* natural, float* packed) noexcept {
  std::fill_n(packed, inr_packed_size(shape), 0.0f);
  each_parameter(shape, [&](int64_t n, int64_t p) { packed[p] = natural[n]; });
}

void inr_unpack(const InrShape& shape, const float* packed, float* natural) noexcept {
  each_parameter(shape, [&](int64_t n, int64_t p) { natural[n] = packed[p]; });
}

int64_t inr_block(const InrShape& shape) noexcept {
  int64_t width = 0;
  for (int i = 1; i < shape.layers; ++i) width += inr_padded(shape.dims[i]);
  const int64_t points = 28 * 1024 / (2 * static_cast<int64_t>(sizeof(float)) * width);
  return std::clamp<int64_t>(points / kInrPad * kInrPad, kInrPad, 256);
}

int64_t inr_scratch_size(const InrShape& shape) noexcept {
  int64_t size = inr_block(shape) * shape.dims[shape.layers];
  for (int i = 0; i < shape.layers - 1; ++i) {
    const int64_t N = inr_padded(shape.dims[i + 1]);
    size +=
        (shape.dims[i] + 1) * N + shape.dims[i + 1] * inr_padded(shape.dims[i]) + 2 * inr_block(shape) * N;
  }
  return size;
}

double inr_loss(const InrShape& shape, int64_t points, const float* x, const float* target, float offset,
                const float* packed, float* gradient, float* scratch) noexcept {
  return table().inr_loss(shape, points, x, target, offset, packed, gradient, scratch);
}

void inr_forward(const InrShape& shape, int64_t points, const float* x, float offset, const float* packed,
                 float* y, float* scratch) noexcept {
  table().inr_forward(shape, points, x, offset, packed, y, scratch);
}

void adam(int64_t n, const AdamStep& step, const float* g, float* w, float* m, float* v) noexcept {
  table().adam(n, step, g, w, m, v);
}

void sincos(int64_t n, const float* x, float* s, float* c) noexcept {
  table().sincos(n, x, s, c);
}

void tanh(int64_t n, const float* x, float* y) noexcept {
  table().tanh(n, x, y);
}

}  // namespace dws::kernels
