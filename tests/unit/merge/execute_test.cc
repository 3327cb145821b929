#include "merge/execute.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "core/parallel.h"
#include "core/rng.h"
#include "merge/average.h"
#include "networks.h"

namespace dws::merge {
namespace {

// A base and three networks near it: a matrix of several blocks, a vector, and integers.
struct Family {
  testing::TempDir folder;
  std::vector<Input> inputs;

  explicit Family(int64_t rows = 150, int64_t columns = 700) {
    Rng rng(1);
    std::vector<Numbers> base{{"w", {rows, columns}, {}}, {"v", {columns}, {}}};
    for (Numbers& t : base) {
      int64_t n = 1;
      for (const int64_t extent : t.shape) n *= extent;
      for (int64_t i = 0; i < n; ++i) t.values.push_back(static_cast<float>(rng.normal()));
    }
    for (int k = 0; k < 4; ++k) {
      std::vector<Numbers> tensors = base;
      if (k < 3)
        for (Numbers& t : tensors)
          for (float& x : t.values) x += 0.125f * static_cast<float>(static_cast<int64_t>(rng.below(9)) - 4);
      inputs.push_back(write_input(folder / (std::to_string(k) + ".safetensors"), tensors));
    }
  }
  Plan plan(Method method) const {
    Choices c;
    c.method = method;
    c.parameters = default_parameters(method, false);
    c.models = {0, 1, 2};
    if (traits(method).most > 0) c.models.resize(static_cast<size_t>(traits(method).most));
    if (traits(method).takes_base) c.base = 3;
    if (method == Method::sce) c.parameters.select_topk = 0.3;
    if (traits(method).random) c.parameters.rescale = Rescale::l1;
    c.seed = 4;
    std::vector<std::string> warnings;
    return compose(inputs, c, warnings);
  }
};

TEST(Execute, BitsDependNeitherOnThreadsNorOnMemory) {
  const Family family;
  for (const Method method : all_methods()) {
    const Plan plan = family.plan(method);
    set_threads(1);
    const auto want = run(plan, family.inputs);
    set_threads(3);
    EXPECT_EQ(run(plan, family.inputs), want) << method_name(method);
    ExecuteOptions little;
    little.max_memory = 4 << 20;
    EXPECT_EQ(run(plan, family.inputs, little), want) << method_name(method);
    set_threads(0);
  }
}

TEST(Execute, AMemoryThatHoldsNoBlockIsRefused) {
  const Family family;
  ExecuteOptions none;
  none.max_memory = 100'000;
  testing::expect_error(
      ErrorKind::resource_limit, [&] { run(family.plan(Method::ties), family.inputs, none); },
      "--max-memory");
}

TEST(Execute, MappedPagesAreGivenBack) {
  const Family family(3000, 2500);  // 30 MB a network
  ExecuteOptions options;
  options.max_memory = 8 << 20;
  class Nothing : public Writer {
    void write(size_t, uint64_t, const void*, size_t) override {
      most = std::max(most, testing::mapped_mib());
    }

   public:
    double most = 0;
  } writer;
  set_threads(1);
  const double before = testing::mapped_mib();
  execute(family.plan(Method::ties), family.inputs, options, writer);
  set_threads(0);
  EXPECT_LE(writer.most - before, 20);  // of 120
}

TEST(Execute, NaNIsReportedWithItsPlace) {
  const testing::TempDir folder;
  std::vector<float> x(70000, 1.0f);
  std::vector<Input> inputs{write_input(folder / "a.safetensors", {{"w", {100, 700}, x}})};
  x[40002] = std::numeric_limits<float>::quiet_NaN();
  x[69999] = std::numeric_limits<float>::infinity();
  inputs.push_back(write_input(folder / "b.safetensors", {{"w", {100, 700}, x}}));
  Choices c;
  c.models = {0, 1};
  std::vector<std::string> warnings;
  const Plan plan = compose(inputs, c, warnings);
  for (const int threads : {1, 4}) {
    set_threads(threads);
    testing::expect_error(
        ErrorKind::bad_value, [&] { run(plan, inputs); }, "b.safetensors: tensor 'w' holds nan at [57, 102]");
  }
  set_threads(0);
  ExecuteOptions allow;
  allow.allow_nonfinite = true;
  MemoryWriter writer(plan);
  EXPECT_EQ(execute(plan, inputs, allow, writer).nonfinite, 1);
  EXPECT_TRUE(std::isnan(writer.floats(0)[40002]));
  EXPECT_EQ(writer.floats(0)[40001], 1.0f);
}

TEST(Execute, ResultsTooLargeForTheirTypeAreCounted) {
  const testing::TempDir folder;
  const std::vector<Input> inputs{
      write_input(folder / "a.safetensors", {{"w", {3}, {65519.0f, 65520.0f, -1e9f}}})};
  Choices c;
  c.models = {0};
  c.dtype = Dtype::f16;
  std::vector<std::string> warnings;
  const Plan plan = compose(inputs, c, warnings);
  MemoryWriter writer(plan);
  EXPECT_EQ(execute(plan, inputs, {}, writer).overflowed, 2);
}

// One vector of bfloat16 numbers a network.
Input write_bf16(const std::string& path, const std::vector<float>& values) {
  std::vector<uint16_t> bits;
  for (const float v : values) bits.push_back(float_to_bf16(v));
  write_safetensors(path,
                    {TensorSource::raw("w", Dtype::bf16, {static_cast<int64_t>(bits.size())},
                                       std::as_bytes(std::span(bits)))},
                    {}, true);
  return Input::open(path);
}

std::vector<float> merged_bf16(const std::vector<Input>& inputs, const Choices& c) {
  std::vector<std::string> warnings;
  const auto bytes = run(compose(inputs, c, warnings), inputs)[0];
  std::vector<float> x;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    uint16_t bits;
    std::memcpy(&bits, bytes.data() + i, 2);
    x.push_back(bf16_to_float(bits));
  }
  return x;
}

TEST(Compat, RoundsEachStepAndKeepsThePublishedDefects) {
  const testing::TempDir folder;
  const std::vector<Input> inputs{write_bf16(folder / "a.safetensors", {100, 3, 1}),
                                  write_bf16(folder / "b.safetensors", {1, 5, 2}),
                                  write_bf16(folder / "base.safetensors", {2, 2, 2})};
  Choices c;
  c.models = {0, 1};
  c.weight = {0.3, 0.7};
  c.parameters.normalize = false;
  // 0.3 is 0.30078125 and 0.7 is 0.69921875 in bfloat16; 30.078125 becomes 30.125, the sum 30.82421875 becomes 30.875.
  EXPECT_EQ(merged_bf16(inputs, c)[0], 30.75f);  // 30.7 rounded once
  c.compat = true;
  EXPECT_EQ(merged_bf16(inputs, c)[0], 30.875f);
  // Fewer elements than 1 / gamma: the published slice is empty, and the delta is lost.
  c = {};
  c.method = Method::breadcrumbs;
  c.parameters = default_parameters(c.method, false);
  c.models = {0};
  c.base = 2;
  c.density = {0.7};
  EXPECT_EQ(merged_bf16(inputs, c), (std::vector<float>{100, 3, 2}));
  c.compat = true;
  EXPECT_EQ(merged_bf16(inputs, c), (std::vector<float>{2, 2, 2}));
}

TEST(Compose, TheFirstDifferenceIsNamed) {
  const testing::TempDir folder;
  const auto make = [&](const char* name, const std::vector<Numbers>& t) {
    return write_input(folder / name, t);
  };
  std::vector<std::string> warnings;
  Choices c;
  c.models = {0, 1};
  const Numbers w{"w", {2, 2}, {1, 2, 3, 4}}, longer{"w", {3, 2}, {5, 6, 7, 8, 9, 10}};
  const Numbers v{"v", {2}, {1, 2}}, wide{"w", {2, 3}, {1, 2, 3, 4, 5, 6}};
  const std::vector<Input> shapes{make("a.safetensors", {w}), make("b.safetensors", {longer})};
  testing::expect_error(
      ErrorKind::mismatch, [&] { compose(shapes, c, warnings); },
      "b.safetensors: tensor 'w': expected (2, 2) as in");
  const std::vector<Input> more{make("a.safetensors", {w}), make("b.safetensors", {w, v})};
  testing::expect_error(
      ErrorKind::mismatch, [&] { compose(more, c, warnings); }, "has a tensor 'v'");
  const std::vector<Input> fewer{more[1], more[0]};
  testing::expect_error(
      ErrorKind::missing_tensor, [&] { compose(fewer, c, warnings); }, "has no tensor 'v'");
  c.allow_missing = true;
  for (const auto* inputs : {&more, &fewer}) {
    const Plan plan = compose(*inputs, c, warnings);
    ASSERT_EQ(plan.tensors.size(), 2u);
    for (size_t i = 0; i < 2; ++i) EXPECT_EQ(plan.tensors[i].copy, plan.tensors[i].name == "v");
  }
  c.pad_vocab = true;
  const Plan padded = compose(shapes, c, warnings);
  MemoryWriter writer(padded);
  execute(padded, shapes, {}, writer);
  EXPECT_EQ(writer.floats(0), (std::vector<float>{3, 4, 5, 6, 9, 10}));
  const std::vector<Input> columns{make("a.safetensors", {w}), make("c.safetensors", {wide})};
  testing::expect_error(
      ErrorKind::mismatch, [&] { compose(columns, c, warnings); }, "expected (2, 2)");
}

TEST(Average, IsTheMeanWhateverTheMemory) {
  const Family family;
  Choices c;
  c.models = {0};
  std::vector<std::string> warnings;
  const Plan plan = compose({family.inputs[0]}, c, warnings);
  std::vector<InputFile> files;
  std::vector<double> weights;
  for (int i = 0; i < 40; ++i) {
    files.push_back({family.inputs[static_cast<size_t>(i % 4)].path(), {}});
    weights.push_back((1 + i % 4) / 100.0);
  }
  MemoryWriter much(plan), little(plan);
  average(plan, files, weights, {}, much);
  AverageOptions options;
  options.max_memory = 600'000;
  average(plan, files, weights, options, little);
  EXPECT_EQ(much.bytes, little.bytes);
  Choices all;
  all.models = {0, 1, 2, 3};
  all.weight = {0.1, 0.2, 0.3, 0.4};
  MemoryWriter linear(plan);
  execute(compose(family.inputs, all, warnings), family.inputs, {}, linear);
  const std::vector<float> a = much.floats(0), b = linear.floats(0);
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-6);
  testing::expect_error(
      ErrorKind::missing_tensor,
      [&] {
        const Input other = write_input(family.folder / "other.safetensors", {{"x", {1}, {1}}});
        check_alike({files[0], {other.path(), {}}});
      },
      "has no tensor");
}

}  // namespace
}  // namespace dws::merge
