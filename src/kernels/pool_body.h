// Float bodies of pool.h for one instruction set.
#pragma once

#include "kernels/conv_body.h"
#include "kernels/pool.h"

namespace dws::kernels::DWS_ISA {

// Calls tap(x, y, at, count) for each place of the window over each output row: `count` outputs from element y on
// have an element under that place, those from x on, which lie stride_w apart; the first is element `at` = ih W + iw
// of the picture. Before a row begin(y, oh), behind it end(y, oh).
template <class Begin, class Tap, class End>
DWS_INLINE void each_pool_row(const Pool2d& p, int64_t outer, int64_t inner, Begin begin, Tap tap, End end) {
  const int64_t OH = p.out_height(), OW = p.out_width();
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t oh = 0; oh < OH; ++oh) {
      const int64_t y = (o * OH + oh) * OW * inner;
      begin(y, oh);
      for (int64_t i = 0; i < p.kernel_h; ++i) {
        const int64_t ih = oh * p.stride_h - p.pad_top + i * p.dilation_h;
        if (ih < 0 || ih >= p.height) continue;
        for (int64_t j = 0; j < p.kernel_w; ++j) {
          const int64_t left = j * p.dilation_w - p.pad_left;
          const Inside in = inside(left, p.stride_w, OW, p.width);
          const int64_t at = ih * p.width + left + in.first * p.stride_w;
          tap((o * p.height * p.width + at) * inner, y + in.first * inner, at, in.last - in.first);
        }
      }
      end(y, oh);
    }
}

static void max_pool2d(const Pool2d& p, int64_t outer, int64_t inner, const float* x, float* y,
                       int32_t* index) noexcept {
  const int64_t OW = p.out_width(), step = p.stride_w;
  const auto begin = [&](int64_t to, int64_t) DWS_INLINED {
    each(OW * inner, [&](int64_t i, int64_t lanes) DWS_INLINED {
      store_n(y + to + i, zero() - __builtin_inff(), lanes);
      if (index)
        for (int64_t k = 0; k < lanes; ++k) index[to + i + k] = -1;
    });
  };
  // The first element of a window always wins, minus infinity too: its index is not -1 then.
  const auto tap = [&](int64_t from, int64_t to, int64_t at, int64_t count) DWS_INLINED {
    if (inner == 1) {
      float* best = y + to;
      for (int64_t n = 0; n < count; ++n) {
        const float value = x[from + n * step];
        const bool wins = value > best[n] || value != value;
        best[n] = wins ? value : best[n];
        if (index)
          index[to + n] = wins || index[to + n] < 0 ? static_cast<int32_t>(at + n * step) : index[to + n];
      }
      return;
    }
    for (int64_t n = 0; n < count; ++n) {
      const float* row = x + from + n * step * inner;
      const IVec here = broadcast_int(static_cast<int32_t>(at + n * step));
      each(inner, [&](int64_t c, int64_t lanes) DWS_INLINED {
        const int64_t place = to + n * inner + c;
        const Vec value = load_n(row + c, lanes), best = load_n(y + place, lanes);
        const IVec wins = (value > best) | (value != value);
        store_n(y + place, select(wins, value, best), lanes);
        if (index) {
          const IVec old = lanes >= kLanes ? load_int(index + place)
                                           : load_int_part(index + place, static_cast<int>(lanes));
          const IVec now = (wins | (old < 0)) ? here : old;
          if (lanes >= kLanes)
            store_int(index + place, now);
          else
            store_int_part(index + place, now, static_cast<int>(lanes));
        }
      });
    }
  };
  each_pool_row(p, outer, inner, begin, tap, [](int64_t, int64_t) {});
}

static void max_pool2d_backward(const Pool2d& p, int64_t outer, int64_t inner, const float* dy,
                                const int32_t* index, float* dx, bool accumulate) noexcept {
  const int64_t size = p.height * p.width * inner, places = p.places();
  for (int64_t o = 0; o < outer; ++o, dx += size) {
    if (!accumulate) clear_floats(size, dx);
    for (int64_t n = 0; n < places; ++n, dy += inner, index += inner)
      for (int64_t c = 0; c < inner; ++c) dx[index[c] * inner + c] += dy[c];
  }
}

// One divided by the number of elements under the window at (oh, ow).
DWS_INLINE float share_under(const Pool2d& p, int64_t oh, int64_t ow) {
  if (p.count_pads) return 1.0f / static_cast<float>(p.kernel_h * p.kernel_w);
  const Inside down = inside(oh * p.stride_h - p.pad_top, p.dilation_h, p.kernel_h, p.height);
  const Inside across = inside(ow * p.stride_w - p.pad_left, p.dilation_w, p.kernel_w, p.width);
  return 1.0f / static_cast<float>((down.last - down.first) * (across.last - across.first));
}

static void mean_pool2d(const Pool2d& p, int64_t outer, int64_t inner, const float* x, float* y) noexcept {
  const int64_t OW = p.out_width(), step = p.stride_w;
  each_pool_row(
      p, outer, inner, [&](int64_t to, int64_t) DWS_INLINED { clear_floats(OW * inner, y + to); },
      [&](int64_t from, int64_t to, int64_t, int64_t count) DWS_INLINED {
        if (inner == 1)
          for (int64_t n = 0; n < count; ++n) y[to + n] += x[from + n * step];
        else
          for (int64_t n = 0; n < count; ++n)
            add_floats(inner, x + from + n * step * inner, y + to + n * inner);
      },
      [&](int64_t to, int64_t oh) DWS_INLINED {
        for (int64_t ow = 0; ow < OW; ++ow) {
          const float share = share_under(p, oh, ow);
          each(inner, [&](int64_t c, int64_t lanes) DWS_INLINED {
            float* at = y + to + ow * inner + c;
            store_n(at, load_n(at, lanes) * share, lanes);
          });
        }
      });
}

static void mean_pool2d_backward(const Pool2d& p, int64_t outer, int64_t inner, const float* dy, float* dx,
                                 bool accumulate) noexcept {
  const int64_t step = p.stride_w;
  if (!accumulate) clear_floats(outer * p.height * p.width * inner, dx);
  int64_t row = 0, start = 0;  // of the outputs that are being dealt out
  each_pool_row(
      p, outer, inner, [&](int64_t to, int64_t oh) DWS_INLINED { start = to, row = oh; },
      [&](int64_t from, int64_t to, int64_t, int64_t count) DWS_INLINED {
        const int64_t ow = (to - start) / (inner > 0 ? inner : 1);
        for (int64_t n = 0; n < count; ++n) {
          const float share = share_under(p, row, ow + n);
          each(inner, [&](int64_t c, int64_t lanes) DWS_INLINED {
            put_n(dx + from + n * step * inner + c, share * load_n(dy + to + n * inner + c, lanes), lanes,
                  true);
          });
        }
      },
      [](int64_t, int64_t) {});
}

}  // namespace dws::kernels::DWS_ISA
