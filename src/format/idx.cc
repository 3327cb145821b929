// IDX, the format of MNIST: two zero bytes, the element type (8: unsigned byte), the rank, then one 32-bit
// big-endian extent an axis, then the elements (yann.lecun.com/exdb/mnist).
#include <algorithm>

#include "core/text.h"
#include "format/failure.h"
#include "format/images.h"
#include "format/shape_text.h"

namespace dws {
namespace {

using format::fail;

constexpr uint64_t kMaxSide = 32'768;
constexpr uint32_t kUnsignedByte = 8;

// The extents; after it the reader stands at the elements, and exactly those are left.
std::vector<int64_t> read_header(ByteReader& reader, const std::string& name, int low_rank, int high_rank) {
  const uint32_t magic = reader.u32_be();
  if (magic >> 16 != 0) {
    fail(ErrorKind::bad_schema,
         {.file = name,
          .what = "not an IDX file",
          .byte = 0,
          .expected = "two zero bytes",
          .got = text("0x{:04x}", magic >> 16),
          .advice = magic >> 16 == 0x1F8B ? "it is compressed: unpack it with gunzip first" : ""});
  }
  if ((magic >> 8 & 0xFF) != kUnsignedByte) {
    fail(ErrorKind::unknown_dtype, {.file = name,
                                    .what = "IDX element type",
                                    .byte = 2,
                                    .expected = "0x08 (unsigned byte)",
                                    .got = text("0x{:02x}", magic >> 8 & 0xFF)});
  }
  const int rank = static_cast<int>(magic & 0xFF);
  if (rank < low_rank || rank > high_rank) {
    fail(ErrorKind::bad_schema,
         {.file = name,
          .what = "IDX rank",
          .byte = 3,
          .expected = low_rank == high_rank ? text("{}", low_rank) : text("{} to {}", low_rank, high_rank),
          .got = text("{}", rank)});
  }
  std::vector<int64_t> shape;
  for (int axis = 0; axis < rank; ++axis) shape.push_back(reader.u32_be());
  const std::string shown = format::shape_text(shape);
  const std::optional<uint64_t> size = format::checked_elements(shape);
  if (!size)
    fail(ErrorKind::shape_overflow, {.file = name, .what = "IDX shape does not fit 64 bits", .got = shown});
  if (shape[0] == 0)
    fail(ErrorKind::empty, {.file = name, .what = "holds no items", .got = "shape " + shown});
  if (*size == 0)
    fail(ErrorKind::bad_value, {.file = name, .what = "images without pixels", .got = "shape " + shown});
  if (reader.remaining() != *size) {
    const bool less = reader.remaining() < *size;
    fail(less ? ErrorKind::truncated : ErrorKind::trailing_data,
         {.file = name,
          .what = less ? "the file ends inside the data" : "bytes after the data",
          .byte = reader.position() + std::min<uint64_t>(reader.remaining(), *size),
          .expected = text("{} bytes for shape {}", *size, shown),
          .got = text("{}", reader.remaining())});
  }
  return shape;
}

void write_idx(const std::string& path, const std::vector<int64_t>& shape, const std::vector<uint8_t>& data,
               bool force) {
  const std::string shown = format::shape_text(shape);
  const std::optional<uint64_t> size = format::checked_elements(shape);
  if (!size || *size != data.size()) {
    fail(ErrorKind::size_mismatch, {.file = path,
                                    .what = "wrong number of values to write",
                                    .expected = "shape " + shown,
                                    .got = text("{} bytes", data.size())});
  }
  if (data.empty()) fail(ErrorKind::empty, {path, "nothing to write"});
  std::string header = {'\0', '\0', static_cast<char>(kUnsignedByte), static_cast<char>(shape.size())};
  for (const int64_t extent : shape) {
    if (extent > int64_t{UINT32_MAX})
      fail(ErrorKind::too_large, {path, "an extent does not fit 32 bits: " + shown});
    for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(extent >> shift & 0xFF);
  }
  AtomicFile file(path, force);
  file.write(header);
  file.write(data.data(), data.size());
  file.commit();
}

}  // namespace

Images parse_idx_images(Bytes bytes, const std::string& name) {
  ByteReader reader(bytes, name);
  const std::vector<int64_t> shape = read_header(reader, name, 3, 4);
  Images images{shape[0], shape[1], shape[2], shape.size() == 4 ? shape[3] : 1, {}};
  if (images.channels != 1 && images.channels != 3) {
    fail(ErrorKind::bad_value, {.file = name,
                                .what = "number of channels",
                                .expected = "1 or 3",
                                .got = text("{}", images.channels)});
  }
  if (static_cast<uint64_t>(std::max(images.height, images.width)) > kMaxSide) {
    fail(ErrorKind::resource_limit, {.file = name,
                                     .what = "image too large",
                                     .expected = text("at most {} pixels a side", kMaxSide),
                                     .got = text("{} x {}", images.height, images.width)});
  }
  const Bytes data = reader.take(reader.remaining());
  const auto* begin = reinterpret_cast<const uint8_t*>(data.data());
  images.pixels.assign(begin, begin + data.size());
  return images;
}

std::vector<int64_t> parse_idx_labels(Bytes bytes, const std::string& name) {
  ByteReader reader(bytes, name);
  read_header(reader, name, 1, 1);
  std::vector<int64_t> labels;
  for (const std::byte value : reader.take(reader.remaining())) labels.push_back(static_cast<int64_t>(value));
  return labels;
}

void write_idx_images(const std::string& path, const Images& images, bool force) {
  std::vector<int64_t> shape = {images.count, images.height, images.width};
  if (images.channels != 1) shape.push_back(images.channels);
  write_idx(path, shape, images.pixels, force);
}

void write_idx_labels(const std::string& path, const std::vector<uint8_t>& labels, bool force) {
  write_idx(path, {static_cast<int64_t>(labels.size())}, labels, force);
}

}  // namespace dws
