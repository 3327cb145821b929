// From the graph back to the network's tensors.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "weights/graph.h"

namespace dws::weights {
namespace {

using network::Array;
using network::Constant;

// The types of 8 bits and more keep the bytes of every number that did not change, those of a NaN too.
std::vector<std::byte> new_bytes(const Constant& c, const Array& now, const std::vector<bool>& changed) {
  std::vector<std::byte> bytes = network::to_bytes(now);
  const auto bits = static_cast<size_t>(onnx_type_bits(c.type));
  if (bits < 8) return bytes;
  const size_t item = bits / 8;
  for (size_t i = 0; i < changed.size(); ++i)
    if (!changed[i]) std::memcpy(bytes.data() + i * item, c.bytes.data() + i * item, item);
  return bytes;
}

}  // namespace

std::vector<std::pair<int, std::vector<std::byte>>> changed_tensors(const WeightGraph& g,
                                                                    const network::Network& network) {
  const std::vector<int> constants = parameter_constants(network);
  for (size_t t = 0; t < std::max(constants.size(), g.tensors.size()); ++t) {
    const auto refuse = [&](const std::string& graph, const std::string& net) {
      throw Error(
          ErrorKind::mismatch,
          text("{}: tensor {}: {}, but {} in {}", one_line(g.file), t, graph, net, one_line(network.file)),
          "the graph is of another network");
    };
    const auto words = [](const auto& x) {
      return text("'{}' {} {}", escaped(x.name), onnx_type_name(x.type), shape_text(x.dims));
    };
    const std::string theirs = t < g.tensors.size() ? words(g.tensors[t]) : "none",
                      ours = t < constants.size()
                                 ? words(network.constants[static_cast<size_t>(constants[t])])
                                 : "none";
    const bool same = t < g.tensors.size() && t < constants.size() &&
                      g.tensors[t].name == network.constants[static_cast<size_t>(constants[t])].name &&
                      theirs == ours;
    if (!same) refuse(theirs, ours);
  }
  // Edges by tensor: one tensor's numbers are held at a time.
  std::vector<int64_t> begin(g.tensors.size() + 1, 0);
  for (size_t e = 0; e < g.source.size(); ++e)
    if (has_parameter(g.edge_type[e])) ++begin[static_cast<size_t>(g.tensor[e]) + 1];
  for (size_t t = 0; t < g.tensors.size(); ++t) begin[t + 1] += begin[t];
  std::vector<int32_t> order(static_cast<size_t>(begin.back()));
  std::vector<int64_t> next(begin.begin(), begin.end() - 1);
  for (size_t e = 0; e < g.source.size(); ++e)
    if (has_parameter(g.edge_type[e]))
      order[static_cast<size_t>(next[static_cast<size_t>(g.tensor[e])]++)] = static_cast<int32_t>(e);

  std::vector<std::pair<int, std::vector<std::byte>>> changed;
  for (size_t t = 0; t < constants.size(); ++t) {
    const Constant& c = network.constants[static_cast<size_t>(constants[t])];
    Array now = network::to_array(c);
    std::vector<bool> other(static_cast<size_t>(now.size()));
    bool any = false;
    for (int64_t k = begin[t]; k < begin[t + 1]; ++k) {
      const auto e = static_cast<size_t>(order[static_cast<size_t>(k)]);
      const auto i = static_cast<size_t>(g.index[e]);
      const double weight = g.weight[e];
      if (now.real()) {
        const double w = network::round_to(c.type, weight);
        if (w == now.reals[i] || (std::isnan(w) && std::isnan(now.reals[i]))) {
          if (std::signbit(w) == std::signbit(now.reals[i]) || std::isnan(w)) continue;
        }
        now.reals[i] = w;
      } else {
        if (weight == static_cast<double>(now.ints[i])) continue;
        const bool whole = std::abs(weight) < 9e15 && weight == std::trunc(weight);
        const auto w = whole ? static_cast<int64_t>(weight) : 0;
        if (!whole || network::wrap_to(c.type, w) != w)
          throw Error(ErrorKind::bad_value,
                      text("{}: the weight {} of number {} of tensor '{}' is no {}", one_line(g.file),
                           number(weight), i, escaped(c.name), onnx_type_name(c.type)));
        now.ints[i] = w;
      }
      other[i] = any = true;
    }
    if (any) changed.emplace_back(constants[t], new_bytes(c, now, other));
  }
  return changed;
}

}  // namespace dws::weights
