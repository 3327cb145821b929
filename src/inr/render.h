// Networks drawn as pictures: single images and contact sheets.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/images.h"
#include "format/zoo.h"
#include "inr/field.h"

namespace dws {

// Draws the networks of one zoo at one size; the grid of points is made once. Any number of threads may draw
// at once.
class Renderer {
 public:
  // height or width 0: the size of the images the zoo was fitted to. Throws Error{usage} when that is
  // unknown.
  Renderer(const ZooInfo& info, int64_t height = 0, int64_t width = 0);

  int64_t height() const noexcept { return height_; }
  int64_t width() const noexcept { return width_; }
  int64_t channels() const noexcept { return field_.channels(); }
  int64_t image_size() const noexcept { return height_ * width_ * channels(); }

  // `image` (height, width, channels) as the network gives it, not clipped. params in Zoo::read()'s order.
  void draw(std::span<const float> params, std::span<float> image) const;
  // The same as bytes: 255 times the value, rounded, clipped.
  void draw(std::span<const float> params, std::span<uint8_t> image) const;

 private:
  Field field_;
  int64_t height_, width_;
  Buffer<float> inputs_;
};

struct Caption {
  std::string text;    // drawn in capitals; empty: none
  bool alarm = false;  // in red
};

struct SheetOptions {
  int64_t rows = 0, columns = 0;
  int64_t scale = 2;  // pixels of the sheet per pixel of an image
};

// A contact sheet: cells row by row, white paper, one network of `indices` each, its caption underneath.
// `captions` is empty or has one entry an index. RGB when a caption is red or the networks are, else grey.
// Only the sheet and one image a thread are in memory. Throws Error{empty} without networks,
// Error{resource_limit} for sheets beyond 2^28 bytes.
Images contact_sheet(const Renderer& renderer, const Zoo& zoo, std::span<const int64_t> indices,
                     std::span<const Caption> captions, const SheetOptions& options);

}  // namespace dws
