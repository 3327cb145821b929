// Every operator against the ONNX standard's own test data (Debian's libonnx-testdata): a model of one operator, inputs and
// expected outputs. Prints how many cases each operator passes.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "network/context.h"
#include "standard_data.h"

namespace dws::network {
namespace {

namespace fs = std::filesystem;
using testing::read_array;
using testing::standard_cases;

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
  if (standard_cases().empty()) GTEST_SKIP() << "libonnx-testdata is not installed";
  struct Count {
    int passed = 0, of = 0;
  };
  std::map<std::string, Count> counts;
  int passed = 0, not_covered = 0;
  for (const fs::path& folder : standard_cases()) {
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
