// Transformers aligned by rotations of their residual stream besides the orders of heads and neurons (as Theus et al., "Generalized
// Linear Mode Connectivity for Transformers", 2025, section 4: weight matching with orthogonal residuals).
#pragma once

#include <cstdint>
#include <vector>

#include "align/match_network.h"
#include "align/residual_stream.h"

namespace dws::align {

// The numbers with each norm's scale gamma absorbed: what reads a norm is multiplied by it along the stream, gamma becomes 1, and a bias beta
// becomes beta / gamma, so that the function stays. Then an orthogonal matrix goes through the norm. Where a scale cannot
// go into its readers it must be one number for all features: throws Error{unsupported} naming it otherwise, and where a scale
// is 0 beside a bias that is not, or where tensors of the stream are not among the spec's.
Numbers absorb_norms(const symmetry::Spec& spec, const ResidualStream& stream, const Numbers& numbers,
                     const std::string& file);

// The spec with the groups that lie along the stream held.
symmetry::Spec without_stream(const symmetry::Spec& spec, const ResidualStream& stream);

// The rotations of a stream.
class StreamTurn {
 public:
  // Refers to nothing. Throws Error{unsupported} where tensors of the stream are not among the spec's.
  StreamTurn(const symmetry::Spec& spec, const ResidualStream& stream, std::string file);
  // O on all tensors along the stream: new_i = sum_j O[i][j] old_j. rotation (width, width).
  Numbers act(const std::vector<float>& rotation, const Numbers& numbers) const;
  // d <a, O b> / d O at O, over the tensors that count: of <a, O b> itself where no tensor has the stream on two axes.
  std::vector<float> gradient(const std::vector<bool>& counted, const std::vector<float>& rotation,
                              const Numbers& a, const Numbers& b) const;
  // Of Spec::tensors: which it changes (the norms' scales, that absorb_norms() does, not).
  const std::vector<bool>& turned() const noexcept { return turned_; }
  int64_t width() const noexcept { return spec_.groups.front().size; }

 private:
  symmetry::Spec spec_;  // the tensors, and one group: the stream
  std::vector<bool> turned_;
};

struct OrthogonalOptions {
  NetworkMatchOptions match{};
  int max_rounds = 50;
};
struct OrthogonalMatch {
  symmetry::NetworkElement element;  // of the spec; along the stream the identity
  std::vector<float> rotation;       // (width, width): B' = element (rotation B), both with norms absorbed
  // <A, B'> (scales balanced away) at the start and after each step that was taken: a Procrustes problem for the rotation, a
  // descent for the element, in turn, until neither gains. It never falls.
  std::vector<double> objective;
  double cosine_before = 0, cosine_after = 0;  // of A and B, A and B', norms absorbed
  Numbers reference, aligned;                  // A and B', norms absorbed
  std::vector<bool>
      rewritten;  // of Spec::tensors: numbers that are not just reordered or scaled by `element`
};
// `spec` and `stream` of A's network; the files' names are for messages. The same bits on any number of threads.
OrthogonalMatch match_orthogonal(const symmetry::Spec& spec, const ResidualStream& stream,
                                 const network::Network& a, const network::Network& b,
                                 const OrthogonalOptions& options);

}  // namespace dws::align
