// The networks of tests/models against the outputs of who made them, PyTorch or ONNX Runtime.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "format/safetensors.h"
#include "network/executor.h"
#include "unit/exported_models.h"

namespace dws::network {
namespace {

namespace fs = std::filesystem;

ArrayPtr array_of(const Safetensors& file, const std::string& name) {
  const TensorEntry& entry = file.at(name);
  Array a{.type = entry.dtype == Dtype::i64 ? OnnxType::i64 : OnnxType::f32, .dims = entry.shape};
  if (a.real()) {
    std::vector<float> numbers(static_cast<size_t>(entry.elements()));
    file.read(entry, std::span<float>(numbers));
    a.reals.assign(numbers.begin(), numbers.end());
  } else {
    a.ints.resize(static_cast<size_t>(entry.elements()));
    file.read(entry, std::span<int64_t>(a.ints));
  }
  return std::make_shared<const Array>(std::move(a));
}

class Exported : public ::testing::TestWithParam<std::string> {
 protected:
  const std::string path = std::string(DWS_TEST_DATA) + "/../models/" + GetParam();
  const std::shared_ptr<const Onnx> onnx = std::make_shared<const Onnx>(Onnx::open(path + ".onnx"));
  const Network network = from_onnx(onnx);
  const Safetensors io = Safetensors::open(path + ".io.safetensors");
};

TEST_P(Exported, GivesItsMakersNumbers) {
  const ArrayPtr input = array_of(io, "in.0"), expected = array_of(io, "out.0");
  for (const Precision precision : {Precision::f64, Precision::f32}) {
    Executor executor(network, precision);
    const std::vector<ArrayPtr> got = executor.run({input});
    ASSERT_EQ(got.size(), 1u);
    ASSERT_EQ(got[0]->dims, expected->dims);
    double largest = 0, difference = 0;
    for (size_t i = 0; i < expected->reals.size(); ++i) {
      largest = std::max(largest, std::abs(expected->reals[i]));
      difference = std::max(difference, std::abs(expected->reals[i] - got[0]->reals[i]));
    }
    EXPECT_GT(largest, 0);
    EXPECT_LE(difference, 2e-5 * largest);
  }
}

TEST_P(Exported, ShapesAreKnownWithoutRunning) {
  const ArrayPtr input = array_of(io, "in.0"), expected = array_of(io, "out.0");
  const std::vector<ArrayPtr> shapes =
      infer(network, {std::make_shared<const Array>(Array{.type = input->type, .dims = input->dims})});
  const ArrayPtr& output = shapes[static_cast<size_t>(network.graph.outputs[0])];
  ASSERT_TRUE(output);
  EXPECT_EQ(output->dims, expected->dims);
  EXPECT_FALSE(output->known());
  EXPECT_TRUE(std::ranges::all_of(shapes, [](const ArrayPtr& a) { return a != nullptr; }));
}

INSTANTIATE_TEST_SUITE_P(Models, Exported, ::testing::ValuesIn(exported_models()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace dws::network
