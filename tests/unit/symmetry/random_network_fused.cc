// Operators of RandomNetwork that do in one what others do in many.
#include "random_network.h"

namespace dws::symmetry {

// (S, B, C): both directions added or behind one another.
void RandomNetwork::recurrent() {
  const V x = any();
  if (x.rank() != 3 || x.dims[2].free) return;
  const std::string op = one_of<const char*>({"RNN", "GRU", "LSTM"});
  const int64_t gates = op == "RNN"   ? 1
                        : op == "GRU" ? 3
                                      : 4,
                both = 1 + below(2), in = x.dims[2].n, hidden = width();
  Strings inputs = {x.name, fresh({both, gates * hidden, in}), fresh({both, gates * hidden, hidden})};
  if (chance(0.6)) inputs.push_back(fresh({both, 2 * gates * hidden}));
  std::string y =
      node(op, inputs,
           {.i = {{"hidden_size", hidden}}, .s = {{"direction", both == 2 ? "bidirectional" : "forward"}}});
  Dims to = {x.dims[0], x.dims[1], Dim{hidden, 0}};
  if (both == 1 || chance(0.4)) {
    y = node("ReduceSum",
             {
                 y,
                 g_.ints({1}),
             },
             {.i = {{"keepdims", 0}}});
  } else {
    y = node("Reshape",
             {node("Transpose", {y}, {.ints = {{"perm", {0, 2, 1, 3}}}}), g_.ints({0, 0, both * hidden})});
    to[2].n *= both;
  }
  if (to == x.dims && chance(0.5)) y = node("Add", {x.name, y});
  push(y, to);
}
// Queries, keys and values of one width, in heads.
void RandomNetwork::attention_node() {
  const V x = any();
  if (x.rank() != 3 || x.dims[2].free) return;
  const int64_t n = x.dims[2].n, heads = one_of<int64_t>({1, 2, 4}), width = heads * one_of<int64_t>({2, 4});
  const auto side = [&] {
    const std::string y =
        node("MatMul", {x.name, chance(0.2) && width == n ? matrix(n, n) : fresh({n, width})});
    return chance(0.4) ? node("Add", {y, fresh({width})}) : y;
  };
  std::string y;
  if (chance(0.5))
    y = node("Attention", {side(), side(), side()},
             {.i = {{"q_num_heads", heads}, {"kv_num_heads", heads}, {"is_causal", chance(0.2)}}});
  else if (chance(0.5))
    y = node("com.microsoft.MultiHeadAttention", {side(), side(), side()}, {.i = {{"num_heads", heads}}});
  else
    y = node("com.microsoft.Attention", {x.name, fresh({n, 3 * width}), fresh({3 * width})},
             {.i = {{"num_heads", heads}}});
  y = node("MatMul", {y, matrix(width, n)});
  push(chance(0.6) ? node("Add", {x.name, y}) : y, x.dims);
}
// One of the operators that look at neighbours or places.
void RandomNetwork::neighbours() {
  const V x = any();
  if (x.rank() < 3) return;
  std::string y;
  switch (below(4)) {
    case 0:
      y = node("LRN", {x.name}, {.i = {{"size", 3}}});
      break;
    case 1: {
      if (x.dims[0].free) return;
      Ints at(static_cast<size_t>(x.dims[0].n));
      std::iota(at.rbegin(), at.rend(), 0);
      y = node("GatherND", {x.name, g_.ints(text("at{}", ++weights_), {x.dims[0].n, 1}, at)});
      break;
    }
    case 2: {
      if (x.dims[0].free) return;
      const std::string at = g_.ints(text("at{}", ++weights_), {1, 1}, {below(x.dims[0].n)});
      const std::string part = node("Gather", {node("Neg", {x.name}), g_.ints({0})});
      y = node("ScatterND", {x.name, at, part}, {.s = {{"reduction", chance(0.5) ? "add" : "none"}}});
      break;
    }
    default:
      y = node("Trilu", {x.name}, {.i = {{"upper", chance(0.5)}}});
  }
  push(chance(0.5) ? node("Add", {x.name, y}) : y, x.dims);
}
// What has one item is stretched: x (.., m, n) with its sums along one axis each.
void RandomNetwork::stretched() {
  const V x = any();
  if (x.rank() < 2 || x.rank() > 3) return;
  const auto after = [&](int64_t axis) { return node("Unsqueeze", {x.name, g_.ints({axis})}); };
  const auto r = static_cast<int64_t>(x.rank());
  const int64_t a = below(r), b = below(r);
  const std::string op = one_of<const char*>({"Add", "Mul", "Sub", "MatMul"});
  if (op == "MatMul" && (a >= r - 1 || b >= r - 1 || r < 3)) return;
  Dims first = x.dims, second = x.dims;
  first.insert(first.begin() + a, Dim{});
  second.insert(second.begin() + b, Dim{});
  std::string y = after(b);
  if (op == "MatMul") {
    Ints order(second.size());
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[order.size() - 1], order[order.size() - 2]);
    std::swap(second[second.size() - 1], second[second.size() - 2]);
    y = node("Transpose", {y}, {.ints = {{"perm", order}}});
  }
  Dims to = first;
  for (size_t k = 0; k < to.size(); ++k) {
    const bool of_product = op == "MatMul" && k + 2 >= to.size();
    if (of_product) {
      if (k + 1 == to.size()) to[k] = second[k];
    } else if (first[k] == Dim{}) {
      to[k] = second[k];
    } else if (second[k] != Dim{} && second[k] != first[k]) {
      return;
    }
  }
  if (op == "MatMul" && first.back() != second[second.size() - 2]) return;
  push(op, {after(a), y}, {}, to);
}
void RandomNetwork::skip_norm() {
  const V x = any();
  const auto y = like(x, false);
  if (!y || x.rank() != 3 || x.dims[2].free) return;
  const int64_t n = x.dims[2].n;
  if (chance(0.5))
    return push("com.microsoft.SkipSimplifiedLayerNormalization", {x.name, y->name, fresh({n})}, {}, x.dims);
  push("com.microsoft.SkipLayerNormalization", {x.name, y->name, fresh({n}), fresh({n})}, {}, x.dims);
}
void RandomNetwork::turned() {
  const V x = any();
  if (x.rank() != 3 || x.dims[0].free || x.dims[1].free || x.dims[2].free || x.dims[2].n % 2 != 0) return;
  const int64_t heads = x.dims[2].n % 4 == 0 ? 1 + below(2) : 1, size = x.dims[2].n / heads;
  const Ints angles = {x.dims[0].n, x.dims[1].n, size / 2};
  std::string y =
      node("RotaryEmbedding", {x.name, fresh(angles), fresh(angles)}, {.i = {{"num_heads", heads}}});
  push(chance(0.5) ? node("Add", {x.name, y}) : y, x.dims);
}

}  // namespace dws::symmetry
