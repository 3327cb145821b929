#include "align_network.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "acted.h"
#include "align/activations.h"
#include "align/match_frank_wolfe.h"
#include "align/streamed.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/shape.h"
#include "core/text.h"
#include "format/safetensors.h"
#include "format/zoo.h"
#include "output.h"
#include "spooled.h"
#include "symmetry/verify.h"
#include "tasknets/network_file.h"

namespace dws::tools {
namespace {

using symmetry::NetworkElement;
using symmetry::Spec;

// How an element is found. To add one, write a line.
struct Method {
  const char* name;
  align::NetworkMatch (*match)(const align::Pair& pair, const align::NetworkMatchOptions& options);
};
align::NetworkMatch by_weights(const align::Pair& pair, const align::NetworkMatchOptions& options) {
  return align::match_networks(pair, options);
}
constexpr Method kMethods[] = {{"weights", by_weights}, {"frank-wolfe", align::match_frank_wolfe}};
constexpr const char* kActivations = "activations";  // needs data besides

align::StoredPair stored_pair(const Spec& spec, const NetworkInput& a, const NetworkInput& b) {
  return {.spec = spec,
          .scored = align::scored_tensors(spec, a.network),
          .a = align::stored_numbers(spec, a.network, releaser(a)),
          .b = align::stored_numbers(spec, b.network, releaser(b))};
}

}  // namespace

NetworkOptions options_for(const std::string& path, const std::string& other, NetworkOptions options) {
  if (is_onnx(path) && !is_onnx(other)) {
    options.graph.clear();
    options.recipe.clear();
    options.activation.clear();
    options.sizes.clear();
  }
  return options;
}

void require_same_architecture(const NetworkInput& a, const NetworkInput& b) {
  std::map<std::string_view, const network::Constant*> in_b;
  for (const network::Constant& c : b.network.constants)
    if (!c.made) in_b.emplace(c.name, &c);
  const auto refuse = [&](const std::string& what, ErrorKind kind) {
    throw Error(kind, what, "align takes two networks of one architecture, with tensors of the same names");
  };
  size_t same = 0;
  for (const network::Constant& c : a.network.constants) {
    if (c.made) continue;
    const auto at = in_b.find(c.name);
    if (at == in_b.end())
      refuse(text("{}: no tensor '{}', which {} has", one_line(b.network.file), escaped(c.name),
                  one_line(a.network.file)),
             ErrorKind::missing_tensor);
    if (at->second->dims != c.dims)
      refuse(
          text("{}: tensor '{}': expected shape {} as in {}, got {}", one_line(b.network.file),
               escaped(c.name), shape_text(c.dims), one_line(a.network.file), shape_text(at->second->dims)),
          ErrorKind::mismatch);
    ++same;
  }
  if (same < in_b.size())
    for (const network::Constant& c : b.network.constants)
      if (!c.made && std::ranges::none_of(a.network.constants, [&](const network::Constant& other) {
            return !other.made && other.name == c.name;
          }))
        refuse(text("{}: no tensor '{}', which {} has", one_line(a.network.file), escaped(c.name),
                    one_line(b.network.file)),
               ErrorKind::missing_tensor);
  if (!a.onnx || !b.onnx) return;
  const std::vector<network::Node>&x = a.network.graph.nodes, &y = b.network.graph.nodes;
  for (size_t n = 0; n < std::min(x.size(), y.size()); ++n)
    if (x[n].op != y[n].op)
      refuse(text("{}: {}, where {} has {}", one_line(b.network.file), y[n].where(b.network.values),
                  one_line(a.network.file), x[n].where(a.network.values)),
             ErrorKind::mismatch);
  if (x.size() != y.size())
    refuse(text("{}: {} operators, where {} has {}", one_line(b.network.file), y.size(),
                one_line(a.network.file), x.size()),
           ErrorKind::mismatch);
}

void require_one_file(const NetworkInput& input) {
  const std::string file = one_line(input.network.file);
  if (input.onnx && !input.onnx->external_files().empty())
    throw Error(ErrorKind::usage, text("{}: has numbers in other files, which stdout has no place for", file),
                "give -o the name of a file");
  if (input.tensors && input.tensors->sharded())
    throw Error(ErrorKind::usage, text("{}: lies in shards, which stdout has no place for", file),
                "give -o the name of a folder");
}

double tolerance_of(const Spec& spec, const NetworkElement& g, const network::Network& network) {
  const symmetry::MembersByTensor members = symmetry::members_by_tensor(spec);
  double tolerance = 1e-10;
  for (size_t t = 0; t < spec.tensors.size(); ++t) {
    if (members[t].empty() || symmetry::only_reorders(spec, g, static_cast<int>(t), &members)) continue;
    const OnnxType type = network.constants[static_cast<size_t>(spec.tensors[t].constant)].type;
    const double step = type == OnnxType::f64    ? 1e-10
                        : type == OnnxType::f32  ? 1e-4
                        : type == OnnxType::bf16 ? 0.2
                                                 : 0.03;
    tolerance = std::max(tolerance, step);
  }
  return tolerance;
}

double difference_of(const NetworkInput& b, network::Replacements replaced,
                     const std::map<std::string, double>& set, uint64_t seed) {
  constexpr int kTrials = 3;
  require_memory(b, 2);
  for (auto& [constant, array] : replaced) {
    network::Constant stored = b.network.constants[static_cast<size_t>(constant)];
    const std::vector<std::byte> bytes = network::to_bytes(*array);
    stored.bytes = bytes;
    array = std::make_shared<const network::Array>(network::to_array(stored));
  }
  network::Executor executor(b.network, network::Precision::f64);
  Rng rng(seed);
  double difference = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto inputs = symmetry::random_inputs(b.network, b.inputs, set, rng);
    const auto before = executor.run(inputs);
    difference = std::max(difference, symmetry::relative_difference(before, executor.run(inputs, replaced)));
  }
  return difference;
}

std::string verdict(bool same, double difference) {
  return text("; largest relative difference {:.2g}: {}", difference,
              same ? "the same function" : "NOT the same function, not written");
}

int tell(const std::string& line, bool to_stdout, bool same) {
  if (to_stdout)
    log_info(line);
  else
    print(line);
  return same ? 0 : 1;
}

bool stay_in_files(const Spec& spec, const NetworkInput& a, const NetworkInput& b,
                   const symmetry::Draw& kinds, const std::string& max_memory) {
  const align::MatchMemory need = align::match_memory(spec, a.network, b.network, kinds);
  const std::optional<uint64_t> left = available_memory();
  const std::optional<uint64_t> limit = !max_memory.empty() ? parse_bytes(max_memory, "--max-memory")
                                        : left              ? std::optional(*left / 2)
                                                            : std::nullopt;
  if (!limit || need.held <= *limit) return false;
  const std::optional<uint64_t> most = max_memory.empty() ? left : limit;
  if (need.streamed > *most)
    throw Error(
        ErrorKind::resource_limit,
        text("{}: weight matching takes {:.0f} MB of memory at least, for {}, and {:.0f} MB are {}",
             one_line(b.network.file), static_cast<double>(need.streamed) * 1e-6, one_line(need.largest),
             static_cast<double>(*most) * 1e-6, max_memory.empty() ? "left" : "allowed"),
        max_memory.empty()
            ? ""
            : text("--max-memory {:.0f}MB", std::ceil(static_cast<double>(need.streamed) * 1e-6)));
  log_info(text("{}: matched from the files, in about {:.0f} MB: in memory it would be {:.0f} MB",
                one_line(b.network.file), static_cast<double>(need.streamed) * 1e-6,
                static_cast<double>(need.held) * 1e-6));
  return true;
}

namespace {

struct Moved {
  int64_t items = 0, moved = 0;
};

}  // namespace

bool are_networks(const std::string& a, const std::string& b) {
  if (is_onnx(a) || is_onnx(b)) return true;
  for (const std::string& path : {a, b}) {
    try {
      // A zoo of one has the same tensors as a network that says what it computes.
      if (Safetensors::open(path).meta(kNetworkEntry)) return true;
    } catch (const Error&) {  // shards, or what the readers below complain about
    }
    try {
      Zoo::open(path);
    } catch (const Error&) {
      // What says of itself that it is a zoo, or is nothing that can be read, is that reader's to complain about.
      try {
        const Checkpoint checkpoint = Checkpoint::open(path, true);
        if (!checkpoint.files().front().meta("dws.zoo")) return true;
      } catch (const Error&) {
        return false;
      }
    }
  }
  return false;
}

std::vector<std::string> align_methods() {
  std::vector<std::string> names;
  for (const Method& method : kMethods) names.emplace_back(method.name);
  names.emplace_back(kActivations);
  return names;
}

align::NetworkMatch AlignNetwork::match_by_activations(const align::Pair& pair, const NetworkInput& of_a,
                                                       const NetworkInput& of_b) const {
  const LabelledData samples = read_data(data, of_a);
  const align::ActivationOptions how{
      .form = form == "regression" ? align::Form::regression : align::Form::correlation,
      .kinds = options.kinds,
      .max_memory = parse_bytes(max_memory.empty() ? "512MB" : max_memory, "--max-memory")};
  const align::Data given{
      .samples = samples.size(),
      .fill = [&](int, int64_t first, int64_t count, float* to) { samples.read(first, count, to); }};
  const align::ActivationMatch found =
      align::match_activations(pair.spec, of_a.network, of_b.network, input_for(of_a, samples), given, how);
  if (!found.left.empty())
    log_warn(text("{} groups show in no value of the network and stay as they are: {}", found.left.size(),
                  one_line(join(found.left, ", "))));
  log_info(text("{} samples, {} passes; mean {} of units {:.4f} before, {:.4f} after", found.samples,
                found.passes, form, found.before, found.after));
  align::NetworkMatch match;
  match.objective = {pair.objective(symmetry::identity_element(pair.spec)), pair.objective(found.element)};
  match.element = found.element;
  match.starts = 1;
  align::set_cosines(pair, match);
  return match;
}

int AlignNetwork::run(const Globals& globals) {
  if ((method == kActivations) != !data.data.empty() && apply.empty())
    throw Error(
        ErrorKind::usage,
        method == kActivations ? "--method activations needs --data" : "--data is for --method activations",
        "dws align A B -o OUT --method activations --data train-images-idx3-ubyte --limit 5000");
  const bool to_stdout = out == "-";
  if (to_stdout && json)
    throw Error(ErrorKind::usage, "--json and -o -: stdout cannot be both", "give -o the name of a file");
  if (!emit.empty())
    for (const std::string& file : {a, b, out}) require_other_file(emit, file, "--emit");
  if (!emit.empty()) require_writable(emit, force);
  options.kinds = parse_groups(groups.empty() ? "perm,sign,scale,phase" : groups);
  const NetworkInput of_a = read_network(a, options_for(a, b, network));
  const NetworkInput of_b = read_network(b, options_for(b, a, network));
  require_same_architecture(of_a, of_b);
  if (to_stdout) require_one_file(of_b);

  Spec spec = apply.empty() ? spec_of(spec_file, of_a) : read_spec(apply, of_a.network);
  const auto start = std::chrono::steady_clock::now();
  align::NetworkMatch match;
  if (!apply.empty()) {
    match.element = symmetry::element_from_json(spec, Json::parse(read_text(apply), apply), apply);
    const align::StoredPair pair = stored_pair(spec, of_a, of_b);
    match.objective = {align::objective(pair, match.element)};
    align::set_cosines(pair, match);
  } else if (method == kMethods[0].name && stay_in_files(spec, of_a, of_b, options.kinds, max_memory)) {
    match = align::match_networks(stored_pair(spec, of_a, of_b), options);
  } else {
    const align::Pair pair(spec, of_a.network, of_b.network);
    const auto chosen = std::ranges::find(kMethods, method, &Method::name);
    match =
        chosen == std::end(kMethods) ? match_by_activations(pair, of_a, of_b) : chosen->match(pair, options);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  find_tensors(spec, b, of_b.network);

  double difference = 0, tolerance = 0;
  if (verify) {
    tolerance = tolerance_of(spec, match.element, of_b.network);
    difference = difference_of(of_b, symmetry::replaced(of_b.network, spec, match.element),
                               parse_inputs(network), options.seed);
  }
  const bool same = !verify || difference <= tolerance;

  Json made = recipe(globals, a == b ? std::vector<std::string>{a} : std::vector<std::string>{a, b});
  if (same) {
    Json element;
    if (!emit.empty()) {
      element = symmetry::to_json(spec, match.element);
      element.set("recipe", made);
    }
    const std::vector<Patch> patches = acted(spec, match.element, of_b.network, releaser(of_b));
    if (to_stdout) {
      const Spooled file = Spooled::output(of_b.onnx && !of_b.tensors ? ".onnx" : ".safetensors");
      write_changed(of_b, file.path(), patches, false);
      file.send();
    } else {
      write_changed(of_b, out, patches, force);
    }
    if (!emit.empty()) write_text(emit, element.dump() + "\n", force);
  }

  Moved all;
  Json rows = Json::array();
  for (size_t n = 0; n < spec.groups.size(); ++n) {
    if (spec.groups[n].fixed) continue;
    const auto items = static_cast<int64_t>(match.element[n].order.size());
    const int64_t moved = align::items_moved(spec.groups[n], match.element[n]);
    all.items += items;
    all.moved += moved;
    rows.push_back(Json::object({{"name", spec.groups[n].name}, {"items", items}, {"moved", moved}}));
  }
  const double share = all.items > 0 ? static_cast<double>(all.moved) / static_cast<double>(all.items) : 0;
  if (json) {
    Json line = Json::object();
    line.set("schema", "dws.align/1");
    line.set("output", same ? Json(out) : Json());
    line.set("method", apply.empty() ? method : "apply");
    Json objective = Json::array();
    for (const double x : match.objective) objective.push_back(x);
    line.set("objective", std::move(objective));
    line.set("sweeps", match.sweeps());
    line.set("starts", match.starts);
    if (match.steps > 0) line.set("steps", match.steps);
    line.set("moved", share);
    line.set("cosine_before", match.cosine_before);
    line.set("cosine_after", match.cosine_after);
    line.set("groups", std::move(rows));
    line.set("seconds", seconds);
    line.set("verified", verify ? Json(same) : Json());
    if (verify) line.set("difference", difference);
    line.set("recipe", made);
    print(line.dump());
    return same ? 0 : 1;
  }
  const std::string line =
      text("{}: cosine to {} {:.4f} before, {:.4f} after; {:.1f} % of {} items moved, {} {}, {:.2f} s{}",
           to_stdout ? b : one_line(out), one_line(a), match.cosine_before, match.cosine_after, 100 * share,
           all.items, match.steps > 0 ? match.steps : match.sweeps(), match.steps > 0 ? "steps" : "sweeps",
           seconds, verify ? verdict(same, difference) : std::string());
  return tell(line, to_stdout, same);
}

void align_file(const std::string& a, const std::string& b, const std::string& out,
                const NetworkOptions& network, uint64_t seed, const std::string& max_memory) {
  const NetworkInput of_a = read_network(a, options_for(a, b, network));
  const NetworkInput of_b = read_network(b, options_for(b, a, network));
  require_same_architecture(of_a, of_b);
  Spec spec = spec_of("", of_a);
  const align::NetworkMatchOptions options{.seed = seed};
  const align::NetworkMatch match =
      stay_in_files(spec, of_a, of_b, options.kinds, max_memory)
          ? align::match_networks(stored_pair(spec, of_a, of_b), options)
          : align::match_networks(align::Pair(spec, of_a.network, of_b.network), options);
  find_tensors(spec, b, of_b.network);
  write_changed(of_b, out, acted(spec, match.element, of_b.network, releaser(of_b)), false);
  log_info(text("{}: cosine to {} {:.4f} before, {:.4f} aligned, {} sweeps", one_line(b), one_line(a),
                match.cosine_before, match.cosine_after, match.sweeps()));
}

}  // namespace dws::tools
