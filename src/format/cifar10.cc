// CIFAR-10's binary version: records of one label byte and 3 planes (red, green, blue) of 32 x 32 bytes
// (cs.toronto.edu/~kriz/cifar.html).
#include "core/text.h"
#include "format/failure.h"
#include "format/images.h"

namespace dws {
namespace {

constexpr int64_t kSide = 32, kChannels = 3, kPlane = kSide * kSide;
constexpr int64_t kRecord = 1 + kChannels * kPlane;  // 3073
constexpr int kClasses = 10;

int64_t record_count(Bytes bytes, const std::string& name) {
  if (bytes.empty()) format::fail(ErrorKind::empty, {name, "holds no images"});
  if (bytes.size() % kRecord != 0) {
    format::fail(ErrorKind::size_mismatch, {.file = name,
                                            .what = "not a CIFAR-10 batch",
                                            .expected = text("a multiple of {} bytes", kRecord),
                                            .got = text("{}", bytes.size())});
  }
  return static_cast<int64_t>(bytes.size()) / kRecord;
}

const uint8_t* record(Bytes bytes, int64_t i) {
  return reinterpret_cast<const uint8_t*>(bytes.data()) + i * kRecord;
}

}  // namespace

std::vector<int64_t> parse_cifar10_labels(Bytes bytes, const std::string& name) {
  std::vector<int64_t> labels;
  for (int64_t i = 0, count = record_count(bytes, name); i < count; ++i) {
    const int label = *record(bytes, i);
    if (label >= kClasses) {
      format::fail(ErrorKind::bad_value, {.file = name,
                                          .what = text("label of image {}", i),
                                          .byte = static_cast<uint64_t>(i * kRecord),
                                          .expected = "0 to 9",
                                          .got = text("{}", label)});
    }
    labels.push_back(label);
  }
  return labels;
}

Images parse_cifar10_images(Bytes bytes, const std::string& name) {
  // A label beyond 9 means that this is another file of a size that happens to fit.
  Images images{static_cast<int64_t>(parse_cifar10_labels(bytes, name).size()), kSide, kSide, kChannels, {}};
  images.pixels.resize(static_cast<size_t>(images.count * images.image_size()));
  for (int64_t i = 0; i < images.count; ++i) {
    const uint8_t* planes = record(bytes, i) + 1;
    uint8_t* pixels = images.pixels.data() + i * images.image_size();
    for (int64_t p = 0; p < kPlane; ++p) {
      for (int64_t c = 0; c < kChannels; ++c) pixels[p * kChannels + c] = planes[c * kPlane + p];
    }
  }
  return images;
}

}  // namespace dws
