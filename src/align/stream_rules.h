// Where operators lead the axis of a residual stream: one rule an operator, from any of its inputs and outputs to the others.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/array.h"
#include "network/network.h"

namespace dws::align {

// What is known of one stream, value by value.
class StreamWalk {
 public:
  StreamWalk(const network::Network& network, const std::vector<network::ArrayPtr>& shapes, int64_t width)
      : width_(width), network_(network), shapes_(shapes), axis_(network.values.size(), -1) {}

  // Follows the stream from this axis through all nodes; where it cannot go, `obstacle` says so.
  void follow(int value, int axis);

  bool in(int value) const { return value != network::kNone && axis_[static_cast<size_t>(value)] >= 0; }
  int axis(int value) const { return axis_[static_cast<size_t>(value)]; }
  const std::string& obstacle() const noexcept { return obstacle_; }

  // --- for rules ---
  bool known(int value) const { return value != network::kNone && shapes_[static_cast<size_t>(value)]; }
  const std::vector<int64_t>& dims(int value) const { return shapes_[static_cast<size_t>(value)]->dims; }
  int rank(int value) const { return static_cast<int>(dims(value).size()); }
  int64_t width() const noexcept { return width_; }
  void mark(const network::Node& node, int value, int axis);
  void refuse(const network::Node& node, const std::string& why);
  std::optional<std::vector<int64_t>> ints(int value) const;  // of a constant

 private:
  int64_t width_;
  const network::Network& network_;
  const std::vector<network::ArrayPtr>& shapes_;
  std::vector<int> axis_;
  std::string obstacle_;
  bool changed_ = false;
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
// Which of the node's inputs is summed over the stream's axis with the given one; kNone for none.
int read_by(const StreamWalk& walk, const network::Node& node, size_t input);

}  // namespace dws::align
