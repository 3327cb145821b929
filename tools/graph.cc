// dws graph: the weight graph of a network, and from the graph back to the network.
#include <algorithm>
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/text.h"
#include "network_input.h"
#include "weights/graph.h"

namespace dws::tools {
namespace {

struct Graph {
  explicit Graph(const Globals& g) : globals(g) {}
  const Globals& globals;
  std::string path, out, into;
  NetworkOptions network;
  bool json = false, force = false;

  int run() const;
  int back() const;
  void write(const weights::WeightGraph& graph) const;
};

void print_counts(const Json& counts, const char* title) {
  print(title);
  for (const auto& [name, n] : counts.as_object()) print(text("  {:<16} {:>10}", escaped(name), n.as_int()));
}
void print_summary(const Json& s) {
  print(text("{} nodes, {} edges for {} parameters, {} layers", s.at("nodes").as_int(),
             s.at("edges").as_int(), s.at("parameters").as_int(), s.at("layers").as_int()));
  print_counts(s.at("nodes_by_type"), "nodes");
  print_counts(s.at("edges_by_type"), "edges");
  print_counts(s.at("layers_by_kind"), "layers");
  if (!s.at("activations").as_object().empty()) print_counts(s.at("activations"), "activations of nodes");
}

const char* const kEndings[] = {".json", ".dot", ".graphml", ".safetensors", ".svg"};

void Graph::write(const weights::WeightGraph& graph) const {
  const auto is = [this](const char* ending) { return out.ends_with(ending); };
  const Json made = recipe(globals, {path});
  if (is(".json"))
    weights::write_graph_json(graph, out, made, force);
  else if (is(".dot"))
    weights::write_graph_dot(graph, out, force);
  else if (is(".graphml"))
    weights::write_graph_ml(graph, out, made, force);
  else if (is(".safetensors"))
    weights::write_graph_csr(graph, out, made, force);
  else
    weights::write_graph_svg(graph, out, force);
}

int Graph::back() const {
  if (out.empty()) throw Error(ErrorKind::usage, "--into needs -o, the network to write");
  require_other_file(out, path, "-o");
  const weights::WeightGraph graph = weights::read_graph(path);
  const NetworkInput input = read_network(into, network);
  std::vector<Patch> patches;
  for (auto& [constant, bytes] : weights::changed_tensors(graph, input.network))
    patches.push_back({input.network.constants[static_cast<size_t>(constant)].bytes, std::move(bytes)});
  write_changed(input, out, patches, force);
  log_info(text("{}: {} of {} tensors changed", one_line(out), patches.size(), graph.tensors.size()));
  return 0;
}

int Graph::run() const {
  if (!into.empty()) return back();
  if (!out.empty()) {
    if (std::ranges::none_of(kEndings, [this](const char* ending) { return out.ends_with(ending); }))
      throw Error(
          ErrorKind::usage,
          text("-o {}: expected a name in .json, .dot, .graphml, .safetensors or .svg", one_line(out)));
    require_other_file(out, path, "-o");
    require_writable(out, force);
  }
  const NetworkInput input = read_network(path, network);
  const weights::WeightGraph graph = weights::build_graph(input.network, input.shapes);
  for (const std::string& remark : graph.remarks) log_warn(text("{}: {}", one_line(path), remark));
  if (!out.empty()) write(graph);
  if (json)
    print(weights::graph_summary(graph).dump());
  else if (out.empty())
    print_summary(weights::graph_summary(graph));
  return 0;
}

}  // namespace

void register_graph(Options& app, const Globals& globals, Run& run) {
  auto verb = std::make_shared<Graph>(globals);
  Options* sub = app.add_subcommand(
      "graph", "the weight graph of a network: neurons and heads as nodes, an edge a parameter; and back");
  sub->footer(
      "Example:\n  dws graph net.onnx -o net.svg\n  dws graph net.onnx -o net.safetensors\n  dws graph "
      "net.safetensors "
      "--into net.onnx -o new.onnx");
  sub->add_option(
         "FILE", verb->path,
         "a network: .onnx, .safetensors, or a folder of shards; with --into a graph: .safetensors or .json")
      ->required();
  sub->add_option(
      "-o,--output", verb->out,
      "write the graph, by the ending of the name: .json, .dot, .graphml, .safetensors (CSR) or .svg "
      "(a picture)");
  sub->add_option("--into", verb->into,
                  "the network that takes the graph's weights; -o is the network to write");
  sub->add_flag("--json", verb->json, "the summary as JSON on stdout");
  sub->add_flag("--force", verb->force, "overwrite the output");
  add_network_options(*sub, verb->network);
  sub->callback([verb, &run] { run = [verb] { return verb->run(); }; });
}

}  // namespace dws::tools
