// Along the line between two networks: how loss and accuracy go, and how high the barrier is.
#pragma once

#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "network/evaluate.h"

namespace dws::network {

struct CurvePoint {
  double lambda = 0, loss = 0, accuracy = 0;
};
// Of points from lambda 0 (A) to 1 (B), with psi(lambda) = loss - ((1 - lambda) loss(A) + lambda loss(B)).
struct Barrier {
  double highest = 0, at = 0;  // the largest psi and where: the barrier of Navon et al. 2024, unclamped
  double over_mean = 0,
         over_mean_at = 0;  // the largest loss - (loss(A) + loss(B)) / 2: Ainsworth et al. 2023
  double area = 0;          // integral of psi by trapezoids
  double clamped_area = 0;  // of max(psi, 0)
};
// Two points at least. A loss that is no number makes the barrier none.
Barrier barrier_of(const std::vector<CurvePoint>& points);

// All floating tensors of A, and B's of the same name and shape, in float32: running statistics too.
class Line {
 public:
  // Throws Error{missing_tensor|mismatch} naming the first difference.
  Line(const Network& a, const Network& b);
  // engine, made for `a`, computes with (1 - lambda) A + lambda B until the next call; exact at both ends.
  void set(Engine& engine, double lambda);
  int64_t numbers() const noexcept { return numbers_; }
  // A tensor's numbers, as the last set() made them; empty where the line does not move it.
  std::vector<float> numbers(int constant) const;

 private:
  struct Pair {
    int constant;
    Buffer<float> a, b, between;
  };
  std::vector<Pair> pairs_;
  int64_t numbers_ = 0;
};

}  // namespace dws::network
