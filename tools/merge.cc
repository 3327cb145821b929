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
#include "merge_settings.h"
#include "network_input.h"
#include "repair.h"
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
  std::vector<std::string> unaligned;  // the files of `inputs`, those from stdin too
  MergeSettings settings;
  MergeOutput output;
  NetworkOptions source;
  MergeConfigOptions config;
  DataOptions repair;  // where its data is not empty
  bool align = false, json = false;

  int run();
  int by_config() const;
  void read_weights(std::vector<double>& numbers);
  int of_all(merge::Choices choices, const std::vector<std::string>& files);
  int of_many(merge::Choices choices, const std::vector<std::string>& files, std::vector<double> numbers);
  // Writes with `write`; with --repair first to a file in the temporary folder, which is then repaired.
  template <class Write>
  merge::ExecuteReport write_whole(const MergeOutput& given, const std::vector<std::string>& from,
                                   const std::vector<double>& parts, const Write& write) const;
  std::vector<merge::Input> open(merge::Choices& choices, const std::vector<std::string>& files) const;
  Json made_of(const merge::Choices& choices, Json hashes) const;
  void say(const merge::Choices& choices, size_t networks, const merge::ExecuteReport& report, double seconds,
           const Json& recipe) const;
  merge::InputOptions input_options() const {
    return {.external = external_data(source), .follow_links = source.follow_symlinks};
  }
};

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
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
  const auto start = std::chrono::steady_clock::now();
  if (!inputs.empty() || !base.empty() || !weights.empty())
    throw Error(ErrorKind::usage, "--config: the configuration names the networks",
                "give no files, no --base and no --weights");
  if (align || !repair.data.empty())
    throw Error(ErrorKind::usage, "--align and --repair are not for --config",
                "align the networks first: dws align A B -o B_ALIGNED");
  MergeConfigOptions options = config;
  options.follow_links = source.follow_symlinks;
  const ConfiguredResult result = merge_by_config(globals, options, settings, output);
  merge::Choices c;
  c.method = result.method;
  say(c, result.networks, result.report, since(start), result.recipe);
  return 0;
}

int Merge::run() {
  if (json && output.out == "-")
    throw Error(ErrorKind::usage, "--json and -o -: stdout cannot be both", "give -o the name of a file");
  if (!config.file.empty()) return by_config();
  if (!config.roots.empty() || !config.stages.empty())
    throw Error(ErrorKind::usage, "--model-root and --intermediate-dir are for --config");
  merge::Choices c = choices(settings);
  std::vector<double> numbers;
  if (!weights.empty()) {
    if (c.method != merge::Method::linear || !settings.weight.empty())
      throw Error(ErrorKind::usage, "--weights is for --method linear, without --weight");
    read_weights(numbers);
  }
  if (inputs.empty()) throw Error(ErrorKind::usage, "merge: no networks given");
  if (output.out != "-" && (is_onnx(output.out) || output.out.ends_with(".safetensors")))
    require_writable(output.out, output.force);
  if (!repair.data.empty() && output.out != "-" && !is_onnx(output.out) &&
      !output.out.ends_with(".safetensors"))
    throw Error(ErrorKind::usage, text("--repair writes one file, not {}", one_line(output.out)),
                "name it NAME.safetensors or NAME.onnx");
  if (!repair.data.empty() && output.resume)
    throw Error(ErrorKind::usage, "--repair begins anew: not with --resume");
  std::vector<std::string> files = inputs;
  std::optional<Spooled> spooled;
  if (std::ranges::count(files, "-") + (weights == "-") > 1)
    throw Error(ErrorKind::usage, "merge: stdin is named twice");
  for (std::string& file : files)
    if (file == "-") {
      spooled.emplace(Spooled::input());
      file = spooled->path();
    }
  unaligned = files;
  std::vector<Spooled> aligned;
  if (align) align_all(base.empty() ? files.front() : base, files, source, settings.seed, aligned);
  const bool mean =
      c.method == merge::Method::linear && base.empty() && !c.compat && !c.allow_missing && !c.pad_vocab;
  if (mean && (!weights.empty() || files.size() > kMost)) {
    if (weights.empty()) {
      numbers = c.weight;
      if (numbers.size() <= 1) numbers.assign(files.size(), numbers.empty() ? 1.0 : numbers.front());
    }
    return of_many(c, files, numbers);
  }
  if (!weights.empty())
    throw Error(
        ErrorKind::usage,
        "--weights takes networks that are all alike: no --base, --compat, --allow-missing, --pad-vocab");
  return of_all(c, files);
}

// All networks, and the base behind them where it is none of them; sets models and base.
std::vector<merge::Input> Merge::open(merge::Choices& c, const std::vector<std::string>& files) const {
  std::vector<merge::Input> opened;
  for (const std::string& file : files) opened.push_back(merge::Input::open(file, input_options()));
  if (!base.empty()) {
    for (size_t i = 0; i < files.size() && !c.base; ++i)
      if (same_file(base, files[i])) c.base = static_cast<int>(i);
    if (!c.base) {
      c.base = static_cast<int>(opened.size());
      opened.push_back(merge::Input::open(base, input_options()));
    }
  }
  // The base is no model of itself; slerp goes from it.
  const bool apart = merge::traits(c.method).takes_base || c.method == merge::Method::slerp;
  for (size_t i = 0; i < files.size(); ++i)
    if (!(apart && c.base == static_cast<int>(i))) c.models.push_back(static_cast<int>(i));
  if (c.method == merge::Method::slerp && c.base) c.models.insert(c.models.begin(), *c.base);
  const auto without_base = [&](std::vector<double>& numbers) {
    if (c.base && numbers.size() == files.size() && numbers.size() == c.models.size() + 1)
      numbers.erase(numbers.begin() + *c.base);
  };
  for (auto* numbers : {&c.weight, &c.density, &c.gamma, &c.epsilon}) without_base(*numbers);
  if (merge::traits(c.method).needs_base && !c.base)
    throw Error(ErrorKind::usage, text("method {} needs --base, the network that the others come from",
                                       merge::method_name(c.method)));
  const merge::MethodTraits& t = merge::traits(c.method);
  const auto count = static_cast<int>(c.models.size());
  if (count < t.least || (t.most > 0 && count > t.most))
    throw Error(ErrorKind::usage, text("method {} takes {} networks{}, got {}", merge::method_name(c.method),
                                       t.most == t.least ? text("{}", t.least) : text("at least {}", t.least),
                                       t.takes_base ? " besides the base" : "", count));
  for (const merge::Input& input : opened)
    for (const std::string& warning : input.warnings()) log_warn(warning);
  return opened;
}

Json Merge::made_of(const merge::Choices& c, Json hashes) const {
  Json made = Json::object();
  made.set("command", globals.command_line);
  made.set("version", version());
  made.set("inputs", std::move(hashes));
  const Json parameters = settings_json(c);
  for (const auto& [key, value] : parameters.as_object()) made.set(key, value);
  if (!base.empty()) made.set("base", base);
  if (align) made.set("align", Json::object({{"method", "weights"}, {"seed", settings.seed}}));
  if (!repair.data.empty()) {
    Json data = Json::array();
    for (const std::string& file : repair.data) data.push_back(file);
    made.set("repair", Json::object({{"data", std::move(data)}, {"limit", repair.limit}}));
  }
  return made;
}

template <class Write>
merge::ExecuteReport Merge::write_whole(const MergeOutput& given, const std::vector<std::string>& from,
                                        const std::vector<double>& parts, const Write& write) const {
  if (repair.data.empty()) return write(given);
  const char* ending =
      is_onnx(given.out) || (given.out == "-" && is_onnx(from.front())) ? ".onnx" : ".safetensors";
  const Spooled between = Spooled::output(ending);
  MergeOutput first = given;
  first.out = between.path();
  first.resume = false;
  const merge::ExecuteReport report = write(first);
  if (given.out == "-") {
    const Spooled last = Spooled::output(ending);
    repair_merged(between.path(), from, parts, source, repair, last.path(), false);
    last.send();
  } else {
    repair_merged(between.path(), from, parts, source, repair, given.out, given.force);
  }
  return report;
}

int Merge::of_all(merge::Choices c, const std::vector<std::string>& files) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<merge::Input> opened = open(c, files);
  std::vector<std::string> warnings;
  merge::Plan plan = merge::compose(opened, c, warnings);
  for (const std::string& warning : warnings) log_warn(warning);
  Json hashes = Json::object();
  for (size_t i = 0; i < opened.size(); ++i)
    hashes.set(i < inputs.size() ? inputs[i] : base,
               align && i < files.size() && files[i] != unaligned[i]
                   ? merge::Input::open(unaligned[i], input_options()).fingerprint()
                   : opened[i].fingerprint());
  const Json recipe = made_of(c, std::move(hashes));
  std::vector<std::string> from;
  for (const int i : c.models)
    from.push_back(i < static_cast<int>(files.size()) ? files[static_cast<size_t>(i)] : base);
  const bool weighted = c.method == merge::Method::linear && c.weight.size() == from.size();
  const merge::ExecuteReport report = write_whole(
      output, from, weighted ? c.weight : std::vector<double>(from.size(), 1.0), [&](const MergeOutput& to) {
        return write_merged(plan, opened, merge::pattern(opened, c), to, recipe);
      });
  say(c, c.models.size(), report, since(start), recipe);
  return 0;
}

int Merge::of_many(merge::Choices c, const std::vector<std::string>& files, std::vector<double> numbers) {
  const auto start = std::chrono::steady_clock::now();
  if (c.parameters.normalize) {
    double sum = 0;
    for (const double w : numbers) sum += w;
    if (!(std::abs(sum) > 0))
      throw Error(ErrorKind::usage, "the weights' sum is 0, by which nothing can be divided",
                  "--no-normalize leaves the sum as it is");
    for (double& w : numbers) w /= sum;
  }
  merge::AverageOptions options;
  options.max_memory = parse_bytes(output.max_memory, "--max-memory");
  options.allow_nonfinite = output.allow_nonfinite;
  options.input = input_options();
  const std::string hash = merge::check_alike(files, options);
  const std::vector<merge::Input> first{merge::Input::open(files.front(), options.input)};
  merge::Choices one = c;
  one.models = {0};
  one.weight = {1};
  std::vector<std::string> warnings;
  merge::Plan plan = merge::compose(first, one, warnings);
  if (!merge::all_equal(plan, files, options))
    log_warn(
        text("tensors that are no floating numbers differ: those of {} are kept", one_line(files.front())));
  c.weight.clear();
  Json recipe = made_of(c, Json::object({{"networks", static_cast<int64_t>(files.size())}, {"hash", hash}}));
  const std::string weights_hash = hash_bytes(std::as_bytes(std::span(numbers)));
  recipe.set("weights_hash", weights_hash);
  const merge::ExecuteReport report = write_whole(output, files, numbers, [&](const MergeOutput& to) {
    return write_merged(plan, first.front(), to, recipe, hash + " " + weights_hash,
                        [&](merge::Writer& writer, size_t made) {
                          options.first = made;
                          return merge::average(plan, files, numbers, options, writer);
                        });
  });
  say(c, files.size(), report, since(start), recipe);
  return 0;
}

void Merge::say(const merge::Choices& c, size_t networks, const merge::ExecuteReport& report, double seconds,
                const Json& recipe) const {
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
  add_network_options(*verb, m.source);
  verb->callback([command, &run] { run = [command] { return command->run(); }; });
}

}  // namespace dws::tools
