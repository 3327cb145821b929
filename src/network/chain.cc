#include "network/chain.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "network/blocks.h"

namespace dws::network {
namespace {

struct Module {
  std::string prefix;
  std::string weight, bias{}, mean{}, variance{};
  std::vector<int64_t> dims;  // of the weight
  std::vector<int64_t> numbers;
  bool norm() const { return dims.size() == 1; }
};

// The numbers in a name, in order: "encoder.2.linear.10" has 2, 10.
std::vector<int64_t> numbers_in(const std::string& name) {
  std::vector<int64_t> found;
  for (size_t at = 0; at < name.size();) {
    const size_t begin = name.find_first_of("0123456789", at);
    if (begin == std::string::npos) break;
    at = std::min(name.find_first_not_of("0123456789", begin), name.size());
    found.push_back(
        to_int(std::string_view(name).substr(begin, std::min<size_t>(at - begin, 15))).value_or(0));
  }
  return found;
}

class Chain {
 public:
  Chain(StoredTensors tensors, const ChainSettings& settings)
      : settings_(settings),
        stored_(tensors.tensors),
        g_(std::move(tensors), "as a chain of linear layers") {}

  ChainResult read() {
    collect();
    order();
    return {build(), assumed_};
  }

 private:
  void collect() {
    std::map<std::string, Module> modules;
    for (const Constant& c : stored_) {
      const size_t dot = c.name.rfind('.');
      const std::string prefix = dot == std::string::npos ? "" : c.name.substr(0, dot);
      const std::string kind = dot == std::string::npos ? c.name : c.name.substr(dot + 1);
      Module& m = modules[prefix];
      m.prefix = prefix;
      if (kind == "num_batches_tracked") {
        g_.ignore(c.name);
        continue;
      }
      if (kind == "weight" && (c.dims.size() == 1 || c.dims.size() == 2)) {
        m.weight = c.name;
        m.dims = c.dims;
      } else if (kind == "bias" && c.dims.size() == 1) {
        m.bias = c.name;
      } else if (kind == "running_mean" && c.dims.size() == 1) {
        m.mean = c.name;
      } else if (kind == "running_var" && c.dims.size() == 1) {
        m.variance = c.name;
      } else {
        g_.fail_at(c.name, text("{} has no place in one", shape_text(c.dims)));
      }
    }
    for (auto& [prefix, m] : modules) {
      if (m.weight.empty()) {
        const std::string& lone = !m.bias.empty() ? m.bias : !m.mean.empty() ? m.mean : m.variance;
        if (lone.empty()) continue;
        g_.fail_at(lone, "has no weight beside it");
      }
      m.numbers = numbers_in(prefix);
      (m.norm() ? norms_ : layers_).push_back(m);
    }
    if (layers_.empty()) g_.fail(ErrorKind::mismatch, "no tensor NAME.weight (out, in)");
  }

  static bool fits(const std::vector<Module>& layers) {
    for (size_t i = 1; i < layers.size(); ++i)
      if (layers[i].dims[1] != layers[i - 1].dims[0]) return false;
    return true;
  }

  void order() {
    const auto by_numbers = [](const Module& a, const Module& b) { return a.numbers < b.numbers; };
    std::ranges::sort(layers_, by_numbers);
    const bool numbered = std::ranges::adjacent_find(layers_, [](const Module& a, const Module& b) {
                            return a.numbers == b.numbers;
                          }) == layers_.end();
    if (!(numbered && fits(layers_))) {
      if (numbered && layers_.size() > 1) {
        for (size_t i = 1; i < layers_.size(); ++i)
          if (layers_[i].dims[1] != layers_[i - 1].dims[0])
            g_.fail_at(layers_[i].weight,
                       text("{} does not follow '{}' {}", shape_text(layers_[i].dims),
                            escaped(layers_[i - 1].weight), shape_text(layers_[i - 1].dims)));
      }
      order_by_shapes();
    }
    // A norm belongs behind the last layer whose numbers are not larger than its own; without numbers by its size alone.
    std::ranges::sort(norms_, by_numbers);
    norm_of_.assign(layers_.size(), nullptr);
    for (const Module& n : norms_) {
      std::optional<size_t> at;
      for (size_t i = 0; i < layers_.size(); ++i) {
        if (numbered ? !(n.numbers < layers_[i].numbers) : layers_[i].dims[0] == n.dims[0] && !norm_of_[i]) {
          if (!numbered && at)
            g_.fail_at(n.weight, "fits behind more than one layer: a recipe says behind which");
          at = i;
        }
      }
      if (!at || norm_of_[*at] || layers_[*at].dims[0] != n.dims[0])
        g_.fail_at(n.weight, text("{} is a norm that fits behind no layer", shape_text(n.dims)));
      norm_of_[*at] = &n;
    }
  }

  // The one order in which each layer's inputs are the outputs of the one before.
  void order_by_shapes() {
    std::vector<Module> found;
    std::vector<bool> used(layers_.size(), false);
    int orders = 0;
    int64_t steps = 0;
    const auto extend = [&](const auto& self, std::vector<Module>& chain) -> void {
      if (++steps > 100'000 || orders > 1) return;
      if (chain.size() == layers_.size()) {
        if (++orders == 1) found = chain;
        return;
      }
      for (size_t i = 0; i < layers_.size(); ++i) {
        if (used[i] || (!chain.empty() && layers_[i].dims[1] != chain.back().dims[0])) continue;
        used[i] = true;
        chain.push_back(layers_[i]);
        self(self, chain);
        chain.pop_back();
        used[i] = false;
      }
    };
    std::vector<Module> chain;
    extend(extend, chain);
    if (orders == 1 && steps <= 100'000) {
      layers_ = found;
      return;
    }
    g_.fail_at(layers_.front().weight,
               orders == 0
                   ? text("{}: no order of the layers fits their shapes", shape_text(layers_.front().dims))
                   : std::string("fits in more than one place: a recipe says where"));
  }

  Network build() {
    int x = g_.input("x", g_.type(), {{.symbol = "batch"}, {.fixed = layers_.front().dims[1]}});
    g_.set_channels(x, layers_.front().dims[1]);
    std::vector<std::string> names = {text("{}", layers_.front().dims[1])};
    const bool known = !settings_.activation.empty();
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Module& m = layers_[i];
      const auto optional = [](const std::string& name) {
        return name.empty() ? std::nullopt : std::optional<std::string>(name);
      };
      x = blocks::linear(g_, x, {.weight = m.weight, .bias = optional(m.bias)});
      names.push_back(text("{}", m.dims[0]));
      const bool last = i + 1 == layers_.size();
      if (const Module* n = norm_of_[i]) {
        // Where the activation is not known it might stand before the norm too.
        if (!known && !last) x = act(x);
        const bool batch = !n->mean.empty() && !n->variance.empty();
        x = blocks::norm(g_, x,
                         {.kind = batch ? "batch" : "layer",
                          .weight = n->weight,
                          .bias = optional(n->bias),
                          .mean = optional(n->mean),
                          .variance = optional(n->variance)});
        ++count_[batch];
      }
      if (!last) x = act(x);
    }
    g_.output(x, "y");
    constexpr size_t kShown = 16;
    if (const size_t n = names.size(); n > 2 * kShown) {  // the first and the last
      names.erase(names.begin() + kShown, names.end() - kShown);
      names[kShown] = text("...({} more)...", n - 2 * kShown + 1);
    }
    assumed_ = text("a chain of linear layers {}", join(names, "-"));
    if (count_[1] > 0) assumed_ += text(", {} batch norms before the activation", count_[1]);
    if (count_[0] > 0) assumed_ += text(", {} layer norms before the activation", count_[0]);
    if (layers_.size() > 1)
      assumed_ += known
                      ? text(", activation {}{}", settings_.activation,
                             settings_.omega != 1 ? text(" of {} x", number(settings_.omega)) : std::string())
                      : std::string(", an activation that is not known");
    return g_.take();
  }

  int act(int x) {
    // One that is neither odd nor homogeneous stands for any.
    const std::string name = settings_.activation.empty() ? "gelu" : settings_.activation;
    const int64_t channels = g_.channels(x);
    if (settings_.omega != 1) x = g_.add("Mul", {x, g_.number(settings_.omega)});
    const std::optional<int> y = blocks::activation(g_, x, name);
    if (!y)
      throw Error(ErrorKind::usage, text("the activation '{}' is none of {}", escaped(name),
                                         join(blocks::activation_names(), ", ")));
    g_.set_channels(*y, channels);
    return *y;
  }

  const ChainSettings& settings_;
  std::vector<Constant> stored_;
  GraphBuilder g_;
  std::vector<Module> layers_, norms_;
  std::vector<const Module*> norm_of_;
  int64_t count_[2] = {0, 0};  // layer norms, batch norms
  std::string assumed_;
};

}  // namespace

ChainResult from_chain(StoredTensors tensors, const ChainSettings& settings) {
  return Chain(std::move(tensors), settings).read();
}

}  // namespace dws::network
