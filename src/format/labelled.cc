#include "format/labelled.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "format/failure.h"
#include "format/safetensors.h"

namespace dws {
namespace {

void require_class(const std::string& file, int64_t label, size_t sample) {
  if (label < 0)
    throw Error(ErrorKind::bad_value,
                text("{}: label {} of sample {} is not a class", one_line(file), label, sample));
}

}  // namespace

LabelledData LabelledData::open(const std::vector<std::string>& paths, const std::vector<std::string>& labels,
                                int64_t limit) {
  if (paths.empty()) throw Error(ErrorKind::usage, "no data is given");
  LabelledData data;
  if (limit <= 0) limit = std::numeric_limits<int64_t>::max();
  if (paths[0].ends_with(".safetensors")) {
    if (paths.size() > 1 || !labels.empty())
      throw Error(ErrorKind::usage,
                  text("{}: a file of tensors brings its own labels and stands alone", one_line(paths[0])));
    data.read_tensors(paths[0], limit);
  } else {
    for (const PictureFile& file : picture_files(paths, labels))
      if (data.size() < limit) data.add_pictures(file, limit);
  }
  return data;
}

void LabelledData::add_pictures(const PictureFile& file, int64_t limit) {
  const auto [images, classes] = read_pictures(file, limit - size());
  const std::vector<int64_t> dims = {images.channels, images.height, images.width};
  if (files_.empty()) dims_ = dims;
  if (dims != dims_)
    throw Error(ErrorKind::mismatch, text("{}: pictures of another size than {}", one_line(file.images),
                                          one_line(files_.front())));
  files_.push_back(file.images);
  if (file.labels != file.images) files_.push_back(file.labels);
  const int64_t count = std::min(limit - size(), images.count);
  labels_.insert(labels_.end(), classes.begin(), classes.begin() + count);
  pixels_.insert(pixels_.end(), images.pixels.begin(), images.pixels.begin() + count * images.image_size());
}

void LabelledData::read_tensors(const std::string& path, int64_t limit) {
  const Safetensors file = Safetensors::open(path);
  const TensorEntry &inputs = file.at("inputs"), &labels = file.at("labels");
  if (inputs.shape.empty() || labels.shape.size() != 1 || labels.shape[0] != inputs.shape[0])
    throw Error(ErrorKind::mismatch, text("{}: 'labels' has shape {}, expected one for each of 'inputs' {}",
                                          one_line(path), labels.shape_str(), inputs.shape_str()));
  if (inputs.elements() == 0) throw Error(ErrorKind::empty, text("{}: holds no samples", one_line(path)));
  files_ = {path};
  pictures_ = false;
  dims_.assign(inputs.shape.begin() + 1, inputs.shape.end());
  labels_.resize(static_cast<size_t>(labels.elements()));
  file.read(labels, std::span<int64_t>(labels_));
  const int64_t count = std::min(limit, labels.elements());
  labels_.resize(static_cast<size_t>(count));
  for (size_t i = 0; i < labels_.size(); ++i) require_class(path, labels_[i], i);
  numbers_.resize(static_cast<size_t>(inputs.elements()));
  const bool real = inputs.dtype == Dtype::f32 || inputs.dtype == Dtype::f64 || inputs.dtype == Dtype::f16 ||
                    inputs.dtype == Dtype::bf16;
  if (real) {
    file.read(inputs, std::span<float>(numbers_));
  } else {
    std::vector<int64_t> integers(numbers_.size());
    file.read(inputs, std::span<int64_t>(integers));
    std::copy(integers.begin(), integers.end(), numbers_.begin());
  }
  numbers_.resize(static_cast<size_t>(count * sample_size()));
}

int64_t LabelledData::sample_size() const noexcept {
  int64_t n = 1;
  for (const int64_t d : dims_) n *= d;
  return n;
}

void LabelledData::normalise(const std::vector<double>& mean, const std::vector<double>& std) {
  const size_t channels = dims_.empty() ? 1 : static_cast<size_t>(dims_[0]);
  scale_.assign(channels, 1);
  shift_.assign(channels, 0);
  const auto check = [&](const std::vector<double>& list, const char* what) {
    if (!list.empty() && list.size() != 1 && list.size() != channels)
      throw Error(ErrorKind::usage, text("{}: {} of {} numbers for {} channels", one_line(files_.front()),
                                         what, list.size(), channels));
  };
  check(mean, "a mean");
  check(std, "a std");
  for (size_t c = 0; c < channels; ++c) {
    const double m = mean.empty() ? 0 : mean[mean.size() == 1 ? 0 : c];
    // A channel that is the same everywhere has a deviation of 0: it counts as 1.
    double s = std.empty() ? 1 : std[std.size() == 1 ? 0 : c];
    if (!(s >= 0) || !std::isfinite(s) || !std::isfinite(m))
      throw Error(ErrorKind::usage,
                  text("a mean of {} and a std of {}: expected numbers, the std positive", m, s));
    if (s == 0) s = 1;
    scale_[c] = static_cast<float>(1 / s);
    shift_[c] = static_cast<float>(-m / s);
  }
}

void LabelledData::read(int64_t first, int64_t count, float* to) const noexcept {
  const int64_t size = sample_size(), channels = scale_.empty() || dims_.empty() ? 1 : dims_[0];
  if (!pictures_) {
    const float* from = numbers_.data() + first * size;
    if (scale_.empty()) {
      std::copy_n(from, count * size, to);
      return;
    }
    const int64_t plane = size / std::max<int64_t>(1, channels);
    for (int64_t i = 0; i < count * size; ++i) {
      const auto c = static_cast<size_t>(i / plane % channels);
      to[i] = from[i] * scale_[c] + shift_[c];
    }
    return;
  }
  const int64_t C = dims_[0], plane = size / C;
  for (int64_t n = 0; n < count; ++n)
    for (int64_t c = 0; c < C; ++c) {
      const uint8_t* from = pixels_.data() + (first + n) * size + c;
      const float scale = scale_.empty() ? 1 : scale_[static_cast<size_t>(c)],
                  shift = scale_.empty() ? 0 : shift_[static_cast<size_t>(c)];
      for (int64_t p = 0; p < plane; ++p, ++to)
        *to = static_cast<float>(from[p * C]) / 255.0f * scale + shift;
    }
}

}  // namespace dws
