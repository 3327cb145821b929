// Reverse-mode differentiation on an eager tape. One tape serves one shard on one thread; ops
// (autograd/ops*.h) compute at once and record a node; backward() walks the nodes from the last to the first.
//
// Vocabulary: an op is a free function that validates (throws Error{mismatch} with the shapes) and records; a
// primitive is the recorded node's derivative rule; a kernel does the arithmetic.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "autograd/arena.h"
#include "autograd/params.h"
#include "tensor/tensor.h"

namespace dws {

class Profile;

template <class T>
class Tape;

// Handle of a value on a tape; cheap to copy, valid until the tape is reset.
template <class T>
class Var {
 public:
  Var() = default;
  bool valid() const noexcept { return tape_ != nullptr; }
  const Shape& shape() const noexcept;
  const T* data() const noexcept;
  View<const T> view() const noexcept { return {data(), shape()}; }
  bool needs_grad() const noexcept;
  Tape<T>& tape() const noexcept { return *tape_; }
  int id() const noexcept { return id_; }

 private:
  friend class Tape<T>;
  Var(Tape<T>* tape, int id) : tape_(tape), id_(id) {}
  Tape<T>* tape_ = nullptr;
  int id_ = -1;
};

// Where a primitive puts the gradient of one input. `data` is null when nobody asks for it. With `accumulate`
// the primitive adds to what is there, otherwise it overwrites every element.
template <class T>
struct GradSlot {
  T* data = nullptr;
  bool accumulate = false;
  explicit operator bool() const noexcept { return data != nullptr; }
};

// Everything a vjp sees. cotangents[k].data is null when output k does not influence the result. Two inputs
// may be the same value and then share a gradient array, so slots are filled one after the other, in the
// order of the inputs.
template <class T>
struct VjpArgs {
  std::span<const View<const T>> inputs;
  std::span<const View<const T>> outputs;
  std::span<const View<const T>> cotangents;
  std::span<const GradSlot<T>> grads;
  Arena& scratch;
};

// The derivative rule of a node: the product of the cotangents with the Jacobian. Saved state (masks,
// indices, strides) are its members; it lives in the tape's arena.
template <class T>
class Primitive {
 public:
  virtual ~Primitive() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual void vjp(const VjpArgs<T>& args) const = 0;
  // True when the one output is the one input under another shape: its cotangent may be handed on without a
  // copy.
  virtual bool is_view() const noexcept { return false; }
};

template <class T>
class Tape {
 public:
  Tape() = default;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // Forgets all values; keeps the memory.
  void reset();
  // false: ops record nothing and needs_grad() is false everywhere (inference).
  void set_recording(bool on) noexcept { recording_ = on; }
  // Training mode: dropout drops, BatchNorm uses the batch's statistics. Random numbers of ops come from
  // (seed, op counter on this tape) and from nothing else.
  void set_training(bool on) noexcept { training_ = on; }
  bool training() const noexcept { return training_; }
  void set_seed(uint64_t seed) noexcept { seed_ = seed; }
  uint64_t next_stream() noexcept { return ++stream_; }
  uint64_t seed() const noexcept { return seed_; }

  // Leaves; memory is not copied and must outlive the tape's step. constant(): not differentiated.
  Var<T> constant(View<const T> value);
  // A parameter; its gradient is accumulated at the parameter's offset of the array given to
  // bind_gradients().
  Var<T> param(const ParamSet<T>& params, int index);
  // A leaf whose gradient the caller asks for with grad() after backward() (tests, input gradients).
  Var<T> input(View<const T> value);
  // Size params.size(); backward() adds to it. Null: gradients of params are not computed.
  void bind_gradients(T* flat) noexcept { param_grads_ = flat; }

  // For ops: room for an output; then record() ties outputs to inputs. A null primitive or inputs that need
  // no gradient make plain constants of the outputs.
  View<T> allocate(const Shape& shape);
  Var<T> record(std::span<const Var<T>> inputs, View<T> output, const Primitive<T>* primitive);
  std::vector<Var<T>> record_many(std::span<const Var<T>> inputs, std::span<const View<T>> outputs,
                                  const Primitive<T>* primitive);
  // The same into `vars`, as many as outputs, without touching the heap.
  void record_many(std::span<const Var<T>> inputs, std::span<const View<T>> outputs,
                   const Primitive<T>* primitive, std::span<Var<T>> vars);
  // True when any of them needs a gradient and the tape records: only then build a primitive.
  bool wants_grad(std::span<const Var<T>> inputs) const noexcept;

  // Adds d(sum over roots of <seed, root>)/d(leaf) into the bound arrays. Seeds have the roots' shapes; with
  // one scalar root and no seed the seed is 1. Cotangents are released as soon as they are used.
  void backward(Var<T> root, T seed = T(1));
  void backward(std::span<const Var<T>> roots, std::span<const View<const T>> seeds);
  // Gradient of an input() leaf after backward(); zeros when nothing flowed. Throws Error{internal} for other
  // values.
  View<const T> grad(Var<T> leaf) const;

  // Recorded nodes, in order.
  int node_count() const noexcept { return static_cast<int>(nodes_.size()); }
  std::string_view node_name(int node) const noexcept {
    return nodes_[static_cast<size_t>(node)].primitive->name();
  }

  Arena& arena() noexcept { return arena_; }

  // Times every op and vjp from now on (autograd/profile.h); null: no longer. It outlives the tape's use.
  void set_profile(Profile* profile) noexcept { profile_ = profile; }

 private:
  friend class Var<T>;
  struct Value {
    View<const T> view;
    T* grad = nullptr;
    int node = -1;        // producer
    int output = 0;       // which of its outputs
    int64_t offset = -1;  // params: offset in the flat gradient
    bool needs_grad = false;
    bool keep_grad = false;  // leaves
  };
  struct Node {
    const Primitive<T>* primitive;
    int first_input, inputs;  // range in edges_
    int first_output, outputs;
  };
  Var<T> add_value(Value value);
  Value& value(int id) noexcept { return values_[static_cast<size_t>(id)]; }
  const Value& value(int id) const noexcept { return values_[static_cast<size_t>(id)]; }
  GradSlot<T> grad_slot(Value& value);
  void release_grad(Value& value);
  bool hand_on(const Node& node);
  void run(const Node& node);

  Arena arena_;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<int> edges_;
  // What run() shows a vjp; members so that their memory stays.
  std::vector<View<const T>> run_inputs_, run_outputs_, run_cotangents_;
  std::vector<GradSlot<T>> run_grads_;
  T* param_grads_ = nullptr;
  bool recording_ = true, training_ = false;
  uint64_t seed_ = 0, stream_ = 0;
  Profile* profile_ = nullptr;
};

extern template class Tape<float>;
extern template class Tape<double>;
extern template class Var<float>;
extern template class Var<double>;

}  // namespace dws
