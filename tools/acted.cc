#include "acted.h"

#include <memory>

#include "core/error.h"
#include "core/text.h"

namespace dws::tools {
namespace {

struct Acting {
  symmetry::Spec spec;
  symmetry::NetworkElement element;
  symmetry::MembersByTensor members;

  std::vector<std::byte> bytes(int tensor, const network::Constant& c) const {
    const int bits = onnx_type_bits(c.type);
    if (bits >= 8 && symmetry::only_reorders(spec, element, tensor, &members))
      return symmetry::act_on_bytes(spec, element, tensor, c.bytes, static_cast<size_t>(bits) / 8, &members);
    return network::to_bytes(symmetry::act(spec, element, tensor, network::to_array(c), {}, &members));
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
                         const network::Network& network) {
  const auto acting = std::make_shared<const Acting>(Acting{spec, g, symmetry::members_by_tensor(spec)});
  std::vector<Patch> patches;
  const std::vector<bool> moved = symmetry::touched(spec);
  for (size_t t = 0; t < spec.tensors.size(); ++t) {
    if (!moved[t]) continue;
    const network::Constant& c = network.constants[static_cast<size_t>(spec.tensors[t].constant)];
    if (c.made) continue;
    patches.push_back({c.bytes, [acting, t, &c] { return acting->bytes(static_cast<int>(t), c); }});
  }
  return patches;
}

}  // namespace dws::tools
