#include "weights/augment.h"

#include <algorithm>

#include "weights/image_map.h"
#include "weights/noise.h"

namespace dws::weights {

namespace {

// A stream of its own for each step.
Rng stream(const char* step, uint64_t seed, int64_t epoch, int64_t sample) {
  return Rng(seed, stream_id(step, static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample)));
}

double draw(const Interval& interval, Rng& rng) {
  return rng.uniform(interval.low, interval.high);
}

void permute(const symmetry::Layout& layout, Rng rng, std::span<float> x, std::span<float> scratch) {
  std::copy(x.begin(), x.end(), scratch.begin());
  symmetry::act(layout, symmetry::random_element(layout, rng), scratch.data(), x.data());
}

}  // namespace

Augmenter::Augmenter(const ZooInfo& info, const Augmentation& augmentation, const Mixup& mixup, uint64_t seed,
                     const std::string& file)
    : layout_(symmetry::mlp_layout(info.arch.dims)),
      augmentation_(augmentation),
      mixup_(mixup),
      neurons_{augmentation.sign, augmentation.phase, info.omega, augmentation.scale},
      middle_((info.range[0] + info.range[1]) / 2),
      seed_(seed) {
  augmentation.require_fit(info, file);
  mixup.check();
}

std::optional<Augmenter::Partner> Augmenter::partner(int64_t epoch, int64_t sample, int64_t count,
                                                     int64_t own) const {
  const int64_t others = own >= 0 ? count - 1 : count;
  if (!mixup_.on() || others < 1) return {};
  Rng rng = stream("augment.mixup", seed_, epoch, sample);
  int64_t place = static_cast<int64_t>(rng.below(static_cast<uint64_t>(others)));
  if (own >= 0 && place >= own) ++place;
  return Partner{place, symmetric_beta(mixup_.alpha, rng)};
}

void Augmenter::mix(int64_t epoch, int64_t sample, double lambda, std::span<float> x, std::span<float> other,
                    std::span<float> scratch) const {
  if (mixup_.kind == MixupKind::permuted) {
    if (!neurons_.none()) {
      Rng rng = stream("augment.mixup.neurons", seed_, epoch, sample);
      symmetry::act(layout_, symmetry::random_neuron_element(layout_, neurons_, rng), other.data());
    }
    permute(layout_, stream("augment.mixup.permute", seed_, epoch, sample), other, scratch);
  }
  weights::mix(lambda, x, other, x);
}

void Augmenter::apply(int64_t epoch, int64_t sample, std::span<float> x, std::span<float> scratch) const {
  const Augmentation& a = augmentation_;
  if (a.moves_picture()) {
    Rng rng = stream("augment.move", seed_, epoch, sample);
    Movement m;
    m.degrees = draw(a.rotate, rng);
    m.zoom = draw(a.zoom, rng);
    m.move_x = draw(a.translate, rng);
    m.move_y = draw(a.translate, rng);
    m.mirror = (rng.next_u32() & 1) != 0 && a.reflect;
    act(layout_, image_map(m, middle_), x.data());
  }
  if (a.noise > 0) {
    Rng rng = stream("augment.noise", seed_, epoch, sample);
    add_noise(layout_, a.noise, rng, x.data());
  }
  if (a.dropout > 0) {
    Rng rng = stream("augment.dropout", seed_, epoch, sample);
    drop_weights(static_cast<int64_t>(x.size()), a.dropout, rng, x.data());
  }
  if (!neurons_.none()) {
    Rng rng = stream("augment.neurons", seed_, epoch, sample);
    symmetry::act(layout_, symmetry::random_neuron_element(layout_, neurons_, rng), x.data());
  }
  // The stream's name is older than this file: a seed goes on giving the orders it gave.
  if (a.permute) permute(layout_, stream("train.permute", seed_, epoch, sample), x, scratch);
}

}  // namespace dws::weights
