// A network made node by node, with the symmetry that is found in it.
#pragma once

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "../network/graph_maker.h"
#include "core/text.h"
#include "symmetry/verify.h"

namespace dws::symmetry {

using Make = std::function<void(testing::GraphMaker&)>;

struct Found {
  network::Network net;
  std::vector<network::ArrayPtr> inputs;
  Spec spec;
};
inline Found found(const Make& make) {
  testing::GraphMaker g(23, 5);
  make(g);
  Found f;
  f.net = g.network();
  f.inputs = network::input_shapes(f.net, {});
  f.spec = discover(f.net, f.inputs);
  return f;
}
// What a group is, without the order of groups and members: where its items lie, and within what.
inline std::string where(const Spec& spec, const NetworkGroup& g) {
  std::set<std::string> members;
  for (const Member& m : g.members)
    members.insert(text("{}:{}:{}:{}:{}:{}", spec.tensors[static_cast<size_t>(m.tensor)].name, m.axis,
                        m.offset, m.outer, m.stride, m.inner));
  std::string all = std::to_string(g.size);
  for (const std::string& m : members) all.append(" ").append(m);
  return all;
}
inline std::multiset<std::string> groups_of(const Spec& spec) {
  std::multiset<std::string> all;
  for (const NetworkGroup& g : spec.groups)
    all.insert(text("{} by {}{} scales {} signs {}", where(spec, g),
                    g.by >= 0 ? where(spec, spec.groups[static_cast<size_t>(g.by)]) : "none",
                    g.fixed ? " fixed" : "", g.scales.size(), g.signs.size()));
  return all;
}
inline std::string kinds_of(const Spec& spec) {
  std::string kinds;
  const auto any = [&](const char* name, auto has) {
    if (std::ranges::any_of(spec.groups, has)) kinds = kinds.empty() ? name : text("{} {}", kinds, name);
  };
  any("scale", [](const NetworkGroup& g) { return !g.scales.empty(); });
  any("sign", [](const NetworkGroup& g) { return !g.signs.empty(); });
  any("phase", [](const NetworkGroup& g) { return !g.phases.empty(); });
  any("nested", [](const NetworkGroup& g) { return g.by >= 0; });
  return kinds;
}
}  // namespace dws::symmetry
