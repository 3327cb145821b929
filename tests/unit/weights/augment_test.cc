// Augmentations as words, what they refuse, and where their random numbers come from.
#include "weights/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "testing.h"

namespace dws::weights {
namespace {

using dws::testing::throws_error;

ZooInfo network(const std::string& activation = "siren") {
  ZooInfo info;
  info.arch.dims = {2, 16, 16, 1};
  info.activation = activation;
  return info;
}

std::vector<float> numbers(uint64_t seed) {
  std::vector<float> x(static_cast<size_t>(network().arch.param_count()));
  Rng rng(seed);
  for (float& v : x) v = static_cast<float>(rng.normal());
  return x;
}

Augmenter augmenter(const std::string& list, MixupKind kind = MixupKind::none, uint64_t seed = 1,
                    double alpha = 1) {
  return Augmenter(network(), parse_augmentation(list, "--augment"), {kind, alpha}, seed, "zoo");
}

std::vector<float> augmented(const std::string& list, int64_t epoch, int64_t sample, uint64_t seed = 1) {
  std::vector<float> x = numbers(9), scratch(x.size());
  augmenter(list, MixupKind::none, seed).apply(epoch, sample, x, scratch);
  return x;
}

constexpr const char* kAll =
    "permute,sign,phase,noise=0.1,dropout=0.01,rotate=15,translate=0.1,zoom=0.1,reflect";

TEST(AugmentWords, ReadBackToTheSame) {
  for (const std::string list : {"none", "permute", "sign,phase,noise=0.32", kAll,
                                 "permute,phase=3,scale=0.5", "rotate=10:20,translate=-0.3:0.1,zoom=0.5:3"}) {
    EXPECT_EQ(parse_augmentation(list, "--augment").str(), list);
  }
  EXPECT_EQ(parse_augmentation("zoom=0.2", "x").zoom.low, 0.8);
  EXPECT_EQ(parse_augmentation("zoom=0.2", "x").zoom.high, 1.2);
  EXPECT_EQ(parse_augmentation("noise=0,rotate=0,zoom=0", "x").str(), "none");
}

TEST(AugmentWords, RefusesEachWrongOne) {
  const auto refused = [](const std::string& list, const std::string& words) {
    EXPECT_TRUE(throws_error(
        ErrorKind::usage, [&] { parse_augmentation(list, "--augment"); }, words))
        << list;
  };
  refused("permut", "unknown augmentation 'permut'");
  refused("", "unknown augmentation ''");
  refused("permute=2", "takes no value");
  refused("noise", "noise needs a value");
  refused("noise=", "lacks its value");
  refused("noise=-1", "noise: expected 0 or more");
  refused("noise=nan", "noise: expected 0 or more");
  refused("noise=much", "expected a number");
  refused("dropout=1", "dropout: expected 0 to below 1");
  refused("phase=1.5", "whole number");
  refused("phase=-1", "half turns");
  refused("rotate=400", "degrees");
  refused("rotate=20:10", "degrees");
  refused("rotate=-5", "degrees");
  refused("rotate=nan", "degrees");
  refused("rotate=1:2:3", "degrees");
  refused("zoom=1", "factors");
  refused("zoom=0:2", "factors");
  refused("translate=inf", "a length");
}

TEST(Augmentation, RefusesWhatTheNetworksDoNotAllow) {
  const auto refused = [](const ZooInfo& info, const std::string& list, const std::string& words) {
    EXPECT_TRUE(throws_error(
        ErrorKind::usage, [&] { Augmenter(info, parse_augmentation(list, "x"), {}, 1, "zoo"); }, words))
        << list;
  };
  refused(network("relu"), "sign", "zoo: sign would change relu networks");
  refused(network("relu"), "phase", "phase would change relu");
  refused(network("tanh"), "phase", "phase would change tanh");
  refused(network("siren"), "scale=0.1", "scale would change siren");
  refused(network("tanh"), "scale=0.1", "scale would change tanh");
  ZooInfo still = network();
  still.omega = 0;
  refused(still, "phase", "omega");
  ZooInfo line = network();
  line.arch.dims = {1, 8, 1};
  ZooInfo fourier = network("relu");
  fourier.fourier_features = 1;
  for (const char* list : {"rotate=1", "translate=1", "zoom=0.1", "reflect"}) {
    refused(line, list, "1 inputs");
    refused(fourier, list, "Fourier");
  }
  Augmenter(line, parse_augmentation("permute,sign,noise=1,dropout=0.1", "x"), {}, 1, "zoo");
  Augmenter(network("relu"), parse_augmentation("permute,scale=1,rotate=3", "x"), {}, 1, "zoo");
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [] { augmenter("none", MixupKind::direct, 1, 0); }, "--alpha"));
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [] { augmenter("none", MixupKind::direct, 1, NAN); }, "--alpha"));
}

TEST(Augmenter, DependsOnSeedEpochAndSampleAlone) {
  const std::vector<float> first = augmented(kAll, 1, 5);
  augmented(kAll, 1, 6);
  EXPECT_EQ(augmented(kAll, 1, 5), first);
  EXPECT_NE(augmented(kAll, 2, 5), first);
  EXPECT_NE(augmented(kAll, 1, 6), first);
  EXPECT_NE(augmented(kAll, 5, 1), first);
  EXPECT_NE(augmented(kAll, 1, 5, 2), first);
  EXPECT_EQ(augmented("none", 1, 5), numbers(9));
}

TEST(Augmenter, EveryStepMattersAndLeavesTheOthersAlone) {
  for (const char* step : {"permute", "sign", "phase", "noise=0.1", "dropout=0.1", "rotate=15",
                           "translate=0.1", "zoom=0.1", "reflect"}) {
    int changed = 0;  // a mirror may leave one as it is
    for (int64_t sample = 0; sample < 8; ++sample) changed += augmented(step, 0, sample) != numbers(9);
    EXPECT_GE(changed, 2) << step;
  }
  // The same neurons lose the same numbers whether or not there is noise before.
  const std::vector<float> a = augmented("dropout=0.2", 0, 0), b = augmented("noise=0.1,dropout=0.2", 0, 0);
  int zeros = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i] == 0, b[i] == 0);
    zeros += a[i] == 0;
  }
  EXPECT_GT(zeros, 10);
}

TEST(Mixup, LambdaIsSymmetricBeta) {
  // Var = 1 / (4 (2 alpha + 1)).
  for (const double alpha : {0.05, 0.4, 1.0, 3.0, 50.0}) {
    double sum = 0, squares = 0;
    constexpr int kDraws = 20000;
    Rng rng(3);
    for (int i = 0; i < kDraws; ++i) {
      const double x = symmetric_beta(alpha, rng);
      ASSERT_TRUE(x >= 0 && x <= 1) << x;
      sum += x;
      squares += (x - 0.5) * (x - 0.5);
    }
    EXPECT_NEAR(sum / kDraws, 0.5, 0.015) << alpha;
    EXPECT_NEAR(squares / kDraws * 4 * (2 * alpha + 1), 1, 0.05) << alpha;
  }
}

TEST(Mixup, PartnersAreOthersAndAllOfThem) {
  const Augmenter a = augmenter("none", MixupKind::direct);
  std::vector<int> met(7, 0);
  for (int64_t epoch = 0; epoch < 200; ++epoch) {
    const auto partner = a.partner(epoch, 3, 7, 3);
    ASSERT_TRUE(partner && partner->place >= 0 && partner->place < 7);
    ++met[static_cast<size_t>(partner->place)];
    EXPECT_EQ(a.partner(epoch, 3, 7, 3)->lambda, partner->lambda);
  }
  EXPECT_EQ(met[3], 0);
  for (size_t i = 0; i < 7; ++i) EXPECT_TRUE(i == 3 || met[i] > 10) << i;
  EXPECT_FALSE(a.partner(0, 0, 1, 0));
  EXPECT_TRUE(a.partner(0, 9, 1, -1));
  EXPECT_FALSE(augmenter("none").partner(0, 3, 7, 3));
}

TEST(Mixup, DirectIsTheLineAndPermutedTheLineToAnotherOrder) {
  const std::vector<float> a = numbers(1), b = numbers(2);
  std::vector<float> x = a, other = b, scratch(a.size());
  augmenter("none", MixupKind::direct).mix(0, 0, 0.25, x, other, scratch);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_FLOAT_EQ(x[i], 0.25f * a[i] + 0.75f * b[i]);
  x = a;
  other = b;
  augmenter("none", MixupKind::permuted).mix(0, 0, 0.25, x, other, scratch);
  std::vector<float> rest, sorted = b;
  for (size_t i = 0; i < x.size(); ++i) rest.push_back((x[i] - 0.25f * a[i]) / 0.75f);
  EXPECT_GT(std::abs(rest[0] - b[0]) + std::abs(rest[2] - b[2]), 1e-3);
  std::sort(rest.begin(), rest.end());
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < rest.size(); ++i) EXPECT_NEAR(rest[i], sorted[i], 1e-5);
}

TEST(Mixup, Words) {
  for (const MixupKind kind : {MixupKind::none, MixupKind::direct, MixupKind::permuted})
    EXPECT_EQ(parse_mixup(to_string(kind), "--mixup"), kind);
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [] { parse_mixup("aligned", "--mixup"); }, "cannot align"));
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [] { parse_mixup("direkt", "--mixup"); }, "'direkt'"));
}

}  // namespace
}  // namespace dws::weights
