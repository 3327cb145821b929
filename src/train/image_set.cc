#include "train/image_set.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/rng.h"
#include "core/text.h"
#include "format/picture_files.h"

namespace dws::train {

ImageSet ImageSet::open(const std::vector<std::string>& paths, const std::vector<std::string>& labels,
                        int64_t limit) {
  ImageSet set;
  for (const PictureFile& file : picture_files(paths, labels)) {
    const auto room = limit > 0 ? limit - set.size() : std::numeric_limits<int64_t>::max();
    if (room <= 0) return set;
    auto [images, classes] = read_pictures(file, room);
    if (set.files_.empty()) {
      set.height_ = images.height;
      set.width_ = images.width;
      set.channels_ = images.channels;
    } else if (images.height != set.height_ || images.width != set.width_ ||
               images.channels != set.channels_) {
      throw Error(ErrorKind::mismatch,
                  text("{}: pictures of {} x {} x {}, where {} holds {} x {} x {}", one_line(file.images),
                       images.height, images.width, images.channels, one_line(set.files_.front()),
                       set.height_, set.width_, set.channels_));
    }
    set.files_.push_back(file.images);
    if (file.labels != file.images) set.files_.push_back(file.labels);
    const int64_t count = std::min(room, images.count);
    for (int64_t i = 0; i < count; ++i)
      set.labels_.push_back(static_cast<int32_t>(classes[static_cast<size_t>(i)]));
    images.pixels.resize(static_cast<size_t>(count * images.image_size()));
    if (set.pixels_.empty())
      set.pixels_ = std::move(images.pixels);
    else
      set.pixels_.insert(set.pixels_.end(), images.pixels.begin(), images.pixels.end());
  }
  if (set.labels_.empty())
    throw Error(ErrorKind::empty, text("{}: holds no pictures", one_line(paths.front())));
  return set;
}

int64_t ImageSet::classes() const noexcept {
  return *std::max_element(labels_.begin(), labels_.end()) + int64_t{1};
}

void ImageSet::require_same(const ImageSet& other, int64_t classes) const {
  if (other.height_ != height_ || other.width_ != width_ || other.channels_ != channels_)
    throw Error(ErrorKind::mismatch,
                text("{}: pictures of {} x {} x {}, where {} holds {} x {} x {}",
                     one_line(other.files_.front()), other.height_, other.width_, other.channels_,
                     one_line(files_.front()), height_, width_, channels_));
  if (other.classes() > classes)
    throw Error(ErrorKind::mismatch,
                text("{}: holds label {}, where {} has {} classes", one_line(other.files_.front()),
                     other.classes() - 1, one_line(files_.front()), classes));
}

std::string ImageSet::name(int64_t i) const {
  return text("{}: picture {}", one_line(files_.front()), i);
}

void ImageSet::read(int64_t i, std::span<float> out) const {
  const uint8_t* from = pixels_.data() + i * height_ * width_ * channels_;
  for (size_t k = 0; k < out.size(); ++k) out[k] = static_cast<float>(from[k]) / 255.0F;
}

ImageSet::Colours ImageSet::colours() const {
  Colours c;
  const auto C = static_cast<size_t>(channels_);
  std::vector<uint64_t> sum(C), squares(C);
  for (size_t i = 0; i < pixels_.size(); ++i) {
    const uint64_t v = pixels_[i];
    sum[i % C] += v;
    squares[i % C] += v * v;
  }
  const double n = static_cast<double>(pixels_.size() / C);
  for (size_t k = 0; k < C; ++k) {
    const double mean = static_cast<double>(sum[k]) / n;
    c.mean.push_back(mean / 255);
    c.deviation.push_back(std::sqrt(std::max(0.0, static_cast<double>(squares[k]) / n - mean * mean)) / 255);
  }
  return c;
}

weights::Normaliser colour_normaliser(const ImageSet& images, const ImageSet::Colours& colours) {
  const auto C = static_cast<size_t>(images.channels());
  weights::Normaliser n = weights::Normaliser::identity(images.height() * images.width() * images.channels());
  for (size_t i = 0; i < n.mean.size(); ++i) {
    n.mean[i] = static_cast<float>(colours.mean[i % C]);
    const double deviation = colours.deviation[i % C];
    n.scale[i] = static_cast<float>(deviation > 0 ? 1 / deviation : 1);
  }
  return n;
}

std::string ImageAugmentation::str() const {
  std::vector<std::string> parts;
  if (flip) parts.emplace_back("flip");
  if (crop > 0) parts.push_back(text("crop={}", crop));
  return parts.empty() ? "none" : join(parts, ",");
}

ImageAugmentation parse_image_augmentation(const std::string& list) {
  ImageAugmentation how;
  if (list == "none" || list.empty()) return how;
  for (const std::string& part : split(list, ',')) {
    if (part == "flip") {
      how.flip = true;
    } else if (part == "crop") {
      how.crop = 4;
    } else if (part.starts_with("crop=")) {
      how.crop = parse_int(part.substr(5), "--augment crop");
      if (how.crop < 0 || how.crop > 1024)
        throw Error(ErrorKind::usage, text("--augment crop={}: expected 0 to 1024 pixels", how.crop));
    } else {
      throw Error(ErrorKind::usage, text("--augment: pictures have no '{}'", escaped(part)),
                  "a list of flip, crop and crop=PIXELS, or none");
    }
  }
  return how;
}

ImageReader::ImageReader(const ImageSet& images, const weights::Normaliser& normaliser,
                         const ImageAugmentation& how, uint64_t seed)
    : images_(images), normaliser_(normaliser), how_(how), seed_(seed) {}

int64_t ImageReader::scratch_size(int64_t) const noexcept {
  return images_.height() * images_.width() * images_.channels();
}

void ImageReader::read(int64_t sample, int64_t epoch, std::span<float> scratch, std::span<float> x,
                       std::span<float> target) const {
  if (!target.empty()) {
    std::fill(target.begin(), target.end(), 0.0F);
    target[static_cast<size_t>(images_.labels()[static_cast<size_t>(sample)])] = 1;
  }
  Rng rng(seed_, stream_id("train.image", static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample)));
  const bool flip = how_.flip && rng.below(2) == 1;
  const auto moved = [&] {
    return how_.crop > 0
               ? static_cast<int64_t>(rng.below(static_cast<uint64_t>(2 * how_.crop + 1))) - how_.crop
               : 0;
  };
  const int64_t down = moved(), across = moved();
  if (!flip && down == 0 && across == 0) {
    images_.read(sample, x);
    return normaliser_.apply(x, x);
  }
  images_.read(sample, scratch.first(x.size()));
  normaliser_.apply(scratch.first(x.size()), scratch.first(x.size()));
  const int64_t H = images_.height(), W = images_.width(), C = images_.channels();
  std::fill(x.begin(), x.end(), 0.0F);
  for (int64_t h = std::max<int64_t>(0, -down); h < std::min(H, H - down); ++h)
    for (int64_t w = 0; w < W; ++w) {
      const int64_t from = (flip ? W - 1 - w : w) + across;
      if (from < 0 || from >= W) continue;
      std::copy_n(scratch.data() + ((h + down) * W + from) * C, C, x.data() + (h * W + w) * C);
    }
}

}  // namespace dws::train
