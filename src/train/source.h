// What a trainer learns from, whatever it is: networks of zoos (dataset.h) or pictures (image_set.h).
#pragma once

#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace dws::train {

// Labelled samples, each a flat vector of numbers, as one list.
class Source {
 public:
  virtual ~Source() = default;
  virtual const char* noun() const noexcept = 0;  // what several of them are called: "networks"
  virtual int64_t size() const noexcept = 0;
  virtual std::span<const int32_t> labels() const noexcept = 0;  // -1 where unknown
  virtual std::string name(int64_t i) const = 0;                 // of sample i, for messages
  // Sample i's numbers, before any normalisation. Throws Error{bad_value} naming what is not finite.
  virtual void read(int64_t i, std::span<float> out) const = 0;
  // How many samples are read from their files at a time, and hints about the samples [begin, end) there.
  virtual int64_t block() const noexcept = 0;
  virtual void release(int64_t begin, int64_t end) const noexcept = 0;
  virtual void prefetch(int64_t begin, int64_t end) const noexcept = 0;
};

// Some samples of a source, ascending: a part of a split, or a whole other file.
struct Part {
  const Source* data = nullptr;
  std::vector<int64_t> samples;
  bool empty() const noexcept { return samples.empty(); }
  int64_t size() const noexcept { return static_cast<int64_t>(samples.size()); }
  static Part all(const Source& data) {
    Part part{&data, std::vector<int64_t>(static_cast<size_t>(data.size()))};
    std::iota(part.samples.begin(), part.samples.end(), int64_t{0});
    return part;
  }
};

// Gives the samples of a training part to the model: augmented, normalised. Random numbers are a function of (seed,
// epoch, sample) alone.
class SampleReader {
 public:
  virtual ~SampleReader() = default;
  // Writes sample `sample` of the source to `x` and its target to `target` (classes; empty: not wanted), a row that
  // sums to one. `scratch` (scratch_size()) is overwritten. Called from several threads.
  virtual void read(int64_t sample, int64_t epoch, std::span<float> scratch, std::span<float> x,
                    std::span<float> target = {}) const = 0;
  virtual int64_t scratch_size(int64_t classes) const noexcept = 0;
};

}  // namespace dws::train
