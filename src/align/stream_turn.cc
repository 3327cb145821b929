#include <algorithm>
#include <set>

#include "align/orthogonal.h"
#include "align/soft.h"
#include "core/error.h"
#include "core/text.h"

namespace dws::align {
namespace {

using symmetry::Spec;

int tensor_of(const Spec& spec, int constant, const std::string& file) {
  for (size_t t = 0; t < spec.tensors.size(); ++t)
    if (spec.tensors[t].constant == constant) return static_cast<int>(t);
  throw Error(
      ErrorKind::unsupported,
      text("{}: the residual stream cannot be turned: one of its tensors is not in the symmetry's spec",
           one_line(file)));
}

// Each number of a tensor times (or, inverse, divided by) that of its coordinate along the axis.
void scale_along(const std::vector<int64_t>& dims, int axis, std::span<const float> factors, bool inverse,
                 std::vector<float>& tensor) {
  int64_t after = 1;
  for (size_t a = static_cast<size_t>(axis) + 1; a < dims.size(); ++a) after *= dims[a];
  const auto length = static_cast<int64_t>(factors.size());
  for (size_t i = 0; i < tensor.size(); ++i) {
    const double f = factors[static_cast<size_t>(static_cast<int64_t>(i) / after % length)];
    if (inverse && f == 0) continue;  // 0 beside 0
    tensor[i] = static_cast<float>(inverse ? tensor[i] / f : tensor[i] * f);
  }
}

class Absorber {
 public:
  Absorber(const Spec& spec, const Numbers& numbers, const std::string& file)
      : spec_(spec), numbers_(numbers), file_(file), out_(numbers) {}

  void absorb(const ResidualStream& stream, const StreamNorm& norm) {
    if (norm.scale == network::kNone) return;
    const int scale = tensor_of(spec_, norm.scale, file_);
    const std::span<const float> gamma = numbers_.tensors[static_cast<size_t>(scale)];
    if (!norm.kept_by.empty()) {
      // One number for all features is no matter for an orthogonal matrix.
      if (std::ranges::all_of(gamma, [&](float v) { return v == gamma[0]; })) return;
      throw Error(ErrorKind::unsupported,
                  text("{}: the scale '{}' cannot be absorbed: {}", one_line(file_),
                       escaped(spec_.tensors[static_cast<size_t>(scale)].name), norm.kept_by),
                  norm.is_added ? kPostNormAdvice
                  : norm.tied != network::kNone
                      ? "give the head a tensor of its own, or align without --orthogonal"
                      : "align without --orthogonal");
    }
    for (const int reader : norm.readers) {
      const StreamMember& m = stream.members[static_cast<size_t>(reader)];
      change(tensor_of(spec_, m.constant, file_), m.axis, gamma, false);
    }
    if (norm.bias != network::kNone) {
      const int bias = tensor_of(spec_, norm.bias, file_);
      const std::span<const float> beta = numbers_.tensors[static_cast<size_t>(bias)];
      if (norm.bias_shared && std::ranges::any_of(beta, [](float v) { return v != 0; }))
        throw Error(ErrorKind::unsupported,
                    text("{}: the bias '{}' is read by others than one norm: it cannot be absorbed",
                         one_line(file_), escaped(spec_.tensors[static_cast<size_t>(bias)].name)),
                    "align without --orthogonal");
      for (size_t i = 0; i < gamma.size(); ++i)
        if (gamma[i] == 0 && beta[i] != 0)
          throw Error(
              ErrorKind::unsupported,
              text("{}: number {} of the scale '{}' is 0 beside a bias that is not: it cannot be absorbed",
                   one_line(file_), i, escaped(spec_.tensors[static_cast<size_t>(scale)].name)),
              "align without --orthogonal");
      change(bias, norm.bias_axis, gamma, true);
    }
    auto ones = std::make_shared<const std::vector<float>>(gamma.size(), 1.f);
    out_.held[static_cast<size_t>(scale)] = ones;
    out_.tensors[static_cast<size_t>(scale)] = *ones;
  }
  Numbers take() { return std::move(out_); }

 private:
  void change(int tensor, int axis, std::span<const float> gamma, bool inverse) {
    // Norms that share a tensor share their scale too, or it would be kept.
    if (!done_.insert(tensor).second) return;
    const auto t = static_cast<size_t>(tensor);
    auto made = std::make_shared<std::vector<float>>(out_.tensors[t].begin(), out_.tensors[t].end());
    scale_along(spec_.tensors[t].dims, axis, gamma, inverse, *made);
    out_.held[t] = made;
    out_.tensors[t] = *made;
  }

  const Spec& spec_;
  const Numbers& numbers_;
  const std::string& file_;
  Numbers out_;
  std::set<int> done_;
};

}  // namespace

Numbers absorb_norms(const Spec& spec, const ResidualStream& stream, const Numbers& numbers,
                     const std::string& file) {
  Absorber absorber(spec, numbers, file);
  for (const StreamNorm& norm : stream.norms) absorber.absorb(stream, norm);
  return absorber.take();
}

Spec without_stream(const Spec& spec, const ResidualStream& stream) {
  Spec held = spec;
  for (symmetry::NetworkGroup& group : held.groups) {
    const bool along = std::ranges::any_of(group.members, [&](const symmetry::Member& m) {
      return std::ranges::any_of(stream.members, [&](const StreamMember& s) {
        return s.constant == spec.tensors[static_cast<size_t>(m.tensor)].constant && s.axis == m.axis;
      });
    });
    if (!along) continue;
    group.fixed = true;
    group.signs.clear();
    group.scales.clear();
    group.phases.clear();
  }
  return held;
}

StreamTurn::StreamTurn(const Spec& spec, const ResidualStream& stream, std::string file)
    : turned_(spec.tensors.size()) {
  spec_.tensors = spec.tensors;
  symmetry::NetworkGroup group;
  group.name = "stream";
  group.size = stream.width;
  std::set<std::pair<int, int>> seen;
  const auto add = [&](int constant, int axis) {
    const int t = tensor_of(spec, constant, file);
    if (!seen.insert({t, axis}).second) return;
    group.members.push_back({.tensor = t, .axis = axis});
    turned_[static_cast<size_t>(t)] = true;
  };
  for (const StreamMember& m : stream.members) add(m.constant, m.axis);
  for (const StreamNorm& norm : stream.norms)
    if (norm.bias != network::kNone) add(norm.bias, norm.bias_axis);
  spec_.groups.push_back(std::move(group));
}

Numbers StreamTurn::act(const std::vector<float>& rotation, const Numbers& numbers) const {
  return SoftAction(spec_, turned_, false).act({{rotation}}, numbers);
}

std::vector<float> StreamTurn::gradient(const std::vector<bool>& counted, const std::vector<float>& rotation,
                                        const Numbers& a, const Numbers& b) const {
  std::vector<bool> both(counted.size());
  bool any = false;
  for (size_t t = 0; t < both.size(); ++t) any = (both[t] = counted[t] && turned_[t]) || any;
  if (!any) return std::vector<float>(rotation.size(), 0.f);
  const SoftAction action(spec_, both, false);
  SoftElement gradient = action.zero();
  action.add_gradient({{rotation}}, a, b, gradient);
  return std::move(gradient[0][0]);
}

}  // namespace dws::align
