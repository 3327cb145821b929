// Where operators lead the axis of a residual stream: one rule an operator, from any of its inputs and outputs to the others.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/array.h"
#include "network/network.h"
#include "symmetry/scale_rules.h"

namespace dws::align {

// What is known of one stream, value by value. What is not in the stream does not change when the stream is turned: products over
// its axis, lengths (sums of squares over it), and means over it where the turn leaves (1, ..., 1) as it is. So norms that are
// spelled out in operators need no pattern: they are divisions by lengths.
class StreamWalk {
 public:
  StreamWalk(const network::Network& network, const symmetry::Uses& uses,
             const std::vector<network::ArrayPtr>& shapes, int64_t width)
      : width_(width),
        network_(network),
        uses_(uses),
        shapes_(shapes),
        axis_(network.values.size(), -1),
        squares_(network.values.size(), -1) {}

  // Follows the stream from this axis through all nodes; where it cannot go, `obstacle` says so.
  void follow(int value, int axis);

  bool in(int value) const { return value != network::kNone && axis_[static_cast<size_t>(value)] >= 0; }
  int axis(int value) const { return axis_[static_cast<size_t>(value)]; }
  const std::string& obstacle() const noexcept { return obstacle_; }
  // A mean over features, or a number added to all of them: (1, ..., 1) must stay as it is.
  bool fixes_ones() const noexcept { return fixes_ones_; }
  // The stored tensor of `width` numbers, and of no more, that a value is or is cast from: its value, else kNone.
  int vector_behind(int value) const;
  // Of a Mul that multiplies each feature by a stored number of its own: which input that is; -1 of others.
  int gain_input(const network::Node& node) const;

  // --- for rules ---
  bool known(int value) const { return value != network::kNone && shapes_[static_cast<size_t>(value)]; }
  const std::vector<int64_t>& dims(int value) const { return shapes_[static_cast<size_t>(value)]->dims; }
  int rank(int value) const { return static_cast<int>(dims(value).size()); }
  int64_t width() const noexcept { return width_; }
  void mark(const network::Node& node, int value, int axis);
  // Squares of features, which only sums over the axis may read.
  void mark_squares(const network::Node& node, int value, int axis);
  bool squares(int value) const {
    return value != network::kNone && squares_[static_cast<size_t>(value)] >= 0;
  }
  void keep_ones() noexcept { fixes_ones_ = true; }
  void refuse(const network::Node& node, const std::string& why);
  std::optional<std::vector<int64_t>> ints(int value) const;  // of a constant
  bool is_square(const network::Node& node) const;

 private:
  bool touches(const network::Node& node) const;
  // The node's part where it reads squares; false where it reads none.
  bool follow_squares(const network::Node& node);

  int64_t width_;
  const network::Network& network_;
  const symmetry::Uses& uses_;
  const std::vector<network::ArrayPtr>& shapes_;
  std::vector<int> axis_, squares_;
  std::string obstacle_;
  bool changed_ = false, fixes_ones_ = false;
};

struct StreamRule {
  std::string_view op;
  void (*follow)(StreamWalk& walk, const network::Node& node);
  bool passes =
      false;  // what comes out is made of what goes in first, unmixed with other vectors: a scale goes through
};
// nullptr: an operator that no stream goes through.
const StreamRule* stream_rule(const network::Node& node);

bool is_stream_norm(const network::Node& node) noexcept;
// Whether it makes squares of its first input, or sums of them.
bool is_square(const network::Network& network, const network::Node& node);
// Which of the node's inputs is summed over the stream's axis with the given one; kNone for none.
int read_by(const StreamWalk& walk, const network::Node& node, size_t input);

}  // namespace dws::align
