// Augmentation of networks: the same code for `dws train` and `dws augment`.
//
// A network goes through, in this order: mixing with another one; movements of the picture it draws; noise;
// dropout; a random sign, phase or scale for each hidden neuron; a random order of the neurons. What changes
// the function comes before what only changes its numbers, because noise and dropout are measured by numbers
// that a phase shift would have moved.
//
// Every random number is a function of (seed, epoch, sample) and of the step it is for: one step more or less
// leaves the others as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/zoo.h"
#include "symmetry/layout.h"
#include "symmetry/neuron.h"
#include "weights/mixup.h"

namespace dws::weights {

// A number is drawn uniformly between the two.
struct Interval {
  double low = 0, high = 0;
  bool is(double value) const noexcept { return low == value && high == value; }
};

struct Augmentation {
  bool permute = false;      // a random order of the neurons
  bool sign = false;         // signs of neurons, each with probability 1/2
  int phase = 0;             // half turns of the phase at most
  double scale = 0;          // factors of neurons from 1 / (1 + scale) to 1 + scale
  double noise = 0;          // in deviations of each tensor
  double dropout = 0;        // share of the numbers
  Interval rotate{0, 0};     // degrees
  Interval translate{0, 0};  // along each axis, in units of the coordinates
  Interval zoom{1, 1};       // factor
  bool reflect = false;      // left and right exchanged with probability 1/2

  bool moves_picture() const noexcept { return !rotate.is(0) || !translate.is(0) || !zoom.is(1) || reflect; }
  bool changes_function() const noexcept { return moves_picture() || noise > 0 || dropout > 0; }
  bool none() const noexcept { return !permute && !sign && phase == 0 && scale <= 0 && !changes_function(); }
  // "permute,noise=0.1", "none"; parse_augmentation() reads it back.
  std::string str() const;
  // Throws Error{usage} saying which step networks of this kind do not allow and why.
  void require_fit(const ZooInfo& info, const std::string& file) const;
};

// One step of an augmentation as options and lists name it.
struct AugmentStep {
  const char* name;
  bool flag;   // can stand without a value
  bool value;  // can have one
  const char* help;
};
std::span<const AugmentStep> augment_steps() noexcept;

// Sets one step. `value` as written: a number, or LOW:HIGH where an interval is drawn from (one number X
// means -X:X, for zoom 1-X:1+X); empty for a flag. Throws Error{usage} naming `what`.
void set_step(Augmentation& a, const std::string& name, const std::string& value, const std::string& what);
// A comma list NAME or NAME=VALUE, or "none". Throws Error{usage} naming `what`.
Augmentation parse_augmentation(const std::string& list, const std::string& what);

class Augmenter {
 public:
  // Throws Error{usage} when the networks do not allow a step (require_fit()) or alpha is out of range;
  // `file` stands in its message.
  Augmenter(const ZooInfo& info, const Augmentation& augmentation, const Mixup& mixup, uint64_t seed,
            const std::string& file);

  // Whom a sample is mixed with and how much of itself stays.
  struct Partner {
    int64_t place = 0;  // in [0, count)
    double lambda = 1;
  };
  // Of the `count` samples that may be mixed with; never `own`, the sample's place among them (-1: it is not
  // there). None without mixup, or when there is no other.
  std::optional<Partner> partner(int64_t epoch, int64_t sample, int64_t count, int64_t own) const;
  // x = lambda x + (1 - lambda) g other; other is overwritten. x, other, scratch (P) do not overlap.
  void mix(int64_t epoch, int64_t sample, double lambda, std::span<float> x, std::span<float> other,
           std::span<float> scratch) const;
  // All steps after mixing, on x (P); scratch (P) is overwritten.
  void apply(int64_t epoch, int64_t sample, std::span<float> x, std::span<float> scratch) const;

 private:
  symmetry::Layout layout_;
  Augmentation augmentation_;
  Mixup mixup_;
  symmetry::NeuronDraw neurons_;
  double middle_ = 0;
  uint64_t seed_;
};

}  // namespace dws::weights
