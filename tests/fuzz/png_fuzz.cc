#include "format/images.h"
#include "fuzz.h"

using namespace dws;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::accepted([&] {
    const Images image = parse_png(fuzz::bytes_of(data, size), "f");
    fuzz::require(image.count == 1 && (image.channels == 1 || image.channels == 3), "one grey or RGB image");
    fuzz::require(static_cast<uint64_t>(image.image_size()) == image.pixels.size(),
                  "as many pixels as the sizes say");
  });
  return 0;
}
