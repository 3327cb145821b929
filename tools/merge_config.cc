#include "merge_config.h"

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
  c.follow_links = options.follow_links;
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

  ConfiguredResult make(const merge::MergeConfig& config, const MergeOutput& given) const;
};

ConfiguredResult Job::make(const merge::MergeConfig& config, const MergeOutput& given) const {
  const merge::ConfigOptions c = config_options(options, settings);
  merge::ConfiguredMerge made = merge::plan_config(config, merge::ModelFinder(options.roots), c);

  MergeOutput output = given;
  const bool folder =
      output.out != "-" && !output.out.ends_with(".safetensors") && !output.out.ends_with(".onnx");
  if (folder && output.shard_size.empty())
    output.shard_size = "5GB";  // the pattern's shards have other tensors
  if (folder)
    output.companions = merge::merged_companions(config, made, written_dtype(config, c), yaml, made.warnings);
  else if (made.restacked || config.chat_template)
    made.warnings.push_back(
        text("{}: one file has no config.json: give -o the name of a folder", one_line(output.out)));
  for (const std::string& warning : made.warnings) log_warn(warning);

  Json hashes = Json::object();
  for (size_t i = 0; i < made.inputs.size(); ++i) hashes.set(made.names[i], made.inputs[i].fingerprint());
  Json recipe = Json::object();
  recipe.set("command", globals.command_line);
  recipe.set("version", version());
  recipe.set("inputs", std::move(hashes));
  recipe.set("method", merge::method_name(config.method));
  recipe.set("config", yaml);
  if (merge::traits(config.method).random) recipe.set("seed", settings.seed);
  if (c.compat) recipe.set("compat", "mergekit");
  ConfiguredResult result;
  result.method = config.method;
  result.networks = made.inputs.size();
  result.report =
      write_merged(made.plan, made.inputs, made.inputs[static_cast<size_t>(made.pattern)], output, recipe);
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
  std::vector<merge::MergeConfig> stages = merge::read_merge_configs(yaml, name);
  const Job job{globals, options, settings, yaml};
  if (stages.size() == 1) return job.make(stages.front(), output);

  if (options.stages.empty())
    throw Error(ErrorKind::usage, text("{}: {} documents: merges in stages", name, stages.size()),
                "say with --intermediate-dir where the results of the first ones go");
  const std::vector<size_t> order = merge::stage_order(stages);
  merge::name_stages(stages, options.stages);
  std::error_code none;
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    MergeOutput between = output;
    between.out = options.stages + "/" + stages[order[i]].name;
    if (std::filesystem::exists(between.out, none)) {
      log_info(text("{}: is there already and is kept", one_line(between.out)));
      continue;
    }
    std::filesystem::create_directories(options.stages, none);
    job.make(stages[order[i]], between);
    log_info(text("{}: made", one_line(between.out)));
  }
  return job.make(stages[order.back()], output);
}

}  // namespace dws::tools
