// Resizing, places of extremes and norms over channels as the engine has them, against the reference executor.
#include "one_operator.h"

namespace dws::network {
namespace {

using dws::testing::Attributes;
using dws::testing::GraphMaker;

// By scales or, where `sizes` is given, to sizes.
void check(const std::vector<float>& scales, const std::vector<int64_t>& sizes,
           const Attributes& attributes) {
  GraphMaker g(19);
  const auto rank = static_cast<int64_t>(scales.empty() ? sizes.size() : scales.size());
  dws::testing::Strings in = {g.input("x", {-1, 3, 5, 6}), ""};
  in.push_back(scales.empty() ? "" : g.floats("scales", {rank}, scales));
  if (!sizes.empty()) in.push_back(g.ints(sizes));
  g.output(g.node("Resize", in, attributes), {});
  check_engine(g.network(), random_samples({{3, 5, 6}}, 5));
}

TEST(EngineResize, ModesAndCoordinates) {
  for (const char* mode : {"nearest", "linear", "cubic"})
    for (const char* coordinates : {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"})
      for (const std::vector<float>& scales : {std::vector<float>{1, 1, 2, 2}, {1, 1, 0.6f, 1.5f}}) {
        SCOPED_TRACE(text("{} {}", mode, coordinates));
        check(scales, {}, {.s = {{"mode", mode}, {"coordinate_transformation_mode", coordinates}}});
      }
}
TEST(EngineResize, SizesAxesAndChannels) {
  check({}, {10, 9}, {.s = {{"mode", "linear"}}, .ints = {{"axes", {2, 3}}}});
  check({}, {7}, {.ints = {{"axes", {-1}}}});
  check({1, 2, 1, 1}, {}, {});
  check({1, 1, 1, 1}, {}, {});
}
TEST(EngineResize, Upsample) {
  GraphMaker g(9);
  g.output(g.node("Upsample", {g.input("x", {-1, 3, 4, 4}), g.floats("scales", {4}, {1, 1, 2, 3})}), {});
  check_engine(g.network(), random_samples({{3, 4, 4}}, 5));
}

// Few different numbers, so that there are equals.
TEST(EngineExtremes, PlacesAlongEveryAxis) {
  for (const char* op : {"ArgMax", "ArgMin"})
    for (const int64_t axis : {1, 2, -1})
      for (const int64_t last : {0, 1}) {
        SCOPED_TRACE(text("{} {} {}", op, axis, last));
        GraphMaker g(13);
        const std::string y =
            g.node(op, {g.input("x", {-1, 4, 5, 6})},
                   {.i = {{"axis", axis}, {"keepdims", last}, {"select_last_index", last}}});
        g.output(g.node("Cast", {y}, {.i = {{"to", onnx::TensorProto::FLOAT}}}), {});
        Samples s = random_samples({{4, 5, 6}}, 5);
        for (float& v : s.numbers[0]) v = std::round(v);
        check_engine(g.network(), s, 0);
      }
}

TEST(EngineNorms, LocalResponse) {
  for (const int64_t size : {1, 4, 5}) {
    const OneOperator made = one_operator(
        "LRN", {flows({7, 3, 2})}, 1, {.i = {{"size", size}}, .f = {{"alpha", 0.3f}, {"bias", 1.5f}}}, 5, 13);
    check_engine(made.network, made.samples);
  }
}

}  // namespace
}  // namespace dws::network
