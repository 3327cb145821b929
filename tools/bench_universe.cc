// Polar factors beside the matrix products they are made of; a universe's steps by the number of networks; Frank-Wolfe beside weight matching.
#include <list>
#include <vector>

#include "align/match_frank_wolfe.h"
#include "align/polar.h"
#include "align/products.h"
#include "align/universe.h"
#include "bench.h"
#include "core/rng.h"
#include "core/text.h"
#include "network/executor.h"
#include "network/graph_builder.h"

namespace dws::tools {
namespace {

std::vector<float> normal(size_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> x(count);
  for (float& v : x) v = static_cast<float>(rng.normal());
  return x;
}

Json polar(const BenchContext& context) {
  Json sizes = Json::array(), times = Json::array(), products = Json::array();
  for (const int64_t n : {256, 512, 1024}) {
    if (context.seconds < 0.5 && n > 256) break;
    const std::vector<float> m = normal(static_cast<size_t>(n * n), 1);
    std::vector<float> c(m.size());
    const double product = best_seconds(
        context.seconds, [&] { align::product(n, n, n, m.data(), n, 1, m.data(), n, c.data(), n); });
    const double seconds = best_seconds(context.seconds, [&] { (void)align::polar_factor(n, m); });
    sizes.push_back(n);
    times.push_back(seconds);
    products.push_back(seconds / product);
  }
  return Json::object(
      {{"size", std::move(sizes)}, {"seconds", std::move(times)}, {"products", std::move(products)}});
}

// 64-width-width-10, ReLU.
struct Networks {
  explicit Networks(int64_t width)
      : net(make(width)), spec(symmetry::discover(net, network::input_shapes(net, {}))) {}
  align::Population of(int count) const {
    align::Population p{.spec = spec, .scored = align::scored_tensors(spec, net), .networks = {}};
    const align::Numbers like = align::read_numbers(spec, net);
    for (int x = 0; x < count; ++x) {
      align::Numbers numbers = like;
      for (size_t t = 0; t < numbers.tensors.size(); ++t) {
        numbers.held[t] = std::make_shared<const std::vector<float>>(
            normal(like.tensors[t].size(), stream_id("bench.network", static_cast<uint64_t>(x), t)));
        numbers.tensors[t] = *numbers.held[t];
      }
      p.networks.push_back(std::move(numbers));
    }
    return p;
  }
  static network::Network make(int64_t width) {
    const int64_t sizes[] = {64, width, width, 10};
    auto held = std::make_shared<std::list<std::vector<float>>>();
    std::vector<network::Constant> tensors;
    for (size_t i = 0; i < 3; ++i)
      for (const bool bias : {false, true}) {
        held->push_back(normal(static_cast<size_t>(sizes[i + 1] * (bias ? 1 : sizes[i])), i));
        tensors.push_back(
            {.name = text("{}.{}", i, bias ? "bias" : "weight"),
             .type = OnnxType::f32,
             .dims = bias ? std::vector<int64_t>{sizes[i + 1]} : std::vector<int64_t>{sizes[i + 1], sizes[i]},
             .bytes = std::as_bytes(std::span(held->back()))});
      }
    network::GraphBuilder graph({.file = "bench", .tensors = std::move(tensors), .owner = held}, "bench");
    int x = graph.input("x", OnnxType::f32, {{.symbol = "batch"}, {.fixed = 64}});
    for (size_t i = 0; i < 3; ++i) {
      if (i > 0) x = graph.add("Relu", {x});
      x = graph.add("Gemm", {x, graph.tensor(text("{}.weight", i)), graph.tensor(text("{}.bias", i))},
                    {network::attribute("transB", int64_t{1})});
    }
    graph.output(x, "y");
    return graph.take();
  }
  network::Network net;
  symmetry::Spec spec;
};

// Value and gradient, which the sum over all pairs would make grow with the square.
Json universe(const BenchContext& context) {
  const Networks networks(context.seconds < 0.5 ? 32 : 128);
  Json counts = Json::array(), times = Json::array(), each = Json::array();
  for (const int count : {4, 8, 16, 32}) {
    const align::Population p = networks.of(count);
    const align::UniverseObjective objective(p, false);
    const std::vector<align::SoftElement> start(
        static_cast<size_t>(count), objective.action().corner(symmetry::identity_element(p.spec)));
    std::vector<align::SoftElement> gradient;
    const double one = best_seconds(context.seconds / 2, [&] { (void)objective.gradient(start, gradient); });
    counts.push_back(count);
    times.push_back(one);
    each.push_back(one / count);
  }
  return Json::object({{"networks", std::move(counts)},
                       {"seconds", std::move(times)},
                       {"seconds_a_network", std::move(each)}});
}

Json frank_wolfe(const BenchContext& context) {
  const Networks networks(context.seconds < 0.5 ? 32 : 128);
  const align::Population p = networks.of(2);
  const align::Pair pair(p.spec, p.scored, p.networks[0], p.networks[1]);
  const align::NetworkMatchOptions options{
      .kinds = {.order = true, .sign = false, .scale = false, .phase = false}};
  align::NetworkMatch match, weights;
  const double weights_seconds = timed([&] { weights = align::match_networks(pair, options); });
  const double seconds = timed([&] { match = align::match_frank_wolfe(pair, options); });
  return Json::object({{"seconds", seconds},
                       {"steps", match.steps},
                       {"cosine", match.cosine_after},
                       {"weights_seconds", weights_seconds},
                       {"weights_cosine", weights.cosine_after}});
}

}  // namespace

std::vector<BenchCase> bench_universe() {
  return {{"align.polar", polar}, {"align.universe", universe}, {"align.frank_wolfe", frank_wolfe}};
}

}  // namespace dws::tools
