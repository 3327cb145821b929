// IDX, CIFAR-10 and label files.
#include <algorithm>
#include <filesystem>

#include "core/file.h"
#include "format/images.h"
#include "unit/format/zoo_fixture.h"

namespace dws::testing {
namespace {

std::string be32(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

// Magic, extents and `data` bytes counting up from 0.
std::string idx(uint32_t magic, std::vector<uint32_t> extents, size_t data) {
  std::string out = be32(magic);
  for (const uint32_t extent : extents) out += be32(extent);
  for (size_t i = 0; i < data; ++i) out += static_cast<char>(i);
  return out;
}

Bytes as_bytes_of(const std::string& s) {
  return {reinterpret_cast<const std::byte*>(s.data()), s.size()};
}

void refuse_images(ErrorKind kind, const std::string& file, const std::string& substring = {}) {
  expect_error(
      kind, [&] { parse_idx_images(as_bytes_of(file), "f.idx"); }, substring);
  expect_error(
      kind, [&] { parse_idx_images(as_bytes_of(file), "f.idx"); }, "f.idx: ");
}

TEST(Idx, GreyImages) {
  const std::string file = idx(0x803, {2, 3, 2}, 12);
  const Images images = parse_idx_images(as_bytes_of(file), "f");
  EXPECT_EQ(images.count, 2);
  EXPECT_EQ(images.height, 3);
  EXPECT_EQ(images.width, 2);
  EXPECT_EQ(images.channels, 1);
  ASSERT_EQ(images.pixels.size(), 12u);
  EXPECT_EQ(images.image(1)[0], 6);
}

TEST(Idx, ColourImages) {
  const std::string file = idx(0x804, {1, 2, 1, 3}, 6);
  const Images images = parse_idx_images(as_bytes_of(file), "f");
  EXPECT_EQ(images.channels, 3);
  EXPECT_EQ(images.image_size(), 6);
}

TEST(Idx, Labels) {
  const std::string file = idx(0x801, {3}, 3);
  EXPECT_EQ(parse_idx_labels(as_bytes_of(file), "f"), (std::vector<int64_t>{0, 1, 2}));
}

TEST(Idx, RefusesAWrongMagic) {
  refuse_images(ErrorKind::bad_schema, idx(0x01000803, {1, 1, 1}, 1), "not an IDX file");
}
TEST(Idx, RefusesGzip) {
  refuse_images(ErrorKind::bad_schema, idx(0x1F8B0800, {1, 1, 1}, 1));
}

TEST(Idx, RefusesOtherElementTypes) {
  refuse_images(ErrorKind::unknown_dtype, idx(0xD03, {1, 1, 1}, 4),
                "at byte 2: expected 0x08 (unsigned byte), got 0x0d");
}

TEST(Idx, RefusesOtherRanks) {
  refuse_images(ErrorKind::bad_schema, idx(0x801, {1}, 1), "expected 3 to 4, got 1");
  refuse_images(ErrorKind::bad_schema, idx(0x805, {1, 1, 1, 1, 1}, 1));
  const std::string file = idx(0x803, {1, 1, 1}, 1);
  expect_error(
      ErrorKind::bad_schema, [&] { parse_idx_labels(as_bytes_of(file), "f"); }, "expected 1, got 3");
}

TEST(Idx, RefusesNoItems) {
  refuse_images(ErrorKind::empty, idx(0x803, {0, 28, 28}, 0), "(0, 28, 28)");
}
TEST(Idx, RefusesImagesWithoutPixels) {
  refuse_images(ErrorKind::bad_value, idx(0x803, {2, 0, 28}, 0), "without pixels");
}

TEST(Idx, RefusesTrailingBytes) {
  refuse_images(ErrorKind::trailing_data, idx(0x803, {1, 2, 2}, 5),
                "at byte 20: expected 4 bytes for shape (1, 2, 2), got 5");
}

TEST(Idx, RefusesEveryTruncation) {
  const std::string file = idx(0x803, {1, 2, 2}, 4);
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    EXPECT_TRUE(throws_error(ErrorKind::truncated, [&] { parse_idx_images(as_bytes_of(cut), "f"); })) << size;
  }
}

TEST(Idx, RefusesHugeExtents) {
  refuse_images(ErrorKind::truncated, idx(0x803, {0xFFFFFFFF, 0xFFFFFFFF, 1}, 4));
  refuse_images(ErrorKind::shape_overflow, idx(0x803, {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, 4));
  refuse_images(ErrorKind::resource_limit, idx(0x803, {1, 1, 40'000}, 40'000), "at most 32768 pixels a side");
}

TEST(Idx, RefusesTwoChannels) {
  refuse_images(ErrorKind::bad_value, idx(0x804, {1, 1, 1, 2}, 2), "expected 1 or 3, got 2");
}

TEST(Idx, RoundTrip) {
  const TempDir dir;
  for (const int64_t channels : {1, 3}) {
    Images images{2, 3, 4, channels, {}};
    for (int64_t i = 0; i < 2 * images.image_size(); ++i)
      images.pixels.push_back(static_cast<uint8_t>(i * 7));
    write_idx_images(dir / "i", images, true);
    const Images back = read_images(dir / "i");
    EXPECT_EQ(back.pixels, images.pixels);
    EXPECT_EQ(back.count, 2);
    EXPECT_EQ(back.height, 3);
    EXPECT_EQ(back.width, 4);
    EXPECT_EQ(back.channels, channels);
  }
  write_idx_labels(dir / "l", {0, 9, 255}, false);
  EXPECT_EQ(read_labels(dir / "l"), (std::vector<int64_t>{0, 9, 255}));
  expect_error(ErrorKind::exists, [&] { write_idx_labels(dir / "l", {1}, false); });
}

TEST(Idx, WriterRefusesSizesThatDiffer) {
  const TempDir dir;
  expect_error(ErrorKind::size_mismatch, [&] {
    write_idx_images(dir / "i", {1, 2, 2, 1, {1, 2, 3}}, false);
  });
  expect_error(ErrorKind::empty, [&] { write_idx_labels(dir / "l", {}, false); });
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Idx, TheDigitsOfTheRepository) {
  const Images images = read_images(data_path("mnist-600-images-idx3-ubyte"));
  const std::vector<int64_t> labels = read_labels(data_path("mnist-600-labels-idx1-ubyte"));
  EXPECT_EQ(images.count, 600);
  EXPECT_EQ(images.height, 28);
  EXPECT_EQ(images.width, 28);
  ASSERT_EQ(labels.size(), 600u);
  for (int64_t digit = 0; digit < 10; ++digit) EXPECT_EQ(std::count(labels.begin(), labels.end(), digit), 60);
}

// Two records; pixel p of plane c of image i is (31 i + 5 p + 100 c) mod 256.
std::string cifar() {
  std::string out;
  for (int i = 0; i < 2; ++i) {
    out += static_cast<char>(i + 3);
    for (int c = 0; c < 3; ++c) {
      for (int p = 0; p < 1024; ++p) out += static_cast<char>(31 * i + 5 * p + 100 * c);
    }
  }
  return out;
}

TEST(Cifar10, PlanesBecomePixels) {
  const TempDir dir;
  write_file(dir / "data_batch_1.bin", cifar());
  const Images images = read_images(dir / "data_batch_1.bin");
  EXPECT_EQ(images.count, 2);
  EXPECT_EQ(images.height, 32);
  EXPECT_EQ(images.channels, 3);
  size_t checked = 0;
  for (int i = 0; i < 2; ++i) {
    for (int p = 0; p < 1024; ++p) {
      for (int c = 0; c < 3; ++c, ++checked) {
        ASSERT_EQ(images.image(i)[p * 3 + c], static_cast<uint8_t>(31 * i + 5 * p + 100 * c));
      }
    }
  }
  EXPECT_EQ(checked, 6144u);
  EXPECT_EQ(read_labels(dir / "data_batch_1.bin"), (std::vector<int64_t>{3, 4}));
}

TEST(Cifar10, RefusesOtherSizesAndLabels) {
  std::string file = cifar();
  file.pop_back();
  expect_error(
      ErrorKind::size_mismatch, [&] { parse_cifar10_images(as_bytes_of(file), "f"); },
      "expected a multiple of 3073 bytes, got 6145");
  expect_error(ErrorKind::empty, [] { parse_cifar10_images({}, "f"); });
  file = cifar();
  file[3073] = 10;
  expect_error(
      ErrorKind::bad_value, [&] { parse_cifar10_images(as_bytes_of(file), "f"); },
      "label of image 1 at byte 3073: expected 0 to 9, got 10");
}

TEST(TextLabels, OneALine) {
  const TempDir dir;
  write_file(dir / "labels.txt", "3\n-1\r\n12\n");
  EXPECT_EQ(read_labels(dir / "labels.txt"), (std::vector<int64_t>{3, -1, 12}));
}

TEST(TextLabels, ErrorsNameTheLine) {
  expect_error(
      ErrorKind::bad_schema, [] { parse_text_labels("1\nfive\n", "f"); },
      "f: label on line 2: expected one whole number, got 'five'");
  expect_error(
      ErrorKind::bad_schema, [] { parse_text_labels("1\n\n2\n", "f"); }, "line 2");
  expect_error(
      ErrorKind::bad_schema, [] { parse_text_labels("1,2\n", "f"); }, "'1,2'");
  expect_error(ErrorKind::bad_schema, [] { parse_text_labels("1.0\n", "f"); });
  for (const char* spelt : {"+1\n", " 1\n", "1 \n", "0x1\n"})
    expect_error(ErrorKind::bad_schema, [&] { parse_text_labels(spelt, "f"); });
  expect_error(ErrorKind::bad_schema, [] { parse_text_labels("99999999999999999999\n", "f"); });
  expect_error(
      ErrorKind::bad_value, [] { parse_text_labels("1\n2\n-2", "f"); }, "line 3");
  expect_error(ErrorKind::empty, [] { parse_text_labels("", "f"); });
}

TEST(ReadImages, SaysWhatItReads) {
  const TempDir dir;
  write_file(dir / "a", "hello");
  write_file(dir / "b.gz", "\x1F\x8B\x08");
  write_file(dir / "c", "");
  expect_error(
      ErrorKind::bad_schema, [&] { read_images(dir / "a"); }, "expected IDX, PNG, a CIFAR-10 .bin");
  expect_error(
      ErrorKind::bad_schema, [&] { read_images(dir / "b.gz"); }, "is compressed");
  expect_error(
      ErrorKind::bad_schema, [&] { read_labels(dir / "b.gz"); }, "is compressed");
  expect_error(ErrorKind::empty, [&] { read_images(dir / "c"); });
  expect_error(
      ErrorKind::io, [&] { read_images(dir / "none"); }, dir / "none");
}

}  // namespace
}  // namespace dws::testing
