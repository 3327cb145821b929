// What weight matching takes.
#include <algorithm>
#include <map>

#include "align/balance.h"
#include "align/match_network.h"
#include "align/streamed.h"
#include "core/parallel.h"

namespace dws::align {
namespace {

constexpr uint64_t kFloat = sizeof(float);
constexpr uint64_t kPacks = uint64_t{4} << 30;  // of kept_products.h, at most

uint64_t numbers_of(const std::vector<int64_t>& dims) {
  uint64_t n = 1;
  for (const int64_t d : dims) n *= static_cast<uint64_t>(d);
  return n;
}
// Gains of a unit: by class, and in all where there are several.
uint64_t gains_of(const Unit& unit) {
  const auto n = static_cast<uint64_t>(unit.size);
  const uint64_t matrices = unit.classes.size() > 1 ? unit.classes.size() + 1 : 1;
  return unit.nested.empty() ? matrices * n * n * kFloat : 0;
}

// What a look at a unit takes of networks in files.
uint64_t look_at(const Problem& problem, const Unit& unit) {
  uint64_t gathered = 0, change = 0, nested = 0;
  std::map<int, uint64_t> parts;
  for (const Place& p : unit.places) {
    const Field& field = problem.fields[static_cast<size_t>(p.field)];
    const uint64_t all = numbers_of(field.dims);
    const bool bands = p.axis > 0 || (p.outer == 1 && p.inner == 1 && field.dims.size() == 2);
    const auto depth = static_cast<uint64_t>(kProductDepth * unit.size);
    const uint64_t band = bands ? std::min(all, std::max<uint64_t>(kBandNumbers, depth)) : all;
    gathered = std::max(gathered, 4 * band * kFloat + 2 * depth * kFloat);
    change = std::max(change, 2 * kFloat * (p.axis > 0 ? std::min<uint64_t>(all, kBandNumbers) : all));
    if (!unit.nested.empty()) {
      parts[p.field] += static_cast<uint64_t>(p.outer * p.inner * unit.size) * all /
                        static_cast<uint64_t>(field.dims[static_cast<size_t>(p.axis)]);
      nested = std::max(nested, 2 * kFloat * all);
    }
  }
  if (!unit.nested.empty()) {
    uint64_t sum = 0;
    for (const auto& [field, numbers] : parts) sum += numbers;
    // All items of both, and for each pair that is tried at the same time B's a few times more.
    return 2 * kFloat * sum + nested +
           static_cast<uint64_t>(threads()) * 12 * kFloat * sum / static_cast<uint64_t>(unit.size);
  }
  return std::max(gains_of(unit) + gathered, unit.coupled ? change + 2 * change : change);
}

}  // namespace

MatchMemory match_memory(const symmetry::Spec& spec, const network::Network& a, const network::Network& b,
                         const symmetry::Draw& kinds) {
  std::vector<bool> counted = scored_tensors(spec, a);
  const std::vector<const network::Constant*> of_a = constants_of(spec, a), of_b = constants_of(spec, b);
  for (size_t t = 0; t < counted.size(); ++t)
    counted[t] = counted[t] && (network::is_real(of_a[t]->type) || network::is_integer(of_a[t]->type));
  const Problem problem = make_problem(spec, counted, kinds);
  const uint64_t squares = kinds.scale ? balance_bytes(spec, counted) : 0;

  MatchMemory memory;
  uint64_t copied = 0, all = 0, largest = 0, gains = 0;
  const std::vector<bool> moved = symmetry::touched(spec);
  for (size_t t = 0; t < spec.tensors.size(); ++t) {
    const uint64_t bytes = kFloat * numbers_of(spec.tensors[t].dims);
    for (const network::Constant* c : {of_a[t], of_b[t]}) copied += c->type == OnnxType::f32 ? 0 : bytes;
    if (!moved[t]) continue;
    all += bytes;
    largest = std::max(largest, bytes);
  }
  for (const Unit& unit : problem.units) gains += gains_of(unit);
  // Copies in float32, balanced ones, and B's that the descent moves; on the way elements act on tensors in doubles.
  const bool orders = !kinds.sign && !kinds.phase;
  memory.held = copied + (kinds.scale ? 2 : 0) * all + 2 * all + gains + squares +
                4 * largest * static_cast<uint64_t>(threads()) + (orders ? std::min(2 * all, kPacks) : 0);

  constexpr uint64_t kBase = uint64_t{32} << 20;
  const uint64_t passes = static_cast<uint64_t>(threads()) * 4 * kBlockNumbers * kFloat;
  const auto consider = [&](uint64_t bytes, const std::string& what) {
    if (bytes <= memory.streamed) return;
    memory.streamed = bytes;
    memory.largest = what;
  };
  consider(passes, "a pass over both");
  consider(squares + passes, "balancing scales");
  for (const Unit& unit : problem.units)
    consider(look_at(problem, unit), problem.groups[static_cast<size_t>(unit.group)].name);
  memory.streamed += kBase;
  return memory;
}

}  // namespace dws::align
