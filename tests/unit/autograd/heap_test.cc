// A training step that has run before touches the heap no more: every allocation of this binary is counted.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "autograd/ops.h"

namespace {
thread_local long g_allocations = 0;

void* counted(size_t size, size_t alignment) {
  ++g_allocations;
  if (void* p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new(size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<size_t>(alignment));
}
// Sanitizers bring their own of this one, which the plain delete below could not take back.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++g_allocations;
  return std::malloc(size);
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete(void* p, size_t, std::align_val_t) noexcept {
  std::free(p);
}

namespace dws::test {
namespace {

TEST(Heap, AStepThatHasRunBeforeAllocatesNothing) {
  const Tensor<float> x({4, 6, 5, 8}), targets({4, 3});
  const int channels[] = {0, 1, 2, 3, 4, 5, 6, 7};
  ParamSet<float> params;
  const int w = params.add("w", {8, 8}, true), g = params.add("g", {8}, false),
            head = params.add("head", {8, 3}, true);
  params.freeze();
  std::vector<float> grads(static_cast<size_t>(params.size()));
  ops::BatchNormState<float> state{.channel_of = channels};
  Tape<float> tape;
  tape.set_training(true);
  tape.bind_gradients(grads.data());
  long counts[4] = {};
  for (long& count : counts) {
    const long before = g_allocations;
    tape.reset();
    const auto matrix = tape.param(params, w), vector = tape.param(params, g);
    auto h = tape.constant(x.view());
    for (int layer = 0; layer < 3; ++layer) {
      const auto pooled = ops::pool_matrix(h, ops::Reduction::max);
      h = ops::matrix_update(h, matrix, ops::add_global(pooled.row, pooled.all), pooled.col);
      h = ops::norm_relu_dropout(h, vector, vector, state, 0.2);
    }
    const Var<float> pair[] = {
        ops::pool_matrix(h, ops::Reduction::mean).all,
        ops::softmax(ops::reduce(ops::reshape(h, {4, 30, 8}), 1, ops::Reduction::sum))};
    const auto both = ops::slice(ops::concat<float>(pair), 4, 8);
    tape.backward(
        ops::cross_entropy<float>(ops::linear(both, tape.param(params, head)), targets.view(), 1.0f));
    count = g_allocations - before;
  }
  EXPECT_GT(counts[0], 0);
  for (int step = 1; step < 4; ++step) EXPECT_EQ(counts[step], 0) << "step " << step;
}

}  // namespace
}  // namespace dws::test
