// dws merge: several networks made one.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/text.h"
#include "core/version.h"
#include "merge/average.h"
#include "merge/compose.h"
#include "merge_align.h"
#include "merge_config.h"
#include "merge_output.h"
#include "merge_repair.h"
#include "merge_settings.h"
#include "merge_source.h"
#include "spooled.h"

namespace dws::tools {
namespace {

// Networks that are mapped at the same time at most; a mean of more is summed network by network.
constexpr size_t kMost = 64;

struct Merge {
  explicit Merge(const Globals& g) : globals(g) {}
  const Globals& globals;
  std::vector<std::string> inputs;
  std::string base, weights;
  MergeSettings settings;
  MergeOutput output;
  NetworkOptions network;
  MergeConfigOptions config;
  DataOptions repair;  // where its data is not empty
  bool align = false, json = false;

  int run();

 private:
  int by_config() const;
  void read_weights(std::vector<double>& numbers);
  MergeSource source(const std::string& name) const { return {name, {name, network}, {name, network}}; }
  std::vector<MergeSource> sources(std::optional<Spooled>& in) const;
  int of_all(merge::Choices choices, std::vector<MergeSource> sources) const;
  int of_many(merge::Choices choices, std::vector<MergeSource> sources, std::vector<double> numbers) const;
  void choose(merge::Choices& choices, std::vector<MergeSource>& sources) const;
  Json made_of(const merge::Choices& choices, Json hashes) const;
  void say(const merge::Choices& choices, size_t networks, const merge::ExecuteReport& report,
           const Json& recipe, const Json& repaired) const;

  std::optional<AlignedCopies> copies_;
  Json align_, repair_;  // what recipes say of them; null without
  std::chrono::steady_clock::time_point start_;
};

std::vector<merge::Input> open(const std::vector<MergeSource>& sources) {
  std::vector<merge::Input> opened;
  for (const MergeSource& source : sources) opened.push_back(merge::Input::open(source.read.input()));
  return opened;
}

// A file of one number a line, one for each network, or of lines "PATH NUMBER", which name the networks too.
void Merge::read_weights(std::vector<double>& numbers) {
  std::string all;
  if (weights == "-") {
    const Spooled in = Spooled::input();
    all = read_text(in.path());
  } else {
    all = read_text(weights);
  }
  std::vector<std::string> paths;
  size_t line_number = 0;
  for (std::string& line : split(all, '\n')) {
    ++line_number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
      line.pop_back();
    if (line.empty()) continue;
    const size_t space = line.find_last_of(" \t");
    numbers.push_back(parse_double(line.substr(space == std::string::npos ? 0 : space + 1),
                                   text("{} line {}", one_line(weights), line_number)));
    if (space != std::string::npos) paths.push_back(line.substr(0, line.find_last_not_of(" \t", space) + 1));
  }
  if (!paths.empty() && (paths.size() != numbers.size() || !inputs.empty()))
    throw Error(ErrorKind::usage,
                text("--weights {}: names networks on {} of {} lines", one_line(weights), paths.size(),
                     numbers.size()),
                "name them on every line and nowhere else, or on none");
  if (!paths.empty()) inputs = paths;
  if (numbers.size() != inputs.size())
    throw Error(ErrorKind::usage, text("--weights {}: {} numbers for {} networks", one_line(weights),
                                       numbers.size(), inputs.size()));
}

int Merge::by_config() const {
  if (!inputs.empty() || !base.empty() || !weights.empty())
    throw Error(ErrorKind::usage, "--config: the configuration names the networks",
                "give no files, no --base and no --weights");
  MergeConfigOptions options = config;
  options.network = network;
  options.align = align;
  options.repair = repair;
  const ConfiguredResult result = merge_by_config(globals, options, settings, output);
  merge::Choices c;
  c.method = result.method;
  say(c, result.networks, result.report, result.recipe, result.repaired);
  return 0;
}

int Merge::run() {
  start_ = std::chrono::steady_clock::now();
  if (json && output.out == "-")
    throw Error(ErrorKind::usage, "--json and -o -: stdout cannot be both", "give -o the name of a file");
  output.require();
  if (!config.file.empty()) return by_config();
  if (!config.roots.empty() || !config.stages.empty())
    throw Error(ErrorKind::usage, "--model-root and --intermediate-dir are for --config");
  const merge::Choices c = choices(settings);
  std::vector<double> numbers;
  if (!weights.empty()) {
    if (c.method != merge::Method::linear || !settings.weight.empty())
      throw Error(ErrorKind::usage, "--weights is for --method linear, without --weight");
    read_weights(numbers);
  }
  if (inputs.empty()) throw Error(ErrorKind::usage, "merge: no networks given");
  const bool mean =
      c.method == merge::Method::linear && base.empty() && !c.compat && !c.allow_missing && !c.pad_vocab;
  if (!weights.empty() && !mean)
    throw Error(
        ErrorKind::usage,
        "--weights takes networks that are all alike: no --base, --compat, --allow-missing, --pad-vocab");
  if (!repair.data.empty()) repair_ = repair_recipe(repair);
  std::optional<Spooled> in;
  std::vector<MergeSource> all = sources(in);
  const bool many = mean && (!weights.empty() || all.size() > kMost);
  if (align) {
    if (!many) {  // what is wrong with options is said before the long part
      merge::Choices trial = c;
      std::vector<MergeSource> given = all;
      choose(trial, given);
      std::vector<std::string> ignored;
      merge::compose(open(given), trial, ignored);
    }
    copies_.emplace(base.empty() ? all.front() : source(base), settings.seed, output.said_max_memory());
    copies_->make(all);
    align_ = copies_->recipe(all);
  }
  if (!many) return of_all(c, std::move(all));
  if (weights.empty()) {
    numbers = c.weight;
    if (numbers.size() <= 1) numbers.assign(all.size(), numbers.empty() ? 1.0 : numbers.front());
  }
  return of_many(c, std::move(all), std::move(numbers));
}

// One of them may be stdin, whose file goes with `in`.
std::vector<MergeSource> Merge::sources(std::optional<Spooled>& in) const {
  if (std::ranges::count(inputs, "-") + (weights == "-") > 1)
    throw Error(ErrorKind::usage, "merge: stdin is named twice");
  std::vector<MergeSource> all;
  for (const std::string& name : inputs) {
    all.push_back(source(name));
    if (name != "-") continue;
    in.emplace(Spooled::input());
    all.back().given.path = all.back().read.path = in->path();
  }
  return all;
}

// Sets models and base, which stands behind the sources where it is none of them.
void Merge::choose(merge::Choices& c, std::vector<MergeSource>& sources) const {
  const size_t count = sources.size();
  if (!base.empty()) {
    for (size_t i = 0; i < count && !c.base; ++i)
      if (same_file(base, sources[i].given.path)) c.base = static_cast<int>(i);
    if (!c.base) {
      c.base = static_cast<int>(count);
      sources.push_back(source(base));
    }
  }
  // The base is no model of itself; slerp goes from it.
  const merge::MethodTraits& t = merge::traits(c.method);
  const bool apart = t.takes_base || c.method == merge::Method::slerp;
  for (size_t i = 0; i < count; ++i)
    if (!(apart && c.base == static_cast<int>(i))) c.models.push_back(static_cast<int>(i));
  if (c.method == merge::Method::slerp && c.base) c.models.insert(c.models.begin(), *c.base);
  for (auto* numbers : {&c.weight, &c.density, &c.gamma, &c.epsilon})
    if (c.base && numbers->size() == count && numbers->size() == c.models.size() + 1)
      numbers->erase(numbers->begin() + *c.base);
  if (t.needs_base && !c.base)
    throw Error(ErrorKind::usage, text("method {} needs --base, the network that the others come from",
                                       merge::method_name(c.method)));
  const auto models = static_cast<int>(c.models.size());
  if (models < t.least || (t.most > 0 && models > t.most))
    throw Error(ErrorKind::usage, text("method {} takes {} networks{}, got {}", merge::method_name(c.method),
                                       t.most == t.least ? text("{}", t.least) : text("at least {}", t.least),
                                       t.takes_base ? " besides the base" : "", models));
}

Json Merge::made_of(const merge::Choices& c, Json hashes) const {
  Json made = Json::object();
  made.set("command", globals.command_line);
  made.set("version", version());
  made.set("inputs", std::move(hashes));
  const Json parameters = settings_json(c);
  for (const auto& [key, value] : parameters.as_object()) made.set(key, value);
  if (!base.empty()) made.set("base", base);
  if (!align_.is_null()) made.set("align", align_);
  if (!repair_.is_null()) made.set("repair", repair_);
  return made;
}

int Merge::of_all(merge::Choices c, std::vector<MergeSource> sources) const {
  choose(c, sources);
  const std::vector<merge::Input> opened = open(sources);
  std::vector<std::string> warnings;
  for (const merge::Input& input : opened)
    for (const std::string& warning : input.warnings()) warnings.push_back(warning);
  merge::Plan plan = merge::compose(opened, c, warnings);
  for (const std::string& warning : warnings) log_warn(warning);
  Json hashes = Json::object();
  for (size_t i = 0; i < sources.size(); ++i) hashes.set(sources[i].name, fingerprint(sources[i], opened[i]));
  const Json recipe = made_of(c, std::move(hashes));
  MergeOutput to = output;
  std::optional<MergeRepair> repairing;
  if (!repair.data.empty())
    to.repair = &repairing.emplace(repair, network, files_read(sources), shares_of(plan));
  const merge::ExecuteReport report = write_merged(plan, opened, merge::pattern(opened, c), to, recipe);
  say(c, c.models.size(), report, recipe, repairing ? repairing->done() : Json());
  return 0;
}

int Merge::of_many(merge::Choices c, std::vector<MergeSource> sources, std::vector<double> numbers) const {
  if (c.parameters.normalize) {
    double sum = 0;
    for (const double w : numbers) sum += w;
    if (!(std::abs(sum) > 0))
      throw Error(ErrorKind::usage, "the weights' sum is 0, by which nothing can be divided",
                  "--no-normalize leaves the sum as it is");
    for (double& w : numbers) w /= sum;
  }
  std::vector<merge::InputFile> given, files;
  for (const MergeSource& source : sources) {
    given.push_back(source.given.input());
    files.push_back(source.read.input());
  }
  const std::string hash = merge::check_alike(given);
  const std::vector<merge::Input> first{merge::Input::open(files.front())};
  merge::Choices one = c;
  one.models = {0};
  one.weight = {1};
  std::vector<std::string> warnings;
  merge::Plan plan = merge::compose(first, one, warnings);
  if (!merge::all_equal(plan, files))
    log_warn(text("tensors that are no floating numbers differ: those of {} are kept",
                  one_line(sources.front().name)));
  c.weight.clear();
  Json recipe = made_of(c, Json::object({{"networks", static_cast<int64_t>(files.size())}, {"hash", hash}}));
  const std::string weights_hash = hash_bytes(std::as_bytes(std::span(numbers)));
  recipe.set("weights_hash", weights_hash);
  MergeOutput to = output;
  std::optional<MergeRepair> repairing;
  if (!repair.data.empty())
    to.repair =
        &repairing.emplace(repair, network, files_read(sources), [&numbers](const std::string& tensor) {
          std::vector<RepairShare> shares;
          for (size_t k = 0; k < numbers.size(); ++k) shares.push_back({k, tensor, numbers[k]});
          return shares;
        });
  merge::AverageOptions options;
  options.max_memory = parse_bytes(output.max_memory, "--max-memory");
  options.allow_nonfinite = output.allow_nonfinite;
  const std::string identity =
      hash + " " + weights_hash + (align_.is_null() ? "" : " " + align_.at("hash").as_string("align"));
  const merge::ExecuteReport report =
      write_merged(plan, first.front(), to, recipe, identity, [&](merge::Writer& writer, size_t made) {
        options.first = made;
        return merge::average(plan, files, numbers, options, writer);
      });
  say(c, files.size(), report, recipe, repairing ? repairing->done() : Json());
  return 0;
}

void Merge::say(const merge::Choices& c, size_t networks, const merge::ExecuteReport& report,
                const Json& recipe, const Json& repaired) const {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  if (report.nonfinite > 0) log_warn(text("{} tensors have inputs with NaN or infinity", report.nonfinite));
  if (report.overflowed > 0)
    log_warn(text("{}: {} numbers are too large for their type and became infinite", one_line(output.out),
                  report.overflowed));
  const auto bytes = static_cast<double>(report.bytes_read + report.bytes_written);
  const double rate = seconds > 0 ? bytes / seconds / 1e9 : 0;
  if (!json) {
    log_info(text("{}: {} of {} networks, {} tensors, {:.1f} MB, {:.2f} s, {:.2f} GB/s read and written",
                  one_line(output.out), merge::method_name(c.method), networks, report.tensors,
                  static_cast<double>(report.bytes_written) / 1e6, seconds, rate));
    return;
  }
  Json line = Json::object();
  line.set("schema", "dws.merge/1");
  line.set("output", output.out);
  line.set("method", merge::method_name(c.method));
  line.set("networks", static_cast<int64_t>(networks));
  line.set("tensors", report.tensors);
  line.set("elements", report.elements);
  line.set("bytes_read", report.bytes_read);
  line.set("bytes_written", report.bytes_written);
  line.set("seconds", seconds);
  line.set("gb_per_second", rate);
  if (!repaired.is_null()) line.set("repair", repaired);
  line.set("recipe", recipe);
  print(line.dump());
}

}  // namespace

void register_merge(Options& app, const Globals& globals, Run& run) {
  auto command = std::make_shared<Merge>(globals);
  Options* verb = app.add_subcommand("merge", "combine networks: means, spheres, deltas from a base");
  verb->footer(
      "Networks of any size: memory stays under --max-memory, and a run that was cut goes on with --resume.\n"
      "Example:\n  dws merge a.safetensors b.safetensors -o m.safetensors --weight 0.3,0.7\n"
      "  dws merge --method ties --base base tuned1 tuned2 -o merged --density 0.2\n"
      "  dws merge --config merge.yml -o merged\n"
      "  dws merge --weights samples.txt clients/*.onnx -o mean.onnx\n"
      "  dws align a.onnx b.onnx -o - | dws merge a.onnx - -o m.onnx");
  Merge& m = *command;
  verb->add_option("FILE", m.inputs, "networks: .onnx, .safetensors, folders of shards; - is one from stdin");
  verb->add_option("-o,--output", m.output.out,
                   "NAME.onnx, NAME.safetensors, a folder for shards, or - for stdout")
      ->required();
  verb->add_option("--base", m.base,
                   "the network that the others come from; its order, files and graph are kept");
  verb->add_option(
      "--weights", m.weights,
      "FILE or -: a weight a line, one each network, or lines PATH WEIGHT; any number of networks");
  add_merge_settings(*verb, m.settings);
  verb->add_option("--config", m.config.file,
                   "FILE.yml or -: networks and method as mergekit's configurations say them");
  verb->add_option(
      "--model-root", m.config.roots,
      "folder in which networks lie that a configuration names by no path (ORG/NAME); may be repeated");
  verb->add_option("--max-memory", m.output.max_memory, "bytes of memory, mapped files included")
      ->capture_default_str();
  verb->add_option("--shard-size", m.output.shard_size,
                   "bytes a shard of the output [as the base's, or 5GB]");
  verb->add_flag("--allow-nonfinite", m.output.allow_nonfinite, "merge NaN and infinity as they are");
  verb->add_flag("--resume", m.output.resume, "go on where a run of the same command was cut");
  verb->add_flag("--force", m.output.force, "overwrite the output");
  verb->add_flag("--json", m.json, "summary as JSON");
  verb->add_option("--intermediate-dir", m.config.stages,
                   "folder for what the first documents of a configuration make, kept for later runs");
  verb->add_flag(
      "--align", m.align,
      "first move every network into the basis of the first, or of --base (dws align); copies lie in the "
      "temporary folder meanwhile, and two networks in memory");
  add_sample_options(*verb, m.repair, "--repair");
  verb->get_option("--repair")
      ->description(
          "data on which the merged network's statistics are set right: running statistics of BatchNorm, or "
          "(REPAIR) means and "
          "deviations of each hidden layer's channels, which become the weighted means of the networks'; IDX "
          "or CIFAR-10 "
          "images or a safetensors file, may be repeated");
  add_network_options(*verb, m.network);
  verb->callback([command, &run] { run = [command] { return command->run(); }; });
}

}  // namespace dws::tools
