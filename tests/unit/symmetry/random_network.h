// Small networks put together at random from a seed: operators of all families on axes whose extents often coincide by chance, free
// dimensions, weights used twice or computed from weights, constants in place of inputs.
#pragma once

#include <algorithm>
#include <numeric>
#include <optional>

#include "../network/graph_maker.h"

namespace dws::symmetry {

class RandomNetwork {
 public:
  explicit RandomNetwork(uint64_t seed);
  network::Network network() { return g_.network(); }

 private:
  using Ints = testing::Ints;
  using Strings = testing::Strings;
  using Attributes = testing::Attributes;
  // An extent: `free` ones depend on an input's free dimension; known to be equal where both numbers are.
  struct Dim {
    int64_t n = 1;
    int free = 0;
    bool operator==(const Dim&) const = default;
  };
  using Dims = std::vector<Dim>;
  struct V {
    std::string name;
    Dims dims;
    size_t rank() const { return dims.size(); }
  };

  // --- chance ---
  int64_t below(int64_t n) { return static_cast<int64_t>(rng_.below(static_cast<uint64_t>(n))); }
  bool chance(double p) { return rng_.uniform() < p; }
  template <class T>
  T one_of(std::initializer_list<T> list) {
    return *(list.begin() + below(static_cast<int64_t>(list.size())));
  }
  int64_t width() { return one_of<int64_t>({2, 3, 4, 4, 4, 6, 8}); }
  const V& any() {  // the latest more often
    const auto n = static_cast<int64_t>(pool_.size());
    return pool_[static_cast<size_t>(std::max(below(n), chance(0.6) ? n - 1 : below(n)))];
  }
  std::optional<V> like(const V& x, bool other = true) {
    std::vector<V> found;
    for (const V& v : pool_)
      if (v.dims == x.dims && (!other || v.name != x.name)) found.push_back(v);
    if (found.empty()) return {};
    return found[static_cast<size_t>(below(static_cast<int64_t>(found.size())))];
  }
  std::optional<size_t> fixed_axis(const V& x, int64_t least = 2) {
    std::vector<size_t> found;
    for (size_t a = 0; a < x.rank(); ++a)
      if (!x.dims[a].free && x.dims[a].n >= least) found.push_back(a);
    if (found.empty()) return {};
    return found[static_cast<size_t>(below(static_cast<int64_t>(found.size())))];
  }

  // --- making ---
  std::string node(const std::string& op, const Strings& in, const Attributes& a = {}) {
    return g_.node(op, in, a);
  }
  void push(const std::string& name, Dims dims) {
    int64_t size = 1;
    for (const Dim& d : dims) size *= d.n;
    if (size <= 3000 && dims.size() <= 5) pool_.push_back({name, std::move(dims)});
  }
  void push(const std::string& op, const Strings& in, const Attributes& a, const Dims& dims) {
    push(node(op, in, a), dims);
  }
  std::string fresh(const Ints& dims) { return g_.weight(text("w{}", ++weights_), dims); }
  // A matrix (rows, columns): stored so or transposed, its own or used before, as it is or computed.
  std::string matrix(int64_t rows, int64_t columns);
  std::string vector_along(const V& x, size_t axis);
  Ints fixed_dims(const V& x) const {
    Ints dims;
    for (const Dim& d : x.dims) dims.push_back(d.n);
    return dims;
  }
  std::string size_of(const V& x, size_t axis) {
    return node("Slice", {node("Shape", {x.name}), g_.ints({static_cast<int64_t>(axis)}),
                          g_.ints({static_cast<int64_t>(axis) + 1})});
  }
  bool reshape(const V& x, const Dims& to);

  // --- operators, by family ---
  void product(), wave(), convolution(), transposed_convolution(), activation(), norm(), decomposed_norm();
  void join(), concat(), cut(), reshaped(), transposed(), blocks(), pool(), reduce(), soft(), attend(),
      between(), pad(), grow(), vector_op(), positions(), ordered(), equation();
  void recurrent(), attention_node(), neighbours(), stretched(), skip_norm(), turned();
  void start(), finish();

  Rng rng_;
  testing::GraphMaker g_;
  std::vector<V> pool_;
  std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>> matrices_;
  int weights_ = 0;
};

inline std::string RandomNetwork::matrix(int64_t rows, int64_t columns) {
  if (chance(0.3))
    for (const auto& [name, dims] : matrices_) {
      if (dims == std::pair(rows, columns)) return name;
      if (dims == std::pair(columns, rows)) return node("Transpose", {name});
    }
  const bool turned = chance(0.3);
  const std::string stored = turned ? fresh({columns, rows}) : fresh({rows, columns});
  matrices_.push_back({stored, turned ? std::pair(columns, rows) : std::pair(rows, columns)});
  std::string w = stored;
  if (chance(0.15)) {  // w g / |w|, rows or columns
    const int64_t axis = below(2);
    const auto d = matrices_.back().second;
    const std::string size = node("ReduceL2", {w, g_.ints({axis})});
    w = node("Div", {node("Mul", {w, fresh(axis == 0 ? Ints{1, d.second} : Ints{d.first, 1})}), size});
  }
  return turned ? node("Transpose", {w}) : w;
}
inline std::string RandomNetwork::vector_along(const V& x, size_t axis) {
  Ints dims(x.rank() - axis, 1);
  dims[0] = x.dims[axis].n;
  return fresh(dims);
}
// Free extents stand where they stood, or one of them is what is left over.
inline bool RandomNetwork::reshape(const V& x, const Dims& to) {
  Ints shape;
  bool left_over = false;
  for (size_t a = 0; a < to.size(); ++a)
    if (!to[a].free) {
      shape.push_back(to[a].n);
    } else if (a < x.rank() && x.dims[a] == to[a]) {
      shape.push_back(0);
    } else {
      if (left_over) return false;
      left_over = true;
      shape.push_back(-1);
    }
  if (!left_over && chance(0.3))
    for (size_t a = 0; a < to.size(); ++a)
      if (!to[a].free && chance(0.3)) {
        shape[a] = -1;
        break;
      }
  push("Reshape", {x.name, g_.ints(shape)}, {}, to);
  return true;
}

}  // namespace dws::symmetry
