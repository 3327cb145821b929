// Activation matching: the element of a network's symmetry that makes B's units do on data what A's do (Ainsworth, Hayase and Srinivasa,
// "Git Re-Basin: Merging Models modulo Permutation Symmetries", ICLR 2023, section 3.1; Li et al., "Convergent Learning: Do different
// neural networks learn the same representations?", ICLR 2016; heads as in Verma and Elbayad, "Merging Text Transformer Models from
// Different Initializations", TMLR 2024: what is in a pair of heads first, then the heads by what that is worth).
//
// Layers do not depend on one another, so that the data is read once; only groups that move on the same values wait for
// one another. An item takes the sign with which it goes along, where it may have one, the positive factor that makes its standard
// deviation A's, and the half turns that bring the input of its sine to A's mean.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "align/watch.h"
#include "symmetry/element.h"
#include "symmetry/spec.h"

namespace dws::align {

enum class Form : uint8_t {
  correlation,  // Pearson's, of each unit over samples and places; 0 of one that does not vary
  regression    // mean products, as they stand: what least squares asks for
};

struct ActivationOptions {
  Form form = Form::correlation;
  symmetry::Draw kinds{};  // what may be moved
  // For products and activations together. The data is read once where those of all layers fit, else as often as is needed; the
  // widest layer alone is always taken.
  uint64_t max_memory = uint64_t{512} << 20;
};

struct ActivationMatch {
  symmetry::NetworkElement element;  // of `spec`
  std::vector<std::string>
      left;        // groups that show on no value, or in no spec of the graph: they stay as they are
  int passes = 0;  // over the data
  int64_t samples = 0;
  // Mean correlation (or product) of A's items with B's in the same place, over all items of all groups that were matched: as B stands, and
  // after.
  double before = 0, after = 0;
};

// `spec` of A, found from its graph (groups that were changed by hand are left). `inputs`: type and shape of each input, the batch axis
// first. B's graph must be A's node by node. The same bits on any number of threads; they may depend on max_memory. Throws
// Error{mismatch} naming the first node that differs, Error{empty} without samples, Error{bad_value} naming a value that is not finite.
ActivationMatch match_activations(const symmetry::Spec& spec, const network::Network& a,
                                  const network::Network& b, const std::vector<network::ArrayPtr>& inputs,
                                  const Data& data, const ActivationOptions& options);

}  // namespace dws::align
