// The assignment problem, cold and from the duals of gains that were nearly the same; small networks matched by it.
#include <algorithm>
#include <cmath>
#include <vector>

#include "align/assignment.h"
#include "align/weight_matching.h"
#include "bench.h"
#include "core/rng.h"
#include "core/text.h"
#include "kernels/matmul.h"

namespace dws::tools {
namespace {

// Inner products of the rows of two matrices of random numbers. Structured: with one decaying spectrum and
// rows of very different norms, as the weights of trained networks have.
std::vector<float> gains_of(int64_t n, bool structured) {
  const int64_t inner = std::min<int64_t>(2 * n, 1024);
  Rng rng(1, stream_id("bench.assignment", static_cast<uint64_t>(n)));
  const auto matrix = [&] {
    std::vector<float> w(static_cast<size_t>(n * inner));
    for (int64_t i = 0; i < n; ++i) {
      const double norm = structured ? std::exp(0.5 * rng.normal()) : 1;
      for (int64_t k = 0; k < inner; ++k)
        w[static_cast<size_t>(i * inner + k)] = static_cast<float>(
            rng.normal() * norm * (structured ? 1 / std::sqrt(static_cast<double>(k + 1)) : 1));
    }
    return w;
  };
  const std::vector<float> a = matrix(), b = matrix();
  std::vector<float> turned(b.size()), gain(static_cast<size_t>(n * n));
  kernels::transpose<float>(n, inner, b.data(), turned.data());
  kernels::matmul<float>(n, n, inner, a.data(), inner, 1, turned.data(), n, gain.data(), n, false);
  return gain;
}

// The gains with noise of `share` of their own deviation.
std::vector<float> disturbed(std::vector<float> gain, double share) {
  Rng rng(2, stream_id("bench.assignment.noise"));
  double squares = 0;
  for (const float g : gain) squares += double{g} * g;
  const double noise = share * std::sqrt(squares / static_cast<double>(gain.size()));
  for (float& g : gain) g += static_cast<float>(noise * std::sqrt(12.0) * (rng.uniform_float() - 0.5));
  return gain;
}

Json assignment(const BenchContext& context, int64_t n, bool structured) {
  const std::vector<float> gain = gains_of(n, structured);
  align::AssignmentSolver solver;
  const double cold = best_seconds(context.seconds, [&] { solver.solve(n, gain); });
  const align::Assignment first = solver.solve(n, gain);
  const align::WarmStart warm{first.column_dual, first.column};
  Json result = Json::object({{"n", n}, {"seconds", cold}});
  for (const auto& [name, share] : {std::pair("warm", 0.0), {"warm_0.001", 0.001}, {"warm_0.01", 0.01}}) {
    const std::vector<float> near = disturbed(gain, share);
    result.set(name, best_seconds(context.seconds, [&] { solver.solve(n, near, &warm); }));
  }
  return result;
}

// Random networks, each matched to one, on one core.
Json align_zoo(const BenchContext& context) {
  const symmetry::Layout layout = symmetry::mlp_layout({2, 32, 32, 1});
  constexpr uint64_t kNetworks = 64;
  std::vector<std::vector<float>> networks(kNetworks + 1);
  for (uint64_t i = 0; i <= kNetworks; ++i) {
    Rng rng(i, stream_id("bench.align.zoo"));
    for (int64_t p = 0; p < layout.param_count(); ++p)
      networks[i].push_back(static_cast<float>(rng.normal()));
  }
  align::WeightMatcher matcher(layout, networks.back(), {.signs = true});
  std::vector<float> aligned(networks.back().size());
  double cosine = 0;
  const double seconds = best_seconds(context.seconds, [&] {
                           cosine = 0;
                           for (uint64_t i = 0; i < kNetworks; ++i)
                             cosine += matcher.match(networks[i], i, aligned).cosine_after;
                         }) /
                         kNetworks;
  return Json::object({{"seconds", seconds},
                       {"ms_per_pair", 1e3 * seconds},
                       {"networks_per_second", 1 / seconds},
                       {"cosine_after", cosine / kNetworks},
                       {"threads", 1}});
}

}  // namespace

std::vector<BenchCase> bench_assignment() {
  std::vector<BenchCase> cases{{"align.zoo", align_zoo}};
  for (const bool structured : {false, true})
    for (const int64_t n : {32, 512, 1024, 2048, 4096})
      cases.push_back({text("assignment.{}.{}", structured ? "structured" : "independent", n),
                       [n, structured](const BenchContext& context) { return assignment(context, n, structured); }});
  return cases;
}

}  // namespace dws::tools
