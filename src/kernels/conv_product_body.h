// Float body of conv_product.h for one instruction set.
#pragma once

#include "kernels/conv_body.h"
#include "kernels/conv_product.h"
#include "kernels/matmul_body.h"

namespace dws::kernels::DWS_ISA {

// The places of a panel as stretches of neighbours, each within one vector of the panel.
struct Stretches {
  int64_t from[kPanel];
  int at[kPanel], count[kPanel];
  int n = 0;
  bool even = true;  // all of them are as long as the first
  int rest = 0;      // the width where it ends inside a vector

  Stretches(const ConvProduct& p, int64_t first, int width) {
    int64_t ow = first % p.width, row = first / p.width % p.rows, image = first / p.width / p.rows;
    if (width % kLanes) rest = width;
    for (int done = 0; done < width; ++n) {
      const int64_t left = p.width - ow;
      const int room = kLanes - done % kLanes;
      int length = width - done < room ? width - done : room;
      if (left < length) length = static_cast<int>(left);
      from[n] = image * p.image_step + row * p.row_step + ow;
      at[n] = done;
      count[n] = length;
      even = even && length == count[0];
      done += length;
      ow += length;
      if (ow == p.width) {
        ow = 0;
        if (++row == p.rows) row = 0, ++image;
      }
    }
  }
};

// Rows [k, k + depth) of the columns at the places of `s`, kPanel apart.
template <class Copy>
DWS_INLINE void each_column_row(const ConvProduct& p, int64_t k, int64_t depth, float* to, Copy copy) {
  int64_t j = k % p.kernel_w, i = k / p.kernel_w % p.kernel_h;
  const float* channel = p.x + k / p.kernel_w / p.kernel_h * p.plane;
  const float* line = channel + i * p.line;
  for (int64_t d = 0; d < depth; ++d, to += kPanel) {
    copy(line + p.across[j], to);
    if (++j < p.kernel_w) continue;
    j = 0;
    line += p.line;
    if (++i < p.kernel_h) continue;
    i = 0;
    line = channel += p.plane;
  }
}
static void gather_panel(const ConvProduct& p, const Stretches& s, int64_t k, int64_t depth,
                         float* to) noexcept {
  const auto stretches = [&](const auto& length) DWS_INLINED {
    each_column_row(p, k, depth, to, [&](const float* from, float* row) DWS_INLINED {
      if (s.rest) store(row + s.rest / kLanes * kLanes, zero());
      for (int i = 0; i < s.n; ++i)
        store_part(row + s.at[i], load_part(from + s.from[i], length(i)), length(i));
    });
  };
  if (s.even && s.count[0] == kLanes && s.n == 2) {
    const int64_t a = s.from[0], b = s.from[1];
    each_column_row(p, k, depth, to, [=](const float* from, float* row) DWS_INLINED {
      store(row, load(from + a));
      store(row + kLanes, load(from + b));
    });
  } else if (s.even) {
    stretches([n = s.count[0]](int) DWS_INLINED { return n; });
  } else {
    stretches([&](int i) DWS_INLINED { return s.count[i]; });
  }
}

static void conv_product(const ConvProduct& p) noexcept {
  const auto gather = [&](Product& part, int64_t k, int64_t n, int64_t depth, int width, int64_t,
                          float* packed) DWS_INLINED {
    gather_panel(p, Stretches(p, n, width), k, depth, packed);
    part.b = packed;
    part.ldb = kPanel;
  };
  Product whole = product_of(p.w, p.K, 1, nullptr, 0, p.c, p.ldc);
  whole.start = p.bias;
  multiply(p.M, p.N, p.K, whole, false, gather);
}

template <int... J>
DWS_INLINE Vec even_lanes(Vec a, Vec b, std::integer_sequence<int, J...>) {
  return __builtin_shufflevector(a, b, (2 * J)...);
}
// to[t] = from[2 t]; from[2 n - 1] need not exist.
DWS_INLINE void copy_every_second(int64_t n, const float* from, float* to) {
  each(n, [&](int64_t t, int64_t lanes) DWS_INLINED {
    const int64_t there = 2 * lanes - 1;
    const Vec a = load_n(from + 2 * t, there < kLanes ? there : kLanes),
              b = there > kLanes ? load_n(from + 2 * t + kLanes, there - kLanes) : zero();
    store_n(to + t, even_lanes(a, b, std::make_integer_sequence<int, kLanes>()), lanes);
  });
}

static void pad_planes(const PaddedPlanes& p, const float* x, float* to) noexcept {
  const int64_t s = p.stride;
  Inside within[PaddedPlanes::kMostStride];
  for (int64_t phase = 0; phase < s; ++phase) within[phase] = inside(p.left + phase, s, p.width, p.width_in);
  for (int64_t ch = 0; ch < p.channels; ++ch, x += p.height * p.width_in)
    for (int64_t r = 0; r < p.lines; ++r) {
      const int64_t ih = p.first + r;
      if (ih < 0 || ih >= p.height) {
        clear_floats(s * p.width, to);
        to += s * p.width;
        continue;
      }
      for (int64_t phase = 0; phase < s; ++phase, to += p.width) {
        // Number t is that of column t s + shift.
        const int64_t shift = p.left + phase;
        const Inside in = within[phase];
        const float* from = x + ih * p.width_in + shift;
        clear_floats(in.first, to);
        if (s == 1)
          copy_floats(in.last - in.first, from + in.first, to + in.first);
        else if (s == 2)
          copy_every_second(in.last - in.first, from + 2 * in.first, to + in.first);
        else
          for (int64_t t = in.first; t < in.last; ++t) to[t] = from[t * s];
        clear_floats(p.width - in.last, to + in.last);
      }
    }
}

}  // namespace dws::kernels::DWS_ISA
