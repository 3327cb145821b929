// dws align: networks moved into the basis of another one.
#include <algorithm>
#include <memory>

#include "align/align_zoo.h"
#include "align_network.h"
#include "align_orthogonal.h"
#include "align_universe.h"
#include "command.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/text.h"
#include "format/safetensors.h"
#include "format/zoo.h"
#include "output.h"

namespace dws::tools {
namespace {

struct Align {
  explicit Align(const Globals& g) : globals(g) {}
  const Globals& globals;
  std::vector<std::string> inputs;
  std::string ref, out, groups;
  int64_t ref_index = 0;
  align::MatchOptions options;
  bool force = false, json = false;
  AlignNetwork network;
  bool universe = false, orthogonal = false;
  std::string reference_out, rotation_out;
  Options* verb = nullptr;

  int run();
  int run_zoo();
  int run_universe();
  int run_orthogonal();
  void refuse_with(const char* way, std::initializer_list<const char*> others) const;
  bool for_networks() const;
  void name_inputs();
  bool choose_signs(const ZooInfo& info) const;
  void print_result(const align::AlignSummary& summary, const Json& made) const;
  const std::string& moved() const { return inputs.front(); }
};

// After this `ref` is the reference and inputs the one file to move.
void Align::name_inputs() {
  if (ref.empty()) {
    if (inputs.size() != 2)
      throw Error(ErrorKind::usage,
                  text("align: expected two files, or one and --ref, got {}", inputs.size()),
                  "dws align A B -o OUT moves B; dws align --ref A ZOO -o OUT moves every network of ZOO");
    ref = inputs.front();
    inputs.erase(inputs.begin());
  }
  if (inputs.size() != 1)
    throw Error(ErrorKind::usage, text("align: expected one file besides --ref, got {}", inputs.size()),
                "join zoos with dws convert first");
}

bool Align::choose_signs(const ZooInfo& info) const {
  if (groups.empty()) return align::has_signs(info);
  bool perm = false, sign = false;
  for (const std::string& word : split(groups, ',')) {
    if (word != "perm" && word != "sign")
      throw Error(ErrorKind::usage, text("--groups: unknown group '{}'", escaped(word)),
                  "use perm or perm,sign");
    perm = perm || word == "perm";
    sign = sign || word == "sign";
  }
  if (!perm)
    throw Error(ErrorKind::usage, text("--groups {}: neurons cannot be matched without perm", groups),
                "use perm,sign");
  return sign;
}

// The recipe of the file that is moved, so that its history is not lost; null where it has none.
Json earlier_recipe(const std::string& path) {
  try {
    const Safetensors file = Safetensors::open(path);
    const std::string* made = file.meta("dws.recipe");
    return made ? Json::parse(*made, path + ": metadata dws.recipe") : Json();
  } catch (const Error&) {
    return {};  // a folder, or a recipe that another program wrote
  }
}

// What only networks have is given, or the files are some.
bool Align::for_networks() const {
  constexpr const char* kOptions[] = {"--method",
                                      "--spec",
                                      "--apply",
                                      "--emit",
                                      "--verify",
                                      "--restarts",
                                      "--data",
                                      "--labels",
                                      "--mean",
                                      "--std",
                                      "--limit",
                                      "--form",
                                      "--max-memory",
                                      "--graph",
                                      "--recipe",
                                      "--activation",
                                      "--size",
                                      "--dim",
                                      "--shape",
                                      "--set",
                                      "--external-data-root",
                                      "--follow-symlinks"};
  for (const char* option : kOptions)
    if (verb->get_option(option)->count() > 0) return true;
  return out == "-" || are_networks(ref, moved());
}

void Align::refuse_with(const char* way, std::initializer_list<const char*> others) const {
  for (const char* option : others)
    if (verb->get_option(option)->count() > 0)
      throw Error(ErrorKind::usage, text("align: {} and {} do not go together", way, option));
}

int Align::run_universe() {
  refuse_with("--universe", {"--orthogonal", "--ref", "--ref-index", "--apply", "--restarts", "--force"});
  if (out == "-")
    throw Error(ErrorKind::usage, "align --universe: a folder cannot go to stdout", "give -o a name");
  AlignUniverse way{.inputs = inputs,
                    .out = out,
                    .method = network.method,
                    .spec_file = network.spec_file,
                    .emit = network.emit,
                    .groups = groups,
                    .network = network.network,
                    .options = network.options,
                    .verify = network.verify,
                    .json = json};
  way.options.max_sweeps = options.max_sweeps;
  way.options.seed = options.seed;
  return way.run(globals);
}

int Align::run_orthogonal() {
  refuse_with("--orthogonal", {"--ref-index", "--apply", "--method", "--restarts"});
  name_inputs();
  if (out != "-") require_writable(out, force);
  AlignOrthogonal way{.a = ref,
                      .b = moved(),
                      .out = out,
                      .reference = reference_out,
                      .spec_file = network.spec_file,
                      .emit = network.emit,
                      .rotation = rotation_out,
                      .groups = groups,
                      .network = network.network,
                      .options = network.options,
                      .verify = network.verify,
                      .force = force,
                      .json = json};
  way.options.max_sweeps = options.max_sweeps;
  way.options.seed = options.seed;
  return way.run(globals);
}

int Align::run() {
  if (universe) return run_universe();
  if (orthogonal) return run_orthogonal();
  for (const char* option : {"--emit-reference", "--emit-rotation"})
    if (verb->get_option(option)->count() > 0)
      throw Error(ErrorKind::usage, text("{}: is for --orthogonal", option));
  name_inputs();
  if (verb->get_option("--ref-index")->count() > 0 || !for_networks()) return run_zoo();
  network.a = ref;
  network.b = moved();
  network.out = out;
  network.groups = groups;
  network.force = force;
  network.json = json;
  network.options.max_sweeps = options.max_sweeps;
  network.options.seed = options.seed;
  if (out != "-") require_writable(out, force);
  return network.run(globals);
}

int Align::run_zoo() {
  require_writable(out, force);
  const Zoo reference = Zoo::open(ref), zoo = Zoo::open(moved());
  if (!warn_if_assumed(reference)) warn_if_assumed(zoo);
  for (const Zoo* one : {&reference, &zoo})
    if (!one->remark().empty()) log_warn(one->remark());
  if (ref_index >= reference.size())
    throw Error(ErrorKind::usage,
                text("--ref-index {}: {} holds {} networks, from 0", ref_index, ref, reference.size()),
                text("give a number up to {}", reference.size() - 1));
  reference.info().require_same_network(zoo.info(), ref, moved());
  options.signs = choose_signs(zoo.info());
  std::vector<float> target(static_cast<size_t>(reference.info().arch.param_count()));
  reference.read(ref_index, target);

  Json made = recipe(globals, ref == moved() ? inputs : std::vector<std::string>{ref, moved()});
  align::AlignOutput output;
  output.path = out;
  output.force = force;
  output.settings = Json::object();
  output.settings.set("file", ref.substr(ref.find_last_of('/') + 1));
  output.settings.set("hash", made.at("inputs").at(ref));
  output.settings.set("index", ref_index);
  output.settings.set("method", "weights");
  output.settings.set("groups", options.signs ? Json::array({"perm", "sign"}) : Json::array({"perm"}));
  output.settings.set("max_sweeps", options.max_sweeps);
  output.settings.set("seed", options.seed);
  Json written = made;
  if (Json before = earlier_recipe(moved()); !before.is_null()) written.set("before", std::move(before));
  output.metadata = {{"dws.recipe", written.dump()}};
  print_result(align::align_zoo(zoo, target, options, output), made);
  return 0;
}

void Align::print_result(const align::AlignSummary& summary, const Json& made) const {
  const double rate = summary.seconds > 0 ? static_cast<double>(summary.networks) / summary.seconds : 0;
  if (!json) {
    print(
        text("{}: {} networks, cosine to {}#{} {:.4f} before, {:.4f} after, {:.1f} sweeps, {:.1f} s, {:.0f} "
             "networks/s",
             out, summary.networks, ref, ref_index, summary.cosine_before, summary.cosine_after,
             summary.sweeps_mean, summary.seconds, rate));
    return;
  }
  Json line = Json::object();
  line.set("schema", "dws.align/1");
  line.set("output", out);
  line.set("networks", summary.networks);
  line.set("groups", options.signs ? Json::array({"perm", "sign"}) : Json::array({"perm"}));
  line.set("cosine_before", summary.cosine_before);
  line.set("cosine_after", summary.cosine_after);
  line.set("sweeps_mean", summary.sweeps_mean);
  line.set("sweeps_max", summary.sweeps_max);
  line.set("seconds", summary.seconds);
  line.set("networks_per_second", rate);
  line.set("recipe", made);
  print(line.dump());
}

}  // namespace

void register_align(Options& app, const Globals& globals, Run& run) {
  auto command = std::make_shared<Align>(globals);
  Options* verb = app.add_subcommand("align", "move a network, or a zoo, into the basis of another network");
  verb->footer(
      "Each network keeps its function; neurons, channels and heads are put in the order (and sign, scale, "
      "phase)\n"
      "in which its weights are most like the reference's.\n"
      "Example:\n  dws align a.onnx b.onnx -o b_like_a.onnx --verify\n"
      "  dws align --universe a.onnx b.onnx c.onnx -o folder\n"
      "  dws align --ref train.safetensors --ref-index 7 zoo.safetensors -o aligned.safetensors");
  Align& a = *command;
  a.verb = verb;
  verb->add_option("FILE", a.inputs,
                   "A and B: networks, or single ones of zoos; or with --ref the zoo to move")
      ->required();
  verb->add_option("-o,--output", a.out, "the network or zoo to write; - for a network on stdout")
      ->required();
  verb->add_option("--ref", a.ref, "the network that stays: a single one's file, or a zoo with --ref-index");
  verb->add_option("--ref-index", a.ref_index, "which network of the reference's zoo")
      ->check(non_negative_number())
      ->capture_default_str();
  verb->add_option("--method", a.network.method, "how networks are matched")
      ->check(one_of(align_methods()))
      ->capture_default_str();
  verb->add_option(
      "--groups", a.groups,
      "what may be moved: perm,sign,scale,phase [all]; of zoos perm, or perm,sign [perm,sign for "
      "siren and tanh]");
  verb->add_option("--spec", a.network.spec_file,
                   "the symmetry, as dws symmetry -o writes it; found anew when not given");
  verb->add_option("--apply", a.network.apply, "an element that --emit has written, in place of matching");
  verb->add_option("--emit", a.network.emit, "write the element as JSON");
  verb->add_flag(
      "--verify", a.network.verify,
      "run B and the aligned network on random inputs; where they differ nothing is written, and the "
      "exit code is 1");
  verb->add_flag(
      "--universe", a.universe,
      "move all FILEs into the first one's basis, consistently, and write them to a new folder under their "
      "names: --method weights is MergeMany, frank-wolfe C2M3; --emit names a folder too");
  verb->add_flag(
      "--orthogonal", a.orthogonal,
      "of transformers also rotate the residual stream (its norms' scales are absorbed first; a head "
      "that is tied to the embedding becomes a tensor of its own)");
  verb->add_option(
      "--emit-reference", a.reference_out,
      "with --orthogonal: write A in the same form, its norms' scales absorbed, to merge the output with");
  verb->add_option("--emit-rotation", a.rotation_out,
                   "with --orthogonal: write the rotation, a safetensors file");
  verb->add_option("--restarts", a.network.options.restarts, "descents from random elements besides")
      ->check(range(0, 1'000'000))
      ->capture_default_str();
  verb->add_option("--max-sweeps", a.options.max_sweeps, "at most this many rounds over the groups")
      ->check(positive_number())
      ->capture_default_str();
  verb->add_option("--seed", a.options.seed, "seed of the order in which groups are visited, and of restarts")
      ->capture_default_str();
  add_sample_options(*verb, a.network.data, "--data");
  verb->add_option("--form", a.network.form, "activations: correlation, or regression, of mean products")
      ->check(one_of({"correlation", "regression"}))
      ->capture_default_str();
  verb->add_option("--max-memory", a.network.max_memory,
                   "weights: networks that would take more stay in their files [half of what is left]; "
                   "activations: bytes for what is summed, with less the data is read more often [512MB]");
  verb->add_flag("--force", a.force, "overwrite the output");
  verb->add_flag("--json", a.json, "summary as JSON");
  add_network_options(*verb, a.network.network);
  add_input_options(*verb, a.network.network);
  verb->callback([command, &run] { run = [command] { return command->run(); }; });
}

}  // namespace dws::tools
