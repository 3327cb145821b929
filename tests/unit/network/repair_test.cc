// Statistics set right: running statistics against what the reference executor computes in front of each norm, means and deviations
// against the goals.
#include "network/repair.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "network/executor.h"

namespace dws::network {
namespace {

Network model(const std::string& name) {
  return from_onnx(
      std::make_shared<const Onnx>(Onnx::open(std::string(DWS_TEST_DATA) + "/../models/" + name + ".onnx")));
}

// Random samples of a network's one input.
struct RepairSamples {
  explicit RepairSamples(const Network& net, int64_t n = 96, uint64_t seed = 3) : count(n) {
    const ArrayPtr input = input_shapes(net, {}).front();
    dims.assign(input->dims.begin() + 1, input->dims.end());
    Rng rng(seed);
    numbers.resize(static_cast<size_t>(n * size()));
    for (float& x : numbers) x = static_cast<float>(0.5 + rng.normal());
  }
  int64_t size() const { return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>()); }
  RepairData data() const {
    return {.samples = count, .fill = [this](int, int64_t first, int64_t n, float* to) {
              std::copy_n(numbers.begin() + first * size(), n * size(), to);
            }};
  }
  ArrayPtr array(const Network& net) const {
    Array a{.type = OnnxType::f32, .dims = dims};
    a.dims.insert(a.dims.begin(), count);
    a.reals.assign(numbers.begin(), numbers.end());
    (void)net;
    return std::make_shared<const Array>(std::move(a));
  }
  int64_t count;
  std::vector<int64_t> dims;
  std::vector<float> numbers;
};

Replacements as_arrays(const Network& net, const std::map<int, std::vector<float>>& changed) {
  Replacements found;
  for (const auto& [c, numbers] : changed) {
    Array a{.type = OnnxType::f32, .dims = net.constants[static_cast<size_t>(c)].dims};
    a.reals.assign(numbers.begin(), numbers.end());
    found[c] = std::make_shared<const Array>(std::move(a));
  }
  return found;
}

// Mean and variance of each channel (axis 1) in double precision.
std::vector<std::pair<double, double>> moments(const Array& a) {
  const int64_t channels = a.dims[1], batch = a.dims[0], places = a.size() / batch / channels;
  std::vector<std::pair<double, double>> found;
  for (int64_t c = 0; c < channels; ++c) {
    double mean = 0, square = 0;
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t p = 0; p < places; ++p)
        mean += a.reals[static_cast<size_t>((n * channels + c) * places + p)];
    mean /= static_cast<double>(batch * places);
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t p = 0; p < places; ++p)
        square += std::pow(a.reals[static_cast<size_t>((n * channels + c) * places + p)] - mean, 2);
    found.emplace_back(mean, square / static_cast<double>(batch * places));
  }
  return found;
}

TEST(Repair, RunningStatisticsAreThoseOfTheReferenceExecutor) {
  for (const char* name : {"cnn_batch_norm", "resnet"}) {
    Network net = model(name);
    const RepairSamples samples(net);
    Repair repair(net, {samples.dims});
    ASSERT_TRUE(repair.has_norms());
    const auto changed = repair.run(samples.data(), {});
    // Behind all new statistics the input of each norm has these.
    std::vector<std::pair<int, int>> constants;
    net.graph.outputs.clear();
    for (const Node& node : net.graph.nodes)
      if (node.op == "BatchNormalization") {
        net.graph.outputs.push_back(node.inputs[0]);
        constants.emplace_back(net.values[static_cast<size_t>(node.inputs[3])].constant,
                               net.values[static_cast<size_t>(node.inputs[4])].constant);
      }
    ASSERT_EQ(changed.size(), 2 * constants.size());
    EXPECT_GT(repair.passes(), 1);
    const auto seen = Executor(net, Precision::f64).run({samples.array(net)}, as_arrays(net, changed));
    int checked = 0;
    for (size_t k = 0; k < constants.size(); ++k) {
      const auto expected = moments(*seen[k]);
      for (size_t c = 0; c < expected.size(); ++c) {
        const double scale = std::sqrt(expected[c].second) + 1e-3;
        EXPECT_NEAR(changed.at(constants[k].first)[c], expected[c].first, 1e-4 * scale) << name << ' ' << k;
        EXPECT_NEAR(changed.at(constants[k].second)[c], expected[c].second, 1e-4 * scale * scale)
            << name << ' ' << k;
        ++checked;
      }
    }
    EXPECT_GT(checked, 0);
  }
}

TEST(Repair, ReachesMeansAndDeviationsAskedFor) {
  for (const char* name : {"mlp_relu", "mlp_gelu", "cnn", "unet"}) {
    const Network net = model(name);
    const RepairSamples samples(net);
    Repair repair(net, {samples.dims});
    ASSERT_FALSE(repair.has_norms());
    ASSERT_GT(repair.layers(), 0u);
    std::vector<ChannelStatistics> goals = repair.measure(samples.data());
    for (ChannelStatistics& layer : goals)
      for (size_t c = 0; c < layer.mean.size(); ++c) {
        layer.mean[c] = 0.1 * static_cast<double>(c) - 0.2;
        layer.deviation[c] = layer.deviation[c] > 0 ? 0.5 + 0.1 * static_cast<double>(c) : 0;
      }
    const auto changed = repair.run(samples.data(), goals);
    const auto reached = repair.measure(samples.data(), {.set =
                                                             [&](Engine& e) {
                                                               for (const auto& [c, numbers] : changed)
                                                                 e.set(c, numbers.data());
                                                             },
                                                         .numbers = {}});
    for (size_t l = 0; l < goals.size(); ++l)
      for (size_t c = 0; c < goals[l].mean.size(); ++c) {
        EXPECT_NEAR(reached[l].mean[c], goals[l].mean[c], 2e-3) << name << ' ' << l << ' ' << c;
        if (goals[l].deviation[c] > 0) {
          EXPECT_NEAR(reached[l].deviation[c], goals[l].deviation[c], 2e-3) << name << ' ' << l << ' ' << c;
        }
      }
  }
}

TEST(Repair, NothingChangesForGoalsThatAreMet) {
  const Network net = model("cnn");
  const RepairSamples samples(net);
  Repair repair(net, {samples.dims});
  const auto changed = repair.run(samples.data(), repair.measure(samples.data()));
  ASSERT_FALSE(changed.empty());
  for (const auto& [c, numbers] : changed) {
    const Array before = to_array(net.constants[static_cast<size_t>(c)]);
    for (size_t i = 0; i < numbers.size(); ++i) EXPECT_NEAR(numbers[i], before.reals[i], 1e-4);
  }
}

TEST(Repair, TheSameBitsForAnyThreads) {
  for (const char* name : {"resnet", "cnn"}) {
    const Network net = model(name);
    const RepairSamples samples(net);
    const auto run = [&](int threads) {
      set_threads(threads);
      Repair repair(net, {samples.dims});
      const auto changed = repair.run(samples.data(), repair.has_norms() ? std::vector<ChannelStatistics>{}
                                                                         : repair.measure(samples.data()));
      set_threads(0);
      return changed;
    };
    EXPECT_EQ(run(1), run(4)) << name;
  }
}

TEST(Repair, GoalsAreWeightedMeans) {
  const std::vector<ChannelStatistics> a{{{1, 2}, {1, 1}}}, b{{{3, 6}, {3, 1}}};
  const auto mean = mean_of({a, b}, {1, 3});
  EXPECT_DOUBLE_EQ(mean[0].mean[0], 2.5);
  EXPECT_DOUBLE_EQ(mean[0].mean[1], 5);
  EXPECT_DOUBLE_EQ(mean[0].deviation[0], 2.5);
  EXPECT_DOUBLE_EQ(mean[0].deviation[1], 1);
}

TEST(Repair, Refused) {
  const Network net = model("cnn");
  const RepairSamples samples(net);
  Repair repair(net, {samples.dims});
  const auto goals = repair.measure(samples.data());
  EXPECT_THROW(repair.run({.samples = 0, .fill = samples.data().fill}, goals), Error);
  EXPECT_THROW(repair.run({.samples = 4,
                           .fill = [](int, int64_t, int64_t n,
                                      float* to) { *to = INFINITY + 0 * static_cast<float>(n); }},
                          goals),
               Error);
}

}  // namespace
}  // namespace dws::network
