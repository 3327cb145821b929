#include "train/split.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_set>

#include "core/error.h"
#include "core/rng.h"
#include "core/text.h"

namespace dws::train {

namespace {

// Takes out the mixtures that do not belong where their first image is.
void place_mixtures(Split& split, std::span<const int64_t> image_ids,
                    std::span<const int64_t> mixed_image_ids) {
  const auto first = [&](int64_t i) { return image_ids[static_cast<size_t>(i)]; };
  const auto second = [&](int64_t i) { return mixed_image_ids[static_cast<size_t>(i)]; };
  std::unordered_set<int64_t> training;
  for (const int64_t i : split.train) training.insert(first(i));
  std::erase_if(split.train, [&](int64_t i) { return !training.contains(second(i)); });
  for (std::vector<int64_t>* part : {&split.val, &split.test})
    std::erase_if(*part, [&](int64_t i) { return first(i) != second(i); });
}

}  // namespace

SplitSizes parse_split(const std::string& list) {
  const std::vector<std::string> parts = split(list, ',');
  if (parts.empty() || parts.size() > 3)
    throw Error(ErrorKind::usage, text("--split {}: expected TRAIN,VAL,TEST", escaped(list)),
                "give fractions (0.8,0.1,0.1) or numbers of networks (8000,0,2000)");
  double values[3] = {0, 0, 0};
  for (size_t i = 0; i < parts.size(); ++i) {
    values[i] = parse_double(parts[i], "--split");
    if (!(values[i] >= 0) || !std::isfinite(values[i]))
      throw Error(ErrorKind::usage, text("--split {}: parts are not negative", escaped(list)));
  }
  const double sum = values[0] + values[1] + values[2];
  if (values[0] <= 0) throw Error(ErrorKind::usage, text("--split {}: nothing to train on", escaped(list)));
  if (sum > 1 + 1e-9)
    for (double v : values)
      if (v != std::floor(v))
        throw Error(ErrorKind::usage,
                    text("--split {}: fractions sum to {}, more than 1", escaped(list), number(sum)),
                    "give fractions (0.8,0.1,0.1) or whole numbers of networks (8000,0,2000)");
  return {values[0], values[1], values[2]};
}

Split split_by_image(std::span<const int64_t> image_ids, std::span<const int32_t> labels,
                     const SplitSizes& sizes, uint64_t seed, std::span<const int64_t> mixed_image_ids) {
  // Flat arrays of small numbers: a zoo may hold ten million networks.
  if (image_ids.size() > std::numeric_limits<uint32_t>::max())
    throw Error(ErrorKind::resource_limit, text("{} networks are too many to split", image_ids.size()));
  // Networks by image: the deal must not depend on the order of the networks in the file.
  std::vector<uint32_t> networks(image_ids.size());
  std::iota(networks.begin(), networks.end(), uint32_t{0});
  std::sort(networks.begin(), networks.end(), [&](uint32_t a, uint32_t b) {
    return image_ids[a] != image_ids[b] ? image_ids[a] < image_ids[b] : a < b;
  });
  std::vector<uint32_t> starts;  // image i has networks[starts[i]] .. networks[starts[i + 1] - 1]
  for (uint32_t i = 0; i < networks.size(); ++i)
    if (i == 0 || image_ids[networks[i]] != image_ids[networks[i - 1]]) starts.push_back(i);
  std::vector<uint32_t> images(starts.size());
  std::iota(images.begin(), images.end(), uint32_t{0});
  starts.push_back(static_cast<uint32_t>(networks.size()));
  Rng rng(seed, stream_id("train.split"));
  rng.shuffle(std::span<uint32_t>(images));

  // Sorted by the place within their label, in (0, 1), any prefix holds the same share of every label.
  const auto label_of = [&](uint32_t image) {
    const uint32_t network = networks[starts[image]];
    return network < labels.size() ? labels[network] : -1;
  };
  std::map<int32_t, int64_t> totals, seen;
  for (const uint32_t image : images) ++totals[label_of(image)];
  std::vector<double> place(images.size());
  for (const uint32_t image : images) {
    const int32_t label = label_of(image);
    place[image] = (static_cast<double>(seen[label]++) + 0.5) / static_cast<double>(totals[label]);
  }
  std::stable_sort(images.begin(), images.end(), [&](uint32_t a, uint32_t b) { return place[a] < place[b]; });
  place = {};

  const auto total = static_cast<int64_t>(image_ids.size());
  const bool fractions = sizes.train + sizes.val + sizes.test <= 1 + 1e-9;
  int64_t limit[3];
  const double size[3] = {sizes.train, sizes.val, sizes.test};
  double cumulative = 0;
  for (int p = 0; p < 3; ++p) {
    cumulative += fractions ? size[p] * static_cast<double>(total) : size[p];
    limit[p] = std::llround(cumulative);
  }
  if (limit[2] > total)
    throw Error(ErrorKind::empty, text("--split asks for {} networks, the data has {}", limit[2], total));

  Split result;
  std::vector<int64_t>* parts[3] = {&result.train, &result.val, &result.test};
  int64_t dealt = 0;
  for (const uint32_t image : images) {
    int p = 0;
    while (p < 3 && dealt >= limit[p]) ++p;
    if (p == 3) break;
    parts[p]->insert(parts[p]->end(), networks.begin() + starts[image], networks.begin() + starts[image + 1]);
    dealt += starts[image + 1] - starts[image];
  }
  if (!mixed_image_ids.empty()) place_mixtures(result, image_ids, mixed_image_ids);
  const char* names[3] = {"training", "validation", "test"};
  for (int p = 0; p < 3; ++p) {
    if (size[p] > 0 && parts[p]->empty())
      throw Error(ErrorKind::empty,
                  text("the split leaves no networks for the {} part ({} networks of {} images in all)",
                       names[p], total, images.size()),
                  "use more data, or another --split");
    std::sort(parts[p]->begin(), parts[p]->end());
  }
  return result;
}

}  // namespace dws::train
