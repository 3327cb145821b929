// dws symmetry: which neurons, channels and heads of a network may be reordered, and what keeps the others in place.
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "command.h"
#include "core/file.h"
#include "core/text.h"
#include "network_input.h"
#include "symmetry/spec.h"

namespace dws::tools {
namespace {

struct Symmetry {
  std::string path, out;
  NetworkOptions network;
  bool json = false, force = false;

  int run() const;
};

std::string also(const symmetry::NetworkGroup& group) {
  std::vector<std::string> kinds;
  if (!group.scales.empty()) kinds.push_back("scale");
  if (!group.signs.empty()) kinds.push_back("sign");
  if (!group.phases.empty()) kinds.push_back("phase");
  return join(kinds, ", ");
}
void print_table(const symmetry::Spec& spec) {
  int64_t shown = 0;
  size_t width = 5;
  for (const auto& group : spec.groups)
    if (!group.fixed) width = std::max(width, std::min<size_t>(escaped(group.name).size(), 60));
  print(text("{:<{}}  {:>6}  {:<18}  {}", "group", width, "items", "besides order", "tensors"));
  for (const auto& group : spec.groups) {
    if (group.fixed) continue;
    ++shown;
    std::vector<std::string> tensors;
    std::set<int> seen;
    for (const auto& m : group.members)
      if (seen.insert(m.tensor).second && tensors.size() < 3)
        tensors.push_back(escaped(spec.tensors[static_cast<size_t>(m.tensor)].name));
    std::string list = join(tensors, ", ");
    if (seen.size() > tensors.size()) list += text(" and {} more", seen.size() - tensors.size());
    print(text("{:<{}}  {:>6}  {:<18}  {}", escaped(group.name), width, group.size, also(group), list));
    if (group.by >= 0)
      print(text("{:<{}}  {:>6}  in an order of its own for each of {} of {}", "", width, "", group.blocks,
                 escaped(spec.groups[static_cast<size_t>(group.by)].name)));
  }
  if (shown == 0) print("(none)");
  // What holds the rest, the most first.
  std::map<std::string, int64_t> by;
  for (const auto& p : spec.pinned) by[p.by] += 1;
  std::vector<std::pair<int64_t, std::string>> reasons;
  for (const auto& [why, n] : by) reasons.emplace_back(n, why);
  std::ranges::stable_sort(reasons, std::greater<>(), &std::pair<int64_t, std::string>::first);
  if (!reasons.empty()) print("\nkept in place:");
  for (size_t i = 0; i < std::min<size_t>(reasons.size(), 12); ++i)
    print(
        text("  {} {} by {}", reasons[i].first, reasons[i].first == 1 ? "axis" : "axes", reasons[i].second));
  if (reasons.size() > 12) print(text("  and by {} more (--json)", reasons.size() - 12));
  print(text("\n{} groups move {:.1f} % of {} parameters", shown, 100 * spec.coverage(), spec.parameters));
}

int Symmetry::run() const {
  if (!out.empty()) {
    require_other_file(out, path, "-o");
    require_writable(out, force);
  }
  const NetworkInput input = read_network(path, network);
  const symmetry::Spec spec = symmetry::discover(input.network, input.inputs);
  const Json described = symmetry::to_json(spec);
  if (!out.empty()) write_text(out, described.dump(1) + "\n", force);
  if (json)
    print(described.dump());
  else if (out.empty())
    print_table(spec);
  return 0;
}

}  // namespace

void register_symmetry(Options& app, const Globals&, Run& run) {
  auto verb = std::make_shared<Symmetry>();
  Options* sub = app.add_subcommand(
      "symmetry", "finds the groups of interchangeable neurons, channels and heads of a network");
  sub->add_option("FILE", verb->path, "a network: .onnx, .safetensors, or a folder of shards")->required();
  sub->add_option("-o,--output", verb->out, "write the spec as JSON");
  sub->add_flag("--json", verb->json, "JSON on stdout");
  sub->add_flag("--force", verb->force, "overwrite the output");
  add_network_options(*sub, verb->network);
  sub->callback([verb, &run] { run = [verb] { return verb->run(); }; });
}

}  // namespace dws::tools
