// Bodies of assignment.h for one instruction set.
#pragma once

#include "kernels/assignment.h"
#include "kernels/elementwise_body.h"

namespace dws::kernels::DWS_ISA {

// Half as many lanes of float64, and the float32 they are made of.
inline constexpr int kDoubles = DWS_LANES / 2;
typedef double DVec __attribute__((vector_size(4 * DWS_LANES)));
typedef double DVecU __attribute__((vector_size(4 * DWS_LANES), aligned(8), may_alias));
typedef int64_t LVec __attribute__((vector_size(4 * DWS_LANES)));
typedef float HVec __attribute__((vector_size(2 * DWS_LANES)));
typedef float HVecU __attribute__((vector_size(2 * DWS_LANES), aligned(4), may_alias));
typedef int32_t HIVec __attribute__((vector_size(2 * DWS_LANES)));
typedef int32_t HIVecU __attribute__((vector_size(2 * DWS_LANES), aligned(4), may_alias));

DWS_INLINE DVec load_doubles(const double* p) {
  return *reinterpret_cast<const DVecU*>(p);
}
DWS_INLINE void store_doubles(double* p, DVec v) {
  *reinterpret_cast<DVecU*>(p) = v;
}
DWS_INLINE DVec widen(const float* p) {
  return __builtin_convertvector(HVec(*reinterpret_cast<const HVecU*>(p)), DVec);
}
DWS_INLINE DVec all_doubles(double x) {
  return x - DVec{};
}
// Bit l says whether lane l of a equals that of b.
DWS_INLINE unsigned equal_lanes(DVec a, DVec b) {
#if DWS_LANES == 16
  return _mm512_cmp_pd_mask(reinterpret_cast<__m512d>(a), reinterpret_cast<__m512d>(b), _CMP_EQ_OQ);
#elif DWS_LANES == 8
  return static_cast<unsigned>(_mm256_movemask_pd(
      _mm256_cmp_pd(reinterpret_cast<__m256d>(a), reinterpret_cast<__m256d>(b), _CMP_EQ_OQ)));
#else
  unsigned bits = 0;
  for (int l = 0; l < kDoubles; ++l) bits |= unsigned{a[l] == b[l]} << l;
  return bits;
#endif
}

inline constexpr double kInfinite = __builtin_inf();

static double net_gains(int64_t n, const float* gain, const double* price, double* net,
                        double* group) noexcept {
  constexpr int kVectors = kNetGroups / kDoubles;
  DVec most[kVectors];
  for (DVec& m : most) m = all_doubles(-kInfinite);
  DVec odd{};  // 0 while everything is finite
  int64_t j = 0;
  for (; j + kNetGroups <= n; j += kNetGroups)
    for (int q = 0; q < kVectors; ++q) {
      const int64_t at = j + q * kDoubles;
      const DVec x = widen(gain + at) - load_doubles(price + at);
      store_doubles(net + at, x);
      most[q] = x > most[q] ? x : most[q];
      odd += x - x;
    }
  for (int q = 0; j + kDoubles <= n; j += kDoubles, ++q) {
    const DVec x = widen(gain + j) - load_doubles(price + j);
    store_doubles(net + j, x);
    most[q] = x > most[q] ? x : most[q];
    odd += x - x;
  }
  double groups[kNetGroups], rest = 0;
  for (int q = 0; q < kVectors; ++q) store_doubles(groups + q * kDoubles, most[q]);
  for (; j < n; ++j) {
    net[j] = gain[j] - price[j];
    const int64_t g = j % kNetGroups;
    groups[g] = net[j] > groups[g] ? net[j] : groups[g];
    rest += net[j] - net[j];
  }
  for (int l = 0; l < kDoubles; ++l) rest += odd[l];
  if (group) __builtin_memcpy(group, groups, sizeof groups);
  DVec best = load_doubles(groups);
  for (int q = 1; q < kVectors; ++q) {
    const DVec x = load_doubles(groups + q * kDoubles);
    best = x > best ? x : best;
  }
  double largest = best[0];
  for (int l = 1; l < kDoubles; ++l) largest = best[l] > largest ? best[l] : largest;
  return rest == 0 ? largest : rest;
}

static int64_t relax_row(int64_t n, const float* gain, const double* price, double base, int32_t row,
                         const int32_t* owner, double* distance, int32_t* from) noexcept {
  DVec least = all_doubles(kInfinite);
  const int32_t row_number = row;
  int64_t j = 0;
  for (; j + kDoubles <= n; j += kDoubles) {
    const DVec d = base + load_doubles(price + j) - widen(gain + j), old = load_doubles(distance + j);
    const LVec nearer = d < old;
    const DVec now = nearer ? d : old;
    store_doubles(distance + j, now);
    HIVecU* source = reinterpret_cast<HIVecU*>(from + j);
    const HIVec mask = __builtin_convertvector(nearer, HIVec);
    *source = (mask & row_number) | (~mask & HIVec(*source));
    least = now < least ? now : least;
  }
  double best = least[0];
  for (int l = 1; l < kDoubles; ++l) best = least[l] < best ? least[l] : best;
  const int64_t whole = j;
  for (; j < n; ++j) {
    const double d = base + price[j] - gain[j];
    if (d < distance[j]) {
      distance[j] = d;
      from[j] = row;
    }
    best = distance[j] < best ? distance[j] : best;
  }
  int64_t first = -1;
  const DVec wanted = all_doubles(best);
  for (j = 0; j < whole; j += kDoubles)
    for (unsigned bits = equal_lanes(load_doubles(distance + j), wanted); bits != 0; bits &= bits - 1) {
      const int64_t at = j + __builtin_ctz(bits);
      if (owner[at] < 0) return at;
      if (first < 0) first = at;
    }
  for (; j < n; ++j)
    if (distance[j] == best) {
      if (owner[j] < 0) return j;
      if (first < 0) first = j;
    }
  return first < 0 ? 0 : first;
}

static void soften_row(int64_t n, const float* gain, const float* price, float sharpness, float* e,
                       float* mass) noexcept {
  Vec most = broadcast(-__builtin_inff());
  each(n, [&](int64_t j, int64_t lanes) DWS_INLINED {
    const Vec z = (load_n(gain + j, lanes) - load_n(price + j, lanes)) * sharpness;
    store_n(e + j, z, lanes);
    // What lies beyond the end counts as the first.
    most = max(lanes < kLanes ? select(iota() < static_cast<int32_t>(lanes), z, most) : z, most);
  });
  float largest = most[0];
  for (int l = 1; l < kLanes; ++l) largest = most[l] > largest ? most[l] : largest;
  Vec total = zero();
  each(n, [&](int64_t j, int64_t lanes) DWS_INLINED {
    Vec p = exp_negative(load_n(e + j, lanes) - largest);
    if (lanes < kLanes) p = select(iota() < static_cast<int32_t>(lanes), p, zero());
    store_n(e + j, p, lanes);
    total += p;
  });
  const float share = 1 / sum(total);
  each(n, [&](int64_t j, int64_t lanes) DWS_INLINED {
    store_n(mass + j, fma(load_n(e + j, lanes), broadcast(share), load_n(mass + j, lanes)), lanes);
  });
}

static void extremes(int64_t n, const float* x, float* low, float* high) noexcept {
  Vec least = broadcast(x[0]), most = least, odd = zero();
  each(n, [&](int64_t i, int64_t lanes) DWS_INLINED {
    const Vec v = lanes < kLanes
                      ? select(iota() < static_cast<int32_t>(lanes), load_n(x + i, lanes), broadcast(x[0]))
                      : load(x + i);
    least = min(v, least);
    most = max(v, most);
    odd += v - v;
  });
  *low = least[0];
  *high = most[0];
  for (int l = 1; l < kLanes; ++l) {
    *low = least[l] < *low ? least[l] : *low;
    *high = most[l] > *high ? most[l] : *high;
  }
  if (sum(odd) != 0) *low = *high = __builtin_nanf("");
}

}  // namespace dws::kernels::DWS_ISA
