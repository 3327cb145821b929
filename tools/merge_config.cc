#include "merge_config.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/text.h"
#include "core/version.h"
#include "merge/mergekit.h"
#include "merge/mergekit_files.h"
#include "merge/mergekit_plan.h"
#include "merge/mergekit_stages.h"
#include "merge_align.h"
#include "merge_repair.h"
#include "merge_source.h"
#include "spooled.h"

namespace dws::tools {
namespace {

// What the configuration says must not be said twice.
void refuse_settings(const MergeSettings& s) {
  const std::pair<const char*, bool> given[] = {
      {"--method", s.method != MergeSettings{}.method},
      {"--weight", !s.weight.empty()},
      {"--density", !s.density.empty()},
      {"--gamma", !s.gamma.empty()},
      {"--epsilon", !s.epsilon.empty()},
      {"--over", !s.over.empty()},
      {"--t", s.t.has_value()},
      {"--lambda", s.lambda.has_value()},
      {"--select-topk", s.select_topk.has_value()},
      {"--scale", s.scale.has_value()},
      {"--tolerance", s.tolerance.has_value()},
      {"--max-iterations", s.max_iterations.has_value()},
      {"--ram-epsilon", s.ram_epsilon.has_value()},
      {"--ram-r", s.ram_r.has_value()},
      {"--ram-alpha", s.ram_alpha.has_value()},
      {"--normalize", s.normalize},
      {"--no-normalize", s.no_normalize},
  };
  for (const auto& [option, is] : given)
    if (is)
      throw Error(ErrorKind::usage, text("{} and --config: the configuration says it", option),
                  "change the file, or merge without --config");
}

merge::ConfigOptions config_options(const MergeConfigOptions& options, const MergeSettings& settings) {
  const merge::Choices given = [&] {
    MergeSettings rest;
    rest.dtype = settings.dtype;
    rest.compat = settings.compat;
    return choices(rest);
  }();
  merge::ConfigOptions c;
  c.follow_links = options.network.follow_symlinks;
  c.allow_missing = settings.allow_missing;
  c.pad_vocab = settings.pad_vocab;
  c.compat = given.compat;
  c.seed = settings.seed;
  c.dtype = given.dtype;
  if (!settings.rescale.empty()) c.rescale = parse_rescale(settings.rescale);
  return c;
}

std::optional<Dtype> written_dtype(const merge::MergeConfig& config, const merge::ConfigOptions& options) {
  if (options.dtype) return options.dtype;
  return config.out_dtype ? config.out_dtype : config.dtype;
}

// What is the same for all documents.
struct Job {
  const Globals& globals;
  const MergeConfigOptions& options;
  const MergeSettings& settings;
  std::string_view yaml;
  merge::ModelFinder finder;
  std::vector<merge::MergeConfig> stages;
  std::vector<MergeSource> networks;     // of all documents that are to be made, where they are aligned
  std::optional<AlignedCopies> aligned;  // which stand in for them

  NetworkOptions network_options(const merge::ModelPath& found) const;
  MergeSource source(const merge::ModelName& model, const std::string& file) const;
  std::vector<MergeSource> named_by(const merge::MergeConfig& config) const;
  void require_same_basis(const std::string& stage) const;
  // `repair_made`: what the recipe says of it; null for a document whose result is not repaired.
  ConfiguredResult make(size_t stage, const MergeOutput& given, const Json& repair_made) const;
};

// A cache of downloads is made of links.
NetworkOptions Job::network_options(const merge::ModelPath& found) const {
  NetworkOptions network = options.network;
  network.follow_symlinks |= found.follow_links;
  return network;
}

MergeSource Job::source(const merge::ModelName& model, const std::string& file) const {
  const merge::ModelPath found = finder.find(model, file);
  const NetworkFile given{found.path, network_options(found)};
  return {model.path, given, given};
}

std::vector<MergeSource> Job::named_by(const merge::MergeConfig& config) const {
  std::vector<MergeSource> all;
  for (const merge::ModelName& model : merge::networks_of(config, stages))
    all.push_back(source(model, config.file));
  return all;
}

// What an earlier run has made of a stage is in the basis that this run's networks come into.
void Job::require_same_basis(const std::string& stage) const {
  const merge::Input made = merge::Input::open(stage);
  Json was;
  for (const auto& [key, value] : made.metadata())
    if (key == "dws.recipe") {
      const Json recipe = Json::parse(value, one_line(stage));
      if (const Json* align = recipe.find("align")) was = *align;
    }
  const Json is = aligned ? aligned->recipe() : Json();
  bool same = was.is_null() == is.is_null();
  for (const char* key : {"method", "seed", "reference"})
    if (same && !is.is_null()) same = was.find(key) && was.find(key)->dump() == is.find(key)->dump();
  if (!same)
    throw Error(ErrorKind::mismatch,
                text("{}: was made {}, and this run {}", one_line(stage),
                     was.is_null() ? "without --align" : "with --align",
                     is.is_null()    ? "is without"
                     : was.is_null() ? "has it"
                                     : "has another seed or another reference"),
                "remove it, or give --intermediate-dir another folder");
}

ConfiguredResult Job::make(size_t stage, const MergeOutput& given, const Json& repair_made) const {
  const merge::MergeConfig& config = stages[stage];
  merge::ConfigOptions c = config_options(options, settings);
  for (const MergeSource& network : networks)
    if (network.read.path != network.given.path) c.stand_ins[network.given.path] = network.read.path;
  merge::ConfiguredMerge made = merge::plan_config(config, finder, c);

  MergeOutput output = given;
  const bool folder = output.is_folder();
  if (folder && output.shard_size.empty())
    output.shard_size = "5GB";  // the pattern's shards have other tensors
  if (folder)
    output.companions = merge::merged_companions(config, made, written_dtype(config, c), yaml, made.warnings);
  else if (made.restacked || config.chat_template)
    made.warnings.push_back(
        text("{}: one file has no config.json: give -o the name of a folder", one_line(output.out)));
  for (const std::string& warning : made.warnings) log_warn(warning);

  std::vector<MergeSource> sources;
  Json hashes = Json::object();
  for (size_t i = 0; i < made.inputs.size(); ++i) {
    const NetworkOptions network = network_options(made.found[i]);
    sources.push_back({made.names[i], {made.found[i].path, network}, {made.inputs[i].path(), network}});
    hashes.set(made.names[i], fingerprint(sources.back(), made.inputs[i]));
  }
  Json recipe = Json::object();
  recipe.set("command", globals.command_line);
  recipe.set("version", version());
  recipe.set("inputs", std::move(hashes));
  recipe.set("method", merge::method_name(config.method));
  recipe.set("config", yaml);
  if (merge::traits(config.method).random) recipe.set("seed", settings.seed);
  if (c.compat) recipe.set("compat", "mergekit");
  if (aligned) recipe.set("align", aligned->recipe(sources));
  if (!repair_made.is_null()) recipe.set("repair", repair_made);
  std::optional<MergeRepair> repair;
  if (!repair_made.is_null())
    output.repair =
        &repair.emplace(options.repair, options.network, files_read(sources), shares_of(made.plan));
  ConfiguredResult result;
  result.method = config.method;
  result.networks = made.inputs.size();
  result.report =
      write_merged(made.plan, made.inputs, made.inputs[static_cast<size_t>(made.pattern)], output, recipe);
  if (repair) result.repaired = repair->done();
  result.recipe = std::move(recipe);
  return result;
}

}  // namespace

ConfiguredResult merge_by_config(const Globals& globals, const MergeConfigOptions& options,
                                 const MergeSettings& settings, const MergeOutput& output) {
  refuse_settings(settings);
  const std::string name = options.file == "-" ? "stdin" : one_line(options.file);
  std::optional<Spooled> in;
  if (options.file == "-") in.emplace(Spooled::input());
  const MappedFile file(in ? in->path() : options.file);  // of which too large a one is not read
  const std::string_view yaml{reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
  Job job{globals,
          options,
          settings,
          yaml,
          merge::ModelFinder(options.roots),
          merge::read_merge_configs(yaml, name),
          {},
          {}};
  if (job.stages.size() > 1 && options.stages.empty())
    throw Error(ErrorKind::usage, text("{}: {} documents: merges in stages", name, job.stages.size()),
                "say with --intermediate-dir where the results of the first ones go");
  const Json repair_made = options.repair.data.empty() ? Json() : repair_recipe(options.repair);
  if (job.stages.size() == 1) job.stages.front().name.clear();  // nobody calls it by that
  const std::vector<size_t> order = merge::stage_order(job.stages);
  const auto place = [&](size_t stage) { return options.stages + "/" + job.stages[stage].name; };
  std::vector<size_t> to_make;
  std::error_code none;
  for (const size_t stage : order)
    if (stage == order.back() || !std::filesystem::exists(place(stage), none)) to_make.push_back(stage);
  if (options.align)
    job.aligned.emplace(job.source(merge::reference_of(job.stages, order), name), settings.seed,
                        output.said_max_memory());
  for (const size_t stage : order)
    if (std::ranges::count(to_make, stage) == 0) job.require_same_basis(place(stage));
  if (options.align) {
    // What is wrong is said before the long part, where it can be known.
    if (job.stages.size() == 1)
      merge::plan_config(job.stages.front(), job.finder, config_options(options, settings));
    for (const size_t stage : to_make)
      for (MergeSource& one : job.named_by(job.stages[stage])) job.networks.push_back(std::move(one));
    job.aligned->make(job.networks);
  }
  merge::name_stages(job.stages, options.stages);
  for (const size_t stage : order) {
    if (stage == order.back()) break;
    if (std::ranges::count(to_make, stage) == 0) {
      log_info(text("{}: is there already and is kept", one_line(place(stage))));
      continue;
    }
    MergeOutput between = output;
    between.out = place(stage);
    std::filesystem::create_directories(options.stages, none);
    job.make(stage, between, {});
    log_info(text("{}: made", one_line(between.out)));
  }
  return job.make(order.back(), output, repair_made);
}

}  // namespace dws::tools
