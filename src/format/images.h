// Image files: IDX (as MNIST's), CIFAR-10 binary batches, PNG (libpng).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dws {

// Bytes (count, height, width, channels) row-major.
struct Images {
  int64_t count = 0, height = 0, width = 0, channels = 1;
  std::vector<uint8_t> pixels;
  int64_t image_size() const noexcept { return height * width * channels; }
  const uint8_t* image(int64_t i) const noexcept { return pixels.data() + i * image_size(); }
};

// An IDX file of unsigned bytes of rank 3 (N, H, W) or 4 (N, H, W, C); a .png file or a folder of PNG files of one
// size (sorted by name); a CIFAR-10 data_batch .bin (3 channels). Throws Error for everything else.
Images read_images(const std::string& path);
// Labels of an IDX file of rank 1, or the labels inside a CIFAR-10 .bin.
std::vector<int64_t> read_labels(const std::string& path);

void write_idx_images(const std::string& path, const Images& images, bool force);
void write_idx_labels(const std::string& path, const std::vector<uint8_t>& labels, bool force);

// 8-bit grey (channels 1) or RGB (channels 3).
void write_png(const std::string& path, const uint8_t* pixels, int64_t height, int64_t width, int64_t channels,
               bool force);
Images read_png(const std::string& path);

}  // namespace dws
