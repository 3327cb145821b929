// Augmentations as words: what options and configuration files say.
#include <cmath>
#include <iterator>

#include "core/error.h"
#include "core/text.h"
#include "weights/augment.h"

namespace dws::weights {

namespace {

constexpr AugmentStep kSteps[] = {
    {"permute", true, false, "a random order of the neurons"},
    {"sign", true, false, "flip the sign of each neuron with probability 1/2 (siren, tanh)"},
    {"phase", true, true, "shift each neuron by up to this many half turns (siren)"},
    {"scale", false, true, "neurons times a factor of up to 1 + S, or divided by it (relu)"},
    {"noise", false, true, "add normal noise of so many deviations of each tensor"},
    {"dropout", false, true, "set this share of the numbers to 0"},
    {"rotate", false, true, "turn the picture by up to this many degrees, or LOW:HIGH"},
    {"translate", false, true,
     "move the picture along each axis by up to this much of the coordinates, or LOW:HIGH"},
    {"zoom", false, true, "enlarge the picture by a factor between 1 - Z and 1 + Z, or LOW:HIGH"},
    {"reflect", true, false, "exchange left and right with probability 1/2"},
};

[[noreturn]] void refuse(const std::string& what, const std::string& value, const char* expected) {
  throw Error(ErrorKind::usage, text("{}: expected {}, got '{}'", what, expected, escaped(value)));
}

double number_in(const std::string& value, const std::string& what, double low, double high,
                 const char* expected) {
  const double x = parse_double(value, what);
  if (!(x >= low && x <= high)) refuse(what, value, expected);
  return x;
}

// X about `middle`, or LOW:HIGH.
Interval interval(const std::string& value, const std::string& what, double middle, double low, double high,
                  const char* expected) {
  const std::vector<std::string> ends = split(value, ':');
  Interval result;
  if (ends.size() == 1) {
    const double x = parse_double(value, what);
    if (!(x >= 0)) refuse(what, value, expected);
    result = {middle - x, middle + x};
  } else if (ends.size() == 2) {
    result = {parse_double(ends[0], what), parse_double(ends[1], what)};
  } else {
    refuse(what, value, expected);
  }
  if (!(result.low <= result.high && result.low >= low && result.high <= high)) refuse(what, value, expected);
  return result;
}

std::string interval_text(const Interval& i, double middle) {
  // One number where it reads back to the same two: 0.1, whose sum with 1 is rounded.
  const double half = i.high - middle;
  for (const std::string& word : {number(static_cast<float>(half)), number(half)}) {
    const double x = parse_double(word, "interval");
    if (x >= 0 && middle - x == i.low && middle + x == i.high) return word;
  }
  return text("{}:{}", number(i.low), number(i.high));
}

}  // namespace

std::span<const AugmentStep> augment_steps() noexcept {
  return kSteps;
}

void set_step(Augmentation& a, const std::string& name, const std::string& value, const std::string& what) {
  const auto on = [&] {
    if (!value.empty())
      throw Error(ErrorKind::usage, text("{}: takes no value, got '{}'", what, escaped(value)));
    return true;
  };
  if (name == "permute") {
    a.permute = on();
  } else if (name == "sign") {
    a.sign = on();
  } else if (name == "reflect") {
    a.reflect = on();
  } else if (name == "phase") {
    const std::string turns = value.empty() ? "1" : value;
    const long long k = parse_int(turns, what);
    if (k < 0 || k > 1000) refuse(what, value, "0 to 1000 half turns");
    a.phase = static_cast<int>(k);
  } else if (name == "scale") {
    a.scale = number_in(value, what, 0, 1e6, "0 to 1000000");
  } else if (name == "noise") {
    a.noise = number_in(value, what, 0, 1e6, "0 or more deviations");
  } else if (name == "dropout") {
    a.dropout = number_in(value, what, 0, 0.999999, "0 to below 1");
  } else if (name == "rotate") {
    a.rotate = interval(value, what, 0, -360, 360, "degrees up to 360, or LOW:HIGH");
  } else if (name == "translate") {
    a.translate = interval(value, what, 0, -1e6, 1e6, "a length, or LOW:HIGH");
  } else if (name == "zoom") {
    a.zoom = interval(value, what, 1, 1e-6, 1e6, "0 to below 1, or factors LOW:HIGH above 0");
  } else {
    std::vector<std::string> known;
    for (const AugmentStep& step : kSteps) known.emplace_back(step.name);
    const std::string near = nearest(name, known);
    throw Error(ErrorKind::usage, text("{}: unknown augmentation '{}'", what, escaped(name)),
                near.empty() ? text("known: none, {}", join(known, ", ")) : text("did you mean '{}'?", near));
  }
}

Augmentation parse_augmentation(const std::string& list, const std::string& what) {
  Augmentation a;
  for (const std::string& word : split(list, ',')) {
    if (word == "none") continue;
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (equals != std::string::npos && value.empty())
      throw Error(ErrorKind::usage, text("{}: {}= lacks its value", what, escaped(name)));
    for (const AugmentStep& step : kSteps)
      if (name == step.name && !step.flag && value.empty())
        throw Error(ErrorKind::usage, text("{}: {} needs a value: {}=NUMBER", what, name, name), step.help);
    set_step(a, name, value, equals == std::string::npos ? what : text("{} {}", what, escaped(name)));
  }
  return a;
}

std::string Augmentation::str() const {
  std::vector<std::string> words;
  if (permute) words.emplace_back("permute");
  if (sign) words.emplace_back("sign");
  if (phase > 0) words.push_back(phase == 1 ? "phase" : text("phase={}", phase));
  if (scale > 0) words.push_back(text("scale={}", number(scale)));
  if (noise > 0) words.push_back(text("noise={}", number(noise)));
  if (dropout > 0) words.push_back(text("dropout={}", number(dropout)));
  if (!rotate.is(0)) words.push_back("rotate=" + interval_text(rotate, 0));
  if (!translate.is(0)) words.push_back("translate=" + interval_text(translate, 0));
  if (!zoom.is(1)) words.push_back("zoom=" + interval_text(zoom, 1));
  if (reflect) words.emplace_back("reflect");
  return words.empty() ? "none" : join(words, ",");
}

void Augmentation::require_fit(const ZooInfo& info, const std::string& file) const {
  const symmetry::NeuronKinds kinds = symmetry::neuron_kinds(info.activation);
  const auto refuse_step = [&](const char* step, const char* activations) {
    throw Error(ErrorKind::usage,
                text("{}: {} would change {} networks: it is a symmetry of {} alone", file, step,
                     info.activation, activations),
                text("leave {} out", step));
  };
  if (sign && !kinds.sign) refuse_step("sign", "siren and tanh");
  if (phase > 0 && !kinds.phase) refuse_step("phase", "siren");
  if (phase > 0 && !(info.omega > 0))
    throw Error(ErrorKind::usage, text("{}: phase needs an omega above 0, got {}", file, number(info.omega)));
  if (scale > 0 && !kinds.scale) refuse_step("scale", "relu");
  if (!moves_picture()) return;
  const std::string advice = "leave rotate, translate, zoom and reflect out";
  if (info.fourier_features > 0)
    throw Error(
        ErrorKind::usage,
        text("{}: pictures cannot be moved exactly through the Fourier features of the first layer", file),
        advice);
  if (info.arch.dims.front() != 2)
    throw Error(ErrorKind::usage,
                text("{}: only networks of two coordinates draw a picture that can be moved, these have {} "
                     "inputs",
                     file, info.arch.dims.front()),
                advice);
}

}  // namespace dws::weights
