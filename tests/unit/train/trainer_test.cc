#include "train/trainer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/interrupt.h"
#include "core/parallel.h"
#include "testing.h"
#include "tiny.h"

namespace dws::train {
namespace {

using testing::expect_error;
using testing::make_zoo;
using testing::TempDir;
using testing::TinyModel;

TrainOptions quick() {
  TrainOptions options;
  options.epochs = 4;
  options.batch = 24;
  options.shards = 4;
  options.lr = 0.02;
  options.ema = 0.9;
  options.label_smoothing = 0.1;
  options.augmentation = weights::parse_augmentation(
      "permute,sign,phase,noise=0.1,dropout=0.05,rotate=15,translate=0.1,zoom=0.1,reflect", "x");
  options.mixup = {weights::MixupKind::permuted, 0.4};
  options.seed = 7;
  options.checkpoint_every = 1e9;
  return options;
}

// Everything a run needs, and the bits it leaves.
struct Bench {
  TempDir dir;
  Dataset data;
  Part train, val;
  weights::Normaliser normaliser;
  TinyModel model;
  std::unique_ptr<Trainer> trainer;

  explicit Bench(const testing::ZooOptions& zoo = {}, double dropout = 0.3)
      : data((make_zoo(dir / "zoo", zoo), Dataset::open({dir / "zoo"}))),
        model(data.info().arch.param_count(), zoo.classes, dropout) {
    for (int64_t i = 0; i < data.size(); ++i) (i % 4 == 3 ? val : train).samples.push_back(i);
    train.data = val.data = &data;
    normaliser = fit_normaliser(data, train);
  }
  Trainer& start(const TrainOptions& options) {
    model.init(options.seed);
    std::copy_n(std::vector<float>(8, 0.0F).data(), 8, model.params().buffer(0).data);
    std::copy_n(std::vector<float>(8, 1.0F).data(), 8, model.params().buffer(1).data);
    trainer = std::make_unique<Trainer>(
        model, normaliser,
        std::make_unique<Reader>(data, train, normaliser, options.augmentation, options.mixup, options.seed),
        train, val, options, dir / "m.ckpt", Json::object());
    return *trainer;
  }
  std::vector<float> bits() const {
    std::vector<float> all(model.params().values().span().begin(), model.params().values().span().end());
    for (float b : model.params().buffer_values().span()) all.push_back(b);
    return all;
  }
};

TEST(Trainer, LearnsToTellClassesApart) {
  Bench bench({.count = 400, .signal = 1.5}, 0);
  TrainOptions options = quick();
  options.epochs = 15;
  options.ema = 0;
  options.augmentation = {};
  options.mixup = {};
  Trainer& trainer = bench.start(options);
  std::vector<EpochRecord> records;
  const TrainResult result = trainer.run([&](const EpochRecord& r) { records.push_back(r); });
  ASSERT_EQ(records.size(), 15U);
  EXPECT_LT(records.back().train.mean_loss(), 0.7 * records.front().train.mean_loss());
  ASSERT_TRUE(result.val.has_value());
  EXPECT_GT(result.val->accuracy(), 0.9);
  EXPECT_EQ(result.val->count, 100);
  // The kept parameters are those of the best epoch: evaluating again gives what was reported.
  const Tally again = Predictor(bench.model, bench.normaliser).evaluate(bench.val);
  EXPECT_EQ(again.correct, result.val->correct);
  EXPECT_EQ(again.loss, result.val->loss);
  int64_t best = 0;
  for (const EpochRecord& r : records) best = std::max(best, r.val->correct);
  EXPECT_EQ(result.val->correct, best);
  ASSERT_TRUE(result.epoch >= 1 && result.epoch <= 15);
  EXPECT_EQ(records[static_cast<size_t>(result.epoch - 1)].val->loss, result.val->loss);
}

TEST(Trainer, SameBitsOnAnyNumberOfThreads) {
  std::vector<std::vector<float>> bits;
  for (int threads : {1, 2, 5}) {
    set_threads(threads);
    Bench bench;
    bench.start(quick()).run();
    bits.push_back(bench.bits());
  }
  set_threads(0);
  EXPECT_EQ(bits[0], bits[1]);
  EXPECT_EQ(bits[0], bits[2]);
  TrainOptions other = quick();
  other.seed = 8;
  Bench bench;
  bench.start(other).run();
  EXPECT_NE(bits[0], bench.bits());
}

TEST(Trainer, ResumedAtAnyStepGivesTheBitsOfOneRun) {
  Bench whole;
  std::vector<std::string> expected_log;
  const auto entry = [](const EpochRecord& r) {
    return std::to_string(r.epoch) + " " + std::to_string(r.train.loss) + " " + std::to_string(r.val->loss) +
           " " + std::to_string(r.lr) + " " + std::to_string(r.grad_norm);
  };
  whole.start(quick()).run([&](const EpochRecord& r) { expected_log.push_back(entry(r)); });

  // Every step is interrupted: 45 networks in batches of 24 are 2 steps an epoch, 8 steps in all.
  Bench cut;
  std::vector<std::string> log;
  int interruptions = 0;
  for (bool done = false; !done;) {
    Trainer& trainer = cut.start(quick());
    if (std::filesystem::exists(cut.dir / "m.ckpt")) trainer.resume();
    set_interrupted(true);
    try {
      trainer.run([&](const EpochRecord& r) { log.push_back(entry(r)); });
      done = true;
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::interrupted) << error.what();
      ++interruptions;
    }
    ASSERT_LT(interruptions, 20);
  }
  set_interrupted(false);
  EXPECT_EQ(interruptions, 7);
  EXPECT_EQ(cut.bits(), whole.bits());
  EXPECT_EQ(log, expected_log);
  cut.trainer->discard_checkpoint();
  EXPECT_FALSE(std::filesystem::exists(cut.dir / "m.ckpt"));
}

TEST(Trainer, RefusesTheCheckpointOfAnotherRun) {
  Bench bench;
  set_interrupted(true);
  expect_error(
      ErrorKind::interrupted, [&] { bench.start(quick()).run(); }, "m.ckpt");
  set_interrupted(false);
  TrainOptions other = quick();
  other.lr = 0.03;
  expect_error(
      ErrorKind::mismatch, [&] { bench.start(other).resume(); }, "train.lr");
  EXPECT_EQ(bench.start(quick()).resume(), 0);
}

TEST(Trainer, StopsAtALossThatIsNotFinite) {
  Bench bench;
  Trainer& trainer = bench.start(quick());
  bench.model.params().values().data[0] = std::nanf("");
  expect_error(
      ErrorKind::bad_value, [&] { trainer.run(); }, "epoch 1, step 1");
}

TEST(Trainer, WithoutValidationKeepsTheLastParameters) {
  Bench bench;
  bench.val.samples.clear();
  TrainOptions options = quick();
  options.ema = 0;
  const TrainResult result = bench.start(options).run();
  EXPECT_FALSE(result.val.has_value());
  EXPECT_EQ(result.epoch, options.epochs);
  EXPECT_EQ(result.steps, 8);
}

TEST(Trainer, BufferMovesByTheMeanOverShards) {
  Bench bench({.count = 64}, 0);
  TrainOptions options = quick();
  options.epochs = 1;
  options.batch = 64;
  options.shards = 2;
  options.lr = 1e-12;
  options.ema = 0;
  options.augmentation = {};
  options.mixup = {};
  Trainer& trainer = bench.start(options);
  const std::vector<float> w = [&] {
    auto v = bench.model.params().value(0);
    return std::vector<float>(v.span().begin(), v.span().end());
  }();
  bench.val.samples.clear();
  trainer.run();
  // The mean over two shards of equal size is the mean over the batch: of x w1 over all training networks.
  const auto params = static_cast<size_t>(bench.data.info().arch.param_count());
  std::vector<float> raw(params), x(params);
  std::vector<double> mean(8, 0.0);
  for (int64_t i : bench.train.samples) {
    bench.data.read(i, raw);
    bench.normaliser.apply(raw, x);
    for (size_t c = 0; c < 8; ++c)
      for (size_t p = 0; p < params; ++p) mean[c] += double(x[p]) * w[p * 8 + c] / double(bench.train.size());
  }
  double worst = 0;
  for (size_t c = 0; c < 8; ++c)
    worst = std::max(worst, std::abs(bench.model.params().buffer(0).data[c] - 0.1 * mean[c]));
  EXPECT_TRUE(worst <= 1e-5) << worst;
}

TEST(Trainer, MixedNetworksLearnFromMixedTargets) {
  // At random parameters and a rate of nothing the loss is the cross-entropy against the mixed targets.
  Bench bench({.count = 48}, 0);
  bench.val.samples.clear();
  TrainOptions options = quick();
  options.augmentation = {};
  options.label_smoothing = 0;
  options.epochs = 1;
  options.batch = 48;
  options.shards = 1;
  options.lr = 1e-12;
  const TrainResult result = bench.start(options).run();
  const Reader reader(bench.data, bench.train, bench.normaliser, options.augmentation, options.mixup,
                      options.seed);
  const int64_t params = bench.data.info().arch.param_count(), count = bench.train.size();
  std::vector<float> x(static_cast<size_t>(count * params)), targets(static_cast<size_t>(count * 3)),
      scratch(static_cast<size_t>(reader.scratch_size(3))), stats(16);
  int64_t soft = 0;
  for (int64_t i = 0; i < count; ++i) {
    const std::span<float> row(targets.data() + 3 * i, 3);
    reader.read(bench.train.samples[static_cast<size_t>(i)], 0, scratch,
                {x.data() + i * params, static_cast<size_t>(params)}, row);
    soft += *std::max_element(row.begin(), row.end()) < 0.99F;
  }
  Tape<float> tape;
  tape.set_training(true);
  const Var<float> logits = bench.model.forward(tape, {x.data(), Shape{count, params}}, stats.data());
  double loss = 0;
  int64_t correct = 0;
  for (int64_t i = 0; i < count; ++i) {
    const std::span<const float> z(logits.data() + 3 * i, 3), row(targets.data() + 3 * i, 3);
    for (int64_t k = 0; k < 3; ++k)
      loss += static_cast<double>(row[static_cast<size_t>(k)]) * cross_entropy(z, k);
    correct += argmax(z) == argmax(row);
  }
  EXPECT_NEAR(result.train.loss, loss, 1e-3 * loss);
  EXPECT_EQ(result.train.correct, correct);
  EXPECT_GT(soft, count / 4);
}

TEST(Trainer, EveryOptionMatters) {
  const auto bits_with = [](auto change) {
    Bench bench;
    TrainOptions options = quick();
    options.ema = 0;
    change(options);
    bench.val.samples.clear();
    bench.start(options).run();
    return bench.bits();
  };
  const std::vector<float> plain = bits_with([](TrainOptions&) {});
  EXPECT_EQ(plain, bits_with([](TrainOptions& o) { o.checkpoint_every = 0; }));
  const auto matters = [&](const char* name, auto change) { EXPECT_NE(plain, bits_with(change)) << name; };
  matters("epochs", [](TrainOptions& o) { o.epochs = 5; });
  matters("batch", [](TrainOptions& o) { o.batch = 12; });
  matters("shards", [](TrainOptions& o) { o.shards = 2; });
  matters("lr", [](TrainOptions& o) { o.lr = 0.03; });
  matters("lr_floor", [](TrainOptions& o) { o.lr_floor = 0.5; });
  matters("warmup", [](TrainOptions& o) { o.warmup = 4; });
  matters("clip", [](TrainOptions& o) { o.clip = 0.01; });
  matters("ema", [](TrainOptions& o) { o.ema = 0.9; });
  matters("label_smoothing", [](TrainOptions& o) { o.label_smoothing = 0.3; });
  matters("weight_decay", [](TrainOptions& o) { o.adamw.weight_decay = 0.1; });
  matters("amsgrad", [](TrainOptions& o) { o.adamw.amsgrad = true; });
  matters("augment", [](TrainOptions& o) { o.augmentation.permute = false; });
  matters("mixup", [](TrainOptions& o) { o.mixup.kind = weights::MixupKind::direct; });
  matters("alpha", [](TrainOptions& o) { o.mixup.alpha = 1; });
  matters("seed", [](TrainOptions& o) { o.seed = 8; });
}

// Of parameters and of the buffers that go with them: averaged parameters would not fit the last statistics.
TEST(Trainer, WithoutValidationTheAverageIsKept) {
  // What is there after each number of epochs, on one schedule: rate and order do not depend on `epochs`
  // then.
  TrainOptions options = quick();
  options.warmup = 0;
  options.lr_floor = 1;
  options.batch = 64;  // one step an epoch
  const auto after = [&](int64_t epochs, double ema) {
    Bench bench;
    bench.val.samples.clear();
    options.epochs = std::max<int64_t>(epochs, 1);
    options.ema = ema;
    Trainer& trainer = bench.start(options);
    if (epochs > 0) trainer.run();
    return bench.bits();
  };
  std::vector<float> average = after(0, 0);
  for (int64_t t = 0; t < 3; ++t) update_average(average, after(t + 1, 0), 0.9, t);
  EXPECT_EQ(after(3, 0.9), average);
  EXPECT_NE(after(3, 0), average);
}

TEST(TrainOptions, RefusesNonsense) {
  const auto refused = [](auto change) {
    TrainOptions options;
    change(options);
    expect_error(
        ErrorKind::usage, [&] { options.check(); }, "expected");
  };
  refused([](TrainOptions& o) { o.epochs = 0; });
  refused([](TrainOptions& o) { o.batch = 1; });
  refused([](TrainOptions& o) { o.shards = 0; });
  refused([](TrainOptions& o) { o.lr = std::nan(""); });
  refused([](TrainOptions& o) { o.ema = 1; });
  refused([](TrainOptions& o) { o.label_smoothing = -0.1; });
  EXPECT_NO_THROW(TrainOptions().check());
}

TEST(Metrics, CrossEntropyAndSoftmax) {
  const std::vector<float> logits{1, 3, 2};
  std::vector<double> p(3);
  softmax(logits, p);
  EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-15);
  EXPECT_NEAR(cross_entropy(logits, 2), -std::log(p[2]), 1e-12);
  EXPECT_EQ(argmax(logits), 1);
  const std::vector<float> large{1000, -1000};
  EXPECT_NEAR(cross_entropy(large, 1), 2000, 1e-9);
}

}  // namespace
}  // namespace dws::train
