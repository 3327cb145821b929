// Activation matching: sums against what is known by hand, and random elements of exported networks found again from what the
// networks do on random data.
#include "align/activations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "align/cross_sums.h"
#include "core/parallel.h"
#include "core/text.h"
#include "symmetry/verify.h"
#include "unit/exported_models.h"

namespace dws::align {
namespace {

using symmetry::NetworkElement;

TEST(CrossSums, OfNumbersByHand) {
  // Items of A: 1 2 3 4; constant; of B: -2 -4 -6 -8 and 1 0 0 1, far from zero all.
  CrossSums sums(2);
  std::vector<float> a = {1001, 7, 1002, 7}, b = {-2, 1, -4, 0};
  sums.add(2, a.data(), b.data());
  a = {1003, 7, 1004, 7}, b = {-6, 0, -8, 1};
  sums.add(2, a.data(), b.data());
  std::vector<float> r;
  sums.correlations(r);
  EXPECT_NEAR(r[0], -1, 1e-6);
  EXPECT_NEAR(r[1], 0, 1e-6);
  EXPECT_EQ(r[2], 0);  // does not vary
  EXPECT_EQ(r[3], 0);
  EXPECT_EQ(sums.rows(), 4);
  EXPECT_NEAR(sums.mean_a(0), 1002.5, 1e-9);
  EXPECT_NEAR(sums.variance_a(0), 1.25, 1e-9);
  EXPECT_EQ(sums.variance_a(1), 0);
  sums.products(r);
  EXPECT_NEAR(r[0], (1001 * -2 + 1002 * -4 + 1003 * -6 + 1004 * -8) / 4.0, 1e-2);
  EXPECT_NEAR(r[3], 7 * 0.5, 1e-5);
}

// A network, and the same after a random element.
struct Twins {
  Twins(const std::string& name, uint64_t seed, const symmetry::Draw& draw = {}) {
    net = network::from_onnx(std::make_shared<const Onnx>(
        Onnx::open(std::string(DWS_TEST_DATA) + "/../models/" + name + ".onnx")));
    shapes = network::input_shapes(net, {});
    spec = symmetry::discover(net, shapes);
    Rng rng(seed);
    const NetworkElement g = symmetry::random_element(spec, draw, rng);
    expected = symmetry::inverse(spec, g);
    moved = net;
    for (const auto& [c, array] : symmetry::replaced(net, spec, g)) {
      bytes.push_back(std::make_unique<std::vector<std::byte>>(network::to_bytes(*array)));
      moved.constants[static_cast<size_t>(c)].bytes = *bytes.back();
    }
  }
  // Samples of random numbers; integers look rows up.
  Data data(int64_t samples) {
    Data d{.samples = samples, .fill = {}};
    Rng rng(5);
    for (int64_t s = 0; s < samples; ++s) {
      std::vector<std::vector<float>>& sample = drawn.emplace_back();
      const auto inputs = symmetry::random_inputs(net, shapes, {}, rng);
      for (const network::ArrayPtr& input : inputs) {
        const auto count = static_cast<size_t>(input->size() / input->dims.front());
        std::vector<float>& numbers = sample.emplace_back();
        for (size_t k = 0; k < count; ++k)
          numbers.push_back(
              static_cast<float>(input->real() ? input->reals[k] : static_cast<double>(input->ints[k])));
      }
    }
    d.fill = [this](int input, int64_t first, int64_t count, float* to) {
      for (int64_t s = first; s < first + count; ++s)
        to = std::ranges::copy(drawn[static_cast<size_t>(s)][static_cast<size_t>(input)], to).out;
    };
    return d;
  }
  network::Network net, moved;
  std::vector<network::ArrayPtr> shapes;
  symmetry::Spec spec;
  NetworkElement expected;
  std::vector<std::unique_ptr<std::vector<std::byte>>> bytes;
  std::vector<std::vector<std::vector<float>>> drawn;
};

// Items that have another place than expected. (Of signs and factors only what they come to counts: heads and what is in them may share
// one.)
int64_t misplaced(const symmetry::Spec& spec, const NetworkElement& expected, const NetworkElement& found) {
  int64_t count = 0;
  for (size_t n = 0; n < expected.size(); ++n)
    for (size_t i = 0; !spec.groups[n].fixed && i < expected[n].order.size(); ++i)
      count += expected[n].order[i] != found[n].order[i];
  return count;
}
// The tensors of `b` after g that are not those of `a`.
std::string changed(const symmetry::Spec& spec, const network::Network& a, const network::Network& b,
                    const NetworkElement& g) {
  std::string names;
  for (size_t t = 0; t < spec.tensors.size(); ++t) {
    const auto c = static_cast<size_t>(spec.tensors[t].constant);
    const network::Array after =
        symmetry::act(spec, g, static_cast<int>(t), network::to_array(b.constants[c]));
    const double difference = symmetry::relative_difference(
        {std::make_shared<const network::Array>(network::to_array(a.constants[c]))},
        {std::make_shared<const network::Array>(after)});
    if (!(difference < 1e-3)) names += text(" {} {:.2g}", spec.tensors[t].name, difference);
  }
  return names;
}

class ActivationRecovery : public ::testing::TestWithParam<std::string> {};

TEST_P(ActivationRecovery, OfARandomElement) {
  Twins twins(GetParam(), 3);
  const Data data = twins.data(64);
  const ActivationMatch match = match_activations(twins.spec, twins.net, twins.moved, twins.shapes, data, {});
  // Queries and keys that one operator makes of its input are no value.
  if (GetParam() == "fused_packed_attention") {
    EXPECT_EQ(join(match.left, ", "), "w1");
    return;
  }
  EXPECT_EQ(join(match.left, ", "), "");
  EXPECT_EQ(misplaced(twins.spec, twins.expected, match.element), 0);
  // Signs and factors of a whole group of a group norm are not looked for.
  if (GetParam() != "group_norm") {
    EXPECT_EQ(changed(twins.spec, twins.net, twins.moved, match.element), "");
  }
  EXPECT_GT(match.after, match.before);
}

TEST(ActivationMatching, TheSameBitsForAnyThreadsAndAnyMemory) {
  for (const char* name : {"encoder_library", "resnet"}) {
    Twins twins(name, 3);
    const Data data = twins.data(40);
    const auto match = [&](int threads, uint64_t memory) {
      set_threads(threads);
      ActivationMatch found =
          match_activations(twins.spec, twins.net, twins.moved, twins.shapes, data, {.max_memory = memory});
      set_threads(0);
      return found;
    };
    const ActivationMatch one = match(1, uint64_t{512} << 20), four = match(4, uint64_t{512} << 20),
                          small = match(2, 1 << 11);
    EXPECT_LE(one.passes, 2);  // the second where items do not vary
    EXPECT_GT(small.passes, one.passes);
    EXPECT_EQ(one.after, four.after);
    for (size_t n = 0; n < one.element.size(); ++n) {
      EXPECT_EQ(one.element[n].order, four.element[n].order);
      EXPECT_EQ(one.element[n].signs, four.element[n].signs);
      EXPECT_EQ(one.element[n].scales, four.element[n].scales);
      EXPECT_EQ(one.element[n].order, small.element[n].order);
    }
  }
}

TEST(ActivationMatching, RegressionFindsOrders) {
  Twins twins("mlp_tanh", 3);
  const ActivationMatch match = match_activations(twins.spec, twins.net, twins.moved, twins.shapes,
                                                  twins.data(64), {.form = Form::regression});
  EXPECT_EQ(changed(twins.spec, twins.net, twins.moved, match.element), "");
}

TEST(ActivationMatching, OnlyWhatMayBeMoved) {
  Twins twins("mlp_tanh", 3, {.order = false, .sign = true});
  const Data data = twins.data(40);
  const ActivationMatch match = match_activations(twins.spec, twins.net, twins.moved, twins.shapes, data,
                                                  {.kinds = {.order = false, .sign = true}});
  EXPECT_EQ(changed(twins.spec, twins.net, twins.moved, match.element), "");
  const ActivationMatch plain = match_activations(twins.spec, twins.net, twins.moved, twins.shapes, data,
                                                  {.kinds = {.order = true, .sign = false}});
  for (const auto& e : plain.element)
    for (const auto& signs : e.signs) EXPECT_EQ(std::ranges::count(signs, 1.), std::ssize(signs));
}

TEST(ActivationMatching, NetworksThatDoNotFit) {
  Twins twins("mlp_relu", 3), other("mlp_tanh", 3);
  const Data data = twins.data(4);
  const auto message = [&](const network::Network& b, const Data& given) {
    try {
      match_activations(twins.spec, twins.net, b, twins.shapes, given, {});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_NE(message(other.net, data).find("in its place"), std::string::npos);
  EXPECT_NE(message(twins.moved, {.samples = 0, .fill = data.fill}).find("needs samples"), std::string::npos);
  const Data infinite{.samples = 4, .fill = [](int, int64_t, int64_t count, float* to) {
                        std::fill(to, to + count, INFINITY);
                      }};
  EXPECT_NE(message(twins.moved, infinite).find("is not finite"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Models, ActivationRecovery, ::testing::ValuesIn(exported_models()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace dws::align
