#include "network/repair.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "network/array.h"

namespace dws::network {
namespace {

constexpr int kLanes = 16;
constexpr double kStill = 1e-12;  // a variance below this share of the mean square is rounding

bool is_product(const Node& node) {
  return node.domain.empty() &&
         (node.op == "Gemm" || node.op == "MatMul" || node.op == "Conv" || node.op == "ConvTranspose");
}
int input(const Node& node, size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNone;
}
// How many nodes of all graphs read each value.
std::vector<int> readers_of(const Network& network) {
  std::vector<int> readers(network.values.size());
  each_node(network.graph, [&](const Node& node) {
    for (const int value : node.inputs)
      if (value != kNone) ++readers[static_cast<size_t>(value)];
  });
  return readers;
}

}  // namespace

Repair::Repair(const Network& network, std::vector<std::vector<int64_t>> samples)
    : network_(network), samples_(std::move(samples)) {
  norms_ =
      std::ranges::any_of(network.graph.nodes, [](const Node& n) { return n.op == "BatchNormalization"; });
  norms_ ? find_norms() : find_layers();
  order();
}

void Repair::find_norms() {
  const std::vector<int> readers = readers_of(network_);
  for (const Node& node : network_.graph.nodes) {
    if (node.op != "BatchNormalization") continue;
    const Constant* mean = input(node, 3) == kNone ? nullptr : network_.constant_of(node.inputs[3]);
    const Constant* variance = input(node, 4) == kNone ? nullptr : network_.constant_of(node.inputs[4]);
    const auto shared = [&](int value) { return readers[static_cast<size_t>(value)] != 1; };
    if (!mean || !variance || !mean->floating() || !variance->floating() || shared(node.inputs[3]) ||
        shared(node.inputs[4])) {
      skipped_.push_back(
          text("{}: its statistics are not its own stored tensors", node.where(network_.values)));
      continue;
    }
    layers_.push_back({.name = node.where(network_.values),
                       .value = node.inputs[0],
                       .first = network_.values[static_cast<size_t>(node.inputs[3])].constant,
                       .second = network_.values[static_cast<size_t>(node.inputs[4])].constant,
                       .channels = mean->elements()});
  }
}

// Layers with another behind them, weight and bias their own.
void Repair::find_layers() {
  const std::vector<int> readers = readers_of(network_);
  std::vector<char> leads(network_.values.size());  // to a product
  const std::vector<Node>& nodes = network_.graph.nodes;
  for (size_t n = nodes.size(); n-- > 0;) {
    const bool on = is_product(nodes[n]) || std::ranges::any_of(nodes[n].outputs, [&](int v) {
                      return v != kNone && leads[static_cast<size_t>(v)];
                    });
    for (const int v : nodes[n].inputs)
      if (v != kNone && on) leads[static_cast<size_t>(v)] = true;
  }
  for (const Node& node : nodes) {
    if (!is_product(node) || node.outputs.empty() || node.outputs[0] == kNone) continue;
    int value = node.outputs[0], bias = input(node, 2);
    if (!leads[static_cast<size_t>(value)]) continue;
    // Recipes write x W^T with the transpose apart.
    int stored = input(node, 1);
    bool turned = false;
    if (stored != kNone && node.op == "MatMul" && !network_.constant_of(stored))
      for (const Node& other : nodes)
        if (other.op == "Transpose" && other.outputs[0] == stored &&
            readers[static_cast<size_t>(stored)] == 1) {
          stored = other.inputs[0];
          turned = true;
          break;
        }
    const Constant* weight = stored == kNone ? nullptr : network_.constant_of(stored);
    if (!weight) continue;  // a product of two activations
    const auto skip = [&](const char* why) {
      skipped_.push_back(text("{}: {}", node.where(network_.values), why));
    };
    if (node.op == "MatMul")
      for (const Node& next : nodes)
        if (next.op == "Add" && next.inputs.size() == 2 && readers[static_cast<size_t>(value)] == 1 &&
            (next.inputs[0] == value || next.inputs[1] == value)) {
          bias = next.inputs[0] == value ? next.inputs[1] : next.inputs[0];
          value = next.outputs[0];
          break;
        }
    const Constant* shift = bias == kNone ? nullptr : network_.constant_of(bias);
    if (!shift) {
      skip("it has no bias");
      continue;
    }
    if (readers[static_cast<size_t>(stored)] != 1 || readers[static_cast<size_t>(bias)] != 1) {
      skip("its weight or bias is another's too");
      continue;
    }
    const bool picture = node.op == "Conv" || node.op == "ConvTranspose";
    const bool columns = (node.op == "MatMul" && !turned) || node.op == "ConvTranspose" ||
                         (node.op == "Gemm" && node.attr_int("transB", 0) == 0);
    const bool plain =
        node.op != "Gemm" || (node.attr_float("alpha", 1) == 1 && node.attr_float("beta", 1) == 1);
    if (!weight->floating() || !shift->floating() || !plain || weight->dims.size() < 2 ||
        (node.op == "ConvTranspose" && node.attr_int("group", 1) != 1) ||
        (!picture && weight->dims.size() != 2)) {
      skip("its numbers are not stored as they are used");
      continue;
    }
    const int64_t channels = weight->dims[columns ? 1 : 0];
    if (shift->elements() != channels) {
      skip("its bias is not a number a channel");
      continue;
    }
    layers_.push_back({.name = node.where(network_.values),
                       .value = value,
                       .first = network_.values[static_cast<size_t>(stored)].constant,
                       .second = network_.values[static_cast<size_t>(bias)].constant,
                       .channels = channels,
                       .last_axis = !picture,
                       .columns = columns});
  }
}

// Depth: how many layers stand before one, at most. A layer's value is where it counts: its norm's input, or what it computes.
void Repair::order() {
  std::vector<int> depth(network_.values.size());
  std::map<int, std::vector<size_t>> at;  // layers by constant that makes the difference, `second`
  for (size_t l = 0; l < layers_.size(); ++l) at[layers_[l].second].push_back(l);
  for (const Node& node : network_.graph.nodes) {
    int before = 0;
    for (const int v : node.inputs)
      if (v != kNone) before = std::max(before, depth[static_cast<size_t>(v)]);
    int after = before;
    for (const int v : node.inputs)
      if (v != kNone && network_.values[static_cast<size_t>(v)].constant != kNone)
        if (const auto found = at.find(network_.values[static_cast<size_t>(v)].constant); found != at.end())
          for (const size_t l : found->second) {
            layers_[l].depth = before;
            after = before + 1;
          }
    for (const int v : node.outputs)
      if (v != kNone) depth[static_cast<size_t>(v)] = after;
  }
  for (size_t l = 0; l < layers_.size(); ++l) {
    const auto d = static_cast<size_t>(layers_[l].depth);
    if (by_depth_.size() <= d) by_depth_.resize(d + 1);
    by_depth_[d].push_back(static_cast<int>(l));
  }
  std::erase_if(by_depth_, [](const std::vector<int>& list) { return list.empty(); });
}

Engine Repair::make_engine(const std::vector<int>& which) const {
  EngineOptions options{.samples = samples_, .watched = {}};
  for (const int l : which) {
    const int value = layers_[static_cast<size_t>(l)].value;
    if (std::ranges::find(options.watched, value) == options.watched.end()) options.watched.push_back(value);
  }
  return Engine(network_, options);
}

std::vector<ChannelStatistics> Repair::observe(Engine& engine, const std::vector<int>& which,
                                               const RepairData& data) const {
  // By layer and lane; lanes are joined in their order.
  struct Sums {
    std::vector<double> sum, squares;
    double count = 0;
  };
  std::vector<std::vector<Sums>> all(which.size(), std::vector<Sums>(kLanes));
  engine.observe(
      data.samples, data.fill,
      [&](const Observed& seen) {
        for (size_t k = 0; k < which.size(); ++k) {
          const Layer& layer = layers_[static_cast<size_t>(which[k])];
          if (layer.value != seen.value) continue;
          Sums& s = all[k][static_cast<size_t>(seen.lane)];
          const int64_t c = layer.channels, places = seen.size / c;
          s.sum.resize(static_cast<size_t>(c));
          s.squares.resize(static_cast<size_t>(c));
          s.count += static_cast<double>(seen.count * places);
          const float* x = seen.numbers;
          for (int64_t n = 0; n < seen.count; ++n, x += seen.size)
            for (int64_t i = 0; i < seen.size; ++i) {
              const auto at = static_cast<size_t>(layer.last_axis ? i % c : i / places);
              s.sum[at] += double{x[i]};
              s.squares[at] += double{x[i]} * x[i];
            }
        }
      },
      kLanes);
  std::vector<ChannelStatistics> found;
  for (size_t k = 0; k < which.size(); ++k) {
    const Layer& layer = layers_[static_cast<size_t>(which[k])];
    ChannelStatistics& s = found.emplace_back();
    double count = 0;
    for (const Sums& lane : all[k]) count += lane.count;
    for (size_t c = 0; c < static_cast<size_t>(layer.channels); ++c) {
      double sum = 0, squares = 0;
      for (const Sums& lane : all[k])
        if (lane.count > 0) {
          sum += lane.sum[c];
          squares += lane.squares[c];
        }
      const double mean = sum / count, square = squares / count, variance = square - mean * mean;
      if (!std::isfinite(mean) || !std::isfinite(variance))
        throw Error(ErrorKind::bad_value, text("{}: {}: what it computes on the data is not finite",
                                               one_line(network_.file), layer.name));
      s.mean.push_back(mean);
      s.deviation.push_back(variance > kStill * square ? std::sqrt(variance) : 0);
    }
  }
  return found;
}

std::vector<ChannelStatistics> Repair::measure(const RepairData& data, const OtherTensors& tensors) {
  std::vector<int> which;
  for (size_t l = 0; l < layers_.size(); ++l) which.push_back(static_cast<int>(l));
  if (which.empty() || data.samples < 1) return {};
  Engine& engine = engines_.try_emplace(-1, make_engine(which)).first->second;
  if (tensors.set) tensors.set(engine);
  return observe(engine, which, data);
}

std::map<int, std::vector<float>> Repair::run(const RepairData& data,
                                              const std::vector<ChannelStatistics>& goals,
                                              const OtherTensors& tensors) {
  if (layers_.empty())
    throw Error(ErrorKind::empty,
                text("{}: no layer whose statistics could be set right", one_line(network_.file)));
  if (data.samples < 1) throw Error(ErrorKind::empty, "repair needs samples, got none");
  if (!norms_ && goals.size() != layers_.size())
    throw Error(ErrorKind::internal, text("{} goals for {} layers", goals.size(), layers_.size()));
  const auto numbers_of = [&](int constant) {
    if (tensors.numbers) return tensors.numbers(constant);
    const Array a = to_array(network_.constants[static_cast<size_t>(constant)]);
    return std::vector<float>(a.reals.begin(), a.reals.end());
  };
  std::map<int, std::vector<float>> changed;
  for (size_t d = 0; d < by_depth_.size(); ++d) {
    const auto found = engines_.find(static_cast<int>(d));
    Engine& engine = found != engines_.end()
                         ? found->second
                         : engines_.try_emplace(static_cast<int>(d), make_engine(by_depth_[d])).first->second;
    if (tensors.set) tensors.set(engine);
    for (const auto& [constant, numbers] : changed) engine.set(constant, numbers.data());
    const std::vector<ChannelStatistics> now = observe(engine, by_depth_[d], data);
    for (size_t k = 0; k < now.size(); ++k) {
      const auto l = static_cast<size_t>(by_depth_[d][k]);
      const Layer& layer = layers_[l];
      if (norms_) {
        changed[layer.first].assign(now[k].mean.begin(), now[k].mean.end());
        std::vector<float>& variance = changed[layer.second];
        for (const double s : now[k].deviation) variance.push_back(static_cast<float>(s * s));
        continue;
      }
      std::vector<float> weight = numbers_of(layer.first), bias = numbers_of(layer.second);
      const int64_t after =
          layer.columns ? static_cast<int64_t>(weight.size()) /
                              (network_.constants[static_cast<size_t>(layer.first)].dims[0] * layer.channels)
                        : static_cast<int64_t>(weight.size()) / layer.channels;
      std::vector<double> factor;
      for (size_t c = 0; c < bias.size(); ++c) {
        factor.push_back(now[k].deviation[c] > 0 ? goals[l].deviation[c] / now[k].deviation[c] : 1);
        bias[c] = static_cast<float>((double{bias[c]} - now[k].mean[c]) * factor[c] + goals[l].mean[c]);
      }
      for (size_t i = 0; i < weight.size(); ++i) {
        const auto c = static_cast<size_t>(static_cast<int64_t>(i) / after % layer.channels);
        weight[i] = static_cast<float>(weight[i] * factor[c]);
      }
      changed[layer.first] = std::move(weight);
      changed[layer.second] = std::move(bias);
    }
  }
  // Engines must not keep pointers to what is handed out.
  for (auto& [d, engine] : engines_)
    for (const auto& [constant, numbers] : changed) engine.set(constant, nullptr);
  return changed;
}

std::vector<ChannelStatistics> mean_of(const std::vector<std::vector<ChannelStatistics>>& all,
                                       const std::vector<double>& weights) {
  std::vector<ChannelStatistics> mean = all.front();
  double total = 0;
  for (const double w : weights) total += w;
  for (size_t l = 0; l < mean.size(); ++l)
    for (size_t c = 0; c < mean[l].mean.size(); ++c) {
      double m = 0, s = 0;
      for (size_t k = 0; k < all.size(); ++k) {
        m += weights[k] / total * all[k][l].mean[c];
        s += weights[k] / total * all[k][l].deviation[c];
      }
      mean[l].mean[c] = m;
      mean[l].deviation[c] = s;
    }
  return mean;
}

}  // namespace dws::network
