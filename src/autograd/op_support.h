// What the ops_*.cc share: checks of their arguments, and the small steps every derivative rule repeats.
#pragma once

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include "autograd/tape.h"
#include "core/error.h"
#include "core/text.h"
#include "kernels/elementwise.h"

namespace dws::ops {

// Throws Error{mismatch}: "linear: expected x (..., F), w (F, G); got (2, 3), (4, 5)".
[[noreturn]] inline void bad_shapes(std::string_view op, std::string_view expected,
                                    std::initializer_list<Shape> shapes) {
  std::string got;
  for (const Shape& s : shapes) got += (got.empty() ? "" : ", ") + s.str();
  throw Error(ErrorKind::mismatch, text("{}: expected {}; got {}", op, expected, got));
}

// p in [0, 1); throws Error{bad_value}.
inline void require_probability(std::string_view op, double p) {
  if (!(p >= 0 && p < 1))
    throw Error(ErrorKind::bad_value, text("{}: probability {} is not in [0, 1)", op, p));
}

// The tape of all of them; throws Error{internal} when one is empty or lives on another tape.
template <class T>
Tape<T>& tape_of(std::string_view op, std::span<const Var<T>> vars) {
  for (const Var<T>& v : vars)
    if (!v.valid() || &v.tape() != &vars[0].tape())
      throw Error(ErrorKind::internal, text("{}: an argument is empty or of another tape", op));
  if (vars.empty()) throw Error(ErrorKind::mismatch, text("{}: no arguments", op));
  return vars[0].tape();
}

// The derivative rule of an op, built in the arena only when somebody wants a gradient.
template <class Rule, class T, class... Args>
const Rule* rule_for(Tape<T>& tape, std::span<const Var<T>> inputs, Args&&... args) {
  return tape.wants_grad(inputs) ? tape.arena().template make<Rule>(std::forward<Args>(args)...) : nullptr;
}

// Product of the extents [begin, end).
inline int64_t extent(const Shape& shape, int begin, int end) noexcept {
  int64_t n = 1;
  for (int i = begin; i < end; ++i) n *= shape[i];
  return n;
}

// dx (+)= dy.
template <class T>
void pass_on(const View<const T>& dy, GradSlot<T> dx) noexcept {
  if (!dx) return;
  if (dx.accumulate)
    kernels::add(dy.size(), dx.data, dy.data, dx.data);
  else
    std::copy_n(dy.data, dy.size(), dx.data);
}

// Memory for one vjp, given back at the end of the scope.
template <class E>
class Scratch {
 public:
  Scratch(Arena& arena, int64_t count)
      : arena_(arena), count_(static_cast<size_t>(count)), data_(arena.take<E>(count_)) {}
  Scratch(const Scratch&) = delete;
  ~Scratch() { arena_.give_back(data_, count_ * sizeof(E)); }
  E* data() noexcept { return data_; }
  E& operator[](int64_t i) noexcept { return data_[i]; }

 private:
  Arena& arena_;
  size_t count_;
  E* data_;
};

}  // namespace dws::ops
