#include "align_universe.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>

#include "acted.h"
#include "align/universe.h"
#include "align_network.h"
#include "core/atomic_folder.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/text.h"
#include "output.h"
#include "symmetry/verify.h"

namespace dws::tools {
namespace {

using symmetry::NetworkElement;
using symmetry::Spec;

// The names in the new folder: the files' own.
std::vector<std::string> names_of(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const std::string& path : paths) {
    std::filesystem::path p(path);
    if (!p.has_filename()) p = p.parent_path();  // "shards/"
    names.push_back(p.filename().string());
    if (!seen.insert(names.back()).second)
      throw Error(ErrorKind::usage, text("--universe: two networks are named {}", one_line(names.back())),
                  "each keeps its name in the new folder");
  }
  return names;
}

// sum over pairs of <A, B>, by the sum over pairs of |A| |B|.
double mean_cosine(const align::Population& p, const std::vector<NetworkElement>& g) {
  double sum = 0, squares = 0;
  for (size_t x = 0; x < g.size(); ++x) {
    const align::Numbers moved = align::act(p.spec, g[x], p.networks[x]);
    const double square = align::inner_product(p.scored, moved, moved);
    sum += std::sqrt(square);
    squares += square;
  }
  const double norms = (sum * sum - squares) / 2;
  return norms > 0 ? p.objective(g) / norms : 0;
}

void require_room(const Spec& spec, const std::vector<bool>& scored, size_t networks) {
  const int64_t needed = align::universe_memory(spec, scored, static_cast<int64_t>(networks));
  const std::optional<uint64_t> there = available_memory();
  log_info(
      text("--universe: {} networks take {:.1f} MB of memory", networks, static_cast<double>(needed) * 1e-6));
  if (there && static_cast<uint64_t>(needed) > *there)
    throw Error(ErrorKind::resource_limit,
                text("--universe: {} networks take {:.1f} GB of memory, and {:.1f} GB are left", networks,
                     static_cast<double>(needed) * 1e-9, static_cast<double>(*there) * 1e-9),
                "give fewer, or align each to the first one: dws align A B");
}

double moved_share(const Spec& spec, const NetworkElement& g) {
  int64_t items = 0, moved = 0;
  for (size_t n = 0; n < spec.groups.size(); ++n) {
    if (spec.groups[n].fixed) continue;
    items += static_cast<int64_t>(g[n].order.size());
    moved += align::items_moved(spec.groups[n], g[n]);
  }
  return items > 0 ? static_cast<double>(moved) / static_cast<double>(items) : 0;
}

}  // namespace

int AlignUniverse::run(const Globals& globals) const {
  if (inputs.size() < 2)
    throw Error(ErrorKind::usage,
                text("align --universe: expected two networks at least, got {}", inputs.size()));
  const std::vector<std::string> names = names_of(inputs);
  AtomicFolder folder(out);
  std::unique_ptr<AtomicFolder> elements;
  if (!emit.empty()) {
    require_other_file(emit, out, "--emit");
    elements = std::make_unique<AtomicFolder>(emit);
  }
  align::UniverseOptions how;
  how.method = method == "frank-wolfe" ? align::UniverseMethod::c2m3 : align::UniverseMethod::mergemany;
  how.match = options;
  how.match.kinds = parse_groups(groups.empty() ? "perm,sign,scale,phase" : groups);

  std::vector<NetworkInput> networks;
  for (const std::string& path : inputs) {
    networks.push_back(read_network(path, options_for(path, inputs.front(), network)));
    if (networks.size() > 1) require_same_architecture(networks.front(), networks.back());
  }
  const Spec spec = spec_of(spec_file, networks.front());
  align::Population population{
      .spec = spec, .scored = align::scored_tensors(spec, networks.front().network), .networks = {}};
  require_room(spec, population.scored, networks.size());
  for (const NetworkInput& input : networks)
    population.networks.push_back(align::read_numbers(spec, input.network));

  const auto start = std::chrono::steady_clock::now();
  const align::UniverseMatch match = align::match_universe(population, how);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double before =
      mean_cosine(population, std::vector<NetworkElement>(inputs.size(), symmetry::identity_element(spec)));
  const double after = mean_cosine(population, match.elements);
  if (!match.fixed) log_warn(text("--universe: networks still moved after {} rounds", how.max_rounds));

  const Json made = recipe(globals, inputs);
  double difference = 0;
  bool same = true;
  Json rows = Json::array();
  for (size_t x = 0; x < networks.size(); ++x) {
    Spec own = spec;
    find_tensors(own, inputs[x], networks[x].network);
    if (verify) {
      const double here =
          difference_of(networks[x], symmetry::replaced(networks[x].network, own, match.elements[x]),
                        parse_inputs(network), options.seed);
      difference = std::max(difference, here);
      same = same && here <= tolerance_of(own, match.elements[x], networks[x].network);
    }
    write_changed(networks[x], folder.file(names[x]), acted(own, match.elements[x], networks[x].network),
                  false);
    if (elements) {
      Json element = symmetry::to_json(own, match.elements[x]);
      element.set("recipe", made);
      write_text(elements->file(names[x] + ".json"), element.dump() + "\n", false);
    }
    rows.push_back(Json::object({{"file", inputs[x]},
                                 {"output", same ? Json(out + "/" + names[x]) : Json()},
                                 {"moved", moved_share(spec, match.elements[x])}}));
  }
  if (same) {
    folder.commit();
    if (elements) elements->commit();
  }

  const char* word = how.method == align::UniverseMethod::c2m3 ? "c2m3" : "mergemany";
  if (json) {
    Json line = Json::object();
    line.set("schema", "dws.align/1");
    line.set("output", same ? Json(out) : Json());
    line.set("method", method);
    line.set("universe", word);
    Json objective = Json::array();
    for (const double value : match.objective) objective.push_back(value);
    line.set("objective", std::move(objective));
    line.set("steps", match.steps);
    line.set("fixed_point", match.fixed);
    line.set("cosine_before", before);
    line.set("cosine_after", after);
    line.set("networks", std::move(rows));
    line.set("seconds", seconds);
    line.set("verified", verify ? Json(same) : Json());
    if (verify) line.set("difference", difference);
    line.set("recipe", made);
    print(line.dump());
  } else {
    print(text("{}: {} networks by {}, mean cosine of two {:.4f} before, {:.4f} after; {} rounds, {:.2f} s{}",
               one_line(out), networks.size(), word, before, after, match.objective.size() - 1, seconds,
               !verify ? std::string()
                       : text("; largest relative difference {:.2g}: {}", difference,
                              same ? "the same functions" : "NOT the same functions, not written")));
  }
  return same ? 0 : 1;
}

}  // namespace dws::tools
