#include "acted.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/dtype.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/text.h"
#include "symmetry/action.h"

namespace dws::tools {
namespace {

constexpr int64_t kBlock = int64_t{1} << 17;  // numbers that a thread holds as doubles

// The number as stored, of a type that is_real().
double number_at(OnnxType type, const std::byte* bytes, size_t i) {
  const auto load = [&](auto value) {
    std::memcpy(&value, bytes + i * sizeof value, sizeof value);
    return value;
  };
  switch (type) {
    case OnnxType::f64:
      return load(double{});
    case OnnxType::f32:
      return double{load(float{})};
    case OnnxType::f16:
      return double{f16_to_float(load(uint16_t{}))};
    default:
      return double{bf16_to_float(load(uint16_t{}))};
  }
}

struct Acting {
  symmetry::Spec spec;
  symmetry::NetworkElement element;
  symmetry::MembersByTensor members;

  std::vector<std::byte> bytes(int tensor, const network::Constant& c) const {
    const int bits = onnx_type_bits(c.type);
    if (bits >= 8 && symmetry::only_reorders(spec, element, tensor, &members))
      return symmetry::act_on_bytes(spec, element, tensor, c.bytes, static_cast<size_t>(bits) / 8, &members);
    if (!network::is_real(c.type))
      return network::to_bytes(symmetry::act(spec, element, tensor, network::to_array(c), {}, &members));
    const symmetry::Action action(spec, element, tensor, {}, &members);
    const symmetry::Action::Box whole = action.whole();
    std::vector<std::byte> out(c.bytes.size());
    const int64_t rows = std::max<int64_t>(1, kBlock / std::max<int64_t>(1, whole.columns));
    parallel_blocks(whole.rows, rows, [&](int64_t begin, int64_t end) {
      network::Array block{.type = c.type, .dims = {(end - begin) * whole.columns}};
      block.reals.resize(static_cast<size_t>(block.dims[0]));
      action.each({.row = begin, .rows = end - begin, .column = 0, .columns = whole.columns},
                  [&](size_t to, size_t from, double factor, double shift) {
                    block.reals[to] = factor * number_at(c.type, c.bytes.data(), from) + shift;
                  });
      const std::vector<std::byte> made = network::to_bytes(block);
      std::ranges::copy(made, out.begin() + begin * whole.columns * (bits / 8));
    });
    return out;
  }
};

}  // namespace

symmetry::Draw parse_groups(const std::string& groups) {
  symmetry::Draw d{.order = false, .sign = false, .scale = false, .phase = false};
  for (const std::string& kind : split(groups, ',')) {
    if (kind == "perm")
      d.order = true;
    else if (kind == "sign")
      d.sign = true;
    else if (kind == "scale")
      d.scale = true;
    else if (kind == "phase")
      d.phase = true;
    else
      throw Error(
          ErrorKind::usage,
          text("--groups {}: expected perm, sign, scale and phase, with commas between", escaped(groups)));
  }
  return d;
}

std::vector<Patch> acted(const symmetry::Spec& spec, const symmetry::NetworkElement& g,
                         const network::Network& network, const std::function<void(Bytes)>& release) {
  const auto acting = std::make_shared<const Acting>(Acting{spec, g, symmetry::members_by_tensor(spec)});
  std::vector<Patch> patches;
  const std::vector<bool> moved = symmetry::touched(spec);
  for (size_t t = 0; t < spec.tensors.size(); ++t) {
    if (!moved[t]) continue;
    const network::Constant& c = network.constants[static_cast<size_t>(spec.tensors[t].constant)];
    if (c.made) continue;
    patches.push_back({c.bytes, [acting, release, t, &c] {
                         std::vector<std::byte> made = acting->bytes(static_cast<int>(t), c);
                         if (release) release(c.bytes);
                         return made;
                       }});
  }
  return patches;
}

}  // namespace dws::tools
