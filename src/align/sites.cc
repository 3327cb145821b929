#include "align/sites.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

namespace dws::align {
namespace {

using symmetry::Member;
using symmetry::NetworkGroup;
using symmetry::Spec;

constexpr size_t kMaxGenerators = 10;  // combinations of them are tried
constexpr std::string_view kProducts[] = {"MatMul", "Gemm",        "Conv",     "ConvTranspose",
                                          "Einsum", "FusedMatMul", "FusedConv"};

// How a group's value is read: summed over by a product, by another operator, or not at all.
enum class Read { kept, summed, multiplied };

class Finder {
 public:
  Finder(const Spec& flow, const network::Network& network, int64_t batch)
      : flow_(flow), network_(network), batch_(batch), on_(flow.tensors.size()) {
    for (size_t t = 0; t < flow.tensors.size(); ++t)
      if (flow.tensors[t].value != network::kNone) tensor_of_[flow.tensors[t].value] = static_cast<int>(t);
    for (size_t g = 0; g < flow.groups.size(); ++g)
      for (const Member& m : flow.groups[g].members)
        on_[static_cast<size_t>(m.tensor)].insert(static_cast<int>(g));
    // What stored tensors alone make, a transposed weight for one, is no activation.
    std::set<int> flows(network.graph.inputs.begin(), network.graph.inputs.end());
    for (const network::Node& node : network.graph.nodes)
      if (std::ranges::any_of(node.inputs, [&](int value) { return flows.contains(value); }))
        flows.insert(node.outputs.begin(), node.outputs.end());
    std::erase_if(tensor_of_, [&](const auto& at) { return !flows.contains(at.first); });
    for (const network::Node& node : network.graph.nodes)
      for (const int value : node.inputs)
        if (const auto at = tensor_of_.find(value); at != tensor_of_.end())
          for (const int g : on_[static_cast<size_t>(at->second)]) {
            Read& read = read_[{at->second, g}];
            read = std::max(read, how(node, g));
          }
  }

  Sites of(int g) const {
    const NetworkGroup& group = flow_.groups[static_cast<size_t>(g)];
    if (group.fixed || group.signs.size() + group.phases.size() > kMaxGenerators) return {};
    std::map<Read, std::vector<Site>> alone, shared;
    std::vector<Site> all;  // where no other group moves
    for (size_t m = 0; m < group.members.size(); ++m) {
      const int tensor = group.members[m].tensor;
      if (!tensor_of_.contains(flow_.tensors[static_cast<size_t>(tensor)].value)) continue;
      if (!whole_samples(tensor) || twice(group, tensor)) continue;
      Site site = describe(g, static_cast<int>(m));
      const auto at = read_.find({tensor, g});
      const Read read = at == read_.end() ? Read::kept : at->second;
      const bool apart = site.others.empty() || (site.others.size() == 1 && site.others.front() == group.by);
      if (apart) all.push_back(site);
      (apart ? alone : shared)[read].push_back(std::move(site));
    }
    for (auto* kind : {&alone, &shared})
      if (const auto kept = kind->find(Read::kept); kept != kind->end() && kept->second.size() > 1)
        kept->second = {kept->second.back()};
    Sites found;
    if (!alone.empty())
      found.best = alone.rbegin()->second;
    else if (!shared.empty())
      found.best = shared.rbegin()->second;
    if (found.best.size() > kMaxSites) {
      std::vector<Site> spread;
      for (size_t k = 0; k < kMaxSites; ++k)
        spread.push_back(found.best[k * (found.best.size() - 1) / (kMaxSites - 1)]);
      found.best = std::move(spread);
    }
    add_hints(group, {all.rbegin(), all.rend()}, found.best);
    if (!all.empty()) {
      found.first = {all.front()};
      found.first.front().hint = true;
      add_hints(group, all, found.first);
    }
    return found;
  }

 private:
  Read how(const network::Node& node, int g) const {
    for (const int value : node.outputs)
      if (const auto at = tensor_of_.find(value);
          at != tensor_of_.end() && on_[static_cast<size_t>(at->second)].contains(g))
        return Read::kept;
    if (std::ranges::all_of(node.outputs, [&](int value) { return !real(value); })) return Read::kept;
    return std::ranges::find(kProducts, node.op) != std::end(kProducts) ? Read::multiplied : Read::summed;
  }
  // For each generator that shows on none of `sites` the first of `all` on which it shows.
  static void add_hints(const NetworkGroup& group, const std::vector<Site>& all, std::vector<Site>& sites) {
    const auto cover = [&](const auto& shows) {
      if (std::ranges::any_of(sites, shows)) return;
      const auto at = std::ranges::find_if(all, shows);
      if (at == all.end()) return;
      sites.push_back(*at);
      sites.back().hint = true;
    };
    for (size_t p = 0; p < group.phases.size(); ++p)
      cover([p](const Site& s) { return s.phase == static_cast<int>(p); });
    for (size_t k = 0; k < group.scales.size(); ++k)
      cover([k](const Site& s) { return s.exponents[k] != 0; });
    for (size_t k = 0; k < group.signs.size() + group.phases.size(); ++k) {
      cover([k](const Site& s) { return (s.flips >> k) % 2 != 0; });
      cover([k](const Site& s) { return s.flips == uint32_t{1} << k; });
    }
  }
  // Numbers, and not sizes or places.
  bool real(int value) const { return value != network::kNone && !network_.constant_of(value); }
  // Samples lie one behind another: reshapes may have joined the batch axis with others.
  bool whole_samples(int tensor) const {
    const auto t = static_cast<size_t>(tensor);
    if (flow_.tensors[t].dims.size() < 2 || flow_.tensors[t].dims[0] % batch_ != 0) return false;
    for (const int g : on_[t])
      for (const Member& m : flow_.groups[static_cast<size_t>(g)].members)
        if (m.tensor == tensor && m.axis == 0) return false;
    return true;
  }
  // On two axes: which of its items is meant is not clear.
  static bool twice(const NetworkGroup& group, int tensor) {
    std::set<int> axes;
    for (const Member& m : group.members)
      if (m.tensor == tensor) axes.insert(m.axis);
    return axes.size() > 1;
  }
  Site describe(int g, int member) const {
    const NetworkGroup& group = flow_.groups[static_cast<size_t>(g)];
    Site site{.group = g,
              .member = member,
              .tensor = group.members[static_cast<size_t>(member)].tensor,
              .exponents = std::vector<int>(group.scales.size()),
              .others = {}};
    const auto part_of = [&](const std::vector<symmetry::Scaling::Part>& parts) {
      const auto at = std::ranges::find(parts, member, &symmetry::Scaling::Part::member);
      return at == parts.end() ? 0 : at->exponent;
    };
    for (size_t k = 0; k < group.signs.size(); ++k)
      if (part_of(group.signs[k].parts) != 0) site.flips ^= uint32_t{1} << k;
    for (size_t p = 0; p < group.phases.size(); ++p) {
      if (part_of(group.phases[p].negated) != 0) site.flips ^= uint32_t{1} << (group.signs.size() + p);
      for (const symmetry::Phase::Shift& shift : group.phases[p].shifts)
        if (shift.member == member) {
          site.phase = static_cast<int>(p);
          site.half_turn = shift.half_turn;
        }
    }
    for (size_t k = 0; k < group.scales.size(); ++k) site.exponents[k] = part_of(group.scales[k].parts);
    for (const int other : on_[static_cast<size_t>(site.tensor)])
      if (other != g && !flow_.groups[static_cast<size_t>(other)].fixed &&
          meets(group, group.members[static_cast<size_t>(member)], flow_.groups[static_cast<size_t>(other)]))
        site.others.push_back(other);
    return site;
  }
  // Whether another group moves any of the member's numbers: not where it is a part of the same axis beside it.
  bool meets(const NetworkGroup& group, const Member& member, const NetworkGroup& other) const {
    const auto extent =
        flow_.tensors[static_cast<size_t>(member.tensor)].dims[static_cast<size_t>(member.axis)];
    return std::ranges::any_of(other.members, [&](const Member& m) {
      if (m.tensor != member.tensor) return false;
      if (m.axis != member.axis) return true;
      for (int64_t c = 0; c < extent; ++c)
        if (symmetry::item_at(m, other.size, c) >= 0 && symmetry::item_at(member, group.size, c) >= 0)
          return true;
      return false;
    });
  }

  const Spec& flow_;
  const network::Network& network_;
  int64_t batch_;
  std::vector<std::set<int>> on_;             // groups on each tensor
  std::map<int, int> tensor_of_;              // by value
  std::map<std::pair<int, int>, Read> read_;  // by tensor and group
};

}  // namespace

std::vector<Sites> find_sites(const Spec& flow, const network::Network& network, int64_t batch) {
  const Finder finder(flow, network, batch);
  std::vector<Sites> sites;
  for (size_t g = 0; g < flow.groups.size(); ++g) sites.push_back(finder.of(static_cast<int>(g)));
  return sites;
}

}  // namespace dws::align
