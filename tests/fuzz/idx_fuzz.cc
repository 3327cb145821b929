// Image and label files without a library of their own: IDX, CIFAR-10, text labels.
#include "format/images.h"
#include "fuzz.h"

using namespace dws;

namespace {

void check(const Images& images) {
  fuzz::require(images.count > 0 && images.height > 0 && images.width > 0, "images have a size");
  fuzz::require(images.channels == 1 || images.channels == 3, "one or three channels");
  fuzz::require(static_cast<uint64_t>(images.count * images.image_size()) == images.pixels.size(),
                "as many pixels as the sizes say");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes = fuzz::bytes_of(data, size);
  fuzz::accepted([&] { check(parse_idx_images(bytes, "f")); });
  fuzz::accepted([&] { check(parse_cifar10_images(bytes, "f")); });
  fuzz::accepted([&] { fuzz::require(!parse_idx_labels(bytes, "f").empty(), "there are labels"); });
  fuzz::accepted([&] {
    for (const int64_t label : parse_text_labels(fuzz::text_of(data, size), "f")) {
      fuzz::require(label >= -1, "labels are at least -1");
    }
  });
  return 0;
}
