// What the scalar twins share. T is float, double or std::complex<double>; the last makes a derivative by
// complex step: the imaginary part of f(x + ih) / h, exact to rounding, where comparisons look at the real
// part alone.
#pragma once

#include <complex>
#include <cstdint>
#include <type_traits>

namespace dws::kernels::ref {

template <class T>
double real_part(const T& x) noexcept {
  return static_cast<double>(x);
}
inline double real_part(const std::complex<double>& x) noexcept {
  return x.real();
}

// The type of sums that must not drift: double, or complex as it is.
template <class T>
struct WideOf {
  using type = double;
};
template <>
struct WideOf<std::complex<double>> {
  using type = std::complex<double>;
};
template <class T>
using Wide = typename WideOf<T>::type;

template <class T>
T from_int(int64_t n) noexcept {
  return T(static_cast<double>(n));
}

template <class T>
void put(T& target, const T& value, bool accumulate) noexcept {
  target = accumulate ? target + value : value;
}

}  // namespace dws::kernels::ref
