#include "align/signed_element.h"

#include "core/error.h"

namespace dws::align {

SignedElement signed_identity(const symmetry::Layout& layout) {
  SignedElement g{symmetry::identity(layout), {}};
  for (const symmetry::Group& group : layout.groups)
    g.sign.emplace_back(static_cast<size_t>(group.size), 1.f);
  return g;
}

SignedElement random_signed(const symmetry::Layout& layout, Rng& rng) {
  SignedElement g = signed_identity(layout);
  g.order = symmetry::random_element(layout, rng);
  for (auto& signs : g.sign)
    for (float& sign : signs) sign = rng.below(2) == 0 ? 1.f : -1.f;
  return g;
}

SignedElement compose(const SignedElement& a, const SignedElement& b) {
  SignedElement result{symmetry::compose(a.order, b.order), a.sign};
  for (size_t k = 0; k < result.sign.size(); ++k)
    for (size_t i = 0; i < result.sign[k].size(); ++i)
      result.sign[k][i] *= b.sign[k][static_cast<size_t>(a.order.permutation[k][i])];
  return result;
}

namespace {

// Multiplies the part of a tensor that starts at `axis` by the signs of its axes and by `sign`, those of the axes
// before.
void apply_signs(const symmetry::TensorAxes& tensor, const SignedElement& g, size_t axis, float sign,
                 float*& out) {
  if (axis == tensor.dims.size()) {
    *out++ *= sign;
    return;
  }
  const int group = tensor.axis_group[axis];
  for (int64_t i = 0; i < tensor.dims[axis]; ++i) {
    const float here =
        group == symmetry::kFree ? 1.f : g.sign[static_cast<size_t>(group)][static_cast<size_t>(i)];
    apply_signs(tensor, g, axis + 1, sign * here, out);
  }
}

}  // namespace

void act(const symmetry::Layout& layout, const SignedElement& g, const float* in, float* out) {
  bool fits = g.sign.size() == layout.groups.size();
  for (size_t k = 0; fits && k < g.sign.size(); ++k)
    fits = static_cast<int64_t>(g.sign[k].size()) == layout.groups[k].size;
  if (!fits) throw Error(ErrorKind::mismatch, "the signs of a group element are of another layout");
  symmetry::act(layout, g.order, in, out);
  for (const symmetry::TensorAxes& tensor : layout.tensors) apply_signs(tensor, g, 0, 1.f, out);
}

}  // namespace dws::align
