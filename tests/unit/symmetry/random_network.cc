#include "random_network.h"

namespace dws::symmetry {

RandomNetwork::RandomNetwork(uint64_t seed) : rng_(seed, 77), g_(23, seed) {
  start();
  using Step = void (RandomNetwork::*)();
  constexpr Step kSteps[] = {&RandomNetwork::product,
                             &RandomNetwork::product,
                             &RandomNetwork::convolution,
                             &RandomNetwork::activation,
                             &RandomNetwork::activation,
                             &RandomNetwork::transposed_convolution,
                             &RandomNetwork::norm,
                             &RandomNetwork::decomposed_norm,
                             &RandomNetwork::join,
                             &RandomNetwork::join,
                             &RandomNetwork::concat,
                             &RandomNetwork::cut,
                             &RandomNetwork::cut,
                             &RandomNetwork::reshaped,
                             &RandomNetwork::reshaped,
                             &RandomNetwork::transposed,
                             &RandomNetwork::blocks,
                             &RandomNetwork::pool,
                             &RandomNetwork::reduce,
                             &RandomNetwork::soft,
                             &RandomNetwork::attend,
                             &RandomNetwork::between,
                             &RandomNetwork::pad,
                             &RandomNetwork::grow,
                             &RandomNetwork::vector_op,
                             &RandomNetwork::vector_op,
                             &RandomNetwork::positions,
                             &RandomNetwork::wave,
                             &RandomNetwork::ordered,
                             &RandomNetwork::recurrent,
                             &RandomNetwork::attention_node,
                             &RandomNetwork::neighbours,
                             &RandomNetwork::stretched,
                             &RandomNetwork::skip_norm,
                             &RandomNetwork::turned,
                             &RandomNetwork::equation,
                             &RandomNetwork::convolution};
  const int64_t steps = 3 + below(9);
  for (int64_t i = 0; i < steps; ++i) (this->*kSteps[below(static_cast<int64_t>(std::size(kSteps)))])();
  finish();
}

// Inputs, some of whose dimensions are free, and constants of the same ranks.
void RandomNetwork::start() {
  const int64_t rank = 2 + below(3), count = 1 + below(2);
  const bool free_batch = chance(0.5), free_length = chance(0.5);
  for (int64_t i = 0; i < count; ++i) {
    const std::string name = text("x{}", i);
    Dims dims;
    const bool last = i > 0 && chance(0.4);  // another length
    dims.push_back(free_batch ? Dim{2, 1} : Dim{one_of<int64_t>({1, 2, 3, 4}), 0});
    if (rank == 3) {
      dims.push_back(free_length ? Dim{8, last ? 3 : 2} : Dim{width(), 0});
      dims.push_back({width(), 0});
    } else {
      dims.push_back({width(), 0});
      if (rank == 4)
        for (int k = 0; k < 2; ++k) dims.push_back(free_length ? Dim{8, 2 + k} : Dim{4, 0});
    }
    g_.input(name, Ints(dims.size(), 1));
    auto* shape = g_.graph().mutable_input(static_cast<int>(i))->mutable_type()->mutable_tensor_type();
    for (size_t a = 0; a < dims.size(); ++a) {
      auto* d = shape->mutable_shape()->mutable_dim(static_cast<int>(a));
      if (dims[a].free)
        d->set_dim_param(text("d{}", dims[a].free));
      else
        d->set_dim_value(dims[a].n);
    }
    push(name, dims);
  }
  if (chance(0.35)) {
    Dims dims;
    for (const Dim& d : pool_[0].dims) dims.push_back({d.free || chance(0.3) ? width() : d.n, 0});
    pool_.insert(chance(0.5) ? pool_.begin() : pool_.end(), V{fresh(fixed_dims({"", dims})), dims});
  }
  product();
}

// What is an output itself shows its axes: mostly something is summed, or multiplied by a weight, first.
void RandomNetwork::finish() {
  const int64_t count = 1 + below(2);
  for (int64_t i = 0; i < count; ++i) {
    V y = i == 0 ? pool_.back() : any();
    for (int64_t axis = 0; axis < static_cast<int64_t>(y.rank()); ++axis) {
      const auto a = static_cast<size_t>(axis);
      if (y.dims[a].n == 1 || (y.dims[a].free && chance(0.5)) || chance(0.25)) continue;
      if (!y.dims[a].free && axis + 1 == static_cast<int64_t>(y.rank()) && y.rank() >= 2 && chance(0.7)) {
        const int64_t n = 1 + below(3);
        y.name = node("MatMul", {y.name, matrix(y.dims[a].n, n)});
        y.dims[a] = {n, 0};
        continue;
      }
      if (!y.dims[a].free && chance(0.6)) y.name = node("Mul", {y.name, vector_along(y, a)});
      y.name = node(one_of<const char*>({"ReduceSum", "ReduceMean", "ReduceMax"}), {y.name, g_.ints({axis})});
      y.dims[a] = {1, 0};
    }
    g_.output(node("Identity", {y.name}), Ints(y.rank(), -1));
  }
}

void RandomNetwork::product() {
  const V x = any();
  if (x.rank() < 2) return;
  const Dim last = x.dims.back(), before = x.dims[x.rank() - 2];
  Dims out = x.dims;
  const int64_t n = chance(0.4) ? last.n : width();
  if (!before.free && chance(0.15)) {  // from the left
    out[x.rank() - 2] = {n, 0};
    return push("MatMul", {matrix(n, before.n), x.name}, {}, out);
  }
  if (last.free) return;
  out.back() = {n, 0};
  std::string y;
  if (x.rank() == 2 && chance(0.5)) {
    const bool turned = chance(0.5);
    Strings in = {x.name, turned ? matrix(n, last.n) : matrix(last.n, n)};
    if (chance(0.6)) in.push_back(fresh(chance(0.2) ? Ints{1, n} : Ints{n}));
    y = node("Gemm", in, {.i = {{"transB", turned}}, .f = {{"alpha", 0.7f}}});
  } else {
    y = node("MatMul", {x.name, matrix(last.n, n)});
    if (chance(0.5)) y = node("Add", {y, fresh({n})});
  }
  if (out == x.dims && chance(0.4)) y = node("Add", {x.name, y});
  push(y, out);
}

// Sines of sums with a bias, one or two after one another.
void RandomNetwork::wave() {
  const V x = any();
  if (x.rank() < 2 || x.dims.back().free) return;
  Dims to = x.dims;
  to.back() = {width(), 0};
  std::string y = node("MatMul", {x.name, matrix(x.dims.back().n, to.back().n)});
  const bool twice = chance(0.4);
  for (int i = 0; i < (twice ? 2 : 1); ++i) {
    const std::string before = y;
    y = node("Add", {y, fresh({to.back().n})});
    if (chance(0.3)) y = node("Mul", {y, g_.scalar(2)});
    y = node("Sin", {y});
    if (i == 1 && chance(0.4)) y = node("Add", {before, y});
  }
  push(node("MatMul", {y, matrix(to.back().n, x.dims.back().n)}), x.dims);
}

void RandomNetwork::convolution() {
  const V x = any();
  if (x.rank() < 3 || x.rank() > 4 || x.dims[1].free) return;
  const int64_t c = x.dims[1].n, kernel = one_of<int64_t>({1, 1, 3});
  const int64_t stride = kernel == 3 && chance(0.3) ? 2 : 1;
  std::vector<int64_t> divisors;
  for (int64_t g = 1; g <= c; ++g)
    if (c % g == 0) divisors.push_back(g);
  const int64_t group =
      chance(0.4) ? 1 : divisors[static_cast<size_t>(below(static_cast<int64_t>(divisors.size())))];
  const int64_t out = chance(0.5) ? c : group * (1 + below(3));
  const size_t places = x.rank() - 2;
  Ints w = {out, c / group}, pads(2 * places, kernel / 2);
  w.resize(x.rank(), kernel);
  Dims dims = x.dims;
  dims[1] = {out, 0};
  for (size_t a = 2; a < x.rank(); ++a)
    if (stride == 2) dims[a] = {(dims[a].n + 1) / 2, dims[a].free ? dims[a].free * 10 + 1 : 0};
  Strings in = {x.name, fresh(w)};
  if (chance(0.5)) in.push_back(fresh({out}));
  std::string y = node(
      "Conv", in, {.i = {{"group", group}}, .ints = {{"pads", pads}, {"strides", Ints(places, stride)}}});
  if (dims == x.dims && chance(0.5)) y = node("Add", {x.name, y});
  push(y, dims);
}
void RandomNetwork::transposed_convolution() {
  const V x = any();
  if (x.rank() < 3 || x.rank() > 4 || x.dims[1].free) return;
  const int64_t c = x.dims[1].n, group = c % 2 == 0 && chance(0.6) ? 2 : 1,
                stride = one_of<int64_t>({1, 1, 2});
  const int64_t out = chance(0.5) ? c / group : width();
  Ints w = {c, out};
  w.resize(x.rank(), stride);
  Dims dims = x.dims;
  dims[1] = {out * group, 0};
  for (size_t a = 2; a < x.rank(); ++a)
    if (stride == 2) dims[a] = {dims[a].n * 2, dims[a].free ? dims[a].free * 10 + 2 : 0};
  Strings in = {x.name, fresh(w)};
  if (chance(0.5)) in.push_back(fresh({out * group}));
  std::string y =
      node("ConvTranspose", in, {.i = {{"group", group}}, .ints = {{"strides", Ints(x.rank() - 2, stride)}}});
  if (dims == x.dims && chance(0.5)) y = node("Add", {x.name, y});
  push(y, dims);
}

void RandomNetwork::activation() {
  const V x = any();
  std::string op = one_of<const char*>({"Relu",      "Relu",        "Sigmoid", "Tanh",      "Tanh",
                                        "Sin",       "Sin",         "Cos",     "Gelu",      "Elu",
                                        "LeakyRelu", "Softsign",    "Erf",     "Abs",       "Neg",
                                        "Softplus",  "HardSigmoid", "Selu",    "HardSwish", "Mish",
                                        "Atan",      "Asinh",       "Celu",    "Shrink",    "ThresholdedRelu",
                                        "Identity",  "PRelu",       "Clip",    "Square",    "Omega"});
  if (op == "PRelu") {
    const auto a = fixed_axis(x);
    return a ? push(op, {x.name, vector_along(x, *a)}, {}, x.dims) : void();
  }
  if (op == "Clip") return push(op, {x.name, g_.scalar(-0.5f), g_.scalar(1)}, {}, x.dims);
  if (op == "Square") return push("Pow", {x.name, g_.scalar(chance(0.7) ? 2 : 3)}, {}, x.dims);
  if (op == "Omega") return push("Sin", {node("Mul", {g_.scalar(3), x.name})}, {}, x.dims);
  push(op, {x.name}, {}, x.dims);
}

void RandomNetwork::norm() {
  const V x = any();
  if (x.rank() < 2) return;
  const Dim c = x.dims[1], last = x.dims.back();
  const auto gain = [&](int64_t n) { return fresh({n}); };
  switch (below(6)) {
    case 0: {
      if (c.free) return;
      const std::string v = g_.floats(text("w{}", ++weights_), {c.n}, [&] {
        std::vector<float> all;
        for (int64_t i = 0; i < c.n; ++i) all.push_back(0.5f + rng_.uniform_float());
        return all;
      }());
      return push("BatchNormalization", {x.name, gain(c.n), gain(c.n), gain(c.n), v}, {}, x.dims);
    }
    case 1: {
      if (c.free || x.rank() < 3) return;
      return push("InstanceNormalization", {x.name, gain(c.n), gain(c.n)}, {}, x.dims);
    }
    case 2: {
      if (c.free || x.rank() < 3) return;
      const int64_t groups = c.n % 2 == 0 ? (chance(0.3) ? c.n : 2) : 1;
      return push("GroupNormalization", {x.name, gain(c.n), gain(c.n)}, {.i = {{"num_groups", groups}}},
                  x.dims);
    }
    case 3:
      if (last.free) return;
      return push("LayerNormalization", {x.name, gain(last.n), gain(last.n)}, {}, x.dims);
    case 4:
      if (last.free) return;
      if (!x.dims[x.rank() - 2].free && chance(0.4))
        return push("RMSNormalization", {x.name, fresh({x.dims[x.rank() - 2].n, last.n})},
                    {.i = {{"axis", -2}}}, x.dims);
      return push("RMSNormalization", {x.name, gain(last.n)}, {}, x.dims);
    default:
      return push("LpNormalization", {x.name}, {.i = {{"axis", below(static_cast<int64_t>(x.rank()))}}},
                  x.dims);
  }
}
void RandomNetwork::decomposed_norm() {
  const V x = any();
  const auto axis = fixed_axis(x);
  if (!axis) return;
  const auto a = static_cast<int64_t>(*axis);
  if (x.rank() >= 3 && *axis == 1 && x.dims[1].n % 2 == 0 && chance(0.5)) {
    Dims two = x.dims;  // groups of channels as channels, the rest in one
    const std::string in = node("Reshape", {x.name, g_.ints({0, 2, -1})});
    const std::string y = node("InstanceNormalization", {in, fresh({2}), fresh({2})});
    return push("Reshape", {y, node("Shape", {x.name})}, {}, x.dims);
  }
  const bool centred = chance(0.5);
  const std::string axes = g_.ints({a});
  const std::string z = centred ? node("Sub", {x.name, node("ReduceMean", {x.name, axes})}) : x.name;
  const std::string square = chance(0.5) ? node("Mul", {z, z}) : node("Pow", {z, g_.scalar(2)});
  const std::string size = node("Sqrt", {node("Add", {node("ReduceMean", {square, axes}), g_.scalar(0.1f)})});
  std::string y = node("Mul", {node("Div", {z, size}), vector_along(x, *axis)});
  if (chance(0.5)) y = node("Add", {y, vector_along(x, *axis)});
  push(y, x.dims);
}

void RandomNetwork::join() {
  const V x = any();
  const auto y = like(x, chance(0.9));
  if (!y) return;
  const std::string op =
      one_of<const char*>({"Add", "Add", "Sub", "Mul", "Mul", "Max", "Min", "Mean", "Sum", "Where"});
  if (op == "Where")
    return push(op, {node("Greater", {x.name, g_.scalar(0.1f)}), x.name, y->name}, {}, x.dims);
  push(op, {x.name, y->name}, {}, x.dims);
}
void RandomNetwork::concat() {
  const V x = any();
  const size_t axis = static_cast<size_t>(below(static_cast<int64_t>(x.rank())));
  Strings in = {x.name};
  Dims out = x.dims;
  for (const V& v : pool_) {
    if (v.rank() != x.rank() || in.size() > 2 || (v.name == x.name && chance(0.6))) continue;
    Dims d = v.dims;
    d[axis] = x.dims[axis];
    if (d != x.dims || out[axis].free || v.dims[axis].free) continue;
    in.insert(chance(0.5) ? in.begin() : in.end(), v.name);
    out[axis].n += v.dims[axis].n;
  }
  if (in.size() > 1) push("Concat", in, {.i = {{"axis", static_cast<int64_t>(axis)}}}, out);
}

}  // namespace dws::symmetry
