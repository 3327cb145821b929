// Statistics of a network that was made of others, set right on data: its activations vary less than those of the networks it was
// made of (Jordan et al., "REPAIR: REnormalizing Permuted Activations for Interpolation Repair", ICLR 2023).
//
// With BatchNormalization: running mean and variance are what its input has on the data. Without: for each channel of a
// hidden layer weights and bias take the factor and shift that give what it computes the mean and the standard deviation
// asked for. In both cases layer after layer, so that each is measured behind those that are right already: as many passes as
// layers stand behind one another.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "network/engine.h"
#include "network/network.h"

namespace dws::network {

// Of each channel of what a layer computes.
struct ChannelStatistics {
  std::vector<double> mean, deviation;
};
struct RepairData {
  int64_t samples = 0;
  Engine::Fill fill;
};
// Floating tensors in place of the network's own.
struct OtherTensors {
  std::function<void(Engine&)> set;                // on an engine made for the network; may be empty
  std::function<std::vector<float>(int)> numbers;  // of a constant; may be empty
};

class Repair {
 public:
  // Refers to the network. `samples`: shape of one sample of each input.
  Repair(const Network& network, std::vector<std::vector<int64_t>> samples);

  bool has_norms() const noexcept { return norms_; }
  size_t layers() const noexcept { return layers_.size(); }
  // The stored tensor that says which layer it is: its weight; of a norm its running mean.
  int constant(size_t layer) const noexcept { return layers_[layer].first; }
  int passes() const noexcept { return static_cast<int>(by_depth_.size()); }
  // Layers that are left as they are, and why.
  const std::vector<std::string>& skipped() const noexcept { return skipped_; }

  // What each layer computes (goes into, of a norm), in one pass.
  std::vector<ChannelStatistics> measure(const RepairData& data, const OtherTensors& tensors = {});
  // New numbers, by constant. `goals`, of each layer, are for networks without norms. The same bits on any number of threads. Throws
  // Error{empty} without layers or samples, Error{bad_value} where a layer's statistics are not finite.
  std::map<int, std::vector<float>> run(const RepairData& data, const std::vector<ChannelStatistics>& goals,
                                        const OtherTensors& tensors = {});

 private:
  struct Layer {
    std::string name;
    int value = kNone;   // watched
    int first = kNone;   // constant: running mean, or weight
    int second = kNone;  // running variance, or bias
    int64_t channels = 0;
    bool last_axis = false;  // where channels lie in the value; else axis 1
    bool columns = false;    // of the weight: channels along its last axis (ConvTranspose: axis 1), else rows
    int depth = 0;
  };
  void find_norms();
  void find_layers();
  void order();
  std::vector<ChannelStatistics> observe(Engine& engine, const std::vector<int>& which,
                                         const RepairData& data) const;
  Engine make_engine(const std::vector<int>& which) const;

  const Network& network_;
  std::vector<std::vector<int64_t>> samples_;
  bool norms_ = false;
  std::vector<Layer> layers_;
  std::vector<std::vector<int>> by_depth_;  // numbers of layers
  std::vector<std::string> skipped_;
  std::map<int, Engine> engines_;  // by depth; -1: all
};

// sum w_k goals_k / sum w_k.
std::vector<ChannelStatistics> mean_of(const std::vector<std::vector<ChannelStatistics>>& all,
                                       const std::vector<double>& weights);

}  // namespace dws::network
