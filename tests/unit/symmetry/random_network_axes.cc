// The operators of RandomNetwork that move axes about, cut them and run along them.
#include "random_network.h"

namespace dws::symmetry {

void RandomNetwork::cut() {
  const V x = any();
  const auto axis = fixed_axis(x);
  if (!axis) return;
  const auto a = static_cast<int64_t>(*axis);
  const int64_t n = x.dims[*axis].n, at = 1 + below(n - 1);
  Dims first = x.dims, second = x.dims;
  first[*axis].n = at;
  second[*axis].n = n - at;
  switch (below(5)) {
    case 0: {
      const Strings parts = g_.nodes("Split", {x.name, g_.ints({at, n - at})}, 2, {.i = {{"axis", a}}});
      push(parts[0], first);
      return push(parts[1], second);
    }
    case 1:
      return push("Slice", {x.name, g_.ints({at}), g_.ints({chance(0.5) ? n : 1000}), g_.ints({a})}, {},
                  second);
    case 2: {
      if (chance(0.5))
        return push("Slice", {x.name, g_.ints({-1}), g_.ints({-1000}), g_.ints({a}), g_.ints({-1})}, {},
                    x.dims);
      Dims half = x.dims;
      half[*axis].n = (n + 1) / 2;
      return push("Slice", {x.name, g_.ints({0}), g_.ints({n}), g_.ints({a}), g_.ints({2})}, {}, half);
    }
    case 3: {
      Ints indices;
      const int64_t begin = below(n), count = 1 + below(n - begin);
      for (int64_t i = 0; i < count; ++i) indices.push_back(chance(0.8) ? begin + i : below(n));
      first[*axis].n = count;
      return push("Gather", {x.name, g_.ints(indices)}, {.i = {{"axis", a}}}, first);
    }
    default: {
      Dims gone = x.dims;
      gone.erase(gone.begin() + a);
      if (gone.empty()) return;
      const std::string index = g_.ints(text("index{}", ++weights_), {}, {below(n)});
      push("Gather", {x.name, index}, {.i = {{"axis", a}}}, gone);
    }
  }
}

void RandomNetwork::reshaped() {
  const V x = any();
  const auto rank = static_cast<int64_t>(x.rank());
  switch (below(5)) {
    case 0: {  // one axis into two
      const auto axis = fixed_axis(x, 4);
      if (!axis || x.rank() > 4) return;
      for (const int64_t outer : {one_of<int64_t>({2, 3, 4}), int64_t{2}})
        if (x.dims[*axis].n % outer == 0 && x.dims[*axis].n > outer) {
          Dims to = x.dims;
          to[*axis].n /= outer;
          to.insert(to.begin() + static_cast<std::ptrdiff_t>(*axis), Dim{outer, 0});
          reshape(x, to);
          return;
        }
      return;
    }
    case 1: {  // two into one
      if (rank < 3) return;
      const int64_t axis = below(rank - 1);
      Dims to = x.dims;
      const Dim inner = to[static_cast<size_t>(axis) + 1];
      Dim& outer = to[static_cast<size_t>(axis)];
      const bool free = outer.free || inner.free;
      outer = {outer.n * inner.n, free ? 1000 + outer.free * 50 + inner.free : 0};
      to.erase(to.begin() + axis + 1);
      reshape(x, to);
      return;
    }
    case 2: {  // channels shuffled
      const auto axis = fixed_axis(x, 4);
      if (!axis || x.dims[*axis].n % 2 != 0 || x.rank() > 4) return;
      Dims to = x.dims;
      to[*axis].n /= 2;
      to.insert(to.begin() + static_cast<std::ptrdiff_t>(*axis), Dim{2, 0});
      if (!reshape(x, to)) return;
      const V split = pool_.back();
      if (split.dims != to) return;
      Ints order(to.size());
      std::iota(order.begin(), order.end(), 0);
      std::swap(order[*axis], order[*axis + 1]);
      std::swap(to[*axis], to[*axis + 1]);
      const V turned{node("Transpose", {split.name}, {.ints = {{"perm", order}}}), to};
      reshape(turned, x.dims);
      return;
    }
    case 3: {
      const int64_t axis = 1 + below(rank);
      Dims to(2);
      for (size_t a = 0; a < x.rank(); ++a) {
        Dim& d = to[static_cast<int64_t>(a) < axis ? 0 : 1];
        d = {d.n * x.dims[a].n, d.free || x.dims[a].free ? 2000 + d.free * 50 + x.dims[a].free : 0};
      }
      return push("Flatten", {x.name}, {.i = {{"axis", axis}}}, to);
    }
    default: {
      if (rank > 3) return;
      const int64_t axis = below(rank + 1);
      Dims to = x.dims;
      to.insert(to.begin() + axis, Dim{1, 0});
      push("Unsqueeze", {x.name, g_.ints({axis})}, {}, to);
    }
  }
}
void RandomNetwork::transposed() {
  const V x = any();
  Ints order(x.rank());
  std::iota(order.begin(), order.end(), 0);
  rng_.shuffle(std::span(order));
  Dims to;
  for (const int64_t a : order) to.push_back(x.dims[static_cast<size_t>(a)]);
  push("Transpose", {x.name}, {.ints = {{"perm", order}}}, to);
}
void RandomNetwork::blocks() {
  const V x = any();
  if (x.rank() != 4) return;
  for (const Dim& d : x.dims)
    if (d.free) return;
  Dims to = x.dims;
  if (x.dims[1].n % 4 == 0) {
    to[1].n /= 4;
    to[2].n *= 2;
    to[3].n *= 2;
    return push("DepthToSpace", {x.name},
                {.i = {{"blocksize", 2}}, .s = {{"mode", chance(0.5) ? "DCR" : "CRD"}}}, to);
  }
  if (x.dims[2].n % 2 != 0 || x.dims[3].n % 2 != 0) return;
  to[1].n *= 4;
  to[2].n /= 2;
  to[3].n /= 2;
  push("SpaceToDepth", {x.name}, {.i = {{"blocksize", 2}}}, to);
}
void RandomNetwork::pool() {
  const V x = any();
  if (x.rank() < 3) return;
  const size_t places = x.rank() - 2;
  if (chance(0.4)) {
    Dims to = x.dims;
    for (size_t a = 2; a < x.rank(); ++a) to[a] = {1, 0};
    return push(chance(0.5) ? "GlobalAveragePool" : "GlobalMaxPool", {x.name}, {}, to);
  }
  if (x.rank() > 4) return;
  push(chance(0.5) ? "AveragePool" : "MaxPool", {x.name},
       {.ints = {{"kernel_shape", Ints(places, 3)}, {"pads", Ints(2 * places, 1)}}}, x.dims);
}
void RandomNetwork::reduce() {
  const V x = any();
  Ints axes;
  for (int64_t a = 0; a < static_cast<int64_t>(x.rank()); ++a)
    if (chance(0.4)) axes.push_back(a);
  if (axes.empty() || axes.size() == x.rank()) return;
  const bool keep = chance(0.5);
  Dims to;
  for (size_t a = 0; a < x.rank(); ++a)
    if (std::ranges::find(axes, static_cast<int64_t>(a)) == axes.end())
      to.push_back(x.dims[a]);
    else if (keep)
      to.push_back({1, 0});
  const std::string y =
      node(one_of<const char*>({"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceL1",
                                "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd"}),
           {x.name, g_.ints(axes)}, {.i = {{"keepdims", keep}}});
  push(y, to);
  if (keep && chance(0.6)) push(one_of<const char*>({"Add", "Mul", "Sub"}), {x.name, y}, {}, x.dims);
}
void RandomNetwork::soft() {
  const V x = any();
  push(chance(0.8) ? "Softmax" : "LogSoftmax", {x.name},
       {.i = {{"axis", below(static_cast<int64_t>(x.rank()))}}}, x.dims);
}
// Attention over the axis before the last, in heads.
void RandomNetwork::attend() {
  const V x = any();
  if (x.rank() != 3 || x.dims[2].free) return;
  const int64_t n = x.dims[2].n, heads = one_of<int64_t>({1, 2, 4}), size = one_of<int64_t>({2, 4});
  const auto side = [&](bool turned) {
    std::string y = node("MatMul", {x.name, matrix(n, heads * size)});
    if (chance(0.5)) y = node("Add", {y, fresh({heads * size})});
    y = node("Reshape", {y, g_.ints({0, 0, heads, size})});
    return node("Transpose", {y}, {.ints = {{"perm", turned ? Ints{0, 2, 3, 1} : Ints{0, 2, 1, 3}}}});
  };
  std::string scores = node("MatMul", {side(false), side(true)});
  if (chance(0.7)) scores = node("Softmax", {scores});
  std::string y =
      node("Transpose", {node("MatMul", {scores, side(false)})}, {.ints = {{"perm", {0, 2, 1, 3}}}});
  y = node("Reshape", {y, g_.ints({0, 0, heads * size})});
  y = node("MatMul", {y, matrix(heads * size, n)});
  push(chance(0.6) ? node("Add", {x.name, y}) : y, x.dims);
}
// Two values of one shape multiplied as matrices.
void RandomNetwork::between() {
  const V x = any();
  const auto y = like(x, false);
  if (!y || x.rank() < 2) return;
  Ints order(x.rank());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[x.rank() - 1], order[x.rank() - 2]);
  const std::string turned = node("Transpose", {y->name}, {.ints = {{"perm", order}}});
  Dims to = x.dims;
  if (chance(0.5)) {
    to.back() = to[x.rank() - 2];
    return push("MatMul", {x.name, turned}, {}, to);
  }
  to[x.rank() - 2] = to.back();
  push("MatMul", {turned, x.name}, {}, to);
}

void RandomNetwork::pad() {
  const V x = any();
  const auto axis = fixed_axis(x, 1);
  if (!axis) return;
  const auto a = static_cast<int64_t>(*axis);
  Dims to = x.dims;
  const float fill = chance(0.6) ? 0 : 1;
  if (chance(0.3)) {  // moved along
    if (x.dims[*axis].n < 2) return;
    return push("Pad", {x.name, g_.ints({-1, 1}), g_.scalar(fill), g_.ints({a})}, {}, to);
  }
  const auto other = fixed_axis(x, 1);
  Ints pads = {1, 0}, axes = {a};
  to[*axis].n += 1;
  if (other && *other != *axis) {
    axes.push_back(static_cast<int64_t>(*other));
    pads = {1, 0, 0, 1};
    to[*other].n += 1;
  }
  push("Pad", {x.name, g_.ints(pads), g_.scalar(fill), g_.ints(axes)}, {}, to);
}
void RandomNetwork::grow() {
  const V x = any();
  switch (below(3)) {
    case 0: {
      Ints shape(x.rank(), 1);
      Dims to = x.dims;
      for (size_t a = 0; a < x.rank(); ++a)
        if (to[a].n == 1 && !to[a].free) shape[a] = to[a].n = width();
      if (x.rank() < 4 && chance(0.5)) {
        shape.insert(shape.begin(), width());
        to.insert(to.begin(), Dim{shape[0], 0});
      }
      return push("Expand", {x.name, g_.ints(shape)}, {}, to);
    }
    case 1: {
      const auto axis = fixed_axis(x, 1);
      if (!axis) return;
      Ints times(x.rank(), 1);
      times[*axis] = 2;
      Dims to = x.dims;
      to[*axis].n *= 2;
      return push("Tile", {x.name, g_.ints(times)}, {}, to);
    }
    default: {
      if (x.rank() != 4) return;
      Dims to = x.dims;
      for (size_t a = 2; a < 4; ++a) to[a] = {2 * to[a].n, to[a].free ? to[a].free * 10 + 2 : 0};
      push("Resize", {x.name, "", g_.floats(text("scales{}", ++weights_), {4}, {1, 1, 2, 2})},
           {.s = {{"mode", chance(0.5) ? "linear" : "nearest"}}}, to);
    }
  }
}
void RandomNetwork::vector_op() {
  const V x = any();
  const auto axis = fixed_axis(x);
  if (!axis) return;
  push(one_of<const char*>({"Mul", "Add", "Add", "Sub", "Div"}), {x.name, vector_along(x, *axis)}, {},
       x.dims);
}
// Rows of a table, which and how many as a free dimension says.
void RandomNetwork::positions() {
  for (const V& x : std::vector<V>(pool_)) {
    if (x.rank() != 3 || !x.dims[1].free || x.dims[2].free || chance(0.3)) continue;
    const std::string size = size_of(x, 1);
    const int64_t c = x.dims[2].n;
    const int how = static_cast<int>(below(4));
    if (how == 0 && x.dims[1].free <= 3) {  // as many as there are
      const std::string rows = node("Slice", {fresh({32, c}), g_.ints({0}), size, g_.ints({0})});
      return push("Add", {x.name, rows}, {}, x.dims);
    }
    std::string from = size;
    if (how == 1) from = node("Div", {size, g_.ints({4})});
    if (how == 2) from = node("Max", {node("Sub", {size, g_.ints({9})}), g_.ints({0})});
    if (how == 3) {  // the difference of two lengths
      const auto other =
          std::ranges::find_if(pool_, [&](const V& v) { return v.rank() == 3 && v.dims[1].free; });
      from = node("Mul", {node("Sub", {size, size_of(*other, 1)}), node("Sub", {size, size_of(*other, 1)})});
      from = node("Min", {from, g_.ints({20})});
    }
    const std::string rows =
        node("Slice", {fresh({32, c}), from, node("Add", {from, g_.ints({3})}), g_.ints({0})});
    return push("Add", {x.name, node("ReduceMean", {rows, g_.ints({0})})}, {}, x.dims);
  }
}
void RandomNetwork::ordered() {
  const V x = any();
  if (chance(0.7)) return;
  const auto axis = below(static_cast<int64_t>(x.rank()));
  push("CumSum", {x.name, g_.ints(text("axis{}", ++weights_), {}, {axis})}, {}, x.dims);
}
void RandomNetwork::equation() {
  const V x = any();
  const auto y = like(x, false);
  if (!y || x.rank() < 2 || x.rank() > 3) return;
  const Dim a = x.dims[0], b = x.dims[1];
  if (x.rank() == 2) {
    if (chance(0.3)) return push("Einsum", {x.name, y->name}, {.s = {{"equation", "ab,ab->b"}}}, {b});
    if (chance(0.5)) return push("Einsum", {x.name, y->name}, {.s = {{"equation", "ab,cb->ac"}}}, {a, a});
    return push("Einsum", {x.name, y->name}, {.s = {{"equation", "ab,ac->cb"}}}, {b, b});
  }
  const Dim c = x.dims[2];
  if (chance(0.5)) return push("Einsum", {x.name, y->name}, {.s = {{"equation", "abc,adc->dba"}}}, {b, b, a});
  push("Einsum", {x.name, y->name}, {.s = {{"equation", "abc,abd->acd"}}}, {a, c, c});
}

}  // namespace dws::symmetry
