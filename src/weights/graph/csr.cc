// The graph as a safetensors file: compressed rows by source node.
#include <algorithm>
#include <memory>

#include "core/error.h"
#include "core/text.h"
#include "format/safetensors.h"
#include "weights/graph.h"

namespace dws::weights {
namespace {

constexpr const char* kMeta = "dws.graph";

// A column in the order of the file, in pieces.
template <class Out, class At>
TensorSource column(const char* name, Dtype dtype, int64_t count, At at) {
  return {.name = name, .dtype = dtype, .shape = {count}, .fill = [count, at](const auto& sink) {
            std::vector<Out> piece;
            constexpr int64_t kPiece = 1 << 16;
            for (int64_t begin = 0; begin < count; begin += kPiece) {
              piece.clear();
              for (int64_t i = begin; i < std::min(count, begin + kPiece); ++i)
                piece.push_back(static_cast<Out>(at(static_cast<size_t>(i))));
              sink(piece.data(), piece.size() * sizeof(Out));
            }
          }};
}

bool fits_float(const WeightGraph& g) {
  return std::ranges::none_of(
      g.tensors, [](const GraphTensor& t) { return t.type == OnnxType::f64 || t.type == OnnxType::i32; });
}

// Reads a column; `wide` says which types it may have.
class Columns {
 public:
  explicit Columns(const Safetensors& file) : file_(file) {}
  int64_t length(const char* name) const { return entry(name).shape[0]; }
  template <class Out>
  std::vector<Out> integers(const char* name, int64_t count, std::initializer_list<Dtype> types,
                            int64_t least, int64_t most) const {
    const TensorEntry& e = checked(name, count, types);
    std::vector<int64_t> wide;
    std::vector<Out> out;
    out.reserve(static_cast<size_t>(count));
    // In pieces: the wide copy would be larger than all the rest.
    const auto item = static_cast<size_t>(dtype_bits(e.dtype)) / 8;
    constexpr int64_t kPiece = 1 << 16;
    for (int64_t begin = 0; begin < count; begin += kPiece) {
      const int64_t n = std::min(count - begin, kPiece);
      const Bytes part =
          file_.bytes(e).subspan(static_cast<size_t>(begin) * item, static_cast<size_t>(n) * item);
      for (int64_t i = 0; i < n; ++i) {
        const int64_t v = load(e.dtype, part.data() + static_cast<size_t>(i) * item);
        if (v < least || v > most)
          throw Error(ErrorKind::bad_value, text("{}: tensor '{}': {} at {}: expected {} to {}",
                                                 one_line(file_.path()), name, v, begin + i, least, most));
        out.push_back(static_cast<Out>(v));
      }
    }
    return out;
  }
  std::vector<double> reals(const char* name, int64_t count) const {
    const TensorEntry& e = checked(name, count, {Dtype::f32, Dtype::f64});
    std::vector<double> out(static_cast<size_t>(count));
    file_.read(e, std::span<double>(out));
    return out;
  }

 private:
  static int64_t load(Dtype dtype, const std::byte* at) {
    const auto get = [at]<class T>(T value) {
      std::copy_n(at, sizeof value, reinterpret_cast<std::byte*>(&value));
      return static_cast<int64_t>(value);
    };
    return dtype == Dtype::u8 ? get(uint8_t{}) : dtype == Dtype::i32 ? get(int32_t{}) : get(int64_t{});
  }
  const TensorEntry& entry(const char* name) const {
    const TensorEntry& e = file_.at(name);
    if (e.shape.size() != 1)
      throw Error(ErrorKind::mismatch, text("{}: tensor '{}': expected one axis, got shape {}",
                                            one_line(file_.path()), name, e.shape_str()));
    return e;
  }
  const TensorEntry& checked(const char* name, int64_t count, std::initializer_list<Dtype> types) const {
    const TensorEntry& e = entry(name);
    if (std::ranges::find(types, e.dtype) == types.end())
      throw Error(ErrorKind::unknown_dtype,
                  text("{}: tensor '{}': expected {}, got {}", one_line(file_.path()), name,
                       dtype_name(*types.begin()), dtype_name(e.dtype)));
    if (e.shape[0] != count)
      throw Error(ErrorKind::mismatch, text("{}: tensor '{}': expected {} numbers, got {}",
                                            one_line(file_.path()), name, count, e.shape[0]));
    return e;
  }
  const Safetensors& file_;
};

WeightGraph from_file(const Safetensors& file) {
  const std::string& name = file.path();
  const std::string* meta = file.meta(kMeta);
  if (!meta)
    throw Error(ErrorKind::bad_schema,
                text("{}: no metadata '{}': not a weight graph", one_line(name), kMeta));
  WeightGraph g = graph_from_tables(Json::parse(*meta, name), name);
  const Columns columns(file);
  constexpr int64_t kMost = (int64_t{1} << 31) - 1;
  const int64_t nodes = columns.length("node_type"), edges = columns.length("col");
  if (nodes > kMost || edges > kMost)
    throw Error(ErrorKind::resource_limit, text("{}: more than {} nodes or edges", one_line(name), kMost));
  const auto types =
      columns.integers<uint8_t>("node_type", nodes, {Dtype::u8}, 0, static_cast<int64_t>(kLastNodeType));
  for (const uint8_t t : types) g.node_type.push_back(static_cast<NodeType>(t));
  g.node_layer = columns.integers<int32_t>("node_layer", nodes, {Dtype::i32}, 0, kMost);
  g.node_order = columns.integers<int64_t>("node_order", nodes, {Dtype::i64}, -1, int64_t{1} << 61);
  g.node_activation = columns.integers<int32_t>("node_activation", nodes, {Dtype::i32}, 0, kMost);
  const auto rows = columns.integers<int64_t>("row_ptr", nodes + 1, {Dtype::i64}, 0, edges);
  for (size_t n = 0; n < static_cast<size_t>(nodes); ++n)
    if (rows[n] > rows[n + 1])
      throw Error(ErrorKind::bad_value, text("{}: tensor 'row_ptr' goes down at {}", one_line(name), n + 1));
  if (rows.front() != 0 || rows.back() != edges)
    throw Error(ErrorKind::bad_value, text("{}: tensor 'row_ptr': expected 0 to {}, got {} to {}",
                                           one_line(name), edges, rows.front(), rows.back()));
  g.source.reserve(static_cast<size_t>(edges));
  for (int64_t n = 0; n < nodes; ++n)
    g.source.resize(static_cast<size_t>(rows[static_cast<size_t>(n) + 1]), static_cast<int32_t>(n));
  g.target = columns.integers<int32_t>("col", edges, {Dtype::i32}, 0, nodes - 1);
  g.weight = columns.reals("weight", edges);
  const auto edge_types =
      columns.integers<uint8_t>("edge_type", edges, {Dtype::u8}, 0, static_cast<int64_t>(kLastEdgeType));
  g.edge_type.reserve(edge_types.size());
  for (const uint8_t t : edge_types) g.edge_type.push_back(static_cast<EdgeType>(t));
  g.edge_layer = columns.integers<int32_t>("edge_layer", edges, {Dtype::i32}, 0, kMost);
  g.position = columns.integers<int32_t>("edge_position", edges, {Dtype::i32}, 0, kMost);
  g.tensor = columns.integers<int32_t>("edge_tensor", edges, {Dtype::i32}, -1, kMost);
  g.index = columns.integers<int64_t>("edge_index", edges, {Dtype::i64}, -1, int64_t{1} << 61);
  check_graph(g);
  return g;
}

}  // namespace

void write_graph_csr(const WeightGraph& g, const std::string& path, const Json& recipe, bool force) {
  const int64_t nodes = g.nodes(), edges = g.edges();
  std::vector<int64_t> rows(static_cast<size_t>(nodes) + 1, 0);
  for (const int32_t s : g.source) ++rows[static_cast<size_t>(s) + 1];
  for (size_t n = 0; n < static_cast<size_t>(nodes); ++n) rows[n + 1] += rows[n];
  std::vector<int32_t> order(static_cast<size_t>(edges));
  {
    std::vector<int64_t> next(rows.begin(), rows.end() - 1);
    for (size_t e = 0; e < order.size(); ++e)
      order[static_cast<size_t>(next[static_cast<size_t>(g.source[e])]++)] = static_cast<int32_t>(e);
  }
  const auto edge = [&](size_t i) { return static_cast<size_t>(order[i]); };
  std::vector<TensorSource> tensors;
  tensors.push_back(column<int64_t>("row_ptr", Dtype::i64, nodes + 1, [&](size_t i) { return rows[i]; }));
  tensors.push_back(column<int32_t>("col", Dtype::i32, edges, [&](size_t i) { return g.target[edge(i)]; }));
  if (fits_float(g))
    tensors.push_back(
        column<float>("weight", Dtype::f32, edges, [&](size_t i) { return g.weight[edge(i)]; }));
  else
    tensors.push_back(
        column<double>("weight", Dtype::f64, edges, [&](size_t i) { return g.weight[edge(i)]; }));
  tensors.push_back(
      column<uint8_t>("edge_type", Dtype::u8, edges, [&](size_t i) { return g.edge_type[edge(i)]; }));
  tensors.push_back(
      column<int32_t>("edge_layer", Dtype::i32, edges, [&](size_t i) { return g.edge_layer[edge(i)]; }));
  tensors.push_back(
      column<int32_t>("edge_position", Dtype::i32, edges, [&](size_t i) { return g.position[edge(i)]; }));
  tensors.push_back(
      column<int32_t>("edge_tensor", Dtype::i32, edges, [&](size_t i) { return g.tensor[edge(i)]; }));
  tensors.push_back(
      column<int64_t>("edge_index", Dtype::i64, edges, [&](size_t i) { return g.index[edge(i)]; }));
  tensors.push_back(column<uint8_t>("node_type", Dtype::u8, nodes, [&](size_t i) { return g.node_type[i]; }));
  tensors.push_back(
      column<int32_t>("node_layer", Dtype::i32, nodes, [&](size_t i) { return g.node_layer[i]; }));
  tensors.push_back(
      column<int64_t>("node_order", Dtype::i64, nodes, [&](size_t i) { return g.node_order[i]; }));
  tensors.push_back(
      column<int32_t>("node_activation", Dtype::i32, nodes, [&](size_t i) { return g.node_activation[i]; }));
  Json tables = graph_tables(g);
  if (!recipe.is_null()) tables.set("recipe", recipe);
  write_safetensors(path, std::move(tensors), {{kMeta, tables.dump()}}, force);
}

WeightGraph graph_from_csr(Bytes bytes, const std::string& name) {
  return from_file(Safetensors::parse(bytes, name));
}
WeightGraph read_graph(const std::string& path) {
  if (path.ends_with(".safetensors")) return from_file(Safetensors::open(path));
  if (path.ends_with(".json")) {
    const MappedFile file(path);
    return graph_from_json({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path);
  }
  throw Error(ErrorKind::usage, text("{}: a graph is read from .safetensors or .json", one_line(path)));
}

}  // namespace dws::weights
