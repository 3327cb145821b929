#include "autograd/tape.h"

#include <algorithm>

#include "autograd/profile.h"
#include "core/error.h"
#include "core/text.h"
#include "kernels/elementwise.h"

namespace dws {

template <class T>
const Shape& Var<T>::shape() const noexcept {
  return tape_->value(id_).view.shape;
}

template <class T>
const T* Var<T>::data() const noexcept {
  return tape_->value(id_).view.data;
}

template <class T>
bool Var<T>::needs_grad() const noexcept {
  return tape_->value(id_).needs_grad;
}

template <class T>
void Tape<T>::reset() {
  values_.clear();
  nodes_.clear();
  edges_.clear();
  arena_.reset();
  stream_ = 0;
  if (profile_) profile_->start();
}

template <class T>
Var<T> Tape<T>::add_value(Value value) {
  values_.push_back(value);
  return Var<T>(this, static_cast<int>(values_.size()) - 1);
}

template <class T>
Var<T> Tape<T>::constant(View<const T> value) {
  Value leaf;
  leaf.view = value;
  return add_value(leaf);
}

template <class T>
Var<T> Tape<T>::param(const ParamSet<T>& params, int index) {
  Value leaf;
  leaf.view = params.value(index);
  leaf.offset = params.info(index).offset;
  leaf.needs_grad = recording_ && param_grads_ != nullptr;
  return add_value(leaf);
}

template <class T>
Var<T> Tape<T>::input(View<const T> value) {
  Value leaf;
  leaf.view = value;
  if (recording_) {
    leaf.needs_grad = leaf.keep_grad = true;
    leaf.grad = arena_.take<T>(static_cast<size_t>(value.size()));
    std::fill_n(leaf.grad, value.size(), T(0));
  }
  return add_value(leaf);
}

template <class T>
View<T> Tape<T>::allocate(const Shape& shape) {
  return {arena_.take<T>(static_cast<size_t>(shape.size())), shape};
}

template <class T>
Var<T> Tape<T>::record(std::span<const Var<T>> inputs, View<T> output, const Primitive<T>* primitive) {
  Var<T> var;
  record_many(inputs, {&output, 1}, primitive, {&var, 1});
  return var;
}

template <class T>
std::vector<Var<T>> Tape<T>::record_many(std::span<const Var<T>> inputs, std::span<const View<T>> outputs,
                                         const Primitive<T>* primitive) {
  std::vector<Var<T>> vars(outputs.size());
  record_many(inputs, outputs, primitive, vars);
  return vars;
}

template <class T>
void Tape<T>::record_many(std::span<const Var<T>> inputs, std::span<const View<T>> outputs,
                          const Primitive<T>* primitive, std::span<Var<T>> vars) {
  if (profile_) profile_->forward(primitive ? primitive->name() : "constant");
  const bool tracked = primitive != nullptr && wants_grad(inputs);
  if (tracked) {
    nodes_.push_back({primitive, static_cast<int>(edges_.size()), static_cast<int>(inputs.size()),
                      static_cast<int>(values_.size()), static_cast<int>(outputs.size())});
    for (const Var<T>& in : inputs) edges_.push_back(in.id());
  }
  for (size_t k = 0; k < outputs.size(); ++k) {
    Value out;
    out.view = outputs[k];
    out.needs_grad = tracked;
    if (tracked) {
      out.node = static_cast<int>(nodes_.size()) - 1;
      out.output = static_cast<int>(k);
    }
    vars[k] = add_value(out);
  }
}

template <class T>
bool Tape<T>::wants_grad(std::span<const Var<T>> inputs) const noexcept {
  return recording_ &&
         std::any_of(inputs.begin(), inputs.end(), [](const Var<T>& v) { return v.needs_grad(); });
}

// Leaves accumulate onto what their owner put there; other values get an array from the arena at the first
// contribution, which overwrites it.
template <class T>
GradSlot<T> Tape<T>::grad_slot(Value& value) {
  if (!value.needs_grad) return {};
  if (value.offset >= 0) return {param_grads_ ? param_grads_ + value.offset : nullptr, true};
  if (value.grad) return {value.grad, true};
  value.grad = arena_.take<T>(static_cast<size_t>(value.view.size()));
  return {value.grad, false};
}

template <class T>
void Tape<T>::release_grad(Value& value) {
  if (value.grad) arena_.give_back(value.grad, static_cast<size_t>(value.view.size()) * sizeof(T));
  value.grad = nullptr;
}

// A view's cotangent becomes its input's gradient when that input has none yet.
template <class T>
bool Tape<T>::hand_on(const Node& node) {
  if (!node.primitive->is_view()) return false;
  Value& in = value(edges_[static_cast<size_t>(node.first_input)]);
  if (in.node < 0 || in.grad) return false;
  std::swap(in.grad, value(node.first_output).grad);
  return true;
}

template <class T>
void Tape<T>::run(const Node& node) {
  run_inputs_.clear(), run_outputs_.clear(), run_cotangents_.clear(), run_grads_.clear();
  bool flows = false;
  for (int k = 0; k < node.outputs; ++k) {
    const Value& out = value(node.first_output + k);
    run_outputs_.push_back(out.view);
    run_cotangents_.push_back({out.grad, out.view.shape});
    flows |= out.grad != nullptr;
  }
  if (!flows || hand_on(node)) return;
  for (int k = 0; k < node.inputs; ++k) {
    Value& in = value(edges_[static_cast<size_t>(node.first_input + k)]);
    run_inputs_.push_back(in.view);
    run_grads_.push_back(grad_slot(in));
  }
  node.primitive->vjp({run_inputs_, run_outputs_, run_cotangents_, run_grads_, arena_});
  for (int k = 0; k < node.outputs; ++k) release_grad(value(node.first_output + k));
}

template <class T>
void Tape<T>::backward(std::span<const Var<T>> roots, std::span<const View<const T>> seeds) {
  if (roots.size() != seeds.size())
    throw Error(ErrorKind::mismatch, text("backward: {} roots, {} seeds", roots.size(), seeds.size()));
  for (size_t k = 0; k < roots.size(); ++k)
    if (!(roots[k].shape() == seeds[k].shape))
      throw Error(ErrorKind::mismatch,
                  text("backward: root {} and seed {}", roots[k].shape().str(), seeds[k].shape.str()));
  for (size_t k = 0; k < roots.size(); ++k)
    if (const GradSlot<T> slot = grad_slot(value(roots[k].id())))
      kernels::scale(seeds[k].size(), T(1), seeds[k].data, slot.data, slot.accumulate);
  if (profile_) profile_->start();
  for (size_t node = nodes_.size(); node-- > 0;) {
    run(nodes_[node]);
    if (profile_) profile_->backward(nodes_[node].primitive->name());
  }
}

template <class T>
void Tape<T>::backward(Var<T> root, T seed) {
  if (root.view().size() != 1)
    throw Error(ErrorKind::mismatch,
                text("backward: root {} is no scalar and needs a seed", root.shape().str()));
  const View<const T> seeds[] = {{&seed, root.shape()}};
  const Var<T> roots[] = {root};
  backward(roots, seeds);
}

template <class T>
View<const T> Tape<T>::grad(Var<T> leaf) const {
  const Value& v = value(leaf.id());
  if (!v.keep_grad)
    throw Error(ErrorKind::internal, "grad() of a value that is no input() leaf of a recording tape");
  return {v.grad, v.view.shape};
}

template class Tape<float>;
template class Tape<double>;
template class Var<float>;
template class Var<double>;

}  // namespace dws
