#include "format/onnx_added.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/error.h"
#include "core/text.h"
#include "format/onnx_wire.h"

namespace dws::format {
namespace {

// Field numbers of onnx.proto.
constexpr uint64_t kGraphOfModel = 7, kNodeOfGraph = 1, kInitializerOfGraph = 5, kInputOfNode = 1,
                   kDimsOfTensor = 1, kTypeOfTensor = 2, kNameOfTensor = 8, kRawDataOfTensor = 9;
// What a file grows by at most besides numbers and names.
constexpr uint64_t kAround = 4096;

void put_number(uint64_t field, uint64_t value, std::string& to) {
  put_varint(field << 3 | static_cast<uint64_t>(Wire::varint), to);
  put_varint(value, to);
}
void put_head(uint64_t field, uint64_t size, std::string& to) {
  put_varint(field << 3 | static_cast<uint64_t>(Wire::bytes), to);
  put_varint(size, to);
}

std::string initializer(const AddedTensor& tensor, const OnnxTensor& like, const std::string& file) {
  const Patch::Numbers numbers = tensor.numbers();
  if (numbers.size() != tensor.like.size())
    throw Error(ErrorKind::mismatch,
                text("{}: {} bytes for a tensor of {}", one_line(file), numbers.size(), tensor.like.size()));
  std::string fields;
  for (const int64_t d : like.dims) put_number(kDimsOfTensor, static_cast<uint64_t>(d), fields);
  put_number(kTypeOfTensor, static_cast<uint64_t>(like.type), fields);
  put_head(kNameOfTensor, tensor.name.size(), fields);
  fields += tensor.name;
  put_head(kRawDataOfTensor, numbers.size(), fields);
  std::string made;
  put_head(kInitializerOfGraph, fields.size() + numbers.size(), made);
  made.reserve(made.size() + fields.size() + numbers.size());
  made += fields;
  made.append(reinterpret_cast<const char*>(numbers.data()), numbers.size());
  return made;
}

bool has_value(const OnnxGraph& graph, const std::string& name) {
  const auto named = [&](const auto& v) { return v.name == name; };
  return std::ranges::any_of(graph.initializers, named) || std::ranges::any_of(graph.inputs, named) ||
         std::ranges::any_of(graph.sparse, [&](const std::string& s) { return s == name; }) ||
         std::ranges::any_of(graph.nodes, [&](const OnnxNode& n) {
           return std::ranges::find(n.outputs, name) != n.outputs.end() ||
                  std::ranges::any_of(n.attributes, [&](const OnnxAttribute& a) {
                    return std::ranges::any_of(a.graphs, [&](const auto& g) { return has_value(*g, name); });
                  });
         });
}

}  // namespace

std::vector<MessageEdit> added_initializers(const Onnx& model, const std::vector<AddedTensor>& added) {
  if (added.empty()) return {};
  const std::string file = one_line(model.path());
  const Bytes bytes = model.file_bytes();
  if (model.ir_version() < 4)
    throw Error(ErrorKind::unsupported,
                text("{}: IR version {}: its graph cannot be given another tensor, which would be an input",
                     file, model.ir_version()),
                "export it anew, with IR version 4 or later");
  uint64_t more = 0;
  for (const AddedTensor& tensor : added) more += tensor.like.size() + tensor.name.size() + kAround;
  if (bytes.size() + more > static_cast<uint64_t>(std::numeric_limits<int32_t>::max()))
    throw Error(ErrorKind::too_large,
                text("{}: would have more than 2147483647 bytes with another tensor of {}", file, more),
                "models beyond 2 GiB keep their tensors in external data");

  WireField graph;
  for (WireReader reader(bytes, 0, bytes.size(), model.path()); reader.next(graph);)
    if (graph.number == kGraphOfModel && graph.wire == Wire::bytes) break;
  std::vector<WireField> nodes;
  WireReader reader(bytes, graph.content, graph.end, model.path());
  for (WireField field; reader.next(field);)
    if (field.number == kNodeOfGraph && field.wire == Wire::bytes) nodes.push_back(field);

  const auto is_name = [&](const WireField& field, const std::string& name) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()) + field.content,
                            field.end - field.content) == name;
  };
  std::vector<MessageEdit> edits;
  for (const AddedTensor& tensor : added) {
    const auto like = std::ranges::find_if(model.graph().initializers, [&](const OnnxTensor& t) {
      return t.bytes.data() == tensor.like.data();
    });
    if (like == model.graph().initializers.end())
      throw Error(ErrorKind::unsupported,
                  text("{}: a tensor to be written as '{}' is no initializer of its graph", file,
                       escaped(tensor.name)));
    if (has_value(model.graph(), tensor.name))
      throw Error(ErrorKind::duplicate_name,
                  text("{}: there is a value '{}' already", file, escaped(tensor.name)));
    edits.push_back({graph.content, graph.content, initializer(tensor, *like, model.path())});
    for (const AddedTensor::Reader& read : tensor.readers) {
      const auto node = std::ranges::find_if(model.graph().nodes, [&](const OnnxNode& n) {
        return !n.outputs.empty() && n.outputs.front() == read.output;
      });
      std::optional<WireField> input;
      if (node != model.graph().nodes.end()) {
        const WireField& at = nodes[static_cast<size_t>(node - model.graph().nodes.begin())];
        WireReader fields(bytes, at.content, at.end, model.path());
        size_t i = 0;
        for (WireField field; fields.next(field);)
          if (field.number == kInputOfNode && field.wire == Wire::bytes && i++ == read.input &&
              is_name(field, like->name))
            input = field;
      }
      if (!input)
        throw Error(ErrorKind::unsupported,
                    text("{}: what makes '{}' is no node of its graph: it cannot be given another tensor",
                         file, escaped(read.output)));
      edits.push_back({input->content, input->end, tensor.name});
    }
  }
  return edits;
}

}  // namespace dws::format
