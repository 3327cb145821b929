// dws permute: a network after an element of its symmetry, random or given; its function stays the same.
#include <memory>

#include "acted.h"
#include "command.h"
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
};

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
    g = symmetry::random_element(spec, parse_groups(groups), rng);
  } else {
    spec = read_spec(apply, input.network);
    g = symmetry::element_from_json(spec, Json::parse(read_text(apply), apply), apply);
  }
  if (inverse) g = symmetry::inverse(spec, g);
  const std::vector<Patch> patches = acted(spec, g, input.network, releaser(input));
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

void register_permute(Options& app, const Globals& globals, Run& run) {
  auto verb = std::make_shared<Permute>(globals);
  Options* sub = app.add_subcommand("permute",
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
