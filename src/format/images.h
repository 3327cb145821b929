// Image files: IDX (as MNIST's), CIFAR-10 binary batches, PNG (libpng).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"

namespace dws {

// Bytes (count, height, width, channels) row-major.
struct Images {
  int64_t count = 0, height = 0, width = 0, channels = 1;
  std::vector<uint8_t> pixels;
  int64_t image_size() const noexcept { return height * width * channels; }
  const uint8_t* image(int64_t i) const noexcept { return pixels.data() + i * image_size(); }
};

// An IDX file of unsigned bytes of rank 3 (N, H, W) or 4 (N, H, W, C) with 1 or 3 channels; a .png file or a
// folder of PNG files of one size (sorted by name); a CIFAR-10 data_batch .bin (3 channels). Throws Error for
// everything else.
Images read_images(const std::string& path);
// Labels of an IDX file of rank 1, those inside a CIFAR-10 .bin, or a text file with one whole number a line
// (-1 for unknown). Throws Error naming the line.
std::vector<int64_t> read_labels(const std::string& path);

// The same on bytes in memory; `name` stands for the file in messages.
Images parse_idx_images(Bytes bytes, const std::string& name);
std::vector<int64_t> parse_idx_labels(Bytes bytes, const std::string& name);
Images parse_cifar10_images(Bytes bytes, const std::string& name);
std::vector<int64_t> parse_cifar10_labels(Bytes bytes, const std::string& name);
std::vector<int64_t> parse_text_labels(std::string_view content, const std::string& name);

// Whole or not at all. Throw Error{empty} for no pixels or labels, Error{size_mismatch} when pixels and sizes
// differ.
void write_idx_images(const std::string& path, const Images& images, bool force);
void write_idx_labels(const std::string& path, const std::vector<uint8_t>& labels, bool force);

// 8-bit grey (channels 1) or RGB (channels 3).
void write_png(const std::string& path, const uint8_t* pixels, int64_t height, int64_t width,
               int64_t channels, bool force);
// One image: grey (1 to 16 bits), RGB or palette, to 8 bits a sample. Transparent pixels are refused: what
// lies behind them is not known. Throws Error{bad_schema|truncated} for a damaged file, Error{resource_limit}
// beyond 32,768 pixels a side or 2^28 samples.
Images read_png(const std::string& path);
Images parse_png(Bytes bytes, const std::string& name);

}  // namespace dws
