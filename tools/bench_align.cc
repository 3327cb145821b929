// Weight matching against the plain loop that it replaces: all products computed anew at every visit, assignment from nothing.
#include <chrono>
#include <cmath>
#include <limits>
#include <list>
#include <memory>
#include <numeric>
#include <vector>

#include "align/descent.h"
#include "bench.h"
#include "core/json.h"
#include "core/text.h"
#include "network/executor.h"
#include "network/graph_builder.h"
#include "network/recipe.h"

namespace dws::tools {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Tensors of numbers with the structure of trained weights: the norms of rows log-normal, number k of a row as k^-0.5.
class Weights {
 public:
  explicit Weights(uint64_t seed) : rng_(seed) {}
  void add(const std::string& name, const std::vector<int64_t>& dims) {
    held_->emplace_back(static_cast<size_t>(network::elements(dims)));
    std::vector<float>& w = held_->back();
    const auto columns = dims.size() < 2 ? 1 : static_cast<size_t>(dims[1]);
    const size_t taps = w.size() / (static_cast<size_t>(dims[0]) * columns);
    for (size_t r = 0; r < static_cast<size_t>(dims[0]); ++r) {
      const double norm = std::exp(0.5 * rng_.normal());
      for (size_t c = 0; c < columns; ++c)
        for (size_t k = 0; k < taps; ++k)
          w[(r * columns + c) * taps + k] =
              static_cast<float>(norm * rng_.normal() / std::sqrt(static_cast<double>(c * taps + k + 1)));
    }
    tensors_.push_back(
        {.name = name, .type = OnnxType::f32, .dims = dims, .bytes = std::as_bytes(std::span(w))});
  }
  network::StoredTensors take() { return {.file = "bench", .tensors = std::move(tensors_), .owner = held_}; }

 private:
  Rng rng_;
  std::shared_ptr<std::list<std::vector<float>>> held_ = std::make_shared<std::list<std::vector<float>>>();
  std::vector<network::Constant> tensors_;
};

// Channels are divided by `shrink`, where there is no time for all of them.
network::Network mlp(uint64_t seed, int64_t shrink) {
  const int64_t kSizes[] = {784, 512 / shrink, 512 / shrink, 512 / shrink, 10};
  Weights weights(seed);
  for (size_t i = 0; i + 1 < std::size(kSizes); ++i) {
    weights.add(text("{}.weight", i), {kSizes[i + 1], kSizes[i]});
    weights.add(text("{}.bias", i), {kSizes[i + 1]});
  }
  network::GraphBuilder graph(weights.take(), "bench");
  int x = graph.input("x", OnnxType::f32, {{.symbol = "batch"}, {.fixed = 784}});
  for (size_t i = 0; i + 1 < std::size(kSizes); ++i) {
    if (i > 0) x = graph.add("Relu", {x});
    x = graph.add("Gemm", {x, graph.tensor(text("{}.weight", i)), graph.tensor(text("{}.bias", i))},
                  {network::attribute("transB", int64_t{1})});
  }
  graph.output(x, "y");
  return graph.take();
}

network::Network vgg16(uint64_t seed, int64_t shrink) {
  constexpr int64_t kChannels[] = {64, 64,  0,   128, 128, 0,   256, 256, 256,
                                   0,  512, 512, 512, 0,   512, 512, 512, 0};
  Weights weights(seed);
  int64_t before = 3;
  for (size_t i = 0; i < std::size(kChannels); ++i) {
    if (kChannels[i] == 0) continue;
    const int64_t after = kChannels[i] / shrink;
    weights.add(text("{}.weight", i), {after, before, 3, 3});
    weights.add(text("{}.bias", i), {after});
    before = after;
  }
  weights.add("head.weight", {10, before});
  weights.add("head.bias", {10});
  network::GraphBuilder graph(weights.take(), "bench");
  int x = graph.input("x", OnnxType::f32, {{.symbol = "batch"}, {.fixed = 3}, {.fixed = 32}, {.fixed = 32}});
  for (size_t i = 0; i < std::size(kChannels); ++i) {
    if (kChannels[i] == 0) {
      x = graph.add("MaxPool", {x},
                    {network::attribute("kernel_shape", std::vector<int64_t>{2, 2}),
                     network::attribute("strides", std::vector<int64_t>{2, 2})});
      continue;
    }
    x = graph.add("Conv", {x, graph.tensor(text("{}.weight", i)), graph.tensor(text("{}.bias", i))},
                  {network::attribute("pads", std::vector<int64_t>{1, 1, 1, 1})});
    x = graph.add("Relu", {x});
  }
  x = graph.add("Flatten", {x});
  x = graph.add("Gemm", {x, graph.tensor("head.weight"), graph.tensor("head.bias")},
                {network::attribute("transB", int64_t{1})});
  graph.output(x, "y");
  return graph.take();
}

network::Network resnet50(uint64_t seed, int64_t shrink) {
  constexpr int64_t kBlocks[] = {3, 4, 6, 3};
  Weights weights(seed);
  const auto norm = [&](const std::string& name, int64_t channels) {
    for (const char* part : {"weight", "bias", "running_mean", "running_var"})
      weights.add(text("{}.{}", name, part), {channels});
  };
  const int64_t width = 64 / shrink;
  weights.add("conv1.weight", {width, 3, 7, 7});
  norm("bn1", width);
  int64_t before = width;
  for (int64_t s = 0; s < 4; ++s)
    for (int64_t b = 0; b < kBlocks[s]; ++b) {
      const std::string at = text("layer{}.{}", s + 1, b);
      const int64_t inner = width << s, after = 4 * inner;
      weights.add(at + ".conv1.weight", {inner, before, 1, 1});
      norm(at + ".bn1", inner);
      weights.add(at + ".conv2.weight", {inner, inner, 3, 3});
      norm(at + ".bn2", inner);
      weights.add(at + ".conv3.weight", {after, inner, 1, 1});
      norm(at + ".bn3", after);
      if (b == 0) {
        weights.add(at + ".downsample.0.weight", {after, before, 1, 1});
        norm(at + ".downsample.1", after);
      }
      before = after;
    }
  weights.add("fc.weight", {1000, before});
  weights.add("fc.bias", {1000});
  for (const auto& [name, recipe] : network::builtin_recipes())
    if (name == "resnet")
      return network::from_recipe(Json::parse(recipe, "resnet"), "resnet", weights.take(), {}).network;
  return {};
}

// Shortest augmenting paths in float64 from duals of zero: what scipy's linear_sum_assignment does (Crouse, "On implementing 2D rectangular
// assignment algorithms", 2016), which every Python tool calls.
std::vector<int32_t> plain_assignment(int64_t size, const std::vector<float>& gain) {
  const auto n = static_cast<size_t>(size);
  std::vector<double> cost(gain.size()), u(n, 0), v(n, 0), shortest(n);
  for (size_t i = 0; i < gain.size(); ++i) cost[i] = -double{gain[i]};
  constexpr auto kNone = std::numeric_limits<size_t>::max();
  std::vector<size_t> path(n), column(n, kNone), row(n, kNone), remaining(n);
  std::vector<bool> rows(n), columns(n);
  for (size_t start = 0; start < n; ++start) {
    rows.assign(n, false), columns.assign(n, false);
    shortest.assign(n, std::numeric_limits<double>::infinity());
    for (size_t j = 0; j < n; ++j) remaining[j] = n - 1 - j;
    size_t left = n, i = start, sink = kNone;
    double lowest = 0;
    while (sink == kNone) {
      rows[i] = true;
      size_t index = 0;
      double best = std::numeric_limits<double>::infinity();
      for (size_t k = 0; k < left; ++k) {
        const size_t j = remaining[k];
        const double r = lowest + cost[i * n + j] - u[i] - v[j];
        if (r < shortest[j]) path[j] = i, shortest[j] = r;
        if (shortest[j] < best || (shortest[j] == best && row[j] == kNone)) best = shortest[j], index = k;
      }
      lowest = best;
      const size_t j = remaining[index];
      if (row[j] == kNone)
        sink = j;
      else
        i = row[j];
      columns[j] = true;
      remaining[index] = remaining[--left];
    }
    u[start] += lowest;
    for (size_t k = 0; k < n; ++k)
      if (rows[k] && k != start) u[k] += lowest - shortest[column[k]];
    for (size_t k = 0; k < n; ++k)
      if (columns[k]) v[k] -= lowest - shortest[k];
    for (size_t j = sink; j != kNone;) {
      const size_t k = path[j];
      row[j] = k;
      std::swap(column[k], j);
      if (k == start) break;
    }
  }
  std::vector<int32_t> found;
  for (const size_t j : column) found.push_back(static_cast<int32_t>(j));
  return found;
}

struct Plain {
  double objective = 0, seconds = 0;
  int sweeps = 0;
  Clock::time_point start = Clock::now();
};
// A tensor of B with all of its axes but one reordered: a copy an axis, as take() makes them.
std::vector<float> reordered(const align::Problem& problem, size_t f, int except, std::vector<float> b,
                             const std::vector<std::vector<int32_t>>& orders) {
  const align::Field& field = problem.fields[f];
  for (size_t d = 0; d < field.dims.size(); ++d) {
    if (static_cast<int>(d) == except) continue;
    std::vector<int64_t> index(static_cast<size_t>(field.dims[d]));
    std::iota(index.begin(), index.end(), int64_t{0});
    bool moved = false;
    for (size_t u = 0; u < problem.units.size(); ++u)
      for (const align::Place& p : problem.units[u].places) {
        if (static_cast<size_t>(p.field) != f || static_cast<size_t>(p.axis) != d) continue;
        moved = true;
        for (int64_t o = 0; o < p.outer; ++o)
          for (int64_t i = 0; i < problem.units[u].size; ++i)
            for (int64_t r = 0; r < p.inner; ++r)
              index[static_cast<size_t>(p.offset + o * p.stride + i * p.inner + r)] =
                  p.offset + o * p.stride + orders[u][static_cast<size_t>(i)] * p.inner + r;
      }
    if (!moved) continue;
    size_t before = 1, after = 1;
    for (size_t k = 0; k < d; ++k) before *= static_cast<size_t>(field.dims[k]);
    for (size_t k = d + 1; k < field.dims.size(); ++k) after *= static_cast<size_t>(field.dims[k]);
    std::vector<float> taken(b.size());
    for (size_t k = 0; k < before; ++k)
      for (size_t c = 0; c < index.size(); ++c)
        std::copy_n(b.data() + (k * index.size() + static_cast<size_t>(index[c])) * after, after,
                    taken.data() + (k * index.size() + c) * after);
    b = std::move(taken);
  }
  return b;
}

// The published loop (Ainsworth, Hayase and Srinivasa, Algorithm 1, and its code): at every visit B's tensors are reordered along all
// other axes anew, the axis moved to the front, and multiplied; sweeps until one changes nothing. For units that only reorder.
Plain plain_loop(const align::Problem& problem, const align::Standing& numbers, uint64_t seed) {
  std::vector<size_t> visits(problem.units.size());
  std::iota(visits.begin(), visits.end(), size_t{0});
  std::vector<std::vector<int32_t>> orders;
  for (const align::Unit& unit : problem.units) {
    orders.emplace_back(static_cast<size_t>(unit.size));
    std::iota(orders.back().begin(), orders.back().end(), 0);
  }
  Plain result;
  Rng rng(seed);
  align::Packed packed;
  for (bool progress = true; progress && result.sweeps < 100; ++result.sweeps) {
    progress = false;
    rng.shuffle(std::span<size_t>(visits));
    for (const size_t u : visits) {
      const align::Unit& unit = problem.units[u];
      std::vector<float> gain(static_cast<size_t>(unit.size * unit.size), 0.f);
      for (const align::Place& p : unit.places) {
        const auto f = static_cast<size_t>(p.field);
        const std::vector<float> b = reordered(problem, f, p.axis, numbers.b[f], orders);
        align::add_products(align::Walk(problem.fields[f], p, unit.size), {}, numbers.a[f].data(), b.data(),
                            gain, packed);
      }
      const std::vector<int32_t> found = plain_assignment(unit.size, gain);
      double rise = 0;
      const auto n = static_cast<size_t>(unit.size);
      for (size_t i = 0; i < n; ++i)
        rise += double{gain[i * n + static_cast<size_t>(found[i])]} -
                gain[i * n + static_cast<size_t>(orders[u][i])];
      progress = progress || rise > 1e-12;
      orders[u] = found;
    }
  }
  result.seconds = since(result.start);
  for (size_t f = 0; f < problem.fields.size(); ++f)
    result.objective +=
        align::score(problem.fields[f], numbers.a[f], reordered(problem, f, -1, numbers.b[f], orders));
  return result;
}

Json compare(const BenchContext& context, network::Network (*make)(uint64_t, int64_t)) {
  const int64_t shrink = context.seconds < 0.5 ? 8 : 1;
  const network::Network a = make(1, shrink), b = make(2, shrink);
  const symmetry::Spec spec = symmetry::discover(a, network::input_shapes(a, {}));
  const align::Pair pair(spec, a, b);
  const align::Problem problem =
      align::make_problem(pair, {.order = true, .sign = false, .scale = false, .phase = false});
  const Plain plain = plain_loop(problem, align::standing(problem, pair), 1);
  const double plain_seconds = plain.seconds;
  const Clock::time_point start = Clock::now();
  align::Descent descent(problem, align::standing(problem, pair));
  Rng rng(1);
  descent.descend(100, rng);
  const double seconds = since(start);
  return Json::object({{"seconds", seconds},
                       {"plain_seconds", plain_seconds},
                       {"ratio", plain_seconds / seconds},
                       {"sweeps", static_cast<int64_t>(descent.scores().size()) - 1},
                       {"plain_sweeps", plain.sweeps},
                       {"objective", descent.score()},
                       {"plain_objective", plain.objective},
                       {"groups", static_cast<int64_t>(problem.units.size())},
                       {"channels_divided_by", shrink}});
}

}  // namespace

std::vector<BenchCase> bench_align() {
  return {{"align.mlp", [](const BenchContext& c) { return compare(c, mlp); }},
          {"align.resnet50", [](const BenchContext& c) { return compare(c, resnet50); }},
          {"align.vgg16", [](const BenchContext& c) { return compare(c, vgg16); }}};
}

}  // namespace dws::tools
