// Scalar twins of the ops that move numbers or repeat them.
#pragma once

#include "kernels/ref/scalar.h"

namespace dws::kernels::ref {

// Columns [begin, begin + count) of x (rows, width) to columns [to, to + count) of y (rows, y_width): a part
// of a concatenation, or a slice.
template <class T>
void copy_columns(int64_t rows, int64_t count, const T* x, int64_t width, int64_t begin, T* y,
                  int64_t y_width, int64_t to) noexcept {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < count; ++c) y[r * y_width + to + c] = x[r * width + begin + c];
}

// x (A, I, M, J, Z) -> y (A, J, M, I, Z).
template <class T>
void swap_axes(int64_t A, int64_t I, int64_t M, int64_t J, int64_t Z, const T* x, T* y) noexcept {
  for (int64_t a = 0; a < A; ++a)
    for (int64_t i = 0; i < I; ++i)
      for (int64_t m = 0; m < M; ++m)
        for (int64_t j = 0; j < J; ++j)
          for (int64_t z = 0; z < Z; ++z)
            y[(((a * J + j) * M + m) * I + i) * Z + z] = x[(((a * I + i) * M + m) * J + j) * Z + z];
}

// y = x (B, R, C, G) + v, where v has the axes named: global (B, G), rows (B, R, G), cols (B, C, G).
template <class T>
void add_global(int64_t B, int64_t positions, int64_t G, const T* x, const T* v, T* y) noexcept {
  for (int64_t b = 0; b < B; ++b)
    for (int64_t n = 0; n < positions; ++n)
      for (int64_t g = 0; g < G; ++g)
        y[(b * positions + n) * G + g] = x[(b * positions + n) * G + g] + v[b * G + g];
}

template <class T>
void add_rows(int64_t B, int64_t R, int64_t C, int64_t G, const T* x, const T* v, T* y) noexcept {
  add_global(B * R, C, G, x, v, y);
}

template <class T>
void add_cols(int64_t B, int64_t R, int64_t C, int64_t G, const T* x, const T* v, T* y) noexcept {
  for (int64_t b = 0; b < B; ++b)
    for (int64_t r = 0; r < R; ++r)
      for (int64_t c = 0; c < C; ++c)
        for (int64_t g = 0; g < G; ++g) {
          const int64_t at = ((b * R + r) * C + c) * G + g;
          y[at] = x[at] + v[(b * C + c) * G + g];
        }
}

}  // namespace dws::kernels::ref
