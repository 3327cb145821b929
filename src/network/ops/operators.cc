#include <algorithm>
#include <map>
#include <string>

#include "network/context.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

using Table = std::map<std::pair<std::string_view, std::string_view>, Operator>;

const Table& table() {
  static const Table all = [] {
    Table t;
    for (const auto family :
         {elementwise_operators(),    broadcast_operators(), product_operators(),   convolution_operators(),
          norm_operators(),           reduction_operators(), movement_operators(),  cut_operators(),
          recurrent_operators(),      quantise_operators(),  control_operators(),   resize_operators(),
          pooling_operators(),        lookup_operators(),    selection_operators(), detection_operators(),
          signal_operators(),         loss_operators(),      attention_operators(), rotary_operators(),
          block_quantised_operators()})
      for (const OperatorRow& row : family) t.emplace(std::pair{row.domain, row.op}, row.run);
    return t;
  }();
  return all;
}

}  // namespace

Operator find_operator(std::string_view domain, std::string_view op) noexcept {
  const auto at = table().find({domain, op});
  return at == table().end() ? nullptr : at->second;
}

std::vector<std::string> operator_names() {
  std::vector<std::string> names;
  for (const auto& [key, run] : table())
    names.push_back(std::string(key.first) + (key.first.empty() ? "" : ".") + std::string(key.second));
  std::ranges::sort(names);
  return names;
}

}  // namespace dws::network
