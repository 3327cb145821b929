// The descent's numbers where two networks stay in their files: A after an element, B after another that is changed step by step.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "align/slices.h"
#include "align/stored_numbers.h"
#include "align/units.h"

namespace dws::align {

// Two networks of one architecture for weight matching in little memory; a Pair (pair.h) that holds no numbers.
struct StoredPair {
  symmetry::Spec spec;  // of A; B has the same tensors
  std::vector<bool> scored;
  StoredNumbers a, b;

  std::vector<bool> counted() const;  // scored, and there are numbers
};

class Streamed {
 public:
  // All must outlive it. `of_a`, `of_b`: what A and B are to be seen after; nullptr: as they are.
  Streamed(const Problem& problem, const StoredPair& pair, const symmetry::NetworkElement* of_a,
           const symmetry::NetworkElement* of_b);

  // From now on B is seen after `element` besides.
  void stand(const symmetry::NetworkElement& element);

  // One field's numbers, by blocks or whole.
  MovedTensor a(size_t field) const;
  MovedTensor b(size_t field) const;
  std::vector<float> whole_a(size_t field) const;
  std::vector<float> whole_b(size_t field) const;

  // As score() in units.h: of a field, and of all; the same bits on any number of threads. Each pass reads both files once.
  double score(size_t field) const;
  double score() const;
  double score_of_a() const;  // of A with itself
  double score_of_b() const;
  double squares_of_a() const;
  double squares_of_b() const;

  // As add_products() in slices.h on one place, and as change(): the same bits.
  void add_products(const Place& place, int64_t size, const Selection& selection, std::vector<float>& gain,
                    Packed& packed) const;
  double change(const Place& place, int64_t size, std::span<const int64_t> changed,
                std::span<const int32_t> order, std::span<const float> factor) const;

 private:
  int tensor(size_t field) const noexcept { return problem_->fields[field].tensor; }
  double own_share(size_t field) const noexcept;
  double over_fields(const std::function<double(size_t)>& of) const;

  const Problem* problem_;
  const StoredPair* pair_;
  const symmetry::NetworkElement *of_a_, *of_b_;
  std::shared_ptr<const symmetry::MembersByTensor> members_;
  symmetry::NetworkElement now_;  // of B, all together
};

// Numbers of a tensor that are in memory at a time while products are made.
inline constexpr int64_t kBandNumbers = int64_t{1} << 23;

}  // namespace dws::align
