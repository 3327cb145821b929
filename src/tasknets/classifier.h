// A classifier of pictures: the network whose weights are then data.
#pragma once

#include <string>
#include <vector>

#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/model.h"
#include "nn/norm.h"
#include "tasknets/arch.h"

namespace dws {

enum class Activation { relu, tanh, gelu };
Activation parse_activation(const std::string& name);  // throws Error{usage}
const char* activation_name(Activation activation) noexcept;

struct ClassifierConfig {
  Arch arch;
  nn::Norm norm = nn::Norm::none;  // of each hidden layer; layer: of fully connected ones alone
  Activation activation = Activation::relu;
  int64_t height = 1, width = 1, channels = 1, classes = 1;
};

// Reads pictures (B, H W C), channels last. Parameters conv1, conv2, ..., fc1, fc2, ..., and behind each its norm with the
// same number: bn1 of conv1, fc_bn1 of fc1; without convolutions bn1 or ln1 of fc1.
template <class T>
class Classifier final : public Model<T> {
 public:
  // Throws Error{usage} when the pictures are too small for the layers, or a norm does not suit them.
  explicit Classifier(const ClassifierConfig& config);
  std::string_view kind() const noexcept override { return "classifier"; }
  Json config() const override;
  int64_t input_size() const noexcept override { return config_.height * config_.width * config_.channels; }
  int64_t output_size() const noexcept override { return config_.classes; }
  bool invariant() const noexcept override { return false; }
  void init(uint64_t seed) override;
  Var<T> forward(Tape<T>& tape, View<const T> x, T* batch_stats) const override;

  // What a layer is made of; the last is the linear map to the classes.
  struct Layer {
    Arch::Kind kind = Arch::Kind::linear;
    std::string name, norm_name;  // of the parameters; "" for none
    nn::Conv<T> conv{};
    nn::Linear<T> linear{};
    nn::BatchNorm<T> batch{};
    int gamma = -1, beta = -1;  // of a layer norm
    int64_t stride = 1, kernel = 1;
    bool hidden = true;
  };
  const std::vector<Layer>& layers() const noexcept { return layers_; }
  const ClassifierConfig& settings() const noexcept { return config_; }

 private:
  void add_norm(Layer& layer, const std::string& name, int64_t width);
  Var<T> activate(Var<T> x) const;
  Var<T> norm_and_activate(Tape<T>& tape, const Layer& layer, Var<T> x, T* batch_stats) const;

  ClassifierConfig config_;
  std::vector<Layer> layers_;
};

extern template class Classifier<float>;
extern template class Classifier<double>;

}  // namespace dws
