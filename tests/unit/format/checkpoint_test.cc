// Checkpoints of many files: read as one, written as they were, and every way an index can be wrong.
#include "format/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <numeric>

#include "core/file.h"
#include "core/json.h"
#include "core/text.h"
#include "format/shard_index.h"
#include "testing.h"

namespace dws {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;
using testing::throws_error;

class CheckpointTest : public ::testing::Test {
 protected:
  // Three tensors "a" (2, 3), "b" (4), "c" (2, 2) of F32, counted up.
  std::vector<TensorSource> tensors() const {
    return {TensorSource::of("a", {2, 3}, std::span(numbers).subspan(0, 6)),
            TensorSource::of("b", {4}, std::span(numbers).subspan(6, 4)),
            TensorSource::of("c", {2, 2}, std::span(numbers).subspan(10, 4))};
  }
  void SetUp() override {
    std::iota(numbers.begin(), numbers.end(), 1.0f);
    write_sharded(dir / "net", tensors(), {{"format", "pt"}}, 40);
  }
  std::string shard(int i, int of = 2) const {
    return dir / text("net/model-{:05}-of-{:05}.safetensors", i, of);
  }
  std::string index() const { return dir / "net/model.safetensors.index.json"; }
  void write_index(const std::string& content) const { write_text(index(), content, true); }
  // The index with `from` replaced.
  void change_index(const std::string& from, const std::string& to) const {
    std::string content = read_text(index());
    const size_t at = content.find(from);
    ASSERT_NE(at, std::string::npos);
    write_index(content.replace(at, from.size(), to));
  }

  TempDir dir;
  std::vector<float> numbers = std::vector<float>(14);
};

TEST_F(CheckpointTest, ShardsAreReadAsOne) {
  EXPECT_TRUE(fs::exists(shard(1)) && fs::exists(shard(2)));
  for (const std::string& path : {dir / "net", index()}) {
    const Checkpoint net = Checkpoint::open(path);
    EXPECT_TRUE(net.sharded());
    EXPECT_TRUE(net.warnings().empty());
    ASSERT_EQ(net.tensors().size(), 3u);
    EXPECT_EQ(net.find("a")->file, 0u);
    EXPECT_EQ(net.find("c")->file, 1u);
    EXPECT_EQ(net.find("d"), nullptr);
    EXPECT_EQ(net.metadata().front().second, "pt");
    float first = 0;
    std::memcpy(&first, net.bytes(*net.find("c")).data(), sizeof first);
    EXPECT_EQ(first, 11);
  }
  EXPECT_TRUE(is_sharded(dir / "net"));
  EXPECT_FALSE(is_sharded(dir.path()));
}

TEST_F(CheckpointTest, AShardIsFilledAndNotOverfilled) {
  write_sharded(dir / "exact", tensors(), {}, 16);  // 24, 16 and 16 bytes
  EXPECT_EQ(Checkpoint::open(dir / "exact").files().size(), 3u);
  write_sharded(dir / "one", tensors(), {}, 56);
  const Checkpoint one = Checkpoint::open(dir / "one");
  EXPECT_EQ(one.files().size(), 1u);
  EXPECT_TRUE(one.files().front().path().ends_with("model-00001-of-00001.safetensors"));
  EXPECT_EQ(Json::parse(read_text(dir / "one/model.safetensors.index.json"), "i")
                .at("metadata")
                .at("total_size")
                .as_int(),
            56);
}

TEST_F(CheckpointTest, AFolderWithOneFileIsThatFile) {
  fs::create_directory(dir / "single");
  write_safetensors(dir / "single/x.safetensors", tensors(), {}, false);
  EXPECT_EQ(Checkpoint::open(dir / "single").tensors().size(), 3u);
  EXPECT_FALSE(Checkpoint::open(dir / "single").sharded());
  write_safetensors(dir / "single/y.safetensors", tensors(), {}, false);
  EXPECT_TRUE(throws_error(
      ErrorKind::usage, [&] { Checkpoint::open(dir / "single"); }, "2 files *.safetensors"));
  fs::create_directory(dir / "none");
  EXPECT_TRUE(throws_error(
      ErrorKind::empty, [&] { Checkpoint::open(dir / "none"); }, "none"));
}

TEST_F(CheckpointTest, ChangedNumbersAndNothingElse) {
  write_text(dir / "net/config.json", "{}", false);
  const Checkpoint net = Checkpoint::open(dir / "net");
  const std::vector<float> other = {9, 8, 7, 6};
  const Bytes bytes = std::as_bytes(std::span(other));
  write_checkpoint(net, dir / "copy",
                   {Patch(net.bytes(*net.find("b")), std::vector(bytes.begin(), bytes.end()))}, false);
  const Checkpoint copy = Checkpoint::open(dir / "copy");
  EXPECT_EQ(std::memcmp(copy.bytes(*copy.find("b")).data(), other.data(), 16), 0);
  EXPECT_EQ(read_text(dir / "copy/model-00002-of-00002.safetensors"), read_text(shard(2)));
  EXPECT_EQ(read_text(dir / "copy/model.safetensors.index.json"), read_text(index()));
  EXPECT_EQ(read_text(dir / "copy/config.json"), "{}");
  std::string expected = read_text(shard(1));
  std::memcpy(expected.data() + expected.size() - 16, other.data(), 16);  // "b" lies last in its shard
  EXPECT_EQ(read_text(dir / "copy/model-00001-of-00002.safetensors"), expected);
  EXPECT_TRUE(throws_error(
      ErrorKind::exists, [&] { write_checkpoint(net, dir / "copy", {}, true); }, "not empty"));
  EXPECT_TRUE(throws_error(
      ErrorKind::mismatch,
      [&] {
        write_checkpoint(net, dir / "no", {Patch(net.bytes(*net.find("b")), std::vector<std::byte>())},
                         false);
      },
      "16"));
}

TEST_F(CheckpointTest, NothingStaysOfAFailedWrite) {
  std::vector<TensorSource> twice = tensors();
  twice.push_back(twice.front());
  EXPECT_TRUE(throws_error(
      ErrorKind::duplicate_name, [&] { write_sharded(dir / "x", twice, {}, 40); }, "'a'"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
}

TEST_F(CheckpointTest, TotalSizeThatDoesNotFitIsRemarked) {
  change_index("56", "57");
  const Checkpoint net = Checkpoint::open(index());
  ASSERT_EQ(net.warnings().size(), 1u);
  EXPECT_NE(net.warnings().front().find("57 bytes, the shards hold 56"), std::string::npos);
}

// --- what must be refused: each line of the list ---

TEST_F(CheckpointTest, ShardsThatDoNotFitTheIndex) {
  const auto open = [&] { Checkpoint::open(index()); };
  const std::string good = read_text(index());
  // A tensor is not in its shard.
  change_index("\"a\": \"model-00001", "\"a\": \"model-00002");
  EXPECT_TRUE(throws_error(ErrorKind::missing_tensor, open, "'a'"));
  write_index(good);
  change_index("\"c\":", "\"d\":");
  EXPECT_TRUE(throws_error(ErrorKind::bad_schema, open, "'c'"));  // passed over before 'd' is missed
  write_index(good);
  change_index("\"a\":", "\"0\":");
  EXPECT_TRUE(throws_error(ErrorKind::missing_tensor, open, "'0'"));
  write_index(good);
  // A tensor of a shard is not in the index: the last, one in the middle.
  change_index(",\n    \"c\": \"model-00002-of-00002.safetensors\"", "");
  write_text(dir / "net/x.json", "", false);
  EXPECT_EQ(Checkpoint::open(index()).tensors().size(), 2u);  // its shard is not named at all
  write_index(good);
  change_index("    \"b\": \"model-00001-of-00002.safetensors\",\n", "");
  EXPECT_TRUE(throws_error(ErrorKind::bad_schema, open, "'b'"));
  write_index(good);
  // One tensor in two shards.
  write_safetensors(shard(2), tensors(), {}, true);
  EXPECT_TRUE(throws_error(ErrorKind::duplicate_name, open, "'a'"));
}

TEST_F(CheckpointTest, ShardsThatAreNoFilesOfTheFolder) {
  const auto open = [&] { Checkpoint::open(index()); };
  const std::string second = shard(2), away = dir / "away.safetensors";
  fs::rename(second, away);
  EXPECT_TRUE(throws_error(ErrorKind::io, open, "model-00002"));
  fs::create_symlink(away, second);
  EXPECT_TRUE(throws_error(ErrorKind::path_escape, open, "symbolic link"));
  EXPECT_EQ(Checkpoint::open(index(), true).tensors().size(), 3u);
  fs::remove(second);
  fs::create_hard_link(away, second);
  EXPECT_TRUE(throws_error(ErrorKind::path_escape, open, "second name"));
  fs::remove(second);
  fs::create_directory(second);
  EXPECT_TRUE(throws_error(ErrorKind::not_regular_file, open, "model-00002"));
  fs::remove(second);
  ASSERT_EQ(::mkfifo(second.c_str(), 0600), 0);
  EXPECT_TRUE(throws_error(ErrorKind::not_regular_file, open, "model-00002"));
  fs::remove(second);
  write_text(second, "short", false);
  EXPECT_TRUE(throws_error(ErrorKind::truncated, open, "model-00002"));
}

TEST(ShardIndexTest, WhatIsRefused) {
  const auto parse = [](const std::string& json) {
    return [json] { ShardIndex::parse(std::as_bytes(std::span(json)), "i.json"); };
  };
  const auto shard = [&](const std::string& name) {
    return parse(R"({"weight_map":{"t":")" + name + R"("}})");
  };
  EXPECT_NO_THROW(shard("model-1.safetensors")());
  for (const char* name : {"", ".", "..", "/etc/passwd", "a/b", "../b", "a\\\\b", "a\\u0000b", "a\\nb"})
    EXPECT_TRUE(throws_error(ErrorKind::path_escape, shard(name), "'t'")) << name;
  for (const char* json :
       {"[]", "1", "{}", R"({"weight_map":[]})", R"({"weight_map":{}})", R"({"weight_map":{"t":1}})",
        R"({"weight_map":{"t":["a"]}})", R"({"weight_map":{"t":"a"},"metadata":1})",
        R"({"weight_map":{"t":"a"},"metadata":{"total_size":-1}})",
        R"({"weight_map":{"t":"a"},"metadata":{"total_size":1.5}})",
        R"({"weight_map":{"t":"a"},"metadata":{"total_size":"12"}})"})
    EXPECT_TRUE(throws_error(ErrorKind::bad_schema, parse(json), "i.json")) << json;
  for (const char* json : {"", "{", "{} x", R"({"weight_map":{"t":"a","t":"b"}})"})
    EXPECT_TRUE(throws_error(ErrorKind::bad_json, parse(json), "i.json")) << json;
}

TEST(ShardIndexTest, Read) {
  const std::string json =
      R"({"weight_map":{"b":"y","a":"y","c":"x"},"metadata":{"total_size":18446744073709551615,"o":{}}})";
  const ShardIndex index = ShardIndex::parse(std::as_bytes(std::span(json)), "i.json");
  EXPECT_EQ(index.shards, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(index.tensors, (std::vector<std::pair<std::string, size_t>>{{"a", 1}, {"b", 1}, {"c", 0}}));
  EXPECT_EQ(index.total_size, 18446744073709551615u);
}

}  // namespace
}  // namespace dws
