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
    }
    data.zoos_.push_back(std::move(zoo));
  }
  if (data.places_.empty()) throw Error(ErrorKind::empty, text("{}: holds no networks", paths.front()));
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

std::string Dataset::image_key(int64_t i) const {
  const Place& place = places_.at(static_cast<size_t>(i));
  const Zoo& zoo = zoos_[static_cast<size_t>(place.zoo)];
  const Json& source = zoo.info().source;
  if (!zoo.has_image_ids() || !source.is_object() || source.as_object().empty()) return "";
  // Where the labels come from does not matter.
  const Json* images = source.find("images");
  const Json* hash = images ? images->find("hash") : nullptr;
  return text("{}#{}", (hash ? *hash : images ? *images : source).dump(), zoo.image_id(place.index));
}

int64_t shared_images(const Dataset& a, const Dataset& b) {
  std::unordered_set<std::string> known;
  for (int64_t i = 0; i < a.size(); ++i) known.insert(a.image_key(i));
  known.erase("");
  int64_t shared = 0;
  for (int64_t i = 0; i < b.size(); ++i) shared += known.contains(b.image_key(i));
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

Reader::Reader(const Dataset& data, const weights::Normaliser& normaliser, const Augmentation& augmentation,
               uint64_t seed)
    : data_(data),
      normaliser_(normaliser),
      augmentation_(augmentation),
      seed_(seed),
      layout_(symmetry::mlp_layout(data.info().arch.dims)) {}

void Reader::read(int64_t sample, int64_t epoch, std::span<float> scratch, std::span<float> x) const {
  if (!augmentation_.permute) {
    data_.read(sample, scratch);
  } else {
    data_.read(sample, x);
    Rng rng(seed_, stream_id("train.permute", static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample)));
    symmetry::act(layout_, symmetry::random_element(layout_, rng), x.data(), scratch.data());
  }
  normaliser_.apply(scratch, x);
}

}  // namespace dws::train
