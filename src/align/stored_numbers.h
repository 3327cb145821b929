// Networks that alignment leaves in their files: numbers become float32 where they are looked at, a block at a time, moved by an
// element on the way.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "network/network.h"
#include "symmetry/action.h"
#include "symmetry/spec.h"

namespace dws::align {

// One network's numbers as they are stored, by Spec::tensors.
struct StoredNumbers {
  struct Tensor {
    OnnxType type = OnnxType::f32;
    Bytes bytes;  // empty: of a type that has no numbers
  };
  std::vector<Tensor> tensors;
  std::shared_ptr<const void> owner;  // of what they point into
  std::function<void(Bytes)> release =
      {};  // says that a part of a mapped file was read for now; may be empty
};

// As read_numbers() in what it asks of `network` and in what it throws; nothing is copied, all parameters are looked at once.
StoredNumbers stored_numbers(const symmetry::Spec& spec, const network::Network& network,
                             std::function<void(Bytes)> release = {});

// The tensors of `spec` in a network, by Spec::tensors. Throws Error{missing_tensor|mismatch} naming the first difference.
std::vector<const network::Constant*> constants_of(const symmetry::Spec& spec,
                                                   const network::Network& network);
// Throws Error{bad_value} naming tensor and index for a number that is not finite; x[0] is the tensor's number `first`.
void require_finite(const network::Network& network, const network::Constant& tensor,
                    std::span<const float> x, int64_t first = 0);
// Quantised weights beside floating ones: about as large as what they stand for.
inline constexpr double kIntegerStep = 1.0 / 128;

// `count` numbers from `first` on, as read_numbers() has them.
void to_floats(const StoredNumbers::Tensor& tensor, int64_t first, int64_t count, float* out);

// One tensor after an element, the same float32 numbers as act() gives.
class MovedTensor {
 public:
  using Box = symmetry::Action::Box;

  // All must outlive it; `g` nullptr: the tensor as it is.
  MovedTensor(const symmetry::Spec& spec, const StoredNumbers& numbers, int tensor,
              const symmetry::NetworkElement* g, const symmetry::MembersByTensor& members);
  ~MovedTensor();
  MovedTensor(const MovedTensor&) = delete;
  MovedTensor& operator=(const MovedTensor&) = delete;

  Box whole() const noexcept { return whole_; }
  // out (rows, columns), on all threads.
  void read(const Box& box, float* out) const;
  // The same on this thread.
  void read_here(const Box& box, float* out) const;
  // Rows of a block of about kBlockNumbers numbers: a multiple of 8.
  int64_t block_rows() const noexcept;

 private:
  const StoredNumbers& numbers_;
  const StoredNumbers::Tensor& stored_;
  Box whole_;
  std::unique_ptr<const symmetry::Action> action_;
  bool tabled_ = false;  // two axes at most, each with a table
  std::vector<symmetry::Action::Step> columns_;
};

inline constexpr int64_t kBlockNumbers = int64_t{1} << 18;  // of a pass over a tensor on one thread

// Whole rows of one or two tensors of one shape, a block behind another, on this thread.
void each_block(const MovedTensor& tensor, const std::function<void(std::span<const float>)>& visit);
void each_block(const MovedTensor& a, const MovedTensor& b,
                const std::function<void(std::span<const float>, std::span<const float>)>& visit);

}  // namespace dws::align
