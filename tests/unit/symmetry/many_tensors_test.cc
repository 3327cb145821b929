// Networks of many tensors, and tensors that are stored several times.
#include <gtest/gtest.h>

#include <cstring>
#include <ctime>

#include "found.h"
#include "network/chain.h"

namespace dws::symmetry {
namespace {

// Layers of 2 to 2, each with numbers of its own.
network::Network chain(size_t layers) {
  const auto numbers = std::make_shared<std::vector<float>>(6 * layers);
  Rng rng(1);
  for (float& x : *numbers) x = static_cast<float>(rng.normal());
  network::StoredTensors all{.file = "net", .tensors = {}, .owner = numbers};
  for (size_t i = 0; i < layers; ++i) {
    const Bytes bytes = std::as_bytes(std::span(*numbers).subspan(6 * i, 6));
    all.tensors.push_back(
        {.name = text("l.{}.weight", i), .type = OnnxType::f32, .dims = {2, 2}, .bytes = bytes.first(16)});
    all.tensors.push_back(
        {.name = text("l.{}.bias", i), .type = OnnxType::f32, .dims = {2}, .bytes = bytes.last(8)});
  }
  return network::from_chain(std::move(all), {.activation = "relu"}).network;
}
// Processor seconds of finding the groups and moving every tensor.
double seconds(size_t layers) {
  const network::Network net = chain(layers);
  const std::clock_t start = std::clock();
  const Spec spec = discover(net, network::input_shapes(net, {}));
  EXPECT_EQ(spec.groups.size(), layers - 1);
  Rng rng(1);
  (void)replaced(net, spec, random_element(spec, {}, rng));
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

// Sixteen times the layers; every tensor compared with every other, or every group with every tensor, would be 256 times
// the time.
TEST(ManyTensors, TimeGrowsAsTheyDo) {
  const double few = seconds(500), many = seconds(8000);
  EXPECT_GT(few, 0);
  EXPECT_LT(many, 80 * few);
}

// P, A, A transposed, A, Q: what A's rows and columns are must be the same neurons each time.
TEST(ManyTensors, CopiesOfOneTensorAreOne) {
  const std::vector<float> a = {1, 2, 3, 4, 5, -1, 2, -3, 4, -5, 6, 7, -8, 9, 0, 1, -2, 8, 7, 3};
  std::vector<float> turned(a.size()), other = a;
  for (size_t r = 0; r < 4; ++r)
    for (size_t c = 0; c < 5; ++c) turned[c * 4 + r] = a[r * 5 + c];
  other[7] = 11;  // as its corners and its diagonal are those of A, only the numbers tell
  const auto groups = [&](const std::vector<float>& last) {
    return found([&](testing::GraphMaker& g) {
             std::string x = g.input("x", {2, 3});
             x = g.node("Relu", {g.node("MatMul", {x, g.weight("P", {3, 4})})});
             x = g.node("Relu", {g.node("MatMul", {x, g.floats("A", {4, 5}, a)})});
             x = g.node("Relu", {g.node("MatMul", {x, g.floats("AT", {5, 4}, turned)})});
             x = g.node("Relu", {g.node("MatMul", {x, g.floats("A2", {4, 5}, last)})});
             g.graph().add_node()->CopyFrom([&] {
               onnx::NodeProto n;
               n.set_op_type("MatMul");
               n.add_input(x);
               n.add_input(g.weight("Q", {5, 2}));
               n.add_output("y");
               return n;
             }());
             g.output("y", {2, 2});
           })
        .spec;
  };
  const Spec copies = groups(a);
  ASSERT_EQ(copies.groups.size(), 2u);
  for (const NetworkGroup& g : copies.groups) EXPECT_EQ(g.members.size(), 4u) << where(copies, g);
  // A and its transpose alone: 4, 5 once more behind, where Q stands.
  EXPECT_EQ(groups(other).groups.size(), 3u);
}

}  // namespace
}  // namespace dws::symmetry
