// Every operator against the ONNX standard's own test data (Debian's libonnx-testdata): a model of one operator, inputs and
// expected outputs. Prints how many cases each operator passes.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "format/onnx_parts.h"
#include "network/context.h"
#include "network/executor.h"

namespace dws::network {
namespace {

namespace fs = std::filesystem;
const fs::path kData = "/usr/share/libonnx-testdata/data";

// Cases of a covered operator that are left out, each with its reason.
const std::map<std::string, std::string> kLeftOut = {
    {"test_batchnorm_epsilon_training_mode", "training"},
    {"test_batchnorm_example_training_mode", "training"},
    {"test_training_dropout", "training"},
    {"test_training_dropout_default", "training"},
    {"test_training_dropout_default_mask", "training"},
    {"test_training_dropout_mask", "training"},
    {"test_cast_BFLOAT16_to_FLOAT", "the data calls bfloat16 UINT16"},
    {"test_cast_FLOAT_to_BFLOAT16", "the data calls bfloat16 UINT16"},
    {"test_castlike_BFLOAT16_to_FLOAT", "the data calls bfloat16 UINT16"},
    {"test_castlike_BFLOAT16_to_FLOAT_expanded", "the data calls bfloat16 UINT16"},
    {"test_castlike_FLOAT_to_BFLOAT16", "the data calls bfloat16 UINT16"},
    {"test_castlike_FLOAT_to_BFLOAT16_expanded", "the data calls bfloat16 UINT16"},
    {"test_identity_opt", "an optional, no tensor"},
    {"test_identity_sequence", "a sequence, no tensor"},
    {"test_scan_sum", "refused: a scan over a batch, operator set 8"}};

std::string read_all(const fs::path& path) {
  std::ifstream f(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}

// A file of one tensor; nullptr for a sequence, an optional or strings. It is read as the initializer of a model.
ArrayPtr read_array(const fs::path& path) {
  onnx::TensorProto tensor;
  if (!tensor.ParseFromString(read_all(path)) || tensor.data_type() == 0) return nullptr;
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  tensor.set_name("t");
  *model.mutable_graph()->add_initializer() = tensor;
  const std::string bytes = model.SerializeAsString();
  const Onnx onnx = Onnx::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), path.string());
  const OnnxTensor& t = onnx.graph().initializers.at(0);
  if (!is_real(t.type) && !is_integer(t.type)) return nullptr;
  return std::make_shared<const Array>(
      to_array({.name = {}, .type = t.type, .dims = t.dims, .bytes = t.bytes}));
}

// "" or what differs.
std::string difference(const Array& got, const Array& expected) {
  if (got.type != expected.type)
    return std::string("type ") + onnx_type_name(got.type) + ", expected " + onnx_type_name(expected.type);
  if (got.dims != expected.dims)
    return "another shape: " + ::testing::PrintToString(got.dims) + ", expected " +
           ::testing::PrintToString(expected.dims);
  if (!got.known()) return "no numbers";
  const bool half = got.type == OnnxType::f16 || got.type == OnnxType::bf16;
  const double relative = half ? 2e-3 : 1e-3, absolute = half ? 2e-3 : 1e-6;
  for (size_t i = 0; i < got.reals.size(); ++i) {
    const double a = got.reals[i], b = expected.reals[i];
    if (std::isnan(a) && std::isnan(b)) continue;
    if (a == b || std::abs(a - b) <= absolute + relative * std::abs(b)) continue;
    return "element " + std::to_string(i) + " is " + std::to_string(a) + ", expected " + std::to_string(b);
  }
  for (size_t i = 0; i < got.ints.size(); ++i)
    if (got.ints[i] != expected.ints[i])
      return "element " + std::to_string(i) + " is " + std::to_string(got.ints[i]) + ", expected " +
             std::to_string(expected.ints[i]);
  return {};
}

enum class Outcome { passed, failed, not_covered };
struct Case {
  Outcome outcome = Outcome::not_covered;
  std::set<std::string> ops;
  std::string why;
};

void collect(const Graph& graph, std::set<std::string>& ops, bool& known) {
  for (const Node& node : graph.nodes) {
    ops.insert(node.domain.empty() ? node.op : node.domain + "." + node.op);
    known = known && find_operator(node.domain, node.op);
    for (const auto& [name, body] : node.bodies) collect(body, ops, known);
  }
}

std::string run_set(const Network& network, const fs::path& set) {
  std::vector<ArrayPtr> inputs, expected;
  for (const char* kind : {"input", "output"})
    for (int i = 0; fs::exists(set / (std::string(kind) + "_" + std::to_string(i) + ".pb")); ++i) {
      ArrayPtr array = read_array(set / (std::string(kind) + "_" + std::to_string(i) + ".pb"));
      if (!array) return "skip";
      (kind[0] == 'i' ? inputs : expected).push_back(array);
    }
  if (expected.size() != network.graph.outputs.size() || inputs.size() != network.graph.inputs.size())
    return "skip";
  const std::vector<ArrayPtr> got = Executor(network, Precision::f32).run(inputs);
  for (size_t i = 0; i < got.size(); ++i) {
    if (!got[i]) return "output " + std::to_string(i) + " was not made";
    const std::string different = difference(*got[i], *expected[i]);
    if (!different.empty()) return "output " + std::to_string(i) + ": " + different;
  }
  // What is said of shapes without the numbers must be so.
  std::vector<ArrayPtr> hollow;
  for (const ArrayPtr& input : inputs)
    hollow.push_back(std::make_shared<const Array>(Array{.type = input->type, .dims = input->dims}));
  const std::vector<ArrayPtr> inferred = infer(network, hollow);
  for (size_t i = 0; i < got.size(); ++i) {
    const ArrayPtr& said = inferred[static_cast<size_t>(network.graph.outputs[i])];
    if (said && (said->dims != got[i]->dims || said->type != got[i]->type))
      return "the inferred shape is another";
  }
  return {};
}

Case run_case(const fs::path& folder) {
  Case c;
  try {
    const Network network = from_onnx(std::make_shared<Onnx>(Onnx::open((folder / "model.onnx").string())));
    bool known = true;
    collect(network.graph, c.ops, known);
    if (!known) return c;
    for (int s = 0; fs::exists(folder / ("test_data_set_" + std::to_string(s))); ++s) {
      c.why = run_set(network, folder / ("test_data_set_" + std::to_string(s)));
      if (c.why == "skip") return c;
      c.outcome = c.why.empty() ? Outcome::passed : Outcome::failed;
      if (!c.why.empty()) return c;
    }
  } catch (const Error& e) {
    c.outcome = Outcome::failed;
    c.why = e.what();
  }
  return c;
}

TEST(Conformance, StandardTestData) {
  if (!fs::exists(kData)) GTEST_SKIP() << "libonnx-testdata is not installed";
  struct Count {
    int passed = 0, of = 0;
  };
  std::map<std::string, Count> counts;
  int passed = 0, not_covered = 0;
  std::vector<fs::path> folders;
  for (const char* part : {"node", "simple", "pytorch-operator", "pytorch-converted"})
    if (fs::exists(kData / part))
      for (const auto& entry : fs::directory_iterator(kData / part))
        if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
  std::ranges::sort(folders);
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().string();
    if (kLeftOut.contains(name)) continue;
    const Case c = run_case(folder);
    if (c.outcome == Outcome::not_covered) {
      ++not_covered;
      continue;
    }
    EXPECT_EQ(c.outcome, Outcome::passed) << name << ": " << c.why;
    passed += c.outcome == Outcome::passed;
    for (const std::string& op : c.ops) {
      ++counts[op].of;
      counts[op].passed += c.outcome == Outcome::passed;
    }
  }
  for (const auto& [op, count] : counts)
    std::cout << op << ' ' << count.passed << '/' << count.of
              << (count.passed == count.of ? "\n" : "  <--\n");
  std::cout << passed << " cases passed, " << kLeftOut.size() << " left out, " << not_covered
            << " of operators not covered\n";
  EXPECT_GE(passed, 980);
}

}  // namespace
}  // namespace dws::network
