#include "align_orthogonal.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "acted.h"
#include "align/orthogonal.h"
#include "align_network.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/text.h"
#include "format/safetensors.h"
#include "output.h"
#include "own_head.h"
#include "spooled.h"
#include "symmetry/verify.h"

namespace dws::tools {
namespace {

using symmetry::Spec;

// New numbers of some of a network's tensors.
struct Changed {
  std::vector<Patch> patches;
  network::Replacements numbers;  // the same for the executor, where it is to be run
  double tolerance = 1e-10;       // of what is left of the function when they are rounded to their types
};

network::Array as_array(const network::Constant& c, std::span<const float> numbers) {
  network::Array array{.type = c.type, .dims = c.dims};
  array.reals.assign(numbers.begin(), numbers.end());
  return array;
}
// `numbers` must outlive the patches.
void rewrite(const network::Network& network, int constant, std::span<const float> numbers, bool run,
             Changed& changed) {
  const network::Constant& c = network.constants[static_cast<size_t>(constant)];
  changed.patches.emplace_back(c.bytes, [&c, numbers] { return network::to_bytes(as_array(c, numbers)); });
  if (run) changed.numbers[constant] = std::make_shared<const network::Array>(as_array(c, numbers));
  const double step = c.type == OnnxType::f32 || c.type == OnnxType::f64 ? 1e-5
                      : c.type == OnnxType::bf16                         ? 0.2
                                                                         : 0.03;
  changed.tolerance = std::max(changed.tolerance, step);
}

// B' : what was turned, and what the element alone moves.
Changed aligned(const Spec& spec, const align::OrthogonalMatch& match, const network::Network& b, bool run) {
  Changed changed{.patches = {}, .numbers = {}, .tolerance = tolerance_of(spec, match.element, b)};
  std::vector<bool> turned(b.constants.size());
  std::set<const std::byte*> places;
  for (size_t t = 0; t < spec.tensors.size(); ++t) {
    if (!match.rewritten[t]) continue;
    const auto c = static_cast<size_t>(spec.tensors[t].constant);
    turned[c] = true;
    places.insert(b.constants[c].bytes.data());
  }
  for (Patch& patch : acted(spec, match.element, b))
    if (!places.contains(patch.old.data())) changed.patches.push_back(std::move(patch));
  if (run) changed.numbers = symmetry::replaced(b, spec, match.element);
  std::erase_if(changed.numbers, [&](const auto& at) { return turned[static_cast<size_t>(at.first)]; });
  for (size_t t = 0; t < spec.tensors.size(); ++t)
    if (match.rewritten[t]) rewrite(b, spec.tensors[t].constant, match.aligned.tensors[t], run, changed);
  return changed;
}

// A with its norms absorbed.
Changed absorbed(const Spec& spec, const align::OrthogonalMatch& match, const network::Network& a, bool run) {
  Changed changed;
  const align::Numbers before = align::read_numbers(spec, a);
  for (size_t t = 0; t < spec.tensors.size(); ++t)
    if (!std::ranges::equal(before.tensors[t], match.reference.tensors[t]))
      rewrite(a, spec.tensors[t].constant, match.reference.tensors[t], run, changed);
  return changed;
}

}  // namespace

int AlignOrthogonal::run(const Globals& globals) {
  const bool to_stdout = out == "-";
  if (to_stdout && json)
    throw Error(ErrorKind::usage, "--json and -o -: stdout cannot be both", "give -o the name of a file");
  for (const auto& [file, option] :
       {std::pair{&emit, "--emit"}, {&reference, "--emit-reference"}, {&rotation, "--emit-rotation"}}) {
    if (file->empty()) continue;
    for (const std::string& read : {a, b, out}) require_other_file(*file, read, option);
    require_writable(*file, force);
  }
  options.kinds = parse_groups(groups.empty() ? "perm,sign,scale,phase" : groups);
  NetworkInput of_a = read_network(a, options_for(a, b, network));
  NetworkInput of_b = read_network(b, options_for(b, a, network));
  give_own_heads(of_a, of_b);
  if (of_a.own && !of_b.own)
    log_info(
        text("{}: head and embedding are one tensor, and two in {}: it is taken with a head of its own, as "
             "--emit-reference writes it",
             one_line(a), one_line(b)));
  require_same_architecture(of_a, of_b);
  if (to_stdout) require_one_file(of_b);
  const Spec spec = spec_of(spec_file, of_a);
  if (of_a.own &&
      std::ranges::find(spec.tensors, of_a.own->name, &symmetry::SpecTensor::name) == spec.tensors.end())
    throw Error(ErrorKind::missing_tensor,
                text("{}: no tensor '{}', which the head of {} becomes", one_line(spec_file),
                     escaped(of_a.own->name), one_line(a)),
                "give the spec of what --emit-reference writes, or none");
  const align::ResidualStream stream = align::find_residual_stream(of_a.network, of_a.shapes);
  const auto start = std::chrono::steady_clock::now();
  const align::OrthogonalMatch match =
      align::match_orthogonal(spec, stream, of_a.network, of_b.network, {.match = options});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  Spec spec_b = spec;
  find_tensors(spec_b, b, of_b.network);
  const Changed new_b = aligned(spec_b, match, of_b.network, verify),
                new_a = absorbed(spec, match, of_a.network, verify);
  double difference = 0;
  bool same = true;
  const auto check = [&](const NetworkInput& input, const Changed& changed) {
    const double here = difference_of(input, changed.numbers, parse_inputs(network), options.seed);
    difference = std::max(difference, here);
    same = same && here <= changed.tolerance;
  };
  if (verify) check(of_b, new_b), check(of_a, new_a);

  const Json made = recipe(globals, a == b ? std::vector<std::string>{a} : std::vector<std::string>{a, b});
  if (same) {
    Json element = symmetry::to_json(spec_b, match.element);
    element.set("recipe", made);
    if (!reference.empty()) {
      write_changed(of_a, reference, new_a.patches, force);
      tell_of_own_head(of_a, a, reference);
    }
    if (!rotation.empty())
      write_safetensors(rotation,
                        {TensorSource::of("rotation", {stream.width, stream.width}, match.rotation)},
                        {{"dws.recipe", made.dump()}}, force);
    if (to_stdout) {
      const Spooled file = Spooled::output(of_b.onnx && !of_b.tensors ? ".onnx" : ".safetensors");
      write_changed(of_b, file.path(), new_b.patches, false);
      file.send();
    } else {
      write_changed(of_b, out, new_b.patches, force);
    }
    tell_of_own_head(of_b, b, to_stdout ? "stdout" : out);
    if (!emit.empty()) write_text(emit, element.dump() + "\n", force);
  }
  if (json) {
    Json line = Json::object();
    line.set("schema", "dws.align/1");
    line.set("output", same ? Json(out) : Json());
    line.set("method", "orthogonal");
    line.set("width", stream.width);
    line.set("norms", static_cast<int64_t>(stream.norms.size()));
    line.set("own_head", of_b.own ? Json(of_b.own->name) : Json());
    Json objective = Json::array();
    for (const double value : match.objective) objective.push_back(value);
    line.set("objective", std::move(objective));
    line.set("cosine_before", match.cosine_before);
    line.set("cosine_after", match.cosine_after);
    line.set("seconds", seconds);
    line.set("verified", verify ? Json(same) : Json());
    if (verify) line.set("difference", difference);
    line.set("recipe", made);
    print(line.dump());
    return same ? 0 : 1;
  }
  const std::string line = text(
      "{}: cosine to {} {:.4f} before, {:.4f} after, norms absorbed; a residual stream of {} turned, {} "
      "steps, {:.2f} s{}",
      to_stdout ? b : one_line(out), one_line(a), match.cosine_before, match.cosine_after, stream.width,
      match.objective.size() - 1, seconds, verify ? verdict(same, difference) : std::string());
  return tell(line, to_stdout, same);
}

}  // namespace dws::tools
