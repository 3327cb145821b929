// Networks made node by node, with random weights.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../format/onnx_builder.h"
#include "core/rng.h"
#include "core/text.h"
#include "network/executor.h"

namespace dws::testing {

using Strings = std::vector<std::string>;
using Ints = std::vector<int64_t>;

struct Attributes {
  std::map<std::string, int64_t> i{};
  std::map<std::string, float> f{};
  std::map<std::string, std::string> s{};
  std::map<std::string, Ints> ints{};
  std::map<std::string, std::vector<float>> floats{};
  std::map<std::string, Strings> strings{};
  std::map<std::string, std::shared_ptr<onnx::GraphProto>> graphs{};
};

class GraphMaker {
 public:
  explicit GraphMaker(int64_t opset, uint64_t seed = 1) : rng_(seed) {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(opset);
    auto* other = model_.add_opset_import();
    other->set_domain("com.microsoft");
    other->set_version(1);
    model_.mutable_graph()->set_name("g");
  }
  // The graph that is being made: the outermost, or within body() an inner one.
  onnx::GraphProto& graph() { return inner_ ? *inner_ : *model_.mutable_graph(); }
  // A graph for an attribute of a node: `make` adds its nodes, and inputs and outputs.
  std::shared_ptr<onnx::GraphProto> body(const std::function<void()>& make) {
    auto made = std::make_shared<onnx::GraphProto>();
    made->set_name("body");
    onnx::GraphProto* outer = inner_;
    inner_ = made.get();
    make();
    inner_ = outer;
    return made;
  }

  std::string input(const std::string& name, const Ints& dims, int type = onnx::TensorProto::FLOAT) {
    declare(graph().add_input(), name, dims, type);
    return name;
  }
  void output(const std::string& name, const Ints& dims, int type = onnx::TensorProto::FLOAT) {
    declare(graph().add_output(), name, dims, type);
  }
  std::string floats(const std::string& name, const Ints& dims, const std::vector<float>& values) {
    add_floats(graph(), name, dims, values);
    return name;
  }
  // Normal numbers, not small.
  std::string weight(const std::string& name, const Ints& dims) {
    std::vector<float> values(static_cast<size_t>(network::elements(dims)));
    for (float& v : values) v = static_cast<float>(0.5 * rng_.normal());
    return floats(name, dims, values);
  }
  std::string ints(const Ints& values) {
    return ints(text("ints{}", ++made_), {static_cast<int64_t>(values.size())}, values);
  }
  std::string ints(const std::string& name, const Ints& dims, const Ints& values,
                   int type = onnx::TensorProto::INT64) {
    auto* t = graph().add_initializer();
    t->set_name(name);
    t->set_data_type(type);
    for (const int64_t d : dims) t->add_dims(d);
    for (const int64_t v : values)
      type == onnx::TensorProto::INT64 ? t->add_int64_data(v) : t->add_int32_data(static_cast<int32_t>(v));
    return name;
  }
  std::string scalar(float value) { return floats(text("scalar{}", ++made_), {}, {value}); }

  Strings nodes(const std::string& op, const Strings& in, size_t outputs, const Attributes& attributes = {}) {
    Strings out;
    for (size_t i = 0; i < outputs; ++i) out.push_back(text("{}{}", op, ++made_));
    const size_t dot = op.rfind('.');
    auto* node = add_node(graph(), dot == std::string::npos ? op : op.substr(dot + 1), in, out);
    if (dot != std::string::npos) node->set_domain(op.substr(0, dot));
    for (const auto& [name, v] : attributes.i) {
      auto* a = node->add_attribute();
      a->set_name(name);
      a->set_type(onnx::AttributeProto::INT);
      a->set_i(v);
    }
    for (const auto& [name, v] : attributes.f) {
      auto* a = node->add_attribute();
      a->set_name(name);
      a->set_type(onnx::AttributeProto::FLOAT);
      a->set_f(v);
    }
    for (const auto& [name, v] : attributes.s) {
      auto* a = node->add_attribute();
      a->set_name(name);
      a->set_type(onnx::AttributeProto::STRING);
      a->set_s(v);
    }
    for (const auto& [name, list] : attributes.floats) {
      auto* a = node->add_attribute();
      a->set_name(name);
      a->set_type(onnx::AttributeProto::FLOATS);
      for (const float v : list) a->add_floats(v);
    }
    for (const auto& [name, list] : attributes.strings) {
      auto* a = node->add_attribute();
      a->set_name(name);
      a->set_type(onnx::AttributeProto::STRINGS);
      for (const std::string& v : list) a->add_strings(v);
    }
    for (const auto& [name, inner] : attributes.graphs) {
      auto* a = node->add_attribute();
      a->set_name(name);
      a->set_type(onnx::AttributeProto::GRAPH);
      *a->mutable_g() = *inner;
    }
    for (const auto& [name, list] : attributes.ints) {
      auto* a = node->add_attribute();
      a->set_name(name);
      a->set_type(onnx::AttributeProto::INTS);
      for (const int64_t v : list) a->add_ints(v);
    }
    return out;
  }
  std::string node(const std::string& op, const Strings& in, const Attributes& attributes = {}) {
    return nodes(op, in, 1, attributes).front();
  }

  network::Network network() {
    bytes_ = std::make_shared<std::string>(model_.SerializeAsString());
    network::Network net = network::from_onnx(std::make_shared<Onnx>(Onnx::parse(bytes_of(*bytes_), "made")));
    net.owner = std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<std::string>>>(
        net.owner, bytes_);
    return net;
  }

 private:
  static void declare(onnx::ValueInfoProto* value, const std::string& name, const Ints& dims, int type) {
    value->set_name(name);
    auto* tensor = value->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    tensor->mutable_shape();
    for (const int64_t d : dims) tensor->mutable_shape()->add_dim()->set_dim_value(d);
  }

  onnx::ModelProto model_;
  onnx::GraphProto* inner_ = nullptr;
  Rng rng_;
  int made_ = 0;
  std::shared_ptr<std::string> bytes_;
};

}  // namespace dws::testing
