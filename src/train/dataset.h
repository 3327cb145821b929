// Networks to learn from: one or more zoos of one architecture as one list, read from their mappings on
// demand.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "format/zoo.h"
#include "train/source.h"
#include "weights/augment.h"
#include "weights/normalise.h"

namespace dws::train {

class Dataset final : public Source {
 public:
  // Opens and joins the zoos of `paths`; at most the first `limit` networks of all together (0: all). Throws
  // Error{mismatch} for different networks, Error{empty} when there is none.
  static Dataset open(const std::vector<std::string>& paths, int64_t limit = 0);

  const ZooInfo& info() const noexcept { return zoos_.front().info(); }
  const std::string& path() const noexcept { return zoos_.front().path(); }
  const char* noun() const noexcept override { return "networks"; }
  int64_t size() const noexcept override { return size_; }
  std::span<const int32_t> labels() const noexcept override { return labels_; }  // -1 where unknown
  // Zoo::image_id() of each network, taken from the files.
  std::vector<int64_t> image_ids() const;
  // The second image of networks that are mixtures, image_ids() of the others; empty when none is a mixture.
  std::vector<int64_t> mixed_image_ids() const;
  std::string name(int64_t i) const override;
  // Zoo::remark() of the files that have one.
  std::vector<std::string> remarks() const;
  // Calls visit(source, image, mixed) for each network whose file says which image it is of, and of a mixture
  // which second one (otherwise the same): source and number name the same image in any file.
  void each_image(
      const std::function<void(const std::string& source, int64_t image, int64_t mixed)>& visit) const;
  // Network i's target over `row.size()` classes: its soft label, or 1 for its label. After require_labels().
  void target(int64_t i, std::span<float> row) const;

  // Network i's numbers (info().arch.param_count()). Throws Error{bad_value} naming network and tensor when
  // one is not finite.
  void read(int64_t i, std::span<float> out) const override;
  // As those of Zoo: hints about the networks [begin, end) in the files, and how many to read between.
  void release(int64_t begin, int64_t end) const noexcept override;
  void prefetch(int64_t begin, int64_t end) const noexcept override;
  int64_t block() const noexcept override { return zoos_.front().block(); }
  // Reads every network once, so that bad numbers are found before hours of training. Throws as read() does.
  void check_values() const;
  // Checks that every network has a label in [0, classes); `classes` 0: any. Returns the largest label + 1, or
  // the classes of soft labels where they are more.
  // Throws Error{missing_tensor} without labels, Error{bad_value} naming the network for one out of range.
  int64_t require_labels(int64_t classes) const;

 private:
  // The zoo that network i is in, and its number there.
  struct Place {
    const Zoo& zoo;
    int64_t index;
  };
  Place place(int64_t i) const;
  // Calls visit(zoo, begin, end) with the part of each zoo that networks [begin, end) are in.
  template <class Visit>
  void each_zoo(int64_t begin, int64_t end, Visit visit) const;
  // id(zoo, number there) of every network.
  template <class Id>
  std::vector<int64_t> each_id(Id id) const;

  // What is kept a network is its label alone: memory must not grow with the zoo.
  std::vector<Zoo> zoos_;
  std::vector<int64_t> starts_;  // index of each zoo's first network
  int64_t size_ = 0;
  std::vector<int32_t> labels_;
};

// How many networks of `b` are of images that `a` has networks of, as far as the files say.
int64_t shared_images(const Dataset& a, const Dataset& b);

// Mean and deviation over (at most the first 10,000 networks of) a training part of `data`.
weights::Normaliser fit_normaliser(const Dataset& data, const Part& part);

// Gives the networks of a training part to the model: mixed, augmented, normalised.
class Reader final : public SampleReader {
 public:
  // Partners of a mix come from `part` of `data` alone, so that nothing of another part is seen. Throws Error{usage}
  // when these networks do not allow the augmentation.
  Reader(const Dataset& data, const Part& part, const weights::Normaliser& normaliser,
         const weights::Augmentation& augmentation, const weights::Mixup& mixup, uint64_t seed);

  // The target is mixed with the same lambda as the networks.
  void read(int64_t sample, int64_t epoch, std::span<float> scratch, std::span<float> x,
            std::span<float> target = {}) const override;
  int64_t scratch_size(int64_t classes) const noexcept override;

 private:
  const Dataset& data_;
  const weights::Normaliser& normaliser_;
  weights::Augmenter augmenter_;
  bool mixes_;
  std::vector<int64_t> candidates_;  // ascending, of the part, for mixing
};

}  // namespace dws::train
