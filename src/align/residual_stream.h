// The residual stream of a transformer, as its graph shows it: the vectors of one width that blocks read through norms and add to.
//
// An orthogonal O may turn the stream, x -> O x, when all that touches it is linear along it or a norm whose scale is absorbed by what
// reads it: |O x| = |x|, so that x / rms(x) turns along (Ashkboos et al., "SliceGPT", ICLR 2024, section 3). A LayerNorm takes away the
// part along (1, ..., 1) first, so that there O must leave that vector as it is. A norm may be an operator or spelled out in sums of
// squares and divisions (stream_rules.h). Tensors that write to the stream and those that
// read from it are turned alike, new_i = sum_j O[i][j] old_j along their axis.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "network/array.h"
#include "network/network.h"

namespace dws::align {

// An input of a node of the graph.
struct StreamRead {
  int node = 0;
  size_t input = 0;
};
struct StreamMember {
  int constant = network::kNone, axis = 0;  // of Network::constants
  bool writes = false, reads = false;       // both: head and embedding in one
  // Nodes that take the constant itself, for reading alone: what could take another one. Of a node that takes it for both, or gives it
  // on to some that do, it is not among them, and `inseparable`.
  std::vector<StreamRead> read_at{};
  bool inseparable = false;
};
struct StreamNorm {
  std::string name;                                   // for messages
  int scale = network::kNone, bias = network::kNone;  // constants
  int bias_axis = 0;                                  // that lies along the stream
  bool bias_shared = false;                           // with norms of other scales, or with others than norms
  std::vector<int> readers;                           // members that read what it makes
  std::string kept_by;        // why its scale cannot go into its readers; "" where it can
  bool is_added = false;      // because what it makes is added to
  int tied = network::kNone;  // because of this member, which is head and embedding in one
};
struct ResidualStream {
  int64_t width = 0;
  bool fixes_ones = false;  // there is a LayerNorm, or a mean over features
  std::vector<StreamMember> members;
  std::vector<StreamNorm> norms;
};

// Advice where a stream cannot be turned for its norms stand in it.
inline constexpr const char* kPostNormAdvice =
    "norms stand in the stream itself (post-norm, as in BERT): no rotation goes through; align without "
    "--orthogonal";

// `shapes` of every value, as network::infer() says them. Of several streams the one with the most numbers. Throws Error{unsupported}
// where there is no norm, or naming what stands in the way: an operator that is not linear along the stream, an input or output of the
// network that shows it.
ResidualStream find_residual_stream(const network::Network& network,
                                    const std::vector<network::ArrayPtr>& shapes);

}  // namespace dws::align
