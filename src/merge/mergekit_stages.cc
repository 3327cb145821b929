#include "merge/mergekit_stages.h"

#include <algorithm>
#include <functional>
#include <map>

#include "core/error.h"
#include "core/text.h"

namespace dws::merge {
namespace {

// Calls f with every network whose numbers the configuration takes.
void for_networks(MergeConfig& config, const std::function<void(ModelName&)>& f) {
  if (config.base) f(*config.base);
  for (ConfigModule& module : config.modules)
    for (ConfigSlice& slice : module.slices) {
      if (slice.base) f(*slice.base);
      for (ConfigSource& source : slice.sources) f(source.model);
    }
}

// ... and with that whose tokenizer it takes.
void for_models(MergeConfig& config, const std::function<void(ModelName&)>& f) {
  for_networks(config, f);
  if (config.tokenizer == Tokenizer::model) f(config.tokenizer_model);
}

bool is_file_name(const std::string& name) {
  return !name.starts_with('.') && name.find_first_of("/\\") == name.npos;
}

std::map<std::string, size_t> by_name(const std::vector<MergeConfig>& stages) {
  std::map<std::string, size_t> names;
  const auto fail = [](const MergeConfig& stage, const std::string& what, const std::string& advice) {
    throw Error(ErrorKind::bad_schema, text("{}: {}", stage.file, what), advice);
  };
  for (size_t i = 0; i < stages.size(); ++i) {
    const std::string& name = stages[i].name;
    if (!name.empty() && !is_file_name(name))
      fail(stages[i], text("name '{}': expected the name of a folder", escaped(name)), "");
    if (!names.emplace(name, i).second && name.empty())
      fail(stages[i], "two documents without a name", "one may be without, which is what -o becomes");
    if (names.at(name) != i) fail(stages[i], text("two documents of the name '{}'", escaped(name)), "");
  }
  return names;
}

}  // namespace

std::vector<size_t> stage_order(const std::vector<MergeConfig>& stages) {
  const std::map<std::string, size_t> names = by_name(stages);
  std::vector<std::vector<size_t>> needs(stages.size());
  for (size_t i = 0; i < stages.size(); ++i) {
    MergeConfig copy = stages[i];
    for_models(copy, [&](ModelName& model) {
      if (const auto at = names.find(model.path); at != names.end()) needs[i].push_back(at->second);
    });
  }
  std::vector<size_t> order;
  const auto made = [&](size_t i) { return std::ranges::count(order, i) > 0; };
  const auto ready = [&](size_t i) { return !made(i) && std::ranges::all_of(needs[i], made); };
  const auto last = names.find("");
  while (order.size() < stages.size()) {
    size_t next = 0;
    const auto waits = [&](size_t i) {
      return last != names.end() && i == last->second && order.size() + 1 < stages.size();
    };
    while (next < stages.size() && (!ready(next) || waits(next))) ++next;
    if (next == stages.size()) {
      size_t stuck = 0;
      while (made(stuck)) ++stuck;
      throw Error(ErrorKind::bad_schema, text("{}: the document '{}' needs what is made of it",
                                              stages[stuck].file, escaped(stages[stuck].name)));
    }
    order.push_back(next);
  }
  return order;
}

std::vector<ModelName> networks_of(const MergeConfig& config, const std::vector<MergeConfig>& stages) {
  const std::map<std::string, size_t> names = by_name(stages);
  std::vector<ModelName> found;
  MergeConfig copy = config;
  for_networks(copy, [&](ModelName& model) {
    if (!names.contains(model.path)) found.push_back(model);
  });
  return found;
}

ModelName reference_of(const std::vector<MergeConfig>& stages, const std::vector<size_t>& order) {
  const std::map<std::string, size_t> names = by_name(stages);
  for (const size_t i : order)
    if (stages[i].base && !names.contains(stages[i].base->path)) return *stages[i].base;
  for (const size_t i : order)
    if (const std::vector<ModelName> networks = networks_of(stages[i], stages); !networks.empty())
      return networks.front();
  return {};
}

void name_stages(std::vector<MergeConfig>& stages, const std::string& folder) {
  const std::map<std::string, size_t> names = by_name(stages);
  for (MergeConfig& stage : stages)
    for_models(stage, [&](ModelName& model) {
      if (!model.path.empty() && names.contains(model.path)) model.path = folder + "/" + model.path;
    });
}

}  // namespace dws::merge
