#include "nn/dws_trunk.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "kernels/fused_matrix.h"
#include "nn/trunk_backward.h"
#include "nn/trunk_forward.h"

namespace dws::nn {

namespace {

// Networks that inference takes through all layers at a time: few enough that two levels of them stay near,
// enough rows for the small products.
constexpr int64_t kInferenceBlock = 4;

template <class T>
class TrunkRule final : public Primitive<T> {
 public:
  explicit TrunkRule(const TrunkForward<T>* forward) : forward_(forward) {}
  std::string_view name() const noexcept override { return "dws_trunk"; }
  void vjp(const VjpArgs<T>& a) const override { TrunkBackward<T>(*forward_, a).run(); }

 private:
  const TrunkForward<T>* forward_;
};

}  // namespace

template <class T>
typename DwsTrunk<T>::Norm DwsTrunk<T>::norm_of(const Activation<T>& activation, size_t bundle,
                                                int64_t normed, int64_t columns) const {
  Norm norm;
  norm.set.assign(static_cast<size_t>(columns), -1);
  if (normed == 0) return norm;
  if (activation.norm() == nn::Norm::none) {
    std::fill_n(norm.set.begin(), normed, 0);
    norm.sets = 1;
    return norm;
  }
  const BatchNorm<T>& batch = activation.batch_norms().at(bundle);
  std::copy(batch.channel_of().begin(), batch.channel_of().end(), norm.set.begin());
  norm.sets = *std::max_element(norm.set.begin(), norm.set.end()) + 1;
  norm.gamma = batch.gamma(), norm.beta = batch.beta(), norm.mean = batch.mean(), norm.var = batch.var();
  return norm;
}

template <class T>
DwsTrunk<T>::DwsTrunk(const weights::WeightSpace& space, const std::vector<DwsLayer<T>>& layers,
                      const std::vector<Activation<T>>& activations)
    : space_(&space), channels_(layers.front().options().out) {
  if (channels_ > kernels::kMostFusedChannels) return;
  for (const Activation<T>& activation : activations)
    if (activation.norm() == nn::Norm::layer) return;
  for (const DwsLayer<T>& layer : layers) {
    const DwsLayerOptions& o = layer.options();
    if (o.attention || o.skip || o.reduction != ops::Reduction::max || o.out != channels_) return;
    Layer plan;
    for (int k = 0; k < space.groups(); ++k) plan.axis.push_back(layer.axis(k).dense_weight());
    for (int i = 0; i < space.matrices(); ++i) plan.own.push_back(layer.own(i));
    plan.global = layer.global().dense_weight();
    plan.bias = layer.global().bias();
    const auto there = [](int parameter) { return parameter >= 0; };
    if (!there(plan.global) || !std::all_of(plan.axis.begin(), plan.axis.end(), there) ||
        !std::all_of(plan.own.begin(), plan.own.end(), there))
      return;
    layers_.push_back(std::move(plan));
  }

  // The order of fields is DwsLayer's: vectors, row sides, column sides; in z each axis' vectors and row
  // terms.
  for (int k = 0; k < space.groups(); ++k) {
    Axis axis;
    axis.d = space.group_size(k);
    axis.vectors = space.vector_width(k);
    axes_.push_back(axis);
  }
  for (int i = 0; i < space.matrices(); ++i) {
    const weights::Slot& slot = space.slot(space.matrix(i));
    Matrix matrix;
    matrix.row_axis = slot.row_group, matrix.col_axis = slot.col_group;
    matrix.R = space.group_size(slot.row_group), matrix.C = space.group_size(slot.col_group);
    Axis& axis = axes_[static_cast<size_t>(slot.row_group)];
    matrix.row_field = axis.vectors + axis.sides++;
    matrices_.push_back(matrix);
  }
  scalars_ = space.scalar_width();
  for (Axis& axis : axes_) {
    axis.with_global = axis.vectors + axis.sides;
    axis.z = z_fields_;
    axis.inv = inv_fields_;
    z_fields_ += axis.with_global;
    inv_fields_ += axis.vectors;
  }
  for (Matrix& matrix : matrices_) {
    Axis& axis = axes_[static_cast<size_t>(matrix.col_axis)];
    matrix.col_field = axis.vectors + axis.sides++;
    matrix.inv = inv_fields_++;
  }
  z_fields_ += scalars_;
  inv_fields_ += scalars_;

  for (const Activation<T>& activation : activations) {
    Norms norms;
    size_t bundle = 0;
    for (const Axis& axis : axes_)
      norms.axis.push_back(
          norm_of(activation, bundle++, axis.vectors * channels_, axis.fields() * channels_));
    for (size_t i = 0; i < matrices_.size(); ++i)
      norms.matrix.push_back(norm_of(activation, bundle++, channels_, channels_));
    norms.scalar = norm_of(activation, bundle, scalars_ * channels_, scalars_ * channels_);
    norms_.push_back(std::move(norms));
  }
  for (const Layer& layer : layers_) {
    params_ = std::max({params_, layer.global + 1, layer.bias + 1});
    for (int w : layer.axis) params_ = std::max(params_, w + 1);
    for (int w : layer.own) params_ = std::max(params_, w + 1);
  }
  for (const Norms& norms : norms_) {
    params_ = std::max(params_, norms.scalar.beta + 1);
    for (const Norm& norm : norms.axis) params_ = std::max(params_, norm.beta + 1);
    for (const Norm& norm : norms.matrix) params_ = std::max(params_, norm.beta + 1);
  }
  usable_ = true;
}

template <class T>
Var<T> DwsTrunk<T>::forward(Tape<T>& tape, const ParamSet<T>& params, View<const T> x, T* batch_stats) const {
  const int64_t P = space_->param_count(), width = inv_fields_ * channels_;
  if (x.shape.rank() != 2 || x.shape[1] != P)
    throw Error(ErrorKind::mismatch,
                text("networks of shape {} where (batch, {}) is expected", x.shape.str(), P));
  const int64_t B = x.shape[0];
  Arena& arena = tape.arena();
  Var<T>* vars = arena.template take<Var<T>>(static_cast<size_t>(params_));
  for (int i = 0; i < params_; ++i) vars[i] = tape.param(params, i);
  const std::span<const Var<T>> inputs{vars, static_cast<size_t>(params_)};
  const bool keep = tape.wants_grad(inputs), whole = keep || tape.training();
  const int64_t block = whole ? B : std::min(B, kInferenceBlock);
  const View<T> y = tape.allocate(Shape{B, width});
  auto* forward = arena.template make<TrunkForward<T>>(*this, params, arena, block, tape.training(), keep);
  for (int64_t b = 0; b < B; b += block) {
    const int64_t networks = std::min(block, B - b);
    std::copy_n(forward->run(x.data + b * P, networks, batch_stats), networks * width, y.data + b * width);
  }
  return tape.record(inputs, y, keep ? arena.template make<TrunkRule<T>>(forward) : nullptr);
}

template class DwsTrunk<float>;
template class DwsTrunk<double>;

}  // namespace dws::nn
