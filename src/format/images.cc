#include "format/images.h"

#include <algorithm>
#include <filesystem>

#include "core/text.h"
#include "format/failure.h"
#include "format/image_kind.h"

namespace dws {
namespace format {
namespace {

bool starts_with(Bytes bytes, std::string_view magic) noexcept {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), reinterpret_cast<const char*>(bytes.data()));
}

}  // namespace

ImageKind image_kind(Bytes bytes, const std::string& path) noexcept {
  if (path.ends_with(".bin")) return ImageKind::cifar10;
  if (starts_with(bytes, "\x89PNG\r\n")) return ImageKind::png;
  if (starts_with(bytes, "\x1F\x8B")) return ImageKind::gzip;
  if (starts_with(bytes, std::string_view("\0\0", 2))) return ImageKind::idx;
  return ImageKind::unknown;
}

void fail_compressed(const std::string& path) {
  fail(ErrorKind::bad_schema,
       {.file = path, .what = "is compressed", .advice = "unpack it with gunzip first"});
}

}  // namespace format

namespace {

namespace fs = std::filesystem;

Images read_folder(const std::string& path) {
  std::vector<std::string> files;
  std::error_code code;
  for (fs::directory_iterator it(path, code), end; !code && it != end; it.increment(code)) {
    if (it->path().extension() == ".png") files.push_back(it->path().string());
  }
  if (code) format::fail(ErrorKind::io, {path, "cannot list: " + code.message()});
  if (files.empty()) format::fail(ErrorKind::empty, {path, "holds no .png file"});
  std::sort(files.begin(), files.end());
  Images all;
  for (const std::string& file : files) {
    const Images one = read_png(file);
    const auto size = [](const Images& i) { return text("{} x {} x {}", i.height, i.width, i.channels); };
    if (all.count > 0 && size(one) != size(all)) {
      format::fail(ErrorKind::mismatch, {.file = file,
                                         .what = "another size than " + files.front(),
                                         .expected = size(all) + " (height, width, channels)",
                                         .got = size(one)});
    }
    all.height = one.height;
    all.width = one.width;
    all.channels = one.channels;
    all.count += 1;
    all.pixels.insert(all.pixels.end(), one.pixels.begin(), one.pixels.end());
  }
  return all;
}

}  // namespace

Images read_images(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return read_folder(path);
  const MappedFile file(path);
  if (file.bytes().empty()) format::fail(ErrorKind::empty, {path, "is empty"});
  switch (format::image_kind(file.bytes(), path)) {
    case format::ImageKind::cifar10:
      return parse_cifar10_images(file.bytes(), path);
    case format::ImageKind::idx:
      return parse_idx_images(file.bytes(), path);
    case format::ImageKind::png:
      return parse_png(file.bytes(), path);
    case format::ImageKind::gzip:
      format::fail_compressed(path);
    case format::ImageKind::unknown:
      break;
  }
  format::fail(ErrorKind::bad_schema, {.file = path,
                                       .what = "not an image file",
                                       .expected = "IDX, PNG, a CIFAR-10 .bin or a folder of .png files"});
}

}  // namespace dws
