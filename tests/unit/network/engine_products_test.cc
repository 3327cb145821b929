// Transposed convolutions, fused convolutions and products with weights of few bits, against the reference executor.
#include "one_operator.h"

namespace dws::network {
namespace {

using dws::testing::Attributes;
using dws::testing::GraphMaker;

void check(const std::string& op, const std::vector<Given>& given, const Attributes& attributes) {
  const OneOperator made = one_operator(op, given, 1, attributes, 5, 17);
  check_engine(made.network, made.samples);
}

TEST(EngineTransposedConvolution, StridesPadsGroupsAndDilations) {
  const Given x = flows({6, 5, 7}), w = stored({6, 4, 3, 2}), b = stored({4});
  check("ConvTranspose", {x, w, b}, {});
  check("ConvTranspose", {x, w}, {.ints = {{"strides", {2, 3}}, {"pads", {1, 0, 2, 1}}}});
  check("ConvTranspose", {x, w, b}, {.ints = {{"strides", {2, 3}}, {"output_padding", {1, 2}}}});
  check("ConvTranspose", {x, w, b},
        {.ints = {{"strides", {2, 1}}, {"dilations", {2, 3}}, {"output_padding", {2, 0}}}});
  check("ConvTranspose", {x, w, stored({12})}, {.i = {{"group", 3}}, .ints = {{"strides", {2, 2}}}});
  check("ConvTranspose", {flows({6, 9}), stored({6, 3, 4}), stored({3})},
        {.ints = {{"strides", {2}}, {"pads", {1, 1}}}});
}
TEST(EngineTransposedConvolution, SizesThatAreWanted) {
  const Given x = flows({6, 5, 7}), w = stored({6, 4, 3, 3});
  for (const char* automatic : {"SAME_UPPER", "SAME_LOWER", "VALID"})
    check("ConvTranspose", {x, w}, {.s = {{"auto_pad", automatic}}, .ints = {{"strides", {2, 2}}}});
  for (const std::vector<int64_t>& size : {std::vector<int64_t>{10, 14}, {11, 15}, {9, 13}})
    check("ConvTranspose", {x, w}, {.ints = {{"strides", {2, 2}}, {"output_shape", size}}});
}
// Three dimensions have no fast form.
TEST(EngineTransposedConvolution, ThreeDimensionsRunByReference) {
  const OneOperator made =
      one_operator("ConvTranspose", {flows({2, 3, 3, 3}), stored({2, 2, 2, 2, 2})}, 1, {}, 3, 17);
  Engine engine(made.network, {.samples = made.samples.dims});
  EXPECT_EQ(engine.slow(), std::vector<std::string>{"ConvTranspose"});
  expect_close(run(engine, made.network, made.samples), judge(made.network, made.samples));
}
// A norm and ReLU behind it fold into its weights, and follow when tensors are exchanged.
TEST(EngineTransposedConvolution, NormFoldsIn) {
  GraphMaker g(13);
  std::string y = g.node("ConvTranspose", {g.input("x", {-1, 4, 5, 5}), g.weight("w", {4, 3, 2, 2})},
                         {.i = {{"group", 2}}, .ints = {{"strides", {2, 2}}}});
  y = g.node("BatchNormalization", {y, g.weight("gamma", {6}), g.weight("beta", {6}), g.weight("mean", {6}),
                                    g.floats("var", {6}, {1, 2, 3, 4, 5, 6})});
  g.output(g.node("Relu", {y}), {});
  const Network network = g.network();
  const Samples s = random_samples({{4, 5, 5}}, 5);
  check_engine(network, s);
  Engine engine(network, {.samples = s.dims});
  const auto before = run(engine, network, s);
  for (size_t c = 0; c < network.constants.size(); ++c) {
    if (network.constants[c].name != "w" && network.constants[c].name != "gamma") continue;
    Array other = to_array(network.constants[c]);
    std::vector<float> numbers;
    for (double& v : other.reals) numbers.push_back(static_cast<float>(v = static_cast<float>(2 * v + 0.25)));
    engine.set(static_cast<int>(c), numbers.data());
    const auto changed = run(engine, network, s);
    EXPECT_NE(changed, before);
    expect_close(changed, judge(network, s, {{static_cast<int>(c), std::make_shared<const Array>(other)}}),
                 1e-5);
    engine.set(static_cast<int>(c), nullptr);
  }
}

TEST(EngineFusedConvolution, ActivationsAndASecondTerm) {
  const Given x = flows({3, 6, 6}), w = stored({4, 3, 3, 3}), b = stored({4}), z = flows({4, 4, 4});
  for (const char* f : {"Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid"}) {
    check("com.microsoft.FusedConv", {x, w, b}, {.s = {{"activation", f}}});
    check("com.microsoft.FusedConv", {x, w, b, z}, {.s = {{"activation", f}}});
  }
  check("com.microsoft.FusedConv", {x, w, nothing(), z}, {});
  check("com.microsoft.FusedConv", {x, w, b},
        {.s = {{"activation", "Clip"}}, .floats = {{"activation_params", {-0.5f, 1.5f}}}});
  check("com.microsoft.FusedConv", {x, w, b},
        {.s = {{"activation", "LeakyRelu"}}, .floats = {{"activation_params", {0.3f}}}});
}

TEST(EngineFewBits, BitsBlocksAndZeroPoints) {
  constexpr int kByte = onnx::TensorProto::UINT8;
  const int64_t N = 9;
  for (const int64_t bits : {2, 4, 8})
    for (const auto& [K, block] : {std::pair<int64_t, int64_t>{48, 16}, {40, 16}, {70, 32}}) {
      const int64_t blocks = (K + block - 1) / block, row = (blocks * bits + 7) / 8;
      const Attributes a{.i = {{"K", K}, {"N", N}, {"bits", bits}, {"block_size", block}}};
      const Given bytes{
          .dims = {N, blocks, block * bits / 8}, .stored = true, .type = kByte, .least = 0, .most = 255},
          zeros{.dims = {N * row}, .stored = true, .type = kByte, .least = 0, .most = 255},
          scales = stored({N * blocks}), none = nothing();
      SCOPED_TRACE(text("{} bits, {} by {}", bits, K, block));
      check("com.microsoft.MatMulNBits", {flows({3, K}), bytes, scales}, a);
      check("com.microsoft.MatMulNBits", {flows({K}), bytes, scales, zeros}, a);
      check("com.microsoft.MatMulNBits",
            {flows({3, K}), bytes, scales, stored({N * blocks}), none, stored({N})}, a);
    }
}

}  // namespace
}  // namespace dws::network
