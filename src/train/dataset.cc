#include "train/dataset.h"

#include <algorithm>
#include <limits>
#include <map>

#include "core/error.h"
#include "core/parallel.h"
#include "core/text.h"

namespace dws::train {

Dataset Dataset::open(const std::vector<std::string>& paths, int64_t limit) {
  if (paths.empty()) throw Error(ErrorKind::usage, "no data given", "name a zoo with --data");
  Dataset data;
  for (const std::string& path : paths) {
    Zoo zoo = Zoo::open(path);
    if (!data.zoos_.empty()) data.info().require_same_network(zoo.info(), data.path(), zoo.path());
    const int64_t count = limit > 0 ? std::min(zoo.size(), limit - data.size_) : zoo.size();
    data.labels_.reserve(static_cast<size_t>(data.size_ + count));
    PagesBehind pages(zoo);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t label = zoo.has_labels() ? zoo.label(i) : -1;
      pages.passed(i);
      if (label > std::numeric_limits<int32_t>::max())
        throw Error(ErrorKind::bad_value, text("{}: label {} is too large to be a class: expected at most {}",
                                               zoo.name(i), label, std::numeric_limits<int32_t>::max()));
      data.labels_.push_back(static_cast<int32_t>(label));
    }
    data.starts_.push_back(data.size_);
    data.size_ += count;
    data.zoos_.push_back(std::move(zoo));
  }
  if (data.size_ == 0) throw Error(ErrorKind::empty, text("{}: holds no networks", paths.front()));
  return data;
}

Dataset::Place Dataset::place(int64_t i) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), i);
  const auto zoo = static_cast<size_t>(after - starts_.begin() - 1);
  return {zoos_[zoo], i - starts_[zoo]};
}

template <class Visit>
void Dataset::each_zoo(int64_t begin, int64_t end, Visit visit) const {
  for (size_t z = 0; z < zoos_.size(); ++z) {
    const int64_t start = starts_[z], stop = z + 1 < zoos_.size() ? starts_[z + 1] : size_;
    const int64_t first = std::max(begin, start), last = std::min(end, stop);
    if (first < last) visit(zoos_[z], first - start, last - start);
  }
}

template <class Id>
std::vector<int64_t> Dataset::each_id(Id id) const {
  std::vector<int64_t> ids;
  ids.reserve(static_cast<size_t>(size_));
  each_zoo(0, size_, [&](const Zoo& zoo, int64_t begin, int64_t end) {
    PagesBehind pages(zoo);
    for (int64_t i = begin; i < end; ++i) {
      ids.push_back(id(zoo, i));
      pages.passed(i);
    }
  });
  return ids;
}

std::vector<int64_t> Dataset::image_ids() const {
  return each_id([](const Zoo& zoo, int64_t i) { return zoo.image_id(i); });
}

std::vector<int64_t> Dataset::mixed_image_ids() const {
  bool any = false;
  std::vector<int64_t> ids = each_id([&](const Zoo& zoo, int64_t i) {
    any |= zoo.mixed_image_id(i) != zoo.image_id(i);
    return zoo.mixed_image_id(i);
  });
  return any ? ids : std::vector<int64_t>{};
}

std::string Dataset::name(int64_t i) const {
  const Place at = place(i);
  return at.zoo.name(at.index);
}

std::vector<std::string> Dataset::remarks() const {
  std::vector<std::string> lines;
  for (const Zoo& zoo : zoos_)
    if (std::string line = zoo.remark(); !line.empty()) lines.push_back(std::move(line));
  return lines;
}

void Dataset::each_image(
    const std::function<void(const std::string& source, int64_t image, int64_t mixed)>& visit) const {
  each_zoo(0, size_, [&](const Zoo& zoo, int64_t begin, int64_t end) {
    const Json& source = zoo.info().source;
    if (!zoo.has_image_ids() || !source.is_object() || source.as_object().empty()) return;
    // Where the labels come from does not matter.
    const Json* images = source.find("images");
    const Json* hash = images ? images->find("hash") : nullptr;
    const std::string key = (hash ? *hash : images ? *images : source).dump();
    PagesBehind pages(zoo);
    for (int64_t i = begin; i < end; ++i) {
      visit(key, zoo.image_id(i), zoo.mixed_image_id(i));
      pages.passed(i);
    }
  });
}

void Dataset::target(int64_t i, std::span<float> row) const {
  const auto [zoo, index] = place(i);
  std::fill(row.begin(), row.end(), 0.0F);
  const auto classes = static_cast<size_t>(zoo.soft_classes());
  if (classes > 0)
    zoo.soft_label(index, row.first(classes));
  else
    row[static_cast<size_t>(labels_[static_cast<size_t>(i)])] = 1;
}

int64_t shared_images(const Dataset& a, const Dataset& b) {
  std::map<std::string, std::vector<int64_t>> known;
  a.each_image([&](const std::string& source, int64_t image, int64_t mixed) {
    known[source].push_back(image);
    if (mixed != image) known[source].push_back(mixed);
  });
  for (auto& [source, images] : known) std::sort(images.begin(), images.end());
  int64_t shared = 0;
  b.each_image([&](const std::string& source, int64_t image, int64_t mixed) {
    const auto found = known.find(source);
    if (found == known.end()) return;
    const std::vector<int64_t>& images = found->second;
    shared += std::binary_search(images.begin(), images.end(), image) ||
              std::binary_search(images.begin(), images.end(), mixed);
  });
  return shared;
}

void Dataset::read(int64_t i, std::span<float> out) const {
  const Place at = place(i);
  at.zoo.read(at.index, out);
}

void Dataset::release(int64_t begin, int64_t end) const noexcept {
  each_zoo(begin, end, [](const Zoo& zoo, int64_t first, int64_t last) { zoo.release(first, last); });
}

void Dataset::prefetch(int64_t begin, int64_t end) const noexcept {
  each_zoo(begin, end, [](const Zoo& zoo, int64_t first, int64_t last) { zoo.prefetch(first, last); });
}

void Dataset::check_values() const {
  const auto params = static_cast<size_t>(info().arch.param_count());
  parallel_blocks(size(), block(), [&](int64_t begin, int64_t end) {
    std::vector<float> numbers(params);
    for (int64_t i = begin; i < end; ++i) read(i, numbers);
    release(begin, end);
  });
}

int64_t Dataset::require_labels(int64_t classes) const {
  for (const Zoo& zoo : zoos_)
    if (!zoo.has_labels())
      throw Error(ErrorKind::missing_tensor, text("{}: has no labels (tensor 'label')", zoo.path()),
                  "classification needs a label for each network: fit with --labels");
  int64_t largest = -1;
  for (int64_t i = 0; i < size(); ++i) {
    const int64_t label = labels_[static_cast<size_t>(i)];
    if (label < 0 || (classes > 0 && label >= classes))
      throw Error(ErrorKind::bad_value,
                  classes > 0
                      ? text("{}: label {} is not a class: expected 0 to {}", name(i), label, classes - 1)
                      : text("{}: label {} is not a class: expected 0 or more", name(i), label));
    largest = std::max(largest, label);
  }
  for (const Zoo& zoo : zoos_) {
    if (classes > 0 && zoo.soft_classes() > classes)
      throw Error(ErrorKind::bad_value, text("{}: soft labels of {} classes: expected {} at most", zoo.path(),
                                             zoo.soft_classes(), classes));
    largest = std::max(largest, zoo.soft_classes() - 1);
  }
  return largest + 1;
}

weights::Normaliser fit_normaliser(const Dataset& data, const Part& part) {
  constexpr int64_t kEnough = 10000;
  const symmetry::Layout layout = symmetry::mlp_layout(data.info().arch.dims);
  const int64_t count = std::min(part.size(), kEnough), block = data.block();
  const auto sample = [&](int64_t i) { return part.samples[static_cast<size_t>(i)]; };
  return weights::fit_normaliser(layout, count, [&](int64_t i, std::span<float> out) {
    data.read(sample(i), out);
    if ((i + 1) % block == 0 || i + 1 == count) data.release(sample(i / block * block), sample(i) + 1);
  });
}

Reader::Reader(const Dataset& data, const Part& part, const weights::Normaliser& normaliser,
               const weights::Augmentation& augmentation, const weights::Mixup& mixup, uint64_t seed)
    : data_(data),
      normaliser_(normaliser),
      augmenter_(data_.info(), augmentation, mixup, seed, data_.path()),
      mixes_(mixup.on()) {
  if (!mixes_) return;
  candidates_ = part.samples;
  std::sort(candidates_.begin(), candidates_.end());
}

int64_t Reader::scratch_size(int64_t classes) const noexcept {
  return 2 * data_.info().arch.param_count() + classes;
}

void Reader::read(int64_t sample, int64_t epoch, std::span<float> scratch, std::span<float> x,
                  std::span<float> target) const {
  const std::span<float> first = scratch.first(x.size());
  data_.read(sample, x);
  if (!target.empty()) data_.target(sample, target);
  if (mixes_) {
    const auto found = std::lower_bound(candidates_.begin(), candidates_.end(), sample);
    const bool among = found != candidates_.end() && *found == sample;
    const auto partner = augmenter_.partner(epoch, sample, static_cast<int64_t>(candidates_.size()),
                                            among ? found - candidates_.begin() : -1);
    if (partner) {
      const int64_t other = candidates_[static_cast<size_t>(partner->place)];
      const std::span<float> second = scratch.subspan(x.size(), x.size());
      data_.read(other, first);
      augmenter_.mix(epoch, sample, partner->lambda, x, first, second);
      if (!target.empty()) {
        const std::span<float> row = scratch.subspan(2 * x.size(), target.size());
        data_.target(other, row);
        weights::mix(partner->lambda, target, row, target);
      }
    }
  }
  augmenter_.apply(epoch, sample, x, first);
  normaliser_.apply(x, x);
}

}  // namespace dws::train
