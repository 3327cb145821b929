// PNG. Files of other kinds than we write are built here, chunk by chunk, with stored (uncompressed) deflate
// blocks.
#include <array>
#include <filesystem>

#include "core/file.h"
#include "format/images.h"
#include "unit/format/zoo_fixture.h"

namespace dws::testing {
namespace {

std::string big_endian(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

uint32_t crc32(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

std::string chunk(const std::string& kind, const std::string& data) {
  return text("{}{}{}{}", big_endian(static_cast<uint32_t>(data.size())), kind, data,
              big_endian(crc32(text("{}{}", kind, data))));
}

std::string zlib_stored(const std::string& raw) {
  uint32_t a = 1, b = 0;
  for (const char c : raw) {
    a = (a + static_cast<uint8_t>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto size = static_cast<uint16_t>(raw.size());
  std::string out = "\x78\x01\x01";
  for (const uint16_t word : {size, static_cast<uint16_t>(~size)}) {
    out += static_cast<char>(word & 0xFF);
    out += static_cast<char>(word >> 8);
  }
  return out + raw + big_endian(b << 16 | a);
}

// `rows`: the scan lines, each with its filter byte 0 in front. `extra`: chunks between IHDR and IDAT.
std::string png(uint32_t width, uint32_t height, int depth, int colour, const std::string& rows,
                const std::string& extra = {}) {
  std::string header = big_endian(width) + big_endian(height);
  for (const int byte : {depth, colour, 0, 0, 0}) header += static_cast<char>(byte);
  return "\x89PNG\r\n\x1A\n" + chunk("IHDR", header) + extra + chunk("IDAT", zlib_stored(rows)) +
         chunk("IEND", "");
}

Images parse(const std::string& file) {
  return parse_png({reinterpret_cast<const std::byte*>(file.data()), file.size()}, "f.png");
}

using Pixels = std::vector<uint8_t>;

TEST(Png, RoundTrip) {
  const TempDir dir;
  for (const int64_t channels : {1, 3}) {
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {28, 28}, {7, 13}}) {
      Pixels pixels;
      for (int64_t i = 0; i < height * width * channels; ++i)
        pixels.push_back(static_cast<uint8_t>(i * 37 + i / 11));
      write_png(dir / "x.png", pixels.data(), height, width, channels, true);
      const Images back = read_images(dir / "x.png");
      EXPECT_EQ(back.count, 1);
      EXPECT_EQ(back.height, height);
      EXPECT_EQ(back.width, width);
      EXPECT_EQ(back.channels, channels);
      EXPECT_EQ(back.pixels, pixels);
    }
  }
}

TEST(Png, WriterRefusesSizes) {
  const TempDir dir;
  const uint8_t pixel[4] = {};
  for (const auto& size :
       {std::array<int64_t, 3>{0, 1, 1}, {1, 0, 1}, {1, 1, 2}, {1, 1, 4}, {40'000, 1, 1}}) {
    EXPECT_TRUE(throws_error(ErrorKind::bad_value,
                             [&] { write_png(dir / "x.png", pixel, size[0], size[1], size[2], false); }))
        << size[0] << size[1] << size[2];
  }
  write_png(dir / "x.png", pixel, 1, 1, 1, false);
  expect_error(ErrorKind::exists, [&] { write_png(dir / "x.png", pixel, 1, 1, 1, false); });
}

TEST(Png, Grey8) {
  const Images image = parse(png(2, 1, 8, 0, std::string("\0\x07\xF0", 3)));
  EXPECT_EQ(image.channels, 1);
  EXPECT_EQ(image.pixels, (Pixels{7, 240}));
}

TEST(Png, Grey1And4SpreadOverTheWholeRange) {
  EXPECT_EQ(parse(png(3, 1, 1, 0, std::string("\0\xA0", 2))).pixels, (Pixels{255, 0, 255}));
  EXPECT_EQ(parse(png(2, 1, 4, 0, std::string("\0\x1F", 2))).pixels, (Pixels{17, 255}));
}

TEST(Png, Grey16IsRounded) {
  // 0x80FF / 257 = 128.49 and 0x00FF / 257 = 0.99.
  EXPECT_EQ(parse(png(2, 1, 16, 0, std::string("\0\x80\xFF\x00\xFF", 5))).pixels, (Pixels{128, 1}));
}

TEST(Png, PaletteBecomesRgb) {
  const std::string palette = chunk("PLTE", "\x01\x02\x03\xFA\xFB\xFC");
  const Images image = parse(png(2, 1, 8, 3, std::string("\0\1\0", 3), palette));
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.pixels, (Pixels{0xFA, 0xFB, 0xFC, 1, 2, 3}));
}

TEST(Png, OpaqueAlphaIsDropped) {
  const Images grey = parse(png(2, 1, 8, 4, std::string("\0\x05\xFF\x06\xFF", 5)));
  EXPECT_EQ(grey.channels, 1);
  EXPECT_EQ(grey.pixels, (Pixels{5, 6}));
  const Images rgb = parse(png(1, 1, 8, 6, std::string("\0\x01\x02\x03\xFF", 5)));
  EXPECT_EQ(rgb.channels, 3);
  EXPECT_EQ(rgb.pixels, (Pixels{1, 2, 3}));
}

TEST(Png, RefusesTransparency) {
  expect_error(
      ErrorKind::bad_value, [] { parse(png(2, 1, 8, 4, std::string("\0\x05\xFF\x06\xFE", 5))); },
      "f.png: pixel 1 is transparent");
  const std::string extra = chunk("PLTE", "\x01\x02\x03") + chunk("tRNS", std::string(1, '\0'));
  expect_error(
      ErrorKind::bad_value, [&] { parse(png(1, 1, 8, 3, std::string("\0\0", 2), extra)); }, "transparent");
}

TEST(Png, RefusesEveryTruncation) {
  const std::string file = png(2, 2, 8, 0, std::string("\0\1\2\0\3\4", 6));
  parse(file);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_TRUE(throws_error(
        ErrorKind::truncated, [&] { parse(file.substr(0, size)); }, "f.png: "))
        << size;
  }
}

TEST(Png, RefusesDamage) {
  const std::string good = png(2, 2, 8, 0, std::string("\0\1\2\0\3\4", 6));
  std::string signature = good, checksum = good, size = good;
  signature[1] = 'Q';
  checksum[8 + 8 + 13] ^= 1;  // the header's
  size[8 + 8 + 3] = 3;        // width, so the header's checksum is wrong
  for (const std::string& file : {signature, checksum, size}) {
    expect_error(
        ErrorKind::bad_schema, [&] { parse(file); }, "f.png: not a valid PNG file: ");
  }
}

TEST(Png, RefusesTooFewRows) {
  expect_error(
      ErrorKind::bad_schema, [] { parse(png(2, 2, 8, 0, std::string("\0\1\2", 3))); }, "f.png: ");
}

TEST(Png, RefusesHugePicturesBeforeMemoryIsTaken) {
  expect_error(
      ErrorKind::bad_schema, [] { parse(png(40'000, 1, 8, 0, "")); }, "f.png: ");
  expect_error(
      ErrorKind::resource_limit, [] { parse(png(32'768, 32'768, 8, 2, "")); }, "at most 268435456 samples");
}

TEST(Png, FolderSortedByName) {
  const TempDir dir;
  const uint8_t a[2] = {1, 2}, b[2] = {3, 4};
  write_png(dir / "b.png", b, 1, 2, 1, false);
  write_png(dir / "a.png", a, 1, 2, 1, false);
  write_file(dir / "labels.txt", "0\n1\n");
  const Images images = read_images(dir.path());
  EXPECT_EQ(images.count, 2);
  EXPECT_EQ(images.pixels, (Pixels{1, 2, 3, 4}));
}

TEST(Png, FolderOfTwoSizesOrOfNothingIsRefused) {
  const TempDir dir;
  expect_error(
      ErrorKind::empty, [&] { read_images(dir.path()); }, dir.path());
  const uint8_t pixels[3] = {};
  write_png(dir / "a.png", pixels, 1, 2, 1, false);
  write_png(dir / "b.png", pixels, 2, 1, 1, false);
  expect_error(
      ErrorKind::mismatch, [&] { read_images(dir.path()); },
      "expected 1 x 2 x 1 (height, width, channels), got 2 x 1 x 1");
  write_png(dir / "b.png", pixels, 1, 1, 3, true);
  expect_error(
      ErrorKind::mismatch, [&] { read_images(dir.path()); }, dir / "b.png: ");
}

}  // namespace
}  // namespace dws::testing
