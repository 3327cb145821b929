// PNG through libpng. libpng reports errors by longjmp: every function that calls setjmp holds plain data
// only, and everything with a destructor lives in its caller.
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <new>

#include "core/text.h"
#include "format/failure.h"
#include "format/images.h"

namespace dws {
namespace {

using format::fail;

constexpr png_uint_32 kMaxSide = 32'768;
constexpr uint64_t kMaxSamples = uint64_t{1} << 28;

// What both directions share; plain data.
struct State {
  png_structp png = nullptr;
  png_infop info = nullptr;
  char message[160] = {};
  bool truncated = false;
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  State* state = static_cast<State*>(png_get_error_ptr(png));
  std::snprintf(state->message, sizeof state->message, "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

struct Reader {
  State state;
  const std::byte* at = nullptr;
  size_t left = 0;
  png_uint_32 height = 0, width = 0;
  int channels = 0;
  png_byte** rows = nullptr;

  ~Reader() { png_destroy_read_struct(&state.png, &state.info, nullptr); }
};

void read_bytes(png_structp png, png_bytep to, png_size_t count) {
  Reader* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (count > reader->left) {
    reader->state.truncated = true;
    png_error(png, "the file ends too early");
  }
  std::memcpy(to, reader->at, count);
  reader->at += count;
  reader->left -= count;
}

// Header and conversions: 8 bits a sample; grey, grey + alpha, RGB or RGB + alpha.
bool read_header(Reader* reader) {
  png_structp png = reader->state.png;
  png_infop info = reader->state.info;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, reader, read_bytes);
  png_set_user_limits(png, kMaxSide, kMaxSide);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_read_info(png, info);
  png_set_expand(png);    // palette to RGB, grey of 1, 2, 4 bits to 8, transparent colours to alpha
  png_set_scale_16(png);  // rounds, where stripping would cut
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  reader->height = png_get_image_height(png, info);
  reader->width = png_get_image_width(png, info);
  reader->channels = png_get_channels(png, info);
  return true;
}

bool read_rows(Reader* reader) {
  png_structp png = reader->state.png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_image(png, reader->rows);
  png_read_end(png, nullptr);
  return true;
}

struct Writer {
  State state;
  std::string* out = nullptr;
  png_uint_32 height = 0, width = 0;
  int channels = 0;
  png_byte** rows = nullptr;

  ~Writer() { png_destroy_write_struct(&state.png, &state.info); }
};

bool append(std::string& out, const png_byte* data, size_t count) noexcept {
  try {
    out.append(reinterpret_cast<const char*>(data), count);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void write_bytes(png_structp png, png_bytep data, png_size_t count) {
  Writer* writer = static_cast<Writer*>(png_get_io_ptr(png));
  // No exception may cross libpng's C frames.
  if (!append(*writer->out, data, count)) png_error(png, "out of memory");
}

void flush_nothing(png_structp) {}

bool write_all(Writer* writer) {
  png_structp png = writer->state.png;
  png_infop info = writer->state.info;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(png, writer, write_bytes, flush_nothing);
  png_set_user_limits(png, kMaxSide, kMaxSide);
  png_set_IHDR(png, info, writer->width, writer->height, 8,
               writer->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  png_write_image(png, writer->rows);
  png_write_end(png, nullptr);
  return true;
}

[[noreturn]] void fail_read(const Reader& reader, const std::string& name) {
  if (reader.state.truncated) fail(ErrorKind::truncated, {name, "not a whole PNG file: it ends too early"});
  fail(ErrorKind::bad_schema, {name, text("not a valid PNG file: {}", escaped(reader.state.message))});
}

// Pixels without the last channel, which must be fully opaque.
std::vector<uint8_t> without_alpha(const std::vector<uint8_t>& pixels, size_t channels,
                                   const std::string& name) {
  std::vector<uint8_t> out;
  out.reserve(pixels.size() / channels * (channels - 1));
  for (size_t i = 0; i < pixels.size(); i += channels) {
    if (pixels[i + channels - 1] != 255) {
      fail(ErrorKind::bad_value, {.file = name,
                                  .what = text("pixel {} is transparent", i / channels),
                                  .advice = "put the picture on a background of one colour first"});
    }
    for (size_t c = 0; c + 1 < channels; ++c) out.push_back(pixels[i + c]);
  }
  return out;
}

}  // namespace

Images parse_png(Bytes bytes, const std::string& name) {
  Reader reader;
  reader.at = bytes.data();
  reader.left = bytes.size();
  reader.state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader.state, on_error, on_warning);
  if (reader.state.png) reader.state.info = png_create_info_struct(reader.state.png);
  if (!reader.state.info) throw std::bad_alloc();
  if (!read_header(&reader)) fail_read(reader, name);

  const size_t channels = static_cast<size_t>(reader.channels), row = reader.width * channels;
  if (uint64_t{reader.height} * row > kMaxSamples) {
    fail(ErrorKind::resource_limit, {.file = name,
                                     .what = "image too large",
                                     .expected = text("at most {} samples", kMaxSamples),
                                     .got = text("{} x {} x {}", reader.height, reader.width, channels)});
  }
  std::vector<uint8_t> pixels(reader.height * row);
  std::vector<png_byte*> rows;
  for (size_t y = 0; y < reader.height; ++y) rows.push_back(pixels.data() + y * row);
  reader.rows = rows.data();
  if (!read_rows(&reader)) fail_read(reader, name);

  Images image{1, reader.height, reader.width, reader.channels, {}};
  if (channels == 2 || channels == 4) {
    image.channels -= 1;
    image.pixels = without_alpha(pixels, channels, name);
  } else {
    image.pixels = std::move(pixels);
  }
  return image;
}

Images read_png(const std::string& path) {
  const MappedFile file(path);
  return parse_png(file.bytes(), path);
}

void write_png(const std::string& path, const uint8_t* pixels, int64_t height, int64_t width,
               int64_t channels, bool force) {
  if (height < 1 || width < 1 || height > kMaxSide || width > kMaxSide || (channels != 1 && channels != 3)) {
    fail(ErrorKind::bad_value, {.file = path,
                                .what = "size of the picture to write",
                                .expected = text("1 to {} pixels a side, 1 or 3 channels", kMaxSide),
                                .got = text("{} x {} x {}", height, width, channels)});
  }
  std::string encoded;
  std::vector<png_byte*> rows;
  // libpng only reads the rows, yet its type has no const.
  for (int64_t y = 0; y < height; ++y) rows.push_back(const_cast<png_byte*>(pixels + y * width * channels));
  Writer writer;
  writer.out = &encoded;
  writer.height = static_cast<png_uint_32>(height);
  writer.width = static_cast<png_uint_32>(width);
  writer.channels = static_cast<int>(channels);
  writer.rows = rows.data();
  writer.state.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer.state, on_error, on_warning);
  if (writer.state.png) writer.state.info = png_create_info_struct(writer.state.png);
  if (!writer.state.info) throw std::bad_alloc();
  if (!write_all(&writer)) fail(ErrorKind::io, {path, text("cannot encode: {}", writer.state.message)});
  AtomicFile file(path, force);
  file.write(encoded);
  file.commit();
}

}  // namespace dws
