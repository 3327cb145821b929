// GraphProto, NodeProto, AttributeProto, FunctionProto to plain structs.
#include <string_view>
#include <unordered_set>

#include "core/text.h"
#include "format/onnx_parts.h"

namespace dws::format {
namespace {

using Kind = OnnxAttribute::Kind;

std::vector<std::string> strings_of(const google::protobuf::RepeatedPtrField<std::string>& from) {
  return {from.begin(), from.end()};
}

std::string node_label(const onnx::NodeProto& node) {
  const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  return text("{} node '{}'", escaped(node.op_type()), escaped(name));
}

OnnxAttribute read_attribute(OnnxSource& source, const onnx::AttributeProto& proto, const std::string& node,
                             int depth) {
  OnnxAttribute attribute;
  attribute.name = proto.name();
  attribute.parameter = proto.ref_attr_name();
  const std::string where = text("attribute '{}' of {}", escaped(proto.name()), node);
  if (static_cast<int>(proto.type()) < 0 || static_cast<int>(proto.type()) > static_cast<int>(Kind::types))
    fail(ErrorKind::bad_schema, {.file = source.file, .what = text("{} is of an unknown type", where)});
  // Files of IR version 1 leave the type out: then the one field that is there says it.
  const auto take = [&](bool present, Kind kind) {
    if (!present) return;
    const auto said = static_cast<Kind>(proto.type());
    const bool fits = said == Kind::undefined ? attribute.kind == Kind::undefined : said == kind;
    if (!fits)
      fail(ErrorKind::bad_schema,
           {.file = source.file, .what = text("{} has a value that is not of its type", where)});
    attribute.kind = kind;
  };
  take(proto.has_f(), Kind::f);
  take(proto.has_i(), Kind::i);
  take(proto.has_s(), Kind::s);
  take(proto.has_t(), Kind::tensor);
  take(proto.has_g(), Kind::graph);
  take(proto.floats_size() > 0, Kind::floats);
  take(proto.ints_size() > 0, Kind::ints);
  take(proto.strings_size() > 0, Kind::strings);
  take(proto.tensors_size() > 0, Kind::tensors);
  take(proto.graphs_size() > 0, Kind::graphs);
  take(proto.has_sparse_tensor(), Kind::sparse);
  take(proto.sparse_tensors_size() > 0, Kind::sparses);
  take(proto.has_tp(), Kind::type);
  take(proto.type_protos_size() > 0, Kind::types);
  attribute.kind =
      proto.type() != onnx::AttributeProto::UNDEFINED ? static_cast<Kind>(proto.type()) : attribute.kind;

  attribute.f = static_cast<double>(proto.f());
  attribute.i = proto.i();
  attribute.s = proto.s();
  attribute.floats.assign(proto.floats().begin(), proto.floats().end());
  attribute.ints.assign(proto.ints().begin(), proto.ints().end());
  attribute.strings = strings_of(proto.strings());
  if (proto.has_t()) attribute.tensors.push_back(read_onnx_tensor(source, proto.t(), where));
  for (const auto& tensor : proto.tensors())
    attribute.tensors.push_back(read_onnx_tensor(source, tensor, where));
  if (proto.has_sparse_tensor()) read_onnx_sparse(source, proto.sparse_tensor(), where);
  for (const auto& sparse : proto.sparse_tensors()) read_onnx_sparse(source, sparse, where);
  const auto add_graph = [&](const onnx::GraphProto& graph) {
    attribute.graphs.push_back(std::make_shared<const OnnxGraph>(read_onnx_graph(source, graph, depth + 1)));
  };
  if (proto.has_g()) add_graph(proto.g());
  for (const auto& graph : proto.graphs()) add_graph(graph);
  return attribute;
}

OnnxNode read_node(OnnxSource& source, const onnx::NodeProto& proto, int depth) {
  OnnxNode node{.name = proto.name(),
                .op = proto.op_type(),
                .domain = proto.domain() == "ai.onnx" ? std::string() : proto.domain(),
                .inputs = strings_of(proto.input()),
                .outputs = strings_of(proto.output()),
                .attributes = {}};
  const std::string label = node_label(proto);
  if (node.op.empty())
    fail(ErrorKind::bad_schema, {.file = source.file, .what = text("{} has no operator", label)});
  std::unordered_set<std::string_view> seen;
  node.attributes.reserve(static_cast<size_t>(proto.attribute_size()));
  for (const auto& attribute : proto.attribute()) {
    if (!seen.insert(attribute.name()).second)
      fail(ErrorKind::duplicate_name,
           {.file = source.file,
            .what = text("{} has two attributes '{}'", label, escaped(attribute.name()))});
    node.attributes.push_back(read_attribute(source, attribute, label, depth));
  }
  return node;
}

OnnxValue read_value(const onnx::ValueInfoProto& proto) {
  OnnxValue value;
  value.name = proto.name();
  if (!proto.type().has_tensor_type()) return value;
  const auto& tensor = proto.type().tensor_type();
  if (tensor.elem_type() >= 1 && tensor.elem_type() <= kLastOnnxType)
    value.type = static_cast<OnnxType>(tensor.elem_type());
  if (!tensor.has_shape()) return value;
  value.dims.emplace();
  for (const auto& dim : tensor.shape().dim()) {
    value.dims->push_back(dim.has_dim_value() ? dim.dim_value() : -1);
    value.symbols.push_back(dim.dim_param());
  }
  return value;
}

}  // namespace

std::map<std::string, int64_t> read_onnx_opsets(
    const OnnxSource& source, const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& opsets,
    const std::string& whose) {
  std::map<std::string, int64_t> versions;
  for (const auto& opset : opsets) {
    const std::string domain = opset.domain() == "ai.onnx" ? std::string() : opset.domain();
    const auto [at, fresh] = versions.emplace(domain, opset.version());
    // Some exporters say the same twice.
    if (!fresh && at->second != opset.version())
      fail(ErrorKind::bad_schema,
           {.file = source.file,
            .what = text("{} imports two versions of domain '{}'", whose, escaped(domain)),
            .expected = "one",
            .got = text("{} and {}", at->second, opset.version())});
  }
  return versions;
}

OnnxGraph read_onnx_graph(OnnxSource& source, const onnx::GraphProto& proto, int depth) {
  if (depth > source.limits.depth)
    fail(ErrorKind::resource_limit, {.file = source.file,
                                     .what = "graphs lie too deep within graphs",
                                     .expected = text("at most {}", source.limits.depth)});
  OnnxGraph graph;
  graph.name = proto.name();
  graph.nodes.reserve(static_cast<size_t>(proto.node_size()));
  for (const auto& node : proto.node()) graph.nodes.push_back(read_node(source, node, depth));
  for (const auto& tensor : proto.initializer()) {
    if (tensor.name().empty())
      fail(ErrorKind::bad_schema, {.file = source.file, .what = "an initializer without a name"});
    graph.initializers.push_back(read_onnx_tensor(source, tensor, tensor.name()));
  }
  for (const auto& sparse : proto.sparse_initializer()) {
    if (sparse.values().name().empty())
      fail(ErrorKind::bad_schema, {.file = source.file, .what = "a sparse initializer without a name"});
    read_onnx_sparse(source, sparse, sparse.values().name());
    graph.sparse.push_back(sparse.values().name());
  }
  for (const auto& value : proto.input()) graph.inputs.push_back(read_value(value));
  for (const auto& value : proto.output()) graph.outputs.push_back(read_value(value));
  for (const auto& value : proto.value_info()) graph.values.push_back(read_value(value));
  return graph;
}

OnnxFunction read_onnx_function(OnnxSource& source, const onnx::FunctionProto& proto) {
  OnnxFunction function{
      .name = proto.name(),
      .domain = proto.domain() == "ai.onnx" ? std::string() : proto.domain(),
      .inputs = strings_of(proto.input()),
      .outputs = strings_of(proto.output()),
      .attributes = strings_of(proto.attribute()),
      .nodes = {},
      .opsets = read_onnx_opsets(source, proto.opset_import(), text("function '{}'", escaped(proto.name())))};
  for (const auto& node : proto.node()) function.nodes.push_back(read_node(source, node, 1));
  return function;
}

}  // namespace dws::format
