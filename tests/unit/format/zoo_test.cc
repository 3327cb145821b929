// Zoo files of stacked networks.
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/file.h"
#include "unit/format/zoo_fixture.h"

namespace dws::testing {
namespace {

TEST(MlpArch, TextAndCounts) {
  const MlpArch arch = MlpArch::parse("2-32-32-1");
  EXPECT_EQ(arch.dims, (std::vector<int64_t>{2, 32, 32, 1}));
  EXPECT_EQ(arch.str(), "2-32-32-1");
  EXPECT_EQ(arch.layers(), 3);
  EXPECT_EQ(arch.param_count(), 2 * 32 + 32 + 32 * 32 + 32 + 32 + 1);
}

TEST(MlpArch, RefusesWhatIsNone) {
  for (const char* words : {"", "2", "2-", "-2-1", "2-0-1", "2--1", "2-x", "2-3.5-1",
                            "2-99999999999999999999-1", "2-16777217", " 2-1"}) {
    EXPECT_TRUE(throws_error(
        ErrorKind::usage, [&] { MlpArch::parse(words); }, "architecture '"))
        << words;
  }
}

TEST(Zoo, RoundTrip) {
  const TempDir dir;
  SmallZoo small;
  const std::vector<int64_t> labels = {7, -1, 0}, ids = {4, 4, 9};
  const std::vector<float> psnr = {30.5f, 40, std::numeric_limits<float>::infinity()};
  small.content.labels = labels;
  small.content.image_ids = ids;
  small.content.psnr = psnr;
  small.content.metadata = {{"dws.recipe", "{}"}};
  write_zoo(dir / "z.safetensors", small.content, false);

  const Zoo zoo = Zoo::open(dir / "z.safetensors");
  EXPECT_EQ(zoo.size(), 3);
  EXPECT_EQ(zoo.path(), dir / "z.safetensors");
  EXPECT_EQ(zoo.info().arch.str(), "2-3-1");
  EXPECT_TRUE(zoo.has_labels());
  for (int64_t i = 0; i < 3; ++i) {
    const size_t at = static_cast<size_t>(i);
    EXPECT_EQ(zoo.label(i), labels[at]);
    EXPECT_EQ(zoo.image_id(i), ids[at]);
    EXPECT_EQ(zoo.psnr(i), psnr[at]);
    EXPECT_EQ(zoo.name(i), text("{}/z.safetensors#{}", dir.path(), i));
    EXPECT_EQ(read_network(zoo, i),
              std::vector<float>(small.rows.begin() + i * 13, small.rows.begin() + i * 13 + 13));
  }
  EXPECT_EQ(*Safetensors::open(dir / "z.safetensors").meta("dws.recipe"), "{}");
}

TEST(Zoo, StackedLayoutInTheFile) {
  const TempDir dir;
  SmallZoo small(2);
  write_zoo(dir / "z", small.content, false);
  const Safetensors file = Safetensors::open(dir / "z");
  EXPECT_EQ(file.at("layers.0.weight").shape, (std::vector<int64_t>{2, 3, 2}));
  EXPECT_EQ(file.at("layers.0.bias").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file.at("layers.1.weight").shape, (std::vector<int64_t>{2, 1, 3}));
  EXPECT_EQ(file.at("layers.1.bias").shape, (std::vector<int64_t>{2, 1}));
  float bias[2];
  file.read(file.at("layers.1.bias"), std::span<float>(bias));
  EXPECT_EQ(bias[0], 12);
  EXPECT_EQ(bias[1], 112);
}

TEST(Zoo, WithoutLabelsIdsAndPsnr) {
  const TempDir dir;
  write_zoo(dir / "z", SmallZoo().content, false);
  const Zoo zoo = Zoo::open(dir / "z");
  EXPECT_FALSE(zoo.has_labels());
  EXPECT_EQ(zoo.label(2), -1);
  EXPECT_EQ(zoo.image_id(2), 2);
  EXPECT_FALSE(zoo.psnr(2));
}

TEST(Zoo, LabelsThatAreAllUnknownAreNone) {
  const TempDir dir;
  SmallZoo small;
  const std::vector<int64_t> labels = {-1, -1, -1};
  small.content.labels = labels;
  write_zoo(dir / "z", small.content, false);
  EXPECT_FALSE(Zoo::open(dir / "z").has_labels());
}

TEST(Zoo, RefusesAnIndexOrAnArrayThatDoesNotFit) {
  const TempDir dir;
  write_zoo(dir / "z", SmallZoo().content, false);
  const Zoo zoo = Zoo::open(dir / "z");
  std::vector<float> out(13), shorter(12);
  expect_error(
      ErrorKind::internal, [&] { zoo.read(3, out); }, "no network 3 among 3");
  expect_error(ErrorKind::internal, [&] { zoo.label(-1); });
  expect_error(
      ErrorKind::internal, [&] { zoo.read(0, shorter); }, "expected 13, got 12");
}

TEST(Zoo, SoftLabelsAndMixturesRoundTrip) {
  const TempDir dir;
  SmallZoo small;
  const std::vector<int64_t> labels = {1, 0, 1}, ids = {4, 5, 9}, mixed = {4, 9, 4};
  small.content.labels = labels;
  small.content.image_ids = ids;
  small.content.mixed_image_ids = mixed;
  small.content.soft_classes = 2;
  small.content.soft_label = [](int64_t i, std::span<float> row) {
    row[0] = 0.25f * static_cast<float>(i);
    row[1] = 1 - row[0];
  };
  write_zoo(dir / "z", small.content, false);
  const Zoo zoo = Zoo::open(dir / "z");
  ASSERT_EQ(zoo.soft_classes(), 2);
  for (int64_t i = 0; i < 3; ++i) {
    float row[2];
    zoo.soft_label(i, row);
    EXPECT_EQ(row[0], 0.25f * static_cast<float>(i));
    EXPECT_EQ(zoo.mixed_image_id(i), mixed[static_cast<size_t>(i)]);
  }
  std::vector<float> wrong(3);
  expect_error(ErrorKind::internal, [&] { zoo.soft_label(0, wrong); });
  const std::vector<int64_t> two = {0, 1};
  small.content.mixed_image_ids = two;
  expect_error(
      ErrorKind::size_mismatch, [&] { write_zoo(dir / "y", small.content, false); }, "mixed_image_id");
}

TEST(Zoo, WithoutMixturesTheSecondImageIsTheFirst) {
  const TempDir dir;
  SmallZoo small;
  const std::vector<int64_t> ids = {4, 5, 9};
  small.content.image_ids = ids;
  write_zoo(dir / "z", small.content, false);
  EXPECT_EQ(Zoo::open(dir / "z").mixed_image_id(2), 9);
  EXPECT_EQ(Zoo::open(dir / "z").soft_classes(), 0);
}

TEST(ZooWriter, RefusesNothing) {
  const TempDir dir;
  expect_error(ErrorKind::empty, [&] { write_zoo(dir / "z", SmallZoo(0).content, false); });
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(ZooWriter, RefusesCountsThatDiffer) {
  const TempDir dir;
  const std::vector<int64_t> two = {0, 1};
  const std::vector<float> psnr = {1, 2};
  SmallZoo a, b, c;
  a.content.labels = two;
  b.content.image_ids = two;
  c.content.psnr = psnr;
  expect_error(
      ErrorKind::size_mismatch, [&] { write_zoo(dir / "z", a.content, false); }, "label: expected 3, got 2");
  expect_error(
      ErrorKind::size_mismatch, [&] { write_zoo(dir / "z", b.content, false); }, "image_id");
  expect_error(
      ErrorKind::size_mismatch, [&] { write_zoo(dir / "z", c.content, false); }, "psnr");
}

TEST(ZooWriter, RefusesBadNumbersAndLeavesNothing) {
  const TempDir dir;
  SmallZoo small;
  small.rows[13 + 9 + 1] = std::numeric_limits<float>::quiet_NaN();
  expect_error(
      ErrorKind::bad_value, [&] { write_zoo(dir / "z", small.content, false); },
      "network 1, tensor layers.1.weight: not finite (NaN) at element 1");
  SmallZoo labelled;
  const std::vector<int64_t> labels = {0, -2, 1};
  labelled.content.labels = labels;
  expect_error(
      ErrorKind::bad_value, [&] { write_zoo(dir / "z", labelled.content, false); }, "label of network 1");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

std::vector<std::pair<std::string, std::string>> zoo_metadata() {
  return {{"dws.zoo", small_info().to_json().dump()}};
}

// A stacked 2-3-1 zoo of four networks, for changing one tensor of.
std::vector<OwnedTensor> good_tensors() {
  return {{"layers.0.weight", {4, 3, 2}},
          {"layers.0.bias", {4, 3}},
          {"layers.1.weight", {4, 1, 3}},
          {"layers.1.bias", {4, 1}}};
}

class ZooRefused : public ::testing::Test {
 protected:
  ZooRefused() : path(dir / "z") {}
  void refuse(ErrorKind kind, const std::vector<OwnedTensor>& tensors, const std::string& substring) {
    write_tensors(path, tensors, zoo_metadata());
    expect_error(
        kind, [&] { Zoo::open(path); }, substring);
    expect_error(
        kind, [&] { Zoo::open(path); }, path + ": ");
  }
  TempDir dir;
  std::string path;
};

TEST_F(ZooRefused, NotTheUnchangedFile) {
  write_tensors(path, good_tensors(), zoo_metadata());
  EXPECT_EQ(Zoo::open(path).size(), 4);
}

TEST_F(ZooRefused, MissingMetadata) {
  write_tensors(path, good_tensors());
  expect_error(
      ErrorKind::bad_schema, [&] { Zoo::open(path); }, "metadata dws.zoo is missing");
}

TEST_F(ZooRefused, MetadataThatIsNotJson) {
  write_tensors(path, good_tensors(), {{"dws.zoo", "{"}});
  expect_error(
      ErrorKind::bad_json, [&] { Zoo::open(path); }, path + ": metadata dws.zoo: ");
}

TEST_F(ZooRefused, NoNetworks) {
  refuse(ErrorKind::empty,
         {{"layers.0.weight", {0, 3, 2}},
          {"layers.0.bias", {0, 3}},
          {"layers.1.weight", {0, 1, 3}},
          {"layers.1.bias", {0, 1}}},
         "holds no networks");
}

TEST_F(ZooRefused, MissingTensor) {
  auto tensors = good_tensors();
  tensors.pop_back();
  refuse(ErrorKind::missing_tensor, tensors, "(tensor 'layers.1.bias')");
}

TEST_F(ZooRefused, ShapeOfAnotherArchitecture) {
  auto tensors = good_tensors();
  tensors[0] = {"layers.0.weight", {4, 3, 5}};
  refuse(ErrorKind::size_mismatch, tensors,
         "architecture 2-3-1 (tensor 'layers.0.weight'): expected (4, 3, 2), got (4, 3, 5)");
}

TEST_F(ZooRefused, AnotherNumberOfNetworksInOneTensor) {
  auto tensors = good_tensors();
  tensors[3] = {"layers.1.bias", {5, 1}};
  refuse(ErrorKind::size_mismatch, tensors, "expected (4, 1), got (5, 1)");
}

TEST_F(ZooRefused, OneLayerMoreThanTheArchitecture) {
  auto tensors = good_tensors();
  tensors.push_back({"layers.2.weight", {4, 1, 1}});
  refuse(ErrorKind::mismatch, tensors, "(tensor 'layers.2.weight')");
}

TEST_F(ZooRefused, WeightsOfAnIntegerType) {
  const std::vector<int64_t> numbers(24);
  std::vector<TensorSource> sources = {TensorSource::of("layers.0.weight", {4, 3, 2}, numbers)};
  const auto tensors = good_tensors();
  for (size_t i = 1; i < 4; ++i) sources.push_back(tensors[i].source());
  write_safetensors(path, sources, zoo_metadata(), true);
  expect_error(
      ErrorKind::unknown_dtype, [&] { Zoo::open(path); }, "(tensor 'layers.0.weight')");
}

TEST_F(ZooRefused, PsnrOfAnotherCount) {
  auto tensors = good_tensors();
  tensors.push_back({"psnr", {3}});
  refuse(ErrorKind::size_mismatch, tensors, "(tensor 'psnr'): expected (4,), got (3,)");
}

TEST_F(ZooRefused, LabelsThatAreFloats) {
  auto tensors = good_tensors();
  tensors.push_back({"label", {4}});
  refuse(ErrorKind::unknown_dtype, tensors, "(tensor 'label'): expected I64, got F32");
}

TEST_F(ZooRefused, SoftLabelsOfAnotherShape) {
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{4}, {3, 2}, {4, 0}, {4, 1, 2}}) {
    auto tensors = good_tensors();
    tensors.push_back({"label_soft", shape});
    refuse(ErrorKind::size_mismatch, tensors, "(tensor 'label_soft'): expected (4, classes)");
  }
}

TEST_F(ZooRefused, SoftLabelsThatAreNoDistribution) {
  for (const auto& [row, words] : {std::pair{std::vector<float>{0.5f, 0.25f}, "got a sum of 0.75"},
                                   {{1.5f, -0.5f}, "a negative one or NaN"},
                                   {{NAN, 1.0f}, "a negative one or NaN"}}) {
    auto tensors = good_tensors();
    OwnedTensor soft("label_soft", {4, 2});
    soft.values = {1, 0, 0.5f, 0.5f, row[0], row[1], 0, 1};
    tensors.push_back(soft);
    refuse(ErrorKind::bad_value, tensors, "row of network 2 (tensor 'label_soft')");
    refuse(ErrorKind::bad_value, tensors, words);
  }
}

TEST_F(ZooRefused, SecondImagesThatAreFloats) {
  auto tensors = good_tensors();
  tensors.push_back({"mixed_image_id", {4}});
  refuse(ErrorKind::unknown_dtype, tensors, "(tensor 'mixed_image_id'): expected I64, got F32");
}

class ZooLabels : public ZooRefused {
 protected:
  void write_labels(const std::vector<int64_t>& labels, std::vector<int64_t> shape) {
    std::vector<TensorSource> sources = {TensorSource::of("label", std::move(shape), labels)};
    const auto tensors = good_tensors();
    for (const OwnedTensor& tensor : tensors) sources.push_back(tensor.source());
    write_safetensors(path, sources, zoo_metadata(), true);
  }
};

TEST_F(ZooLabels, OfAnotherCount) {
  write_labels({1, 2, 3}, {3});
  expect_error(
      ErrorKind::size_mismatch, [&] { Zoo::open(path); },
      "not one value for each of 4 networks (tensor 'label'): expected (4,), got (3,)");
}

TEST_F(ZooLabels, OfAnotherRank) {
  write_labels({1, 2, 3, 4}, {4, 1});
  expect_error(ErrorKind::size_mismatch, [&] { Zoo::open(path); });
}

TEST_F(ZooLabels, BelowMinusOne) {
  write_labels({1, -1, -2, 4}, {4});
  expect_error(
      ErrorKind::bad_value, [&] { Zoo::open(path); },
      "value of network 2 (tensor 'label'): expected at least -1, got -2");
}

TEST_F(ZooRefused, NotFiniteValuesWhenRead) {
  for (const auto& [value, shown] :
       {std::pair{std::nanf(""), "NaN"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}}) {
    auto tensors = good_tensors();
    tensors[2].values[2 * 3 + 1] = value;
    write_tensors(path, tensors, zoo_metadata());
    const Zoo zoo = Zoo::open(path);  // values are not looked at
    read_network(zoo, 1);
    EXPECT_TRUE(throws_error(
        ErrorKind::bad_value, [&] { read_network(zoo, 2); },
        text("{}: network 2, tensor layers.1.weight: not finite ({}) at element 1", path, shown)));
  }
}

TEST_F(ZooRefused, EveryTruncation) {
  SmallZoo small;
  write_zoo(path, small.content, true);
  const std::string whole = read_text(path);
  for (size_t size = 0; size < whole.size(); size += 7) {
    write_file(path, whole.substr(0, size));
    EXPECT_TRUE(throws_error(
        ErrorKind::truncated, [&] { Zoo::open(path); }, path))
        << size;
  }
}

TEST(Zoo, HalfPrecisionIsReadAsFloat) {
  const TempDir dir;
  const uint16_t half[] = {0x3C00, 0x4000, 0x4200, 0x4400};
  ZooInfo info;
  info.arch = MlpArch::parse("1-1");
  const Bytes bytes(reinterpret_cast<const std::byte*>(half), sizeof half);
  write_safetensors(dir / "z",
                    {TensorSource::raw("layers.0.weight", Dtype::f16, {2, 1, 1}, bytes.first(4)),
                     TensorSource::raw("layers.0.bias", Dtype::f16, {2, 1}, bytes.last(4))},
                    {{"dws.zoo", info.to_json().dump()}}, false);
  EXPECT_EQ(read_network(Zoo::open(dir / "z"), 1), (std::vector<float>{2, 4}));
}

TEST(Zoo, ASingleNetworkKnowsItsLabelAndImage) {
  const TempDir dir;
  struct Case {
    Json label;
    int64_t expected, image;
  };
  // What is no number of ours counts as not said.
  for (const auto& [label, expected, image] :
       {Case{7, 7, 7}, {0, 0, 0}, {-1, -1, -1}, {2.5, -1, 0}, {"7", -1, 0}, {~uint64_t{0}, -1, 0}}) {
    ZooInfo info = small_info();
    info.summary = Json::object({{"networks", 1}, {"label", label}, {"image_id", label}});
    write_network(dir / "n", info, std::vector<float>(13, 1.f), {}, true);
    const Zoo zoo = Zoo::open(dir / "n");
    EXPECT_EQ(zoo.has_labels(), expected >= 0) << label.dump();
    EXPECT_EQ(zoo.label(0), expected) << label.dump();
    EXPECT_EQ(zoo.image_id(0), image) << label.dump();
  }
}

TEST(Zoo, AModelFileIsNamedAsSuch) {
  const TempDir dir;
  write_tensors(dir / "m", {{"head.weight", {2, 3}}}, {{"dws.model", "{}"}});
  expect_error(
      ErrorKind::mismatch, [&] { Zoo::open(dir / "m"); }, "trained model");
}

TEST(Zoo, WhatIsReleasedNoLongerCountsAndReadsTheSame) {
  TempDir dir;
  constexpr int64_t kCount = 300'000;  // 16 MiB of numbers
  SmallZoo made(kCount);
  const std::vector<int64_t> labels(kCount, 1);
  made.content.labels = labels;
  write_zoo(dir / "z", made.content, false);
  const Zoo zoo = Zoo::open(dir / "z");
  const std::vector<float> first = read_network(zoo, 7);
  std::vector<float> numbers(13);
  const double before = testing::mapped_mib();
  for (int64_t i = 0; i < kCount; ++i) zoo.read(i, numbers);
  EXPECT_GT(testing::mapped_mib(), before + 12);
  zoo.release(-5, kCount + 5);
  EXPECT_LT(testing::mapped_mib(), before + 0.5);
  zoo.prefetch(-5, kCount + 5);
  zoo.release(9, 9);
  EXPECT_EQ(read_network(zoo, 7), first);

  PagesBehind pages(zoo);
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t i = 0; i < kCount; ++i) {
      zoo.read(i, numbers);
      zoo.label(i);
      pages.passed(i);
    }
  }
  EXPECT_LT(testing::mapped_mib(), before + 0.5);
}

TEST(Zoo, BlockIsOfFourMebibytes) {
  const auto block = [](const std::string& arch) {
    TempDir dir;
    ZooInfo info;
    info.arch = MlpArch::parse(arch);
    const std::vector<float> numbers(static_cast<size_t>(info.arch.param_count()));
    write_network(dir / "n", info, numbers, {}, false);
    return Zoo::open(dir / "n").block();
  };
  EXPECT_EQ(block("2-3-1"), 1024);
  EXPECT_EQ(block("2-32-32-1"), (4 << 20) / (4 * 1185));
  EXPECT_EQ(block("1024-1024-1024-2"), 1);
}

}  // namespace
}  // namespace dws::testing
