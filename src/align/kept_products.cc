#include "align/kept_products.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "align/slices.h"
#include "core/parallel.h"
#include "kernels/matmul.h"

namespace dws::align {
namespace {

constexpr int64_t kChunk = 512;              // rows of a product taken at once
constexpr int64_t kItems = 120;              // items of A that one thread takes, at most; a multiple of kTile
constexpr int64_t kTile = 12;                // rows of the kernel's largest tile
constexpr int64_t kPanel = 32;               // items of B side by side
constexpr int64_t kRoom = int64_t{4} << 30;  // bytes of packs
// Gains brought up to date this often are computed anew, so that float32's rounding does not add up.
constexpr int kUpdates = 64;

// Items of A a task: an even number of tasks, as near to equal as whole tiles allow.
int64_t items_a_task(int64_t n) {
  const int64_t tasks = ((n + kItems - 1) / kItems + 1) / 2 * 2;
  return ((n + tasks - 1) / tasks + kTile - 1) / kTile * kTile;
}

// to = x - y, in blocks of a length known beforehand.
void subtract(float* to, const float* x, const float* y, int64_t count) {
  constexpr int64_t kBlock = 16;
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    float block[kBlock];
    for (int64_t l = 0; l < kBlock; ++l) block[l] = x[i + l] - y[i + l];
    std::memcpy(to + i, block, sizeof block);
  }
  for (; i < count; ++i) to[i] = x[i] - y[i];
}

bool lies_packed(const Walk& walk) {
  return walk.run == 1 && walk.place.outer == 1 && walk.length == walk.items;
}

// Visits each coordinate of a place's axis.
template <class Visit>
void coordinates(const Place& p, int64_t items, const Visit& visit) {
  for (int64_t o = 0; o < p.outer; ++o)
    for (int64_t i = 0; i < items; ++i)
      for (int64_t r = 0; r < p.inner; ++r) visit(p.offset + o * p.stride + i * p.inner + r, o, i, r);
}

}  // namespace

bool KeptProducts::possible(const Problem& problem) {
  if (!problem.spec) return false;  // a small one, looked at once
  std::vector<std::vector<std::vector<bool>>> taken;
  for (const Field& f : problem.fields) {
    if (f.shifted) return false;
    taken.emplace_back(f.dims.size());
  }
  int64_t bytes = 0;
  for (const Unit& unit : problem.units) {
    if (unit.fixed || unit.coupled || !unit.nested.empty() || unit.classes.size() != 1 ||
        !problem.groups[static_cast<size_t>(unit.group)].phases.empty())
      return false;
    for (const Place& p : unit.places) {
      const Field& field = problem.fields[static_cast<size_t>(p.field)];
      const Walk walk(field, p, unit.size);
      if (walk.rows() > INT32_MAX) return false;
      bytes += (lies_packed(walk) ? 4 : 8) * walk.rows() * unit.size;
      auto& axis = taken[static_cast<size_t>(p.field)][static_cast<size_t>(p.axis)];
      axis.resize(static_cast<size_t>(walk.length));
      bool apart = true;
      coordinates(p, unit.size, [&](int64_t c, int64_t, int64_t, int64_t) {
        apart = apart && !axis[static_cast<size_t>(c)];
        axis[static_cast<size_t>(c)] = true;
      });
      if (!apart) return false;
    }
  }
  return bytes <= kRoom;
}

KeptProducts::KeptProducts(const Problem& problem, const std::vector<std::span<const float>>& a,
                           const std::vector<std::vector<float>>& b)
    : problem_(problem), kept_(problem.units.size()) {
  for (const Field& f : problem.fields) at_.emplace_back(f.dims.size());
  for (size_t u = 0; u < kept_.size(); ++u) {
    const Unit& unit = problem.units[u];
    Kept& kept = kept_[u];
    kept.order.resize(static_cast<size_t>(unit.size));
    std::iota(kept.order.begin(), kept.order.end(), 0);
    kept.gains.assign(static_cast<size_t>(unit.size * unit.size), 0.f);
    kept.packs.resize(unit.places.size());
    for (size_t k = 0; k < kept.packs.size(); ++k) {
      const Place& p = unit.places[k];
      const auto f = static_cast<size_t>(p.field);
      const Walk walk(problem.fields[f], p, unit.size);
      Pack& to = kept.packs[k];
      to.have.assign(static_cast<size_t>(walk.rows()), -1);
      to.a = a[f].data();
      const auto size = static_cast<size_t>(walk.rows() * unit.size);
      to.held_b = std::make_unique_for_overwrite<float[]>(size);
      pack(walk, {}, b[f].data(), to.held_b.get());
      if (lies_packed(walk)) continue;
      to.held_a = std::make_unique_for_overwrite<float[]>(size);
      pack(walk, {}, to.a, to.held_a.get());
      to.a = to.held_a.get();
    }
  }
}

// By row of the place: which row of B stands there now; -1 where it is not known.
std::vector<int32_t> KeptProducts::wanted(const Place& p, int64_t items, const Unknown* unknown) const {
  const auto f = static_cast<size_t>(p.field);
  const Field& field = problem_.fields[f];
  const Walk walk(field, p, items);
  // The same of all coordinates of some axes together.
  const auto together = [&](size_t from, size_t to) {
    std::vector<int32_t> index{0};
    for (size_t d = from; d < to; ++d) {
      const auto dim = static_cast<int32_t>(field.dims[d]);
      std::vector<int32_t> finer;
      finer.reserve(index.size() * static_cast<size_t>(dim));
      for (const int32_t i : index)
        for (int32_t c = 0; c < dim; ++c) {
          const auto at = static_cast<size_t>(c);
          const bool known = !unknown || (*unknown)[f][d].empty() || (*unknown)[f][d][at] == 0;
          finer.push_back(i < 0 || !known ? -1 : i * dim + (at_[f][d].empty() ? c : at_[f][d][at]));
        }
      index = std::move(finer);
    }
    return index;
  };
  const auto axis = static_cast<size_t>(p.axis);
  const std::vector<int32_t> before = together(0, axis), after = together(axis + 1, field.dims.size());
  std::vector<int32_t> rows;
  rows.reserve(static_cast<size_t>(walk.rows()));
  for (const int32_t b : before)
    for (int64_t k = 0; k < p.outer * p.inner; ++k) {
      const int64_t base = (b * p.outer * p.inner + k) * walk.after;
      for (const int32_t r : after) rows.push_back(b < 0 || r < 0 ? -1 : static_cast<int32_t>(base + r));
    }
  return rows;
}

void KeptProducts::add(int64_t n, const Pack& pack, std::span<const Rows> all, float* gain) {
  const int64_t task = items_a_task(n), panels = (n + kPanel - 1) / kPanel;
  left_.resize(static_cast<size_t>(kChunk * (n + task)));
  right_.resize(static_cast<size_t>(kChunk * panels * kPanel));
  for (size_t first = 0; first < all.size(); first += kChunk) {
    const std::span<const Rows> rows = all.subspan(first, std::min<size_t>(kChunk, all.size() - first));
    const auto depth = static_cast<int64_t>(rows.size());
    // Blocks of A (depth, task) and of B (depth, kPanel), one behind another: the product runs through them in order.
    parallel_blocks(depth, std::max<int64_t>(1, 65536 / n), [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        const Rows& r = rows[static_cast<size_t>(k)];
        const float* a = pack.a + r.a * n;
        const float* less = r.less < 0 ? nullptr : pack.a + r.less * n;
        for (int64_t m = 0; m < n; m += task) {
          float* to = left_.data() + m * depth + k * task;
          const int64_t width = std::min(task, n - m);
          if (!less)
            std::memcpy(to, a + m, static_cast<size_t>(width) * sizeof(float));
          else
            subtract(to, a + m, less + m, width);
        }
        const float* now = r.now < 0 ? nullptr : pack.held_b.get() + r.now * n;
        const float* old = r.old < 0 ? nullptr : pack.held_b.get() + r.old * n;
        for (int64_t m = 0; m < n; m += kPanel) {
          float* to = right_.data() + m * depth + k * kPanel;
          const int64_t width = std::min(kPanel, n - m);
          if (!old) {
            std::memcpy(to, now + m, static_cast<size_t>(width) * sizeof(float));
          } else if (!now) {
            for (int64_t j = 0; j < width; ++j) to[j] = -old[m + j];
          } else {
            subtract(to, now + m, old + m, width);
          }
        }
      }
    });
    parallel_for((n + task - 1) / task, [&](int64_t t) {
      const int64_t m = t * task;
      for (int64_t j = 0; j < n; j += kPanel)
        kernels::matmul<float>(std::min(task, n - m), std::min(kPanel, n - j), depth,
                               left_.data() + m * depth, 1, task, right_.data() + j * depth, kPanel,
                               gain + m * n + j, n, true);
    });
  }
}

// Rows of B that change places in a cycle differ from before by rows that add up to nothing, so one of them need not be multiplied:
// sum_i a_i d_i = sum_i (a_i - a_last) d_i.
void KeptProducts::shorten_cycles(std::vector<Rows>& rows, size_t count) {
  std::vector<int32_t> from(count, -1);  // by row of B: which of `rows` had it before
  for (size_t k = 0; k < rows.size(); ++k)
    if (rows[k].old >= 0) from[static_cast<size_t>(rows[k].old)] = static_cast<int32_t>(k);
  const auto next = [&](int32_t k) {
    const int32_t now = rows[static_cast<size_t>(k)].now;
    return now < 0 ? -1 : from[static_cast<size_t>(now)];
  };
  std::vector<bool> seen(rows.size()), spare(rows.size());
  for (size_t k = 0; k < rows.size(); ++k) {
    if (seen[k]) continue;
    const auto first = static_cast<int32_t>(k);
    int32_t at = first;
    while (at >= 0 && !seen[static_cast<size_t>(at)]) {
      seen[static_cast<size_t>(at)] = true;
      at = next(at);
    }
    if (at != first) continue;  // rows that were not known before
    spare[k] = true;
    for (at = next(first); at != first; at = next(at)) rows[static_cast<size_t>(at)].less = rows[k].a;
  }
  size_t kept = 0;
  for (size_t k = 0; k < rows.size(); ++k)
    if (!spare[k]) rows[kept++] = rows[k];
  rows.resize(kept);
}

std::span<const float> KeptProducts::gains(size_t u, const Unknown* unknown) {
  const Unit& unit = problem_.units[u];
  Kept& kept = kept_[u];
  std::vector<std::vector<int32_t>> want;
  size_t changed = 0, whole = 0;
  for (size_t k = 0; k < unit.places.size(); ++k) {
    want.push_back(wanted(unit.places[k], unit.size, unknown));
    const std::vector<int32_t>& have = kept.packs[k].have;
    for (size_t r = 0; r < have.size(); ++r) changed += have[r] != want[k][r], whole += want[k][r] >= 0;
  }
  if (changed == 0) return kept.gains;
  if (changed >= whole || kept.updates >= kUpdates) {
    std::ranges::fill(kept.gains, 0.f);
    for (Pack& pack : kept.packs) std::ranges::fill(pack.have, -1);
    kept.updates = 0;
  } else {
    ++kept.updates;
  }
  std::vector<Rows> rows;
  for (size_t k = 0; k < want.size(); ++k) {
    std::vector<int32_t>& have = kept.packs[k].have;
    rows.clear();
    for (size_t r = 0; r < have.size(); ++r)
      if (have[r] != want[k][r]) rows.push_back({static_cast<int32_t>(r), have[r], want[k][r]});
    shorten_cycles(rows, have.size());
    add(unit.size, kept.packs[k], rows, kept.gains.data());
    have = std::move(want[k]);
  }
  return kept.gains;
}

void KeptProducts::reorder(size_t u, std::span<const int32_t> order) {
  const Unit& unit = problem_.units[u];
  kept_[u].order.assign(order.begin(), order.end());
  for (const Place& p : unit.places) {
    const auto f = static_cast<size_t>(p.field);
    auto& at = at_[f][static_cast<size_t>(p.axis)];
    if (at.empty()) {
      at.resize(static_cast<size_t>(problem_.fields[f].dims[static_cast<size_t>(p.axis)]));
      std::iota(at.begin(), at.end(), 0);
    }
    coordinates(p, unit.size, [&](int64_t c, int64_t o, int64_t i, int64_t r) {
      at[static_cast<size_t>(c)] =
          static_cast<int32_t>(p.offset + o * p.stride + order[static_cast<size_t>(i)] * p.inner + r);
    });
  }
}

}  // namespace dws::align
