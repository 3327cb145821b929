// A small classifier and small zoos, for tests that train.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "core/file.h"
#include "core/rng.h"
#include "format/zoo.h"
#include "nn/model.h"

namespace dws::testing {

// linear - batch norm - ReLU - dropout - linear: has everything whose state a checkpoint must carry.
class TinyModel final : public Model<float> {
 public:
  TinyModel(int64_t inputs, int64_t classes, double dropout, int64_t width = 8)
      : inputs_(inputs), classes_(classes), width_(width), dropout_(dropout) {
    w1_ = params_.add("w1", {inputs, width}, true);
    b1_ = params_.add("b1", {width}, false);
    gamma_ = params_.add("gamma", {width}, false);
    beta_ = params_.add("beta", {width}, false);
    w2_ = params_.add("w2", {width, classes}, true);
    b2_ = params_.add("b2", {classes}, false);
    params_.add_buffer("mean", {width}, 0.0F);
    params_.add_buffer("var", {width}, 1.0F);
    params_.freeze();
    for (int64_t c = 0; c < width; ++c) channels_.push_back(static_cast<int>(c));
  }
  std::string_view kind() const noexcept override { return "tiny"; }
  Json config() const override { return Json::object(); }
  int64_t input_size() const noexcept override { return inputs_; }
  int64_t output_size() const noexcept override { return classes_; }
  bool invariant() const noexcept override { return false; }
  void init(uint64_t seed) override {
    Rng rng(seed, stream_id("tiny"));
    for (int p : {w1_, w2_})
      for (float& w : params_.value(p).span())
        w = static_cast<float>(rng.normal() / std::sqrt(static_cast<double>(params_.info(p).shape[0])));
    for (float& g : params_.value(gamma_).span()) g = 1;
  }
  Var<float> forward(Tape<float>& tape, View<const float> x, float* stats) const override {
    ops::BatchNormState<float> state;
    state.channel_of = channels_;
    state.mean = params_.buffer(0).data;
    state.var = params_.buffer(1).data;
    if (stats) {
      state.batch_mean = stats;
      state.batch_var = stats + width_;
    }
    Var<float> h = ops::linear(tape.constant(x), tape.param(params_, w1_), tape.param(params_, b1_));
    h = ops::relu(ops::batch_norm(h, tape.param(params_, gamma_), tape.param(params_, beta_), state));
    return ops::linear(ops::dropout(h, dropout_), tape.param(params_, w2_), tape.param(params_, b2_));
  }

 private:
  int64_t inputs_, classes_, width_;
  double dropout_;
  int w1_, b1_, gamma_, beta_, w2_, b2_;
  std::vector<int> channels_;
};

struct ZooOptions {
  int64_t count = 60, classes = 3, views = 1;
  double signal = 1;  // how far apart the classes are
  uint64_t seed = 1;
  bool labels = true;
  std::vector<int64_t> dims{2, 4, 3};
  int64_t bad_network = -1;  // gets a NaN
  int64_t first_image = 0;
  bool soft = false;  // mixtures: 3/4 of the label, 1/4 of the next, of the image and the next
};

// Random networks whose mean number depends on the label.
inline void make_zoo(const std::string& path, const ZooOptions& options) {
  ZooInfo info;
  info.arch.dims = options.dims;
  const int64_t params = info.arch.param_count();
  std::vector<float> numbers(static_cast<size_t>(options.count * params));
  std::vector<int64_t> labels, images;
  for (int64_t i = 0; i < options.count; ++i) {
    const int64_t image = options.first_image + i / options.views;
    images.push_back(image);
    labels.push_back(image % options.classes);
    Rng rng(options.seed, static_cast<uint64_t>(i));
    for (int64_t p = 0; p < params; ++p)
      numbers[static_cast<size_t>(i * params + p)] =
          static_cast<float>(rng.normal() + (p % options.classes == labels.back() ? options.signal : 0));
  }
  // The writer refuses NaN, so one is put in the place of a number that stands out.
  const float mark = 7777.25F, nan = std::nanf("");
  if (options.bad_network >= 0) numbers[static_cast<size_t>(options.bad_network * params)] = mark;
  struct Context {
    const float* data;
    int64_t params;
  } context{numbers.data(), params};
  ZooContent content;
  content.info = info;
  content.count = options.count;
  if (options.labels) content.labels = labels;
  content.image_ids = images;
  content.info.source = Json::object({{"images", Json("digits")}});
  std::vector<int64_t> mixed;
  for (const int64_t image : images) mixed.push_back(image + 1);
  if (options.soft) {
    content.mixed_image_ids = mixed;
    content.soft_classes = options.classes + 1;
    content.soft_label = [&](int64_t i, std::span<float> row) {
      std::fill(row.begin(), row.end(), 0.0F);
      row[static_cast<size_t>(labels[static_cast<size_t>(i)])] = 0.75F;
      row[static_cast<size_t>(labels[static_cast<size_t>(i)]) + 1] = 0.25F;
    };
  }
  content.context = &context;
  content.network = [](const void* c, int64_t i) {
    const auto* here = static_cast<const Context*>(c);
    return here->data + i * here->params;
  };
  write_zoo(path, content, true);
  if (options.bad_network >= 0) {
    std::string bytes = read_text(path);
    std::string from(sizeof mark, ' '), to = from;
    std::memcpy(from.data(), &mark, sizeof mark);
    std::memcpy(to.data(), &nan, sizeof nan);
    bytes.replace(bytes.find(from), from.size(), to);
    write_text(path, bytes, true);
  }
}

}  // namespace dws::testing
