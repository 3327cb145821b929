#include "train/predict.h"

#include <gtest/gtest.h>

#include "core/parallel.h"
#include "testing.h"
#include "tiny.h"

namespace dws::train {
namespace {

using testing::make_zoo;
using testing::TempDir;
using testing::TinyModel;

// Dropout and batch statistics are off: an answer depends on its network alone, not on company, cut or
// threads.
TEST(Predictor, AnswersEachNetworkAlone) {
  TempDir dir;
  make_zoo(dir / "zoo", {.count = 45});
  const Dataset data = Dataset::open({dir / "zoo"});
  TinyModel model(data.info().arch.param_count(), 3, 0.5);
  model.init(1);
  const weights::Normaliser normaliser = fit_normaliser(data, Part::all(data));
  std::vector<float> alone(45 * 3), together(45 * 3);
  set_threads(1);
  Predictor one(model, normaliser);
  for (int64_t i = 0; i < 45; ++i)
    one.run(
        1, [&](int64_t, std::span<float> out) { data.read(i, out); },
        std::span<float>(alone).subspan(static_cast<size_t>(i * 3), 3));
  set_threads(3);
  Predictor three(model, normaliser);
  three.run(
      45, [&](int64_t i, std::span<float> out) { data.read(i, out); }, together);
  set_threads(0);
  EXPECT_EQ(alone, together);
  EXPECT_NE(alone[0], alone[3]);
}

TEST(Predictor, PassesOnWhatReadingThrows) {
  TempDir dir;
  make_zoo(dir / "zoo", {.bad_network = 30});
  const Dataset data = Dataset::open({dir / "zoo"});
  TinyModel model(data.info().arch.param_count(), 3, 0);
  const auto normaliser = weights::Normaliser::identity(data.info().arch.param_count());
  Predictor predictor(model, normaliser);
  testing::expect_error(
      ErrorKind::bad_value, [&] { predictor.evaluate(Part::all(data)); }, "network 30");
}

TEST(Predictor, RefusesAnAnswerThatIsNoNumber) {
  TempDir dir;
  make_zoo(dir / "zoo", {.count = 4});
  const Dataset data = Dataset::open({dir / "zoo"});
  TinyModel model(data.info().arch.param_count(), 3, 0);
  model.init(1);
  for (float& w : model.params().values().span()) w = 3e38f;
  const auto normaliser = weights::Normaliser::identity(data.info().arch.param_count());
  Predictor predictor(model, normaliser);
  testing::expect_error(
      ErrorKind::bad_value, [&] { predictor.evaluate(Part::all(data)); }, "not a finite number");
}

}  // namespace
}  // namespace dws::train
