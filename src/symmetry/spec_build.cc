// From swept factors to groups: which leaves are free, where they lie, what may have an order of its own within what.
#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "core/text.h"
#include "network/executor.h"
#include "symmetry/discovery.h"
#include "symmetry/scales.h"
#include "symmetry/spec.h"

namespace dws::symmetry {
namespace {

using network::Constant;

struct Place {
  int64_t offset, outer, stride, inner;
};

// Where the leaves of a factor lie along its axis.
void find_places(const Factors& factors, FactorId f, const std::vector<Place>& at,
                 std::map<FactorId, std::vector<Place>>& out) {
  f = factors.root(f);
  switch (factors.kind(f)) {
    case Factors::Kind::leaf: {
      auto& places = out[f];
      places.insert(places.end(), at.begin(), at.end());
      return;
    }
    case Factors::Kind::sum: {
      int64_t begin = 0;
      for (const FactorId part : factors.parts(f)) {
        std::vector<Place> inside = at;
        for (Place& p : inside) p.offset += begin * p.inner;
        find_places(factors, part, inside, out);
        begin += factors.size(part);
      }
      return;
    }
    default: {
      int64_t inner = factors.size(f);
      std::vector<Place> repeated = at;
      for (const FactorId part : factors.parts(f)) {
        inner /= factors.size(part);
        std::vector<Place> inside = repeated;
        for (Place& p : inside) p.inner *= inner;
        find_places(factors, part, inside, out);
        // Whatever is within is repeated for each item of this part.
        std::vector<Place> next;
        for (const Place& p : repeated) {
          const int64_t count = factors.size(part), stride = p.inner * inner;
          if (p.outer == 1) {
            next.push_back({p.offset, count, stride, p.inner});
          } else if (p.stride == count * stride) {
            next.push_back({p.offset, p.outer * count, stride, p.inner});
          } else {
            for (int64_t o = 0; o < p.outer; ++o)
              next.push_back({p.offset + o * p.stride, count, stride, p.inner});
          }
        }
        repeated = std::move(next);
      }
    }
  }
}

// The leaves beside which a leaf lies, at each of its places: along its own axis around or within it, along others where
// they make up the whole axis.
class Companions {
  // How often each leaf is met: one met twice does not say which of its items is meant.
  using Counted = std::map<FactorId, int>;

 public:
  explicit Companions(const Factors& factors) : factors_(factors) {}

  void see(const Axes& axes) {
    std::vector<Counted> whole(axes.size());
    for (size_t a = 0; a < axes.size(); ++a) add_whole_axis(axes[a], whole[a]);
    for (size_t a = 0; a < axes.size(); ++a) {
      Counted beside;
      for (size_t b = 0; b < axes.size(); ++b)
        if (b != a) {
          for (const auto& [leaf, n] : whole[b]) beside[leaf] += n;
          // One that makes up a part of the axis does not say which of its items is meant either.
          for (const FactorId leaf : factors_.leaves(axes[b])) {
            const auto at = whole[b].find(leaf);
            if (at == whole[b].end()) beside[leaf] += 2;
          }
        }
      walk(axes[a], beside);
    }
  }
  void forbid(FactorId leaf, FactorId by) { forbidden_.insert({factors_.root(leaf), factors_.root(by)}); }
  void forbid_by(FactorId by) { never_.insert(factors_.root(by)); }
  std::vector<FactorId> of(FactorId leaf) const {
    std::vector<FactorId> found;
    if (const auto at = common_.find(leaf); at != common_.end())
      for (const FactorId by : at->second)
        if (by != leaf && !forbidden_.contains({leaf, by}) && !never_.contains(by)) found.push_back(by);
    return found;
  }

 private:
  void add_whole_axis(FactorId f, Counted& found) const {
    f = factors_.root(f);
    if (factors_.kind(f) == Factors::Kind::leaf) ++found[f];
    if (factors_.kind(f) == Factors::Kind::product)
      for (const FactorId part : factors_.parts(f)) add_whole_axis(part, found);
  }
  void walk(FactorId f, const Counted& beside) {
    f = factors_.root(f);
    if (factors_.kind(f) == Factors::Kind::leaf) {
      std::set<FactorId> once;
      for (const auto& [leaf, n] : beside)
        if (n == 1) once.insert(leaf);
      const auto [at, fresh] = common_.emplace(f, once);
      if (!fresh) std::erase_if(at->second, [&](FactorId by) { return !once.contains(by); });
      return;
    }
    const std::vector<FactorId>& parts = factors_.parts(f);
    for (size_t i = 0; i < parts.size(); ++i) {
      Counted more = beside;
      if (factors_.kind(f) == Factors::Kind::product)
        for (size_t j = 0; j < parts.size(); ++j)
          if (j != i) add_whole_axis(parts[j], more);
      walk(parts[i], more);
    }
  }

  const Factors& factors_;
  std::map<FactorId, std::set<FactorId>> common_;
  std::set<std::pair<FactorId, FactorId>> forbidden_;
  std::set<FactorId> never_;
};

Companions companions(Discovery& d) {
  Companions found(d.factors);
  for (size_t v = 0; v < d.network().values.size(); ++v)
    if (d.swept(static_cast<int>(v))) found.see(d.axes(static_cast<int>(v)));
  for (const Discovery::Mix& mix : d.mixes()) {
    const Axes& axes = d.axes(mix.value);
    for (size_t a = 0; a < axes.size(); ++a) {
      if (std::ranges::find(mix.axes, static_cast<int>(a)) != mix.axes.end()) continue;
      for (const FactorId leaf : d.factors.leaves(axes[a]))
        for (const int mixed : mix.axes)
          for (const FactorId by : d.factors.leaves(axes[static_cast<size_t>(mixed)])) found.forbid(leaf, by);
    }
  }
  for (const auto& [what, by] : d.forbidden())
    for (const FactorId leaf : d.factors.leaves(what))
      for (const FactorId other : d.factors.leaves(by)) found.forbid(leaf, other);
  for (const FactorId axis : d.crossed())
    for (const FactorId leaf : d.factors.leaves(axis)) found.forbid_by(leaf);
  return found;
}

class Builder {
 public:
  explicit Builder(Discovery& d) : d_(d), companions_(companions(d)) {}

  Spec build(bool flow) {
    spec_.file = d_.network().file;
    collect();
    choose();
    name();
    if (flow) add_values();
    add_scales(d_, leaf_of_group_, spec_);
    drop_redundant_scales(spec_);
    count();
    return std::move(spec_);
  }

 private:
  struct At {
    int tensor, axis;
    Place place;
  };

  void collect() {
    for (size_t v = 0; v < d_.network().values.size(); ++v) {
      const auto value = static_cast<int>(v);
      const Constant* c = d_.network().constant_of(value);
      if (!c || !d_.swept(value)) continue;
      const auto tensor = static_cast<int>(spec_.tensors.size());
      spec_.tensors.push_back({.name = c->name,
                               .dims = c->dims,
                               .constant = d_.network().values[v].constant,
                               .parameter = c->parameter()});
      const Axes& axes = d_.axes(value);
      for (size_t a = 0; a < axes.size(); ++a) {
        std::map<FactorId, std::vector<Place>> places;
        find_places(d_.factors, axes[a], {{0, 1, 0, 1}}, places);
        for (const auto& [leaf, list] : places) {
          if (d_.factors.pinned(leaf) && spec_.tensors.back().parameter && d_.factors.size(leaf) > 1) {
            int64_t items = 0;
            for (const Place& p : list) items += p.outer * p.inner * d_.factors.size(leaf);
            spec_.pinned.push_back({tensor, static_cast<int>(a), items, d_.factors.pinned_by(leaf)});
          }
          for (const Place& p : list) found_[leaf].push_back({tensor, static_cast<int>(a), p});
        }
      }
    }
  }

  // Values on which groups lie. They come last, and have no say in what is a group.
  void add_values() {
    for (const network::Node& node : d_.network().graph.nodes)
      for (const int value : node.outputs) {
        if (value == network::kNone || !d_.known(value) || !d_.swept(value)) continue;
        if (!network::is_real(d_.type(value))) continue;
        const auto tensor = static_cast<int>(spec_.tensors.size());
        bool met = false;
        const Axes& axes = d_.axes(value);
        for (size_t a = 0; a < axes.size(); ++a) {
          std::map<FactorId, std::vector<Place>> places;
          find_places(d_.factors, axes[a], {{0, 1, 0, 1}}, places);
          for (const auto& [leaf, list] : places)
            if (const auto group = group_of_.find(leaf); group != group_of_.end())
              for (const Place& p : list) {
                met = true;
                spec_.groups[static_cast<size_t>(group->second)].members.push_back(
                    {tensor, static_cast<int>(a), p.offset, p.outer, p.outer == 1 ? 0 : p.stride, p.inner});
              }
        }
        if (met)
          spec_.tensors.push_back({.name = d_.network().values[static_cast<size_t>(value)].name,
                                   .dims = d_.dims(value),
                                   .value = value});
      }
  }

  bool movable(FactorId leaf) const {
    if (d_.factors.pinned(leaf) || d_.factors.size(leaf) < 2) return false;
    const auto at = found_.find(leaf);
    return at != found_.end() && std::ranges::any_of(at->second, [&](const At& m) {
             return spec_.tensors[static_cast<size_t>(m.tensor)].parameter;
           });
  }

  int add(FactorId leaf, bool fixed) {
    NetworkGroup group{.name = {},
                       .size = d_.factors.size(leaf),
                       .by = -1,
                       .fixed = fixed,
                       .members = {},
                       .signs = {},
                       .scales = {},
                       .phases = {}};
    for (const At& at : found_[leaf])
      group.members.push_back({at.tensor, at.axis, at.place.offset, at.place.outer,
                               at.place.outer == 1 ? 0 : at.place.stride, at.place.inner});
    group_of_[leaf] = static_cast<int>(spec_.groups.size());
    leaf_of_group_.push_back(leaf);
    spec_.groups.push_back(std::move(group));
    return group_of_[leaf];
  }

  void choose() {
    std::vector<FactorId> leaves;
    for (const auto& [leaf, places] : found_)
      if (movable(leaf)) leaves.push_back(leaf);
    // In the order in which the tensors show them.
    std::ranges::stable_sort(
        leaves, {}, [&](FactorId l) { return std::pair(found_[l].front().tensor, found_[l].front().axis); });
    for (const FactorId leaf : leaves) add(leaf, false);
    for (const FactorId leaf : leaves) {
      // The largest of its companions; two that could be `by` each other: the one with more places is outside. (What stays
      // as it is, the directions of an LSTM, is always outside.)
      FactorId best = -1;
      for (const FactorId by : companions_.of(leaf)) {
        if (d_.factors.size(by) < 2 || !found_.contains(by)) continue;
        if (nested_.contains(by)) continue;
        if (outside_.contains(leaf)) continue;
        if (best < 0 || d_.factors.size(by) > d_.factors.size(best)) best = by;
      }
      if (best >= 0 && (!movable(best) || found_[best].size() >= found_[leaf].size())) {
        nested_[leaf] = best;
        outside_.insert(best);
      }
    }
    for (const auto& [leaf, by] : nested_) {
      const int outer = group_of_.contains(by) ? group_of_[by] : add(by, true);
      NetworkGroup& group = spec_.groups[static_cast<size_t>(group_of_[leaf])];
      group.by = outer;
      group.blocks = d_.factors.size(by);
    }
  }

  // After the first tensor whose rows it is; names that an exporter has made up ("onnx::MatMul_42") say less than others.
  void name() {
    std::map<std::string, int> used;
    for (NetworkGroup& group : spec_.groups) {
      const Member* best = nullptr;
      int best_score = -1;
      for (const Member& m : group.members) {
        const SpecTensor& t = spec_.tensors[static_cast<size_t>(m.tensor)];
        const int score = (t.name.find("::") == std::string::npos ? 4 : 0) + (t.parameter ? 2 : 0) +
                          (t.dims.size() >= 2 && m.axis == 0);
        if (score <= best_score) continue;
        best = &m;
        best_score = score;
      }
      group.name = best ? spec_.tensors[static_cast<size_t>(best->tensor)].name : "group";
      if (const int n = used[group.name]++; n > 0) group.name += text("#{}", n + 1);
    }
  }

  // A number is moved unless it lies, along every axis, at a place that no group has.
  void count() {
    std::map<std::pair<int, int>, std::vector<bool>> taken;
    for (const NetworkGroup& group : spec_.groups) {
      if (group.fixed) continue;
      for (const Member& m : group.members) {
        const auto extent = static_cast<size_t>(
            spec_.tensors[static_cast<size_t>(m.tensor)].dims[static_cast<size_t>(m.axis)]);
        std::vector<bool>& t = taken[{m.tensor, m.axis}];
        t.resize(extent);
        for (int64_t o = 0; o < m.outer; ++o)
          for (int64_t i = 0; i < group.size * m.inner; ++i)
            t[static_cast<size_t>(m.offset + o * m.stride + i)] = true;
      }
    }
    std::vector<double> still(spec_.tensors.size(), 1);
    for (const auto& [at, t] : taken)
      still[static_cast<size_t>(at.first)] *=
          static_cast<double>(std::ranges::count(t, false)) / static_cast<double>(t.size());
    for (size_t i = 0; i < spec_.tensors.size(); ++i) {
      if (!spec_.tensors[i].parameter) continue;
      const int64_t n = d_.network().constants[static_cast<size_t>(spec_.tensors[i].constant)].elements();
      spec_.moved += (1 - still[i]) * static_cast<double>(n);
    }
    for (const Constant& c : d_.network().constants)
      if (c.parameter()) spec_.parameters += c.elements();
  }

  Discovery& d_;
  Companions companions_;
  Spec spec_;
  std::map<FactorId, std::vector<At>> found_;
  std::map<FactorId, int> group_of_;
  std::map<FactorId, FactorId> nested_;
  std::set<FactorId> outside_;  // what others are nested in
  std::vector<FactorId> leaf_of_group_;
};

// Shapes for inputs whose free dimensions are of other sizes.
std::vector<Discovery::Shapes> with_other_sizes(const network::Network& network,
                                                const Discovery::Shapes& inputs, bool& unsure) {
  // Dimensions by name (those without by their axis), numbered.
  std::map<std::string, int64_t> numbers;
  const auto sized = [&](auto size) {
    Discovery::Shapes others = inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const network::Value& value = network.values[static_cast<size_t>(network.graph.inputs[i])];
      network::Array a{.type = inputs[i]->type, .dims = inputs[i]->dims};
      for (size_t axis = 0; axis < a.dims.size(); ++axis) {
        if (value.dims && axis < value.dims->size() && (*value.dims)[axis] >= 0) continue;
        const bool named = axis < value.symbols.size() && !value.symbols[axis].empty();
        const std::string name = named ? value.symbols[axis] : text("#{}", axis);
        const auto number = numbers.emplace(name, static_cast<int64_t>(numbers.size()) + 1).first->second;
        a.dims[axis] = size(a.dims[axis], number);
      }
      others[i] = std::make_shared<const network::Array>(std::move(a));
    }
    return others;
  };
  using Size = int64_t (*)(int64_t n, int64_t number);
  // A little more shows what is a chance of one size, each its own what is a chance of two; networks that halve their pictures
  // need multiples; what is divided, or cut off at a limit, changes only when there is much more.
  const std::vector<std::vector<Size>> kinds = {
      {[](int64_t n, int64_t number) { return n + number; }, [](int64_t n, int64_t) { return n + 1; }},
      {[](int64_t n, int64_t number) { return 2 * n * number; }, [](int64_t n, int64_t) { return 2 * n; }},
      {[](int64_t n, int64_t number) { return 9 * n + number; }, [](int64_t n, int64_t) { return 8 * n; }}};
  std::vector<Discovery::Shapes> found;
  for (const std::vector<Size>& kind : kinds)
    for (const Size size : kind) {
      const Discovery::Shapes others = sized(size);
      if (numbers.empty()) return {};
      try {
        found.push_back(network::infer(network, others));
        break;
      } catch (const Error&) {
        continue;  // such a size does not fit
      }
    }
  unsure = found.empty();
  return found;
}

}  // namespace

namespace {

Spec find_spec(const network::Network& network, const std::vector<network::ArrayPtr>& inputs, bool flow) {
  if (inputs.size() != network.graph.inputs.size())
    throw Error(ErrorKind::internal,
                text("{} shapes for {} inputs", inputs.size(), network.graph.inputs.size()));
  bool unsure = false;
  std::vector<Discovery::Shapes> others = with_other_sizes(network, inputs, unsure);
  Discovery d(network, network::infer(network, inputs), std::move(others), unsure);
  d.sweep();
  return Builder(d).build(flow);
}

}  // namespace

Spec discover(const network::Network& network, const std::vector<network::ArrayPtr>& inputs) {
  return find_spec(network, inputs, false);
}
Spec discover_flow(const network::Network& network, const std::vector<network::ArrayPtr>& inputs) {
  return find_spec(network, inputs, true);
}

}  // namespace dws::symmetry
