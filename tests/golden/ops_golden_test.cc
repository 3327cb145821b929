// The ops against values PyTorch computed (scripts/make_golden.py), in double and in float.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "autograd/ops.h"
#include "format/safetensors.h"
#include "kernels/optimizer.h"

namespace dws {
namespace {

template <class T>
constexpr double kOpTolerance = std::is_same_v<T, double> ? 1e-11 : 1e-5;

// Reads golden numbers as T and keeps them alive.
template <class T>
class Golden : public ::testing::Test {
 protected:
  const Tensor<T>& get(const std::string& name) {
    if (const auto it = kept_.find(name); it != kept_.end()) return it->second;
    const TensorEntry& entry = file_.at(name);
    Shape shape;
    for (const int64_t extent : entry.shape) shape.push_back(extent);
    Tensor<double> wide(shape);
    file_.read(entry, wide.span());
    Tensor<T> t(shape);
    for (int64_t i = 0; i < t.size(); ++i) t[i] = static_cast<T>(wide[i]);
    return kept_[name] = std::move(t);
  }

  // Leaf for prefix.name; its gradient is compared by check().
  Var<T> input(const std::string& prefix, const std::string& name) {
    const Var<T> leaf = tape_.input(get(prefix + "." + name).view());
    leaves_.push_back({prefix + ".d" + name, leaf});
    return leaf;
  }

  void near(View<const T> got, const std::string& name) {
    const Tensor<T>& want = get(name);
    ASSERT_EQ(got.shape, want.shape()) << name;
    double norm = 1, worst = 0;
    for (int64_t i = 0; i < want.size(); ++i) norm = std::max(norm, std::abs(static_cast<double>(want[i])));
    for (int64_t i = 0; i < want.size(); ++i) {
      const double e = std::abs(static_cast<double>(got.data[i]) - static_cast<double>(want[i]));
      worst = e <= worst ? worst : std::isnan(e) ? std::numeric_limits<double>::infinity() : e;
    }
    EXPECT_TRUE(want.size() > 0 && worst <= kOpTolerance<T> * norm)
        << name << ": " << worst << ", norm " << norm;
  }

  // The output, and the gradients of all leaves under the golden cotangent.
  void check(const std::string& prefix, Var<T> y) {
    near(y.view(), prefix + ".y");
    const Var<T> roots[] = {y};
    const View<const T> seeds[] = {get(prefix + ".dy").view()};
    tape_.backward(roots, seeds);
    EXPECT_FALSE(leaves_.empty());
    for (const auto& [name, leaf] : leaves_) near(tape_.grad(leaf), name);
  }

  Tape<T> tape_;

 private:
  Safetensors file_ = Safetensors::open(DWS_TEST_DATA "/golden/ops.safetensors");
  std::map<std::string, Tensor<T>> kept_;
  std::vector<std::pair<std::string, Var<T>>> leaves_;
};

using Numbers = ::testing::Types<double, float>;
TYPED_TEST_SUITE(Golden, Numbers);

TYPED_TEST(Golden, Linear) {
  const auto in = [&](const char* name) { return this->input("linear", name); };
  this->check("linear", ops::linear(in("x"), in("w"), in("b")));
}

// The set attention block: o = heads(q + softmax(q k^T / sqrt(width)) v), y = o + relu(linear(o)).
TYPED_TEST(Golden, AttentionBlock) {
  const auto in = [&](const char* name) { return this->input("sab", name); };
  const auto x = in("x");
  const int64_t B = x.shape()[0], N = x.shape()[1], heads = 2;
  const auto split = [&](Var<TypeParam> v) {
    return ops::transpose(ops::reshape(v, {B, N, heads, v.shape().last() / heads}), 1, 2);
  };
  const auto q = split(ops::linear(x, in("wq"), in("bq"))), k = split(ops::linear(x, in("wk"), in("bk"))),
             v = split(ops::linear(x, in("wv"), in("bv")));
  const int64_t width = heads * q.shape().last();
  const auto factor = static_cast<TypeParam>(1 / std::sqrt(static_cast<double>(width)));
  const auto weights = ops::softmax(ops::scale(ops::matmul(q, k, false, true), factor));
  const auto mixed = ops::add(q, ops::matmul(weights, v));
  const auto o = ops::reshape(ops::transpose(mixed, 1, 2), {B, N, width});
  this->check("sab", ops::add(o, ops::relu(ops::linear(o, in("wo"), in("bo")))));
}

TYPED_TEST(Golden, BatchNormInTraining) {
  const auto in = [&](const char* name) { return this->input("batch_norm.train", name); };
  this->tape_.set_training(true);
  const int channels[] = {0, 1, 2, 3, 4};
  Tensor<TypeParam> mean({5}), var({5});
  ops::BatchNormState<TypeParam> state{
      .channel_of = channels, .batch_mean = mean.data(), .batch_var = var.data()};
  const auto x = in("x"), gamma = in("gamma"), beta = in("beta");
  const auto y = ops::batch_norm(x, gamma, beta, state);
  this->near(mean.view(), "batch_norm.batch_mean");
  this->near(var.view(), "batch_norm.batch_var");
  this->check("batch_norm.train", y);
}

TYPED_TEST(Golden, BatchNormInEvaluation) {
  const auto in = [&](const char* name) { return this->input("batch_norm.eval", name); };
  const int channels[] = {0, 1, 2, 3, 4};
  ops::BatchNormState<TypeParam> state{.channel_of = channels,
                                       .mean = this->get("batch_norm.mean").data(),
                                       .var = this->get("batch_norm.var").data()};
  const auto x = in("x"), gamma = in("gamma"), beta = in("beta");
  this->check("batch_norm.eval", ops::batch_norm(x, gamma, beta, state));
}

TYPED_TEST(Golden, LayerNorm) {
  const auto in = [&](const char* name) { return this->input("layer_norm", name); };
  const auto x = in("x"), gamma = in("gamma"), beta = in("beta");
  this->check("layer_norm", ops::layer_norm(x, gamma, beta));
}

TYPED_TEST(Golden, CrossEntropyOfSoftTargets) {
  const auto logits = this->input("cross_entropy", "logits");
  const auto& targets = this->get("cross_entropy.targets");
  const auto weight = TypeParam(1) / static_cast<TypeParam>(targets.shape()[0]);
  this->check("cross_entropy", ops::cross_entropy<TypeParam>(logits, targets.view(), weight));
}

TYPED_TEST(Golden, AdamWOverThreeSteps) {
  using T = TypeParam;
  // As written, not rounded to float.
  const double lr = 5e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 5e-4;
  const double options[] = {lr, beta1, beta2, eps, decay};
  for (int i = 0; i < 5; ++i) ASSERT_EQ(this->get("adamw.options")[i], static_cast<T>(options[i]));
  for (const std::string prefix : {"adamw.plain", "adamw.amsgrad"}) {
    const Tensor<T>&g = this->get(prefix + ".g"), &start = this->get(prefix + ".w");
    const int64_t n = start.size(), steps = g.shape()[0];
    Tensor<T> w(start.shape()), m(start.shape()), v(start.shape()), top(start.shape()), after(g.shape());
    std::copy_n(start.data(), n, w.data());
    for (int64_t t = 0; t < steps; ++t) {
      const double step = static_cast<double>(t + 1);
      const bool amsgrad = prefix == "adamw.amsgrad";
      const kernels::AdamwStep options_now{
          lr, beta1, beta2, eps, decay, 1 - std::pow(beta1, step), 1 - std::pow(beta2, step), amsgrad};
      kernels::adamw(n, options_now, T(1), g.data() + t * n, w.data(), m.data(), v.data(),
                     amsgrad ? top.data() : nullptr);
      std::copy_n(w.data(), n, after.data() + t * n);
    }
    this->near(after.view(), prefix + ".after");
  }
}

}  // namespace
}  // namespace dws
