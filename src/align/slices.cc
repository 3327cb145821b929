#include "align/slices.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/matmul.h"

namespace dws::align {
namespace {

constexpr int64_t kTogether = 16;
constexpr int64_t kItems = 64;  // items of a product that one thread takes

template <class Visit>
void each(const std::vector<int64_t>* chosen, int64_t count, const Visit& visit) {
  if (!chosen) {
    for (int64_t i = 0; i < count; ++i) visit(i);
  } else {
    for (const int64_t i : *chosen) visit(i);
  }
}

int64_t count_of(const std::vector<int64_t>* chosen, int64_t count) {
  return chosen ? static_cast<int64_t>(chosen->size()) : count;
}

}  // namespace

Walk::Walk(const Field& field, const Place& p, int64_t size) : items(size), place(p) {
  const auto axis = static_cast<size_t>(p.axis);
  before = after = 1;
  for (size_t d = 0; d < axis; ++d) before *= field.dims[d];
  for (size_t d = axis + 1; d < field.dims.size(); ++d) after *= field.dims[d];
  length = field.dims[axis];
  run = p.inner * after;
}

int64_t Walk::rows(const Selection& s) const noexcept {
  return count_of(s.before, before) * count_of(s.outer, place.outer) * count_of(s.run, run);
}

void pack(const Walk& walk, const Selection& selection, const float* numbers, float* out) {
  const int64_t n = walk.items, run = walk.run;
  const int64_t rows = count_of(selection.run, run);
  const int64_t outer = count_of(selection.outer, walk.place.outer);
  const int64_t blocks = count_of(selection.before, walk.before) * outer;
  parallel_blocks(blocks, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, rows * n)),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t block = begin; block < end; ++block) {
                      const int64_t p = block / outer, q = block % outer;
                      const int64_t pre = selection.before ? (*selection.before)[static_cast<size_t>(p)] : p;
                      const int64_t o = selection.outer ? (*selection.outer)[static_cast<size_t>(q)] : q;
                      const float* from = numbers + walk.base(pre, o);
                      float* to = out + block * rows * n;
                      if (selection.run) {
                        // A few items at a time: what is read and what is written stays in cache.
                        for (int64_t first = 0; first < n; first += kTogether) {
                          const int64_t last = std::min(n, first + kTogether);
                          float* row = to;
                          for (const int64_t r : *selection.run) {
                            for (int64_t i = first; i < last; ++i) row[i] = from[i * run + r];
                            row += n;
                          }
                        }
                      } else if (run == 1) {
                        std::memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
                      } else {
                        kernels::transpose<float>(n, run, from, to);
                      }
                    }
                  });
}

void add_packed_products(int64_t items, int64_t rows, const float* a, const float* b,
                         std::vector<float>& gain) {
  parallel_for((items + kItems - 1) / kItems, [&](int64_t block) {
    const int64_t first = block * kItems, count = std::min(kItems, items - first);
    for (int64_t k = 0; k < rows; k += kProductDepth)
      kernels::matmul<float>(count, items, std::min(kProductDepth, rows - k), a + k * items + first, 1, items,
                             b + k * items, items, gain.data() + first * items, items, true);
  });
}

void add_products(const Walk& walk, const Selection& selection, const float* a, const float* b,
                  std::vector<float>& gain, Packed& packed) {
  const int64_t rows = walk.rows(selection);
  const bool all = !selection.before && !selection.outer && !selection.run;
  // As it lies: the last axis, whole.
  if (all && walk.run == 1 && walk.length == walk.items && walk.place.outer == 1)
    return add_packed_products(walk.items, rows, a, b, gain);
  packed.reserve(static_cast<size_t>(rows * walk.items));
  pack(walk, selection, a, packed.a.data());
  pack(walk, selection, b, packed.b.data());
  add_packed_products(walk.items, rows, packed.a.data(), packed.b.data(), gain);
}

double change(const Walk& walk, const float* a, const float* b, std::span<const int64_t> changed,
              std::span<const int32_t> order, std::span<const float> factor, double sum) {
  const int64_t run = walk.run;
  for (int64_t pre = 0; pre < walk.before; ++pre)
    for (int64_t o = 0; o < walk.place.outer; ++o) {
      const int64_t base = walk.base(pre, o);
      for (const int64_t i : changed) {
        const float *x = a + base + i * run, *old = b + base + i * run,
                    *now = b + base + int64_t{order[static_cast<size_t>(i)]} * run;
        const double f = factor[static_cast<size_t>(i)];
        double lanes[4] = {};
        int64_t r = 0;
        for (; r + 4 <= run; r += 4)
          for (int64_t l = 0; l < 4; ++l)
            lanes[l] += double{x[r + l]} * (f * double{now[r + l]} - double{old[r + l]});
        for (; r < run; ++r) lanes[0] += double{x[r]} * (f * double{now[r]} - double{old[r]});
        sum += (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
      }
    }
  return sum;
}

void move_items(const Walk& walk, float* b, std::span<const int64_t> changed, std::span<const int32_t> order,
                std::span<const float> factor, std::span<const float> shift) {
  const int64_t run = walk.run, outer = walk.place.outer;
  const auto count = static_cast<int64_t>(changed.size());
  parallel_blocks(walk.before * outer, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, run * count)),
                  [&](int64_t begin, int64_t end) {
                    std::vector<float> moved(static_cast<size_t>(run * count));
                    for (int64_t block = begin; block < end; ++block) {
                      float* at = b + walk.base(block / outer, block % outer);
                      float* to = moved.data();
                      for (const int64_t i : changed) {
                        const float* from = at + int64_t{order[static_cast<size_t>(i)]} * run;
                        const float f = factor[static_cast<size_t>(i)];
                        const float s = shift.empty() ? 0.f : shift[static_cast<size_t>(i)];
                        for (int64_t r = 0; r < run; ++r) *to++ = f * from[r] + s;
                      }
                      const float* from = moved.data();
                      for (const int64_t i : changed) {
                        std::memcpy(at + i * run, from, static_cast<size_t>(run) * sizeof(float));
                        from += run;
                      }
                    }
                  });
}

void take_item(const Walk& walk, const float* numbers, int64_t item, float* out) {
  for (int64_t pre = 0; pre < walk.before; ++pre)
    for (int64_t o = 0; o < walk.place.outer; ++o, out += walk.run)
      std::memcpy(out, numbers + walk.base(pre, o) + item * walk.run,
                  static_cast<size_t>(walk.run) * sizeof(float));
}

void put_item(const Walk& walk, float* numbers, int64_t item, const float* in) {
  for (int64_t pre = 0; pre < walk.before; ++pre)
    for (int64_t o = 0; o < walk.place.outer; ++o, in += walk.run)
      std::memcpy(numbers + walk.base(pre, o) + item * walk.run, in,
                  static_cast<size_t>(walk.run) * sizeof(float));
}

}  // namespace dws::align
