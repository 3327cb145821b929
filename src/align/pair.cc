#include "align/pair.h"

#include <set>

#include "align/lanes.h"
#include "align/stored_numbers.h"
#include "core/parallel.h"
#include "kernels/matmul.h"
#include "network/array.h"

namespace dws::align {
namespace {

using symmetry::Member;
using symmetry::NetworkElement;
using symmetry::NetworkGroup;
using symmetry::Spec;

std::vector<float> to_floats(const network::Constant& c) {
  const network::Array array = network::to_array(c);
  std::vector<float> numbers(static_cast<size_t>(array.size()));
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] =
        static_cast<float>(array.real() ? array.reals[i] : kIntegerStep * static_cast<double>(array.ints[i]));
  return numbers;
}

}  // namespace

Numbers read_numbers(const Spec& spec, const network::Network& network) {
  Numbers numbers{.tensors = std::vector<std::span<const float>>(spec.tensors.size()),
                  .held = std::vector<std::shared_ptr<const std::vector<float>>>(spec.tensors.size()),
                  .owner = network.owner};
  const std::vector<const network::Constant*> found = constants_of(spec, network);
  parallel_for(static_cast<int64_t>(found.size()), [&](int64_t i) {
    const auto t = static_cast<size_t>(i);
    const network::Constant& c = *found[t];
    if (!network::is_real(c.type) && !network::is_integer(c.type)) return;
    if (c.type == OnnxType::f32 && reinterpret_cast<uintptr_t>(c.bytes.data()) % alignof(float) == 0) {
      numbers.tensors[t] = {reinterpret_cast<const float*>(c.bytes.data()),
                            static_cast<size_t>(c.elements())};
    } else {
      numbers.held[t] = std::make_shared<const std::vector<float>>(to_floats(c));
      numbers.tensors[t] = *numbers.held[t];
    }
    if (spec.tensors[t].parameter) require_finite(network, c, numbers.tensors[t]);
  });
  return numbers;
}

std::vector<bool> scored_tensors(const Spec& spec, const network::Network& network) {
  std::set<int> statistics;
  network::each_node(network.graph, [&](const network::Node& node) {
    if (node.op != "BatchNormalization") return;
    for (size_t i = 3; i < std::min<size_t>(node.inputs.size(), 5); ++i)
      if (node.inputs[i] != network::kNone)
        statistics.insert(network.values[static_cast<size_t>(node.inputs[i])].constant);
  });
  std::vector<bool> scored = symmetry::touched(spec);
  for (size_t i = 0; i < scored.size(); ++i) {
    const symmetry::SpecTensor& t = spec.tensors[i];
    const network::Constant& c = network.constants[static_cast<size_t>(t.constant)];
    scored[i] = scored[i] && t.parameter && !statistics.contains(t.constant) && onnx_type_bits(c.type) >= 8 &&
                (network::is_real(c.type) || c.type == OnnxType::i8 || c.type == OnnxType::u8);
  }
  return scored;
}

Numbers act(const Spec& spec, const NetworkElement& g, const Numbers& numbers) {
  Numbers out = numbers;
  const std::vector<bool> moved = symmetry::touched(spec);
  const symmetry::MembersByTensor members = symmetry::members_by_tensor(spec);
  parallel_for(static_cast<int64_t>(spec.tensors.size()), [&](int64_t i) {
    const auto t = static_cast<size_t>(i);
    if (!moved[t] || numbers.tensors[t].empty()) return;
    network::Array array{.type = OnnxType::f64, .dims = spec.tensors[t].dims};
    array.reals.assign(numbers.tensors[t].begin(), numbers.tensors[t].end());
    const network::Array after = symmetry::act(spec, g, static_cast<int>(t), array, {}, &members);
    out.held[t] = std::make_shared<const std::vector<float>>(after.reals.begin(), after.reals.end());
    out.tensors[t] = *out.held[t];
  });
  return out;
}

double inner_product(const std::vector<bool>& scored, const Numbers& a, const Numbers& b) {
  std::vector<double> parts(scored.size());
  parallel_for(static_cast<int64_t>(scored.size()), [&](int64_t i) {
    const auto t = static_cast<size_t>(i);
    if (scored[t]) parts[t] = dot(a.tensors[t], b.tensors[t]);
  });
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

Pair::Pair(Spec spec_of_a, const network::Network& network_a, const network::Network& network_b)
    : spec(std::move(spec_of_a)),
      scored(scored_tensors(spec, network_a)),
      a(read_numbers(spec, network_a)),
      b(read_numbers(spec, network_b)) {}

Pair::Pair(Spec spec_of_both, std::vector<bool> counted, Numbers of_a, Numbers of_b)
    : spec(std::move(spec_of_both)), scored(std::move(counted)), a(std::move(of_a)), b(std::move(of_b)) {}

double Pair::objective(const NetworkElement& g) const {
  return inner_product(scored, a, act(spec, g, b));
}

std::vector<float> Pair::gains(int number, const NetworkElement& g) const {
  const auto group_at = static_cast<size_t>(number);
  const NetworkGroup& group = spec.groups[group_at];
  NetworkElement others = g;
  others[group_at] = symmetry::identity_element(spec)[group_at];
  const int64_t n = group.size;
  std::vector<float> gains(static_cast<size_t>(group.blocks * n * n), 0.f);
  const symmetry::MembersByTensor members = symmetry::members_by_tensor(spec);
  for (size_t m = 0; m < group.members.size(); ++m) {
    const int tensor = group.members[m].tensor;
    const auto t = static_cast<size_t>(tensor);
    if (!scored[t]) continue;
    network::Array array{.type = OnnxType::f64, .dims = spec.tensors[t].dims};
    array.reals.assign(b.tensors[t].begin(), b.tensors[t].end());
    const network::Array moved = symmetry::act(spec, others, tensor, array, {}, &members);
    parallel_for(group.blocks, [&](int64_t block) {
      const Slices slices = slices_of(spec, number, static_cast<int>(m), block);
      const int64_t k = slices.per_item;
      std::vector<float> left(static_cast<size_t>(n * k)), right(left.size());
      for (int64_t i = 0; i < n; ++i)
        for (int64_t p = 0; p < k; ++p) {
          const auto at = static_cast<size_t>(slices.at[static_cast<size_t>(i * k + p)]);
          left[static_cast<size_t>(i * k + p)] = a.tensors[t][at];
          right[static_cast<size_t>(p * n + i)] = static_cast<float>(moved.reals[at]);
        }
      kernels::matmul<float>(n, n, k, left.data(), k, 1, right.data(), n, gains.data() + block * n * n, n,
                             true);
    });
  }
  return gains;
}

Slices slices_of(const Spec& spec, int number, int member, int64_t block) {
  const NetworkGroup& group = spec.groups[static_cast<size_t>(number)];
  const Member& m = group.members[static_cast<size_t>(member)];
  const std::vector<int64_t>& dims = spec.tensors[static_cast<size_t>(m.tensor)].dims;
  // Which coordinates lie in this block: along the axis of a member of `by` in the same tensor.
  const NetworkGroup* by = group.by < 0 ? nullptr : &spec.groups[static_cast<size_t>(group.by)];
  const auto block_at = [&](int axis, int64_t coordinate) -> int64_t {
    for (const Member& o : by->members)
      if (o.tensor == m.tensor && o.axis == axis)
        if (const int64_t i = symmetry::item_at(o, by->size, coordinate); i >= 0) return i;
    return 0;  // as act() has it
  };
  bool across = false;
  int block_axis = m.axis;
  if (by)
    for (const Member& o : by->members)
      if (o.tensor == m.tensor && o.axis != m.axis) across = true, block_axis = o.axis;
  std::vector<std::vector<int64_t>> on_axis(static_cast<size_t>(group.size));  // coordinates of each item
  const auto axis = static_cast<size_t>(m.axis);
  for (int64_t c = 0; c < dims[axis]; ++c) {
    const int64_t i = symmetry::item_at(m, group.size, c);
    if (i >= 0 && (!by || across || block_at(m.axis, c) == block || group.blocks == 1))
      on_axis[static_cast<size_t>(i)].push_back(c);
  }
  int64_t before = 1, after = 1;
  for (size_t d = 0; d < axis; ++d) before *= dims[d];
  for (size_t d = axis + 1; d < dims.size(); ++d) after *= dims[d];
  const auto in_block = [&](int64_t pre, int64_t post) {
    if (!across) return true;
    int64_t rest = block_axis < m.axis ? pre : post;
    const size_t last = block_axis < m.axis ? axis : dims.size();
    for (size_t d = last; d-- > static_cast<size_t>(block_axis) + 1;) rest /= dims[d];
    return block_at(block_axis, rest % dims[static_cast<size_t>(block_axis)]) == block;
  };
  Slices slices;
  for (size_t i = 0; i < on_axis.size(); ++i) {
    const size_t start = slices.at.size();
    for (int64_t pre = 0; pre < before; ++pre)
      for (const int64_t c : on_axis[i])
        for (int64_t post = 0; post < after; ++post)
          if (in_block(pre, post)) slices.at.push_back((pre * dims[axis] + c) * after + post);
    slices.per_item = static_cast<int64_t>(slices.at.size() - start);
  }
  return slices;
}

}  // namespace dws::align
