// Vectors of float for the kernel bodies, built on the compilers' vector types: one source for every
// instruction set. Included only by table_*.cc through the bodies; DWS_ISA names the namespace and DWS_LANES
// the width. No include guard across instruction sets is needed: a table file includes it once.
#pragma once

#include <stdint.h>
#if DWS_LANES > 4
#include <immintrin.h>
#endif

#if !defined(DWS_ISA) || !defined(DWS_LANES)
#error "simd.h belongs to table_*.cc, which define DWS_ISA and DWS_LANES"
#endif

namespace dws::kernels::DWS_ISA {

inline constexpr int kLanes = DWS_LANES;

typedef float Vec __attribute__((vector_size(4 * DWS_LANES)));
typedef int32_t IVec __attribute__((vector_size(4 * DWS_LANES)));
// Same types without alignment demands, for loads and stores anywhere.
typedef float VecU __attribute__((vector_size(4 * DWS_LANES), aligned(4), may_alias));
typedef int32_t IVecU __attribute__((vector_size(4 * DWS_LANES), aligned(4), may_alias));

typedef float FloatAlias __attribute__((may_alias));

#define DWS_INLINE static inline __attribute__((always_inline))

DWS_INLINE Vec load(const float* p) {
  return *reinterpret_cast<const VecU*>(p);
}
DWS_INLINE void store(float* p, Vec v) {
  *reinterpret_cast<VecU*>(p) = v;
}
DWS_INLINE IVec load_int(const int32_t* p) {
  return *reinterpret_cast<const IVecU*>(p);
}
DWS_INLINE void store_int(int32_t* p, IVec v) {
  *reinterpret_cast<IVecU*>(p) = v;
}
DWS_INLINE Vec broadcast(float x) {
  return x - Vec{};
}
DWS_INLINE IVec broadcast_int(int32_t x) {
  return x - IVec{};
}
DWS_INLINE Vec zero() {
  return Vec{};
}
// a * b + c, one rounding where the instruction set has it.
DWS_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return a * b + c;
}
// Where the comparison a > b holds take a, else b (b when either is NaN).
DWS_INLINE Vec max(Vec a, Vec b) {
  return a > b ? a : b;
}
DWS_INLINE Vec min(Vec a, Vec b) {
  return a < b ? a : b;
}
DWS_INLINE Vec select(IVec mask, Vec yes, Vec no) {
  return mask ? yes : no;
}
DWS_INLINE IVec as_int(Vec v) {
  return reinterpret_cast<IVec>(v);
}
DWS_INLINE Vec as_float(IVec v) {
  return reinterpret_cast<Vec>(v);
}
DWS_INLINE IVec to_int(Vec v) {
  return __builtin_convertvector(v, IVec);
}  // truncates
DWS_INLINE Vec to_float(IVec v) {
  return __builtin_convertvector(v, Vec);
}
DWS_INLINE float sum(Vec v) {  // pairwise, fixed order
  float x[kLanes];
  store(x, v);
  for (int n = kLanes / 2; n > 0; n /= 2)
    for (int i = 0; i < n; ++i) x[i] += x[i + n];
  return x[0];
}
// 0, 1, 2, ...
DWS_INLINE IVec iota() {
  IVec v{};
  for (int i = 0; i < kLanes; ++i) v[i] = i;
  return v;
}
// The first n lanes from memory, the rest zero; n in [0, kLanes]. Nothing beyond is touched.
DWS_INLINE Vec load_part(const float* p, int n) {
#if DWS_LANES == 16
  return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p));
#elif DWS_LANES == 8
  return reinterpret_cast<Vec>(_mm256_maskload_ps(p, reinterpret_cast<__m256i>(iota() < n)));
#else
  float x[kLanes] = {};
  for (int i = 0; i < n; ++i) x[i] = p[i];
  return load(x);
#endif
}
DWS_INLINE void store_part(float* p, Vec v, int n) {
#if DWS_LANES == 16
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), reinterpret_cast<__m512>(v));
#elif DWS_LANES == 8
  _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(iota() < n), reinterpret_cast<__m256>(v));
#else
  float x[kLanes];
  store(x, v);
  for (int i = 0; i < n; ++i) p[i] = x[i];
#endif
}
DWS_INLINE IVec load_int_part(const int32_t* p, int n) {
  return as_int(load_part(reinterpret_cast<const FloatAlias*>(p), n));
}
DWS_INLINE void store_int_part(int32_t* p, IVec v, int n) {
  store_part(reinterpret_cast<FloatAlias*>(p), as_float(v), n);
}

}  // namespace dws::kernels::DWS_ISA
