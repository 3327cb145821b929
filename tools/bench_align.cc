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

// Tensors of numbers with the structure of trained weights: the norms of rows log-normal, those of columns (k + 1)^-0.5.
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
              static_cast<float>(norm * rng_.normal() / std::sqrt(static_cast<double>(c + 1)));
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
  double objective = 0;
  int sweeps = 0;
};
Plain plain_loop(const align::Problem& problem, align::Standing numbers, uint64_t seed) {
  Plain result{.objective = align::score(problem, numbers), .sweeps = 0};
  std::vector<size_t> order(problem.units.size());
  std::iota(order.begin(), order.end(), size_t{0});
  Rng rng(seed);
  align::Packed packed;
  for (bool progress = true; progress && result.sweeps < 100; ++result.sweeps) {
    progress = false;
    rng.shuffle(std::span<size_t>(order));
    for (const size_t u : order) {
      const align::Unit& unit = problem.units[u];
      std::vector<float> gain(static_cast<size_t>(unit.size * unit.size), 0.f);
      for (const align::Place& p : unit.places) {
        const auto f = static_cast<size_t>(p.field);
        align::add_products(align::Walk(problem.fields[f], p, unit.size), {}, numbers.a[f].data(),
                            numbers.b[f].data(), gain, packed);
      }
      align::Step step{
          .order = plain_assignment(unit.size, gain), .choices = {}, .changed = {}, .nested = {}};
      double rise = 0;
      const auto n = static_cast<size_t>(unit.size);
      for (size_t i = 0; i < n; ++i) {
        step.changed.push_back(static_cast<int64_t>(i));
        rise += double{gain[i * n + static_cast<size_t>(step.order[i])]} - gain[i * n + i];
      }
      if (!(rise > 1e-7 * std::abs(result.objective))) continue;
      align::move_unit(problem, unit, step, numbers);
      progress = true;
    }
    result.objective = align::score(problem, numbers);
  }
  return result;
}

Json compare(const BenchContext& context, network::Network (*make)(uint64_t, int64_t)) {
  const int64_t shrink = context.seconds < 0.5 ? 8 : 1;
  const network::Network a = make(1, shrink), b = make(2, shrink);
  const symmetry::Spec spec = symmetry::discover(a, network::input_shapes(a, {}));
  const align::Pair pair(spec, a, b);
  const align::Problem problem =
      align::make_problem(pair, {.order = true, .sign = false, .scale = false, .phase = false});
  const Clock::time_point plain_start = Clock::now();
  const Plain plain = plain_loop(problem, align::standing(problem, pair), 1);
  const double plain_seconds = since(plain_start);
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
