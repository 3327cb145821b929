#include "train/dataset.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

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
    const int number = static_cast<int>(data.zoos_.size());
    for (int64_t i = 0; i < zoo.size() && (limit <= 0 || data.size() < limit); ++i) {
      data.places_.push_back({number, i});
      data.labels_.push_back(zoo.has_labels() ? zoo.label(i) : -1);
      data.image_ids_.push_back(zoo.image_id(i));
      data.mixed_ids_.push_back(zoo.mixed_image_id(i));
    }
    data.zoos_.push_back(std::move(zoo));
  }
  if (data.places_.empty()) throw Error(ErrorKind::empty, text("{}: holds no networks", paths.front()));
  if (data.mixed_ids_ == data.image_ids_) data.mixed_ids_ = {};
  return data;
}

std::string Dataset::name(int64_t i) const {
  const Place& place = places_.at(static_cast<size_t>(i));
  return zoos_[static_cast<size_t>(place.zoo)].name(place.index);
}

std::vector<std::string> Dataset::remarks() const {
  std::vector<std::string> lines;
  for (const Zoo& zoo : zoos_)
    if (std::string line = zoo.remark(); !line.empty()) lines.push_back(std::move(line));
  return lines;
}

std::vector<std::string> Dataset::image_keys(int64_t i) const {
  const Place& place = places_.at(static_cast<size_t>(i));
  const Zoo& zoo = zoos_[static_cast<size_t>(place.zoo)];
  const Json& source = zoo.info().source;
  if (!zoo.has_image_ids() || !source.is_object() || source.as_object().empty()) return {};
  // Where the labels come from does not matter.
  const Json* images = source.find("images");
  const Json* hash = images ? images->find("hash") : nullptr;
  const std::string name = (hash ? *hash : images ? *images : source).dump();
  const int64_t first = zoo.image_id(place.index), second = zoo.mixed_image_id(place.index);
  std::vector<std::string> keys{text("{}#{}", name, first)};
  if (second != first) keys.push_back(text("{}#{}", name, second));
  return keys;
}

void Dataset::target(int64_t i, std::span<float> row) const {
  const Place& place = places_.at(static_cast<size_t>(i));
  const Zoo& zoo = zoos_[static_cast<size_t>(place.zoo)];
  std::fill(row.begin(), row.end(), 0.0F);
  const auto classes = static_cast<size_t>(zoo.soft_classes());
  if (classes > 0)
    zoo.soft_label(place.index, row.first(classes));
  else
    row[static_cast<size_t>(labels_[static_cast<size_t>(i)])] = 1;
}

int64_t shared_images(const Dataset& a, const Dataset& b) {
  std::unordered_set<std::string> known;
  for (int64_t i = 0; i < a.size(); ++i)
    for (std::string& key : a.image_keys(i)) known.insert(std::move(key));
  int64_t shared = 0;
  for (int64_t i = 0; i < b.size(); ++i) {
    const std::vector<std::string> keys = b.image_keys(i);
    shared += std::any_of(keys.begin(), keys.end(), [&](const std::string& k) { return known.contains(k); });
  }
  return shared;
}

void Dataset::read(int64_t i, std::span<float> out) const {
  const Place& place = places_.at(static_cast<size_t>(i));
  zoos_[static_cast<size_t>(place.zoo)].read(place.index, out);
}

void Dataset::check_values() const {
  const auto params = static_cast<size_t>(info().arch.param_count());
  parallel_blocks(size(), 256, [&](int64_t begin, int64_t end) {
    std::vector<float> numbers(params);
    for (int64_t i = begin; i < end; ++i) read(i, numbers);
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

Part Part::all(const Dataset& data) {
  Part part{&data, std::vector<int64_t>(static_cast<size_t>(data.size()))};
  std::iota(part.samples.begin(), part.samples.end(), int64_t{0});
  return part;
}

weights::Normaliser fit_normaliser(const Part& part) {
  constexpr int64_t kEnough = 10000;
  const symmetry::Layout layout = symmetry::mlp_layout(part.data->info().arch.dims);
  return weights::fit_normaliser(
      layout, std::min(part.size(), kEnough),
      [&](int64_t i, std::span<float> out) { part.data->read(part.samples[static_cast<size_t>(i)], out); });
}

Reader::Reader(const Part& part, const weights::Normaliser& normaliser,
               const weights::Augmentation& augmentation, const weights::Mixup& mixup, uint64_t seed)
    : data_(*part.data),
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
