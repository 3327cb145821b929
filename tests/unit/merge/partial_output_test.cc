#include "merge/partial_output.h"

#include <filesystem>
#include <span>

#include "networks.h"

namespace dws::merge {
namespace {

namespace fs = std::filesystem;

Plan plan_of(int tensors) {
  Plan plan;
  for (int i = 0; i < tensors; ++i) {
    OutputTensor t;
    t.name = "t" + std::to_string(i);
    t.shape = {4};
    t.sources.push_back({.input = 0, .tensor = t.name});
    plan.tensors.push_back(t);
    plan.file.push_back(i / 2);
  }
  return plan;
}

void make(PartialOutput& out, size_t tensor, float value) {
  const float x[4] = {value, value, value, value};
  out.write(tensor, 0, x, 8);
  out.write(tensor, 8, x + 2, 8);
  out.finished(tensor);
}

auto layout_of(bool folder, const Plan& plan, const std::string& path) {
  return folder ? sharded(plan, {"a.safetensors", "b.safetensors"}, "m.safetensors.index.json", path, {})
                : single_file(plan, path, {});
}

size_t entries(const std::string& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(PartialOutput, IsTakenUpWhereItWasCut) {
  for (const bool folder : {false, true}) {
    const testing::TempDir dir;
    const std::string path = dir / (folder ? "out" : "out.safetensors");
    const Plan plan = plan_of(4);
    const auto layout = [&] { return layout_of(folder, plan, path); };
    {
      PartialOutput out(path, layout(), "x", false, false);
      EXPECT_EQ(out.done(), 0u);
      make(out, 0, 1);
      make(out, 1, 2);
      make(out, 2, 3);
      testing::expect_error(
          ErrorKind::exists, [&] { PartialOutput(path, layout(), "x", false, false); }, "another process");
      out.keep();
    }
    EXPECT_FALSE(fs::exists(path));
    testing::expect_error(
        ErrorKind::mismatch, [&] { PartialOutput(path, layout(), "y", true, false); },
        "other inputs or options");
    {
      PartialOutput out(path, layout(), "x", true, false);
      EXPECT_EQ(out.done(), 3u);
      make(out, 3, 4);
      out.commit();
    }
    EXPECT_EQ(entries(dir.path()), 1u);
    const Checkpoint checkpoint = Checkpoint::open(path);
    for (int i = 0; i < 4; ++i) {
      const CheckpointTensor* t = checkpoint.find("t" + std::to_string(i));
      ASSERT_TRUE(t);
      std::vector<float> x(4);
      checkpoint.files()[t->file].read(*t->entry, x);
      EXPECT_EQ(x, std::vector<float>(4, static_cast<float>(i + 1)));
    }
    testing::expect_error(ErrorKind::exists, [&] { PartialOutput(path, layout(), "x", false, false); });
  }
}

TEST(PartialOutput, LeavesNothingWhenItFailsAndStartsAnewWithoutResume) {
  const testing::TempDir dir;
  const std::string path = dir / "out.safetensors";
  const Plan plan = plan_of(2);
  {
    PartialOutput out(path, single_file(plan, path, {}), "x", false, false);
    make(out, 0, 1);
  }
  EXPECT_EQ(entries(dir.path()), 0u);
  {
    PartialOutput out(path, single_file(plan, path, {}), "x", false, false);
    make(out, 0, 1);
    out.keep();
  }
  PartialOutput out(path, single_file(plan, path, {}), "x", false, false);
  EXPECT_EQ(out.done(), 0u);
}

TEST(PartialOutput, IsReadAndAmendedBeforeItHasItsName) {
  for (const bool folder : {false, true}) {
    const testing::TempDir dir;
    const std::string path = dir / (folder ? "out" : "out.safetensors");
    const Plan plan = plan_of(4);
    const auto layout = [&] { return layout_of(folder, plan, path); };
    const auto value = [&](const std::string& at, int tensor) {
      const Checkpoint checkpoint = Checkpoint::open(at);
      const CheckpointTensor* t = checkpoint.find("t" + std::to_string(tensor));
      std::vector<float> x(4);
      checkpoint.files()[t->file].read(*t->entry, x);
      return x[3];
    };
    const auto numbers = [](float x) {
      const std::vector<float> all(4, x);
      const auto bytes = std::as_bytes(std::span(all));
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    const auto amend = [&](PartialOutput& out) {
      out.amend({{3, numbers(-3)}, {1, numbers(-1)}});
      EXPECT_EQ(out.read(1), numbers(-1));
    };
    {
      PartialOutput out(path, layout(), "x", false, false);
      for (size_t t = 0; t < 4; ++t) make(out, t, static_cast<float>(t));
      std::string readable = out.readable();
      if (!folder) {
        readable = dir / "link.safetensors";
        fs::create_symlink(out.readable(), readable);
      }
      EXPECT_EQ(value(readable, 1), 1);
      amend(out);
      EXPECT_EQ(value(readable, 3), -3);
      EXPECT_FALSE(fs::exists(path));
      testing::expect_error(
          ErrorKind::internal,
          [&] {
            out.amend({{2, {}}});
          },
          "another size");
      if (!folder) fs::remove(readable);
      out.keep();
    }
    {
      // Tensor 1 may have either number by now, so that it is made again, and what is behind it.
      PartialOutput out(path, layout(), "x", true, false);
      EXPECT_EQ(out.done(), 1u);
      for (size_t t = 1; t < 4; ++t) make(out, t, static_cast<float>(t));
      EXPECT_EQ(out.read(1), numbers(1));
      amend(out);
      out.commit();
    }
    EXPECT_EQ(entries(dir.path()), 1u);
    for (const auto& [tensor, x] : {std::pair(0, 0.f), {1, -1.f}, {2, 2.f}, {3, -3.f}})
      EXPECT_EQ(value(path, tensor), x);
  }
}

}  // namespace
}  // namespace dws::merge
