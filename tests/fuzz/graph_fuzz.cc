// A graph that is accepted has each parameter once and nothing that is not there; one that is not is refused in one line.
#include <map>

#include "fuzz.h"
#include "weights/graph.h"

using namespace dws;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::accepted([&] {
    const bool json = size > 0 && data[0] == '{';
    const weights::WeightGraph g = json ? weights::graph_from_json(fuzz::text_of(data, size), "f")
                                        : weights::graph_from_csr(fuzz::bytes_of(data, size), "f");
    std::map<std::pair<int32_t, int64_t>, int> seen;
    for (size_t e = 0; e < g.source.size(); ++e) {
      fuzz::require(
          g.source[e] >= 0 && g.source[e] < g.nodes() && g.target[e] >= 0 && g.target[e] < g.nodes(),
          "an edge joins nodes");
      fuzz::require(g.edge_layer[e] >= 0 && static_cast<size_t>(g.edge_layer[e]) < g.layers.size(),
                    "an edge has a layer");
      if (weights::has_parameter(g.edge_type[e])) ++seen[{g.tensor[e], g.index[e]}];
    }
    for (const auto& [at, n] : seen) fuzz::require(n == 1, "a parameter is one edge");
    fuzz::require(static_cast<int64_t>(seen.size()) == g.parameters(), "every parameter is an edge");
    fuzz::require(weights::graph_summary(g).at("edges").as_int() == g.edges(), "the summary counts edges");
    weights::check_graph(g);
  });
  return 0;
}
