// Single network files and folders of them.
#include <cmath>
#include <filesystem>

#include "format/csv.h"
#include "format/natural_order.h"
#include "unit/format/zoo_fixture.h"

namespace dws::testing {
namespace {

namespace fs = std::filesystem;

std::vector<float> numbers(float first) {
  std::vector<float> out(13);
  std::iota(out.begin(), out.end(), first);
  return out;
}

void write_small(const std::string& path, float first) {
  write_network(path, small_info(), numbers(first), {}, true);
}

TEST(NaturalOrder, DigitsCompareAsNumbers) {
  EXPECT_TRUE(format::natural_less("net.2", "net.10"));
  EXPECT_TRUE(format::natural_less("z", "\u00e9"));
  EXPECT_FALSE(format::natural_less("\u00e9", "z"));
  EXPECT_FALSE(format::natural_less("net.10", "net.2"));
  EXPECT_TRUE(format::natural_less("9", "18446744073709551616"));
  EXPECT_TRUE(format::natural_less("a", "a1"));
  EXPECT_TRUE(format::natural_less("a2b1", "a2b3"));
  EXPECT_FALSE(format::natural_less("a", "a"));
  EXPECT_FALSE(format::natural_less("01", "1"));
  EXPECT_FALSE(format::natural_less("1", "01"));
}

TEST(Csv, Fields) {
  using Fields = std::vector<std::string>;
  EXPECT_EQ(format::csv_fields("a,b"), (Fields{"a", "b"}));
  EXPECT_EQ(format::csv_fields(""), (Fields{""}));
  EXPECT_EQ(format::csv_fields("a,"), (Fields{"a", ""}));
  EXPECT_EQ(format::csv_fields(R"("a,""b""",1)"), (Fields{"a,\"b\"", "1"}));
  EXPECT_EQ(format::csv_fields(R"("",x)"), (Fields{"", "x"}));
  for (const char* line : {"\"a", "\"a\"b", "a\"b\""}) {
    EXPECT_TRUE(throws_error(
        ErrorKind::bad_schema, [&] { format::csv_fields(line); }, "quote"))
        << line;
  }
}

TEST(Network, RoundTrip) {
  const TempDir dir;
  ZooInfo info = small_info();
  info.omega = 20;
  write_network(dir / "n.safetensors", info, numbers(1), {{"dws.recipe", "r"}}, false);
  const Zoo zoo = Zoo::open(dir / "n.safetensors");
  EXPECT_EQ(zoo.size(), 1);
  EXPECT_EQ(zoo.info().omega, 20);
  EXPECT_EQ(zoo.name(0), dir / "n.safetensors");
  EXPECT_FALSE(zoo.has_labels());
  EXPECT_EQ(zoo.image_id(0), 0);
  EXPECT_EQ(read_network(zoo, 0), numbers(1));
}

TEST(Network, WriterRefusesWrongCountsAndNumbers) {
  const TempDir dir;
  std::vector<float> params = numbers(0);
  expect_error(
      ErrorKind::size_mismatch,
      [&] { write_network(dir / "n", small_info(), std::span<const float>(params).first(12), {}, false); },
      "2-3-1: expected 13, got 12");
  params[7] = NAN;
  expect_error(
      ErrorKind::bad_value, [&] { write_network(dir / "n", small_info(), params, {}, false); },
      "tensor layers.0.bias: not finite (NaN) at element 1");
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(Network, NamesOfPyTorchStateDicts) {
  const TempDir dir;
  for (const char* pattern : {"layers.{}.", "seq.{}.", "{}.", "net.{}.linear.", "module.fc{}."}) {
    // Layers 2 and 10: the order of text would turn them round.
    const std::string a = fmt::format(fmt::runtime(pattern), 2), b = fmt::format(fmt::runtime(pattern), 10);
    write_tensors(dir / "n", {{text("{}weight", b), {1, 3}},
                              {text("{}bias", b), {1}},
                              {text("{}bias", a), {3}},
                              {text("{}weight", a), {3, 2}}});
    const Zoo zoo = Zoo::open(dir / "n");
    EXPECT_EQ(zoo.info().arch.str(), "2-3-1") << pattern;
    EXPECT_EQ(zoo.info().activation, "siren");
    EXPECT_EQ(zoo.info().omega, 30);
    EXPECT_EQ(read_network(zoo, 0), (std::vector<float>{0, 1, 2, 3, 4, 5, 0, 1, 2, 0, 1, 2, 0})) << pattern;
  }
}

TEST(Network, OneLinearLayerWithoutPrefix) {
  const TempDir dir;
  write_tensors(dir / "n", {{"weight", {1, 2}}, {"bias", {1}}});
  EXPECT_EQ(Zoo::open(dir / "n").info().arch.str(), "2-1");
}

TEST(Network, RefusesWhatIsNone) {
  const TempDir dir;
  const auto refuse = [&](ErrorKind kind, const std::vector<OwnedTensor>& tensors,
                          const std::string& substring) {
    write_tensors(dir / "n", tensors);
    expect_error(
        kind, [&] { Zoo::open(dir / "n"); }, substring);
    expect_error(
        kind, [&] { Zoo::open(dir / "n"); }, dir / "n: ");
  };
  refuse(ErrorKind::empty, {}, "no tensors");
  refuse(ErrorKind::missing_tensor, {{"0.weight", {3, 2}}}, "(tensor '0.bias')");
  refuse(ErrorKind::missing_tensor, {{"0.bias", {3}}}, "(tensor '0.weight')");
  refuse(ErrorKind::bad_schema, {{"conv.weight", {3, 2, 3, 3}}},
         "not a fully connected network (tensor 'conv.weight')");
  refuse(ErrorKind::bad_schema, {{"0.gamma", {3}}}, "(tensor '0.gamma')");
  refuse(ErrorKind::size_mismatch, {{"0.weight", {3, 2}}, {"0.bias", {4}}},
         "(tensor '0.bias'): expected (3,), got (4,)");
  refuse(ErrorKind::size_mismatch,
         {{"0.weight", {3, 2}}, {"0.bias", {3}}, {"1.weight", {1, 4}}, {"1.bias", {1}}},
         "(tensor '1.weight'): expected 3 inputs, got 4");
  refuse(ErrorKind::bad_schema, {{"0.weight", {0, 2}}, {"0.bias", {0}}}, "size 0");
}

TEST(Network, WeightsOfAnIntegerType) {
  const TempDir dir;
  const std::vector<int64_t> numbers(2);
  const OwnedTensor bias("0.bias", {1});
  write_safetensors(dir / "n", {TensorSource::of("0.weight", {1, 2}, numbers), bias.source()}, {}, false);
  expect_error(
      ErrorKind::unknown_dtype, [&] { Zoo::open(dir / "n"); },
      "wrong dtype of a weight (tensor '0.weight'): expected F32, F64, F16 or BF16, got I64");
}

TEST(Network, MetadataMustFitTheTensors) {
  const TempDir dir;
  write_tensors(dir / "n", {{"0.weight", {1, 2}}, {"0.bias", {1}}},
                {{"dws.zoo", small_info().to_json().dump()}});
  expect_error(
      ErrorKind::mismatch, [&] { Zoo::open(dir / "n"); }, "expected 2-3-1, got 2-1");
}

TEST(Network, NotFiniteValuesWhenRead) {
  const TempDir dir;
  std::vector<OwnedTensor> tensors = {{"0.weight", {1, 2}}, {"0.bias", {1}}};
  tensors[1].values[0] = INFINITY;
  write_tensors(dir / "n", tensors);
  const Zoo zoo = Zoo::open(dir / "n");
  expect_error(
      ErrorKind::bad_value, [&] { read_network(zoo, 0); }, "n: tensor 0.bias: not finite (inf) at element 0");
}

class Folder : public ::testing::Test {
 protected:
  Folder() {
    write_small(dir / "a.safetensors", 0);
    fs::create_directory(dir / "sub");
    write_small(dir / "sub/b.safetensors", 100);
  }
  void table(std::string_view content) { write_file(dir / "labels.csv", content); }
  void refuse(ErrorKind kind, std::string_view content, const std::string& substring) {
    table(content);
    expect_error(
        kind, [&] { Zoo::open(dir.path()); }, substring);
    expect_error(
        kind, [&] { Zoo::open(dir.path()); }, dir / "labels.csv: ");
  }
  TempDir dir;
};

TEST_F(Folder, WithAHeader) {
  table("file,label\nsub/b.safetensors,7\na.safetensors,0\n");
  const Zoo zoo = Zoo::open(dir.path());
  ASSERT_EQ(zoo.size(), 2);
  EXPECT_TRUE(zoo.has_labels());
  EXPECT_EQ(zoo.label(0), 7);
  EXPECT_EQ(zoo.label(1), 0);
  EXPECT_EQ(zoo.image_id(1), 1);
  EXPECT_EQ(zoo.name(0), dir / "sub/b.safetensors");
  EXPECT_EQ(read_network(zoo, 0), numbers(100));
  EXPECT_EQ(read_network(zoo, 1), numbers(0));
}

TEST_F(Folder, WithoutAHeaderWindowsLinesAndNoLastLineEnd) {
  table(
      "\xEF\xBB\xBF"
      "a.safetensors,1\r\n\"sub/b.safetensors\",2");
  const Zoo zoo = Zoo::open(dir.path());
  ASSERT_EQ(zoo.size(), 2);
  EXPECT_EQ(zoo.label(0), 1);
  EXPECT_EQ(zoo.label(1), 2);
}

TEST_F(Folder, WithImageIds) {
  table("file,label,image_id\na.safetensors,1,5\nsub/b.safetensors,1,5\n");
  const Zoo zoo = Zoo::open(dir.path());
  EXPECT_EQ(zoo.image_id(0), 5);
  EXPECT_EQ(zoo.image_id(1), 5);
}

TEST_F(Folder, UnknownLabels) {
  table("a.safetensors,\nsub/b.safetensors,-1\n");
  EXPECT_FALSE(Zoo::open(dir.path()).has_labels());
  table("a.safetensors\nsub/b.safetensors\n");
  EXPECT_EQ(Zoo::open(dir.path()).size(), 2);
}

TEST_F(Folder, WithoutATableEveryNetworkByName) {
  write_small(dir / "0.safetensors", 50);
  write_file(dir / "notes.txt", "x");
  const Zoo zoo = Zoo::open(dir.path());
  ASSERT_EQ(zoo.size(), 2);
  EXPECT_EQ(read_network(zoo, 0), numbers(50));
  EXPECT_EQ(read_network(zoo, 1), numbers(0));
  EXPECT_FALSE(zoo.has_labels());
}

TEST_F(Folder, RefusesBadTables) {
  refuse(ErrorKind::empty, "", "lists no networks");
  refuse(ErrorKind::empty, "file,label\n", "lists no networks");
  refuse(ErrorKind::bad_schema, "file,class\na.safetensors,1\n", "line 1: unknown columns");
  refuse(ErrorKind::bad_schema, "a.safetensors,one\n", "line 1: label: expected a whole number, got 'one'");
  refuse(ErrorKind::bad_schema, "a.safetensors,1.5\n", "'1.5'");
  refuse(ErrorKind::bad_schema, "a.safetensors,+1\n", "'+1'");
  refuse(ErrorKind::bad_schema, "a.safetensors, 1\n", "' 1'");
  refuse(ErrorKind::bad_schema, "a.safetensors,99999999999999999999\n", "label");
  refuse(ErrorKind::bad_value, "file,label\na.safetensors,-2\n", "line 2: label");
  refuse(ErrorKind::bad_schema, "a.safetensors,1\n\nsub/b.safetensors,2\n", "line 2: no file name");
  refuse(ErrorKind::bad_schema, "a.safetensors,1,2,3\n", "line 1: too many fields");
  refuse(ErrorKind::bad_schema, "\"a.safetensors,1\n", "line 1: a quote is not closed");
  refuse(ErrorKind::duplicate_name, "a.safetensors,1\na.safetensors,1\n",
         "line 2: 'a.safetensors' is listed twice");
}

TEST_F(Folder, RefusesNamesThatLeadOut) {
  for (const char* name : {"../a.safetensors", "/etc/passwd", "sub/../../a.safetensors", "sub/..", ".."}) {
    refuse(ErrorKind::bad_value, name, "leads out of the folder");
  }
  refuse(ErrorKind::bad_value, std::string_view("a\0b,1", 5), "NUL");
}

TEST_F(Folder, RefusesAnotherArchitectureWhenRead) {
  ZooInfo other = small_info();
  other.arch = MlpArch::parse("2-2-2-1");
  const std::vector<float> params(static_cast<size_t>(other.arch.param_count()));
  write_network(dir / "sub/b.safetensors", other, params, {}, true);
  table("a.safetensors,1\nsub/b.safetensors,2\n");
  const Zoo zoo = Zoo::open(dir.path());
  read_network(zoo, 0);
  expect_error(
      ErrorKind::mismatch, [&] { read_network(zoo, 1); },
      text("{}/sub/b.safetensors: another architecture than {}/a.safetensors: expected 2-3-1, got 2-2-2-1",
           dir.path(), dir.path()));
}

TEST_F(Folder, RefusesAMissingFileWhenRead) {
  table("a.safetensors,1\nsub/none.safetensors,2\n");
  const Zoo zoo = Zoo::open(dir.path());
  expect_error(
      ErrorKind::io, [&] { read_network(zoo, 1); }, "none.safetensors");
}

TEST_F(Folder, RefusesStackedNetworksInside) {
  write_zoo(dir / "a.safetensors", SmallZoo().content, true);
  expect_error(
      ErrorKind::mismatch, [&] { Zoo::open(dir.path()); }, "stacked");
}

TEST_F(Folder, RefusesAnEmptyFolder) {
  fs::create_directory(dir / "empty");
  expect_error(
      ErrorKind::empty, [&] { Zoo::open(dir / "empty"); }, dir / "empty: ");
}

}  // namespace
}  // namespace dws::testing
