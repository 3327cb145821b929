#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "testing.h"

namespace dws::train {
namespace {

using testing::expect_error;
using testing::TempDir;

Json settings(double lr) {
  Json train = Json::object();
  train.set("lr", lr);
  train.set("epochs", 3);
  Json json = Json::object();
  json.set("data", "abc");
  json.set("train", train);
  return json;
}

struct Saved {
  std::vector<float> a{1, 2, 3}, b{4};
  std::vector<StateArray> arrays() { return {{"a", a}, {"b", b}}; }
};

TEST(Checkpoint, RoundTrip) {
  TempDir dir;
  Saved out, in;
  Json state = Json::object();
  state.set("epoch", 2);
  state.set("sum", 0.1);
  save_checkpoint(dir / "c", out.arrays(), settings(1), state);
  save_checkpoint(dir / "c", out.arrays(), settings(1), state);  // replaces
  in.a = {0, 0, 0};
  in.b = {0};
  const Json back = load_checkpoint(dir / "c", in.arrays(), settings(1));
  EXPECT_EQ(in.a, out.a);
  EXPECT_EQ(in.b, out.b);
  EXPECT_EQ(back.at("epoch").as_int(), 2);
  EXPECT_EQ(back.at("sum").as_double(), 0.1);
}

TEST(Checkpoint, NamesTheSettingThatDiffers) {
  TempDir dir;
  Saved out;
  save_checkpoint(dir / "c", out.arrays(), settings(0.5), Json::object());
  expect_error(
      ErrorKind::mismatch, [&] { load_checkpoint(dir / "c", out.arrays(), settings(0.25)); },
      "'train.lr' is 0.5 there, 0.25 here");
  Json more = settings(0.5);
  more.set("extra", 1);
  expect_error(
      ErrorKind::mismatch, [&] { load_checkpoint(dir / "c", out.arrays(), more); }, "'extra'");
}

TEST(Checkpoint, FindsDamage) {
  TempDir dir;
  Saved out;
  save_checkpoint(dir / "c", out.arrays(), settings(1), Json::object());
  std::string bytes = read_text(dir / "c");
  bytes.back() ^= 1;
  write_text(dir / "c", bytes, true);
  expect_error(
      ErrorKind::bad_value, [&] { load_checkpoint(dir / "c", out.arrays(), settings(1)); }, "damaged");
  bytes.pop_back();
  write_text(dir / "c", bytes, true);
  EXPECT_THROW(load_checkpoint(dir / "c", out.arrays(), settings(1)), Error);
}

}  // namespace
}  // namespace dws::train
