// dws permute: a network after an element of its symmetry, random or given; its function stays the same.
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/text.h"
#include "network_input.h"
#include "symmetry/element.h"

namespace dws::tools {
namespace {

struct Permute {
  explicit Permute(const Globals& g) : globals(g) {}
  const Globals& globals;
  std::string path, out, spec_file, apply, emit, groups = "perm";
  NetworkOptions network;
  uint64_t seed = 0;
  bool force = false, inverse = false;

  int run() const;
  symmetry::Draw draw() const;
};

symmetry::Draw Permute::draw() const {
  symmetry::Draw d{.order = false, .sign = false, .scale = false, .phase = false};
  for (const std::string& kind : split(groups, ',')) {
    if (kind == "perm")
      d.order = true;
    else if (kind == "sign")
      d.sign = true;
    else if (kind == "scale")
      d.scale = true;
    else if (kind == "phase")
      d.phase = true;
    else
      throw Error(
          ErrorKind::usage,
          text("--groups {}: expected perm, sign, scale and phase, with commas between", escaped(groups)));
  }
  return d;
}

// The tensor's new bytes; orders alone move them as they are, so that nothing is rounded.
std::vector<std::byte> new_bytes(const symmetry::Spec& spec, const symmetry::NetworkElement& g,
                                 const symmetry::MembersByTensor& members, int tensor,
                                 const network::Constant& c) {
  const int bits = onnx_type_bits(c.type);
  if (bits >= 8 && symmetry::only_reorders(spec, g, tensor, &members))
    return symmetry::act_on_bytes(spec, g, tensor, c.bytes, static_cast<size_t>(bits) / 8, &members);
  return network::to_bytes(symmetry::act(spec, g, tensor, network::to_array(c), {}, &members));
}

int Permute::run() const {
  if (!emit.empty()) {
    require_other_file(emit, path, "--emit");
    require_other_file(emit, out, "--emit");
  }
  const NetworkInput input = read_network(path, network);
  symmetry::Spec spec;
  symmetry::NetworkElement g;
  if (apply.empty()) {
    spec = spec_of(spec_file, input);
    Rng rng(seed);
    g = symmetry::random_element(spec, draw(), rng);
  } else {
    spec = read_spec(apply, input.network);
    g = symmetry::element_from_json(spec, Json::parse(read_text(apply), apply), apply);
  }
  if (inverse) g = symmetry::inverse(spec, g);
  std::vector<Patch> patches;
  const std::vector<bool> moved = symmetry::touched(spec);
  const symmetry::MembersByTensor members = symmetry::members_by_tensor(spec);
  for (size_t t = 0; t < spec.tensors.size(); ++t) {
    if (!moved[t]) continue;
    const network::Constant& c = input.network.constants[static_cast<size_t>(spec.tensors[t].constant)];
    if (c.made) continue;
    patches.push_back({c.bytes, [&, t] { return new_bytes(spec, g, members, static_cast<int>(t), c); }});
  }
  Json element;
  if (!emit.empty()) {
    require_writable(emit, force);
    element = symmetry::to_json(spec, g);
    element.set("recipe", recipe(globals, {path}));  // before the output, which may take the input's place
  }
  write_changed(input, out, patches, force);
  if (!emit.empty()) write_text(emit, element.dump() + "\n", force);
  log_info(text("{}: {} groups, {} tensors changed", one_line(out), spec.groups.size(), patches.size()));
  return 0;
}

}  // namespace

void register_permute(CLI::App& app, const Globals& globals, Run& run) {
  auto verb = std::make_shared<Permute>(globals);
  CLI::App* sub = app.add_subcommand("permute",
                                     "reorders (flips, rescales) what a network's symmetry lets, and writes "
                                     "the same function in other numbers");
  sub->footer(
      "Example:\n  dws permute net.onnx -o other.onnx --seed 1 --emit g.json\n  dws permute other.onnx -o "
      "back.onnx --apply g.json --inverse");
  sub->add_option("FILE", verb->path, "a network: .onnx, .safetensors, or a folder of shards")->required();
  sub->add_option("-o,--output", verb->out, "the network to write")->required();
  sub->add_option("--seed", verb->seed, "of the random element");
  sub->add_option("--groups", verb->groups, "what to draw: perm,sign,scale,phase (perm)");
  sub->add_option("--spec", verb->spec_file, "a spec of `dws symmetry -o`; found anew when not given");
  sub->add_option("--apply", verb->apply, "an element that --emit has written, in place of a random one");
  sub->add_flag("--inverse", verb->inverse, "undo it instead");
  sub->add_option("--emit", verb->emit, "write the element as JSON");
  sub->add_flag("--force", verb->force, "overwrite the output");
  add_network_options(*sub, verb->network);
  sub->callback([verb, &run] { run = [verb] { return verb->run(); }; });
}

}  // namespace dws::tools
