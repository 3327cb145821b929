#include "twins.h"

#include <algorithm>

#include "cases.h"
#include "kernels/ref/activation.h"
#include "kernels/ref/conv.h"
#include "kernels/ref/elementwise.h"
#include "kernels/ref/loss.h"
#include "kernels/ref/matmul.h"
#include "kernels/ref/norm.h"
#include "kernels/ref/pool.h"
#include "kernels/ref/reduce.h"
#include "kernels/ref/shape.h"

namespace dws::test {
namespace {

namespace ref = kernels::ref;

template <class N>
using Outputs = std::vector<std::vector<N>>;
template <class N>
N number(const TwinInput<N>&);  // names N inside a generic lambda
#define DWS_N decltype(number(in))

template <class F>
Twin make(std::string_view primitive, std::string label, F run) {
  return {primitive, std::move(label), run, run};
}

template <class N>
std::vector<N> room(int64_t n) {
  return std::vector<N>(static_cast<size_t>(n));
}
int64_t rows_of(const Shape& s) {
  return s.size() / s.last();
}

template <class N>
Outputs<N> linear(const TwinInput<N>& in) {
  const int64_t rows = rows_of(in.shapes[0]), F = in.shapes[1][0], G = in.shapes[1][1];
  std::vector<N> y = room<N>(rows * G);
  ref::matmul(rows, G, F, in.x[0].data(), F, int64_t{1}, in.x[1].data(), G, y.data(), G, false);
  if (in.x.size() > 2) ref::add_row_vector(rows, G, y.data(), in.x[2].data(), y.data());
  return {y};
}

template <class N>
Outputs<N> matrix_update(const TwinInput<N>& in) {
  const int64_t B = in.shapes[0][0], R = in.shapes[0][1], C = in.shapes[0][2], F = in.shapes[0][3];
  const int64_t G = in.shapes[1][1];
  std::vector<N> y = room<N>(B * R * C * G);
  for (int64_t b = 0; b < B; ++b)
    ref::matrix_update(R, C, F, G, in.x[0].data() + b * R * C * F, in.x[1].data(), in.x[2].data() + b * R * G,
                       in.x[3].data() + b * C * G, y.data() + b * R * C * G);
  return {y};
}

template <class N, bool ta, bool tb>
Outputs<N> matmul(const TwinInput<N>& in) {
  const Shape &a = in.shapes[0], &b = in.shapes[1];
  const int64_t p = a[a.rank() - 2], q = a.last(), s = b[b.rank() - 2], t = b.last(),
                batch = a.size() / (p * q);
  const int64_t M = ta ? q : p, K = ta ? p : q, width = tb ? s : t;
  std::vector<N> y = room<N>(batch * M * width), right = room<N>(s * t);
  for (int64_t i = 0; i < batch; ++i) {
    std::copy_n(in.x[1].data() + i * s * t, s * t, right.data());
    if (tb) ref::transpose(s, t, in.x[1].data() + i * s * t, right.data());
    ref::matmul(M, width, K, in.x[0].data() + i * p * q, ta ? int64_t{1} : q, ta ? q : int64_t{1},
                right.data(), width, y.data() + i * M * width, width, false);
  }
  return {y};
}

template <class N>
Outputs<N> concat(const TwinInput<N>& in) {
  const int64_t rows = rows_of(in.shapes[0]);
  int64_t width = 0, at = 0;
  for (const Shape& s : in.shapes) width += s.last();
  std::vector<N> y = room<N>(rows * width);
  for (size_t i = 0; i < in.x.size(); ++i) {
    const int64_t n = in.shapes[i].last();
    ref::copy_columns(rows, n, in.x[i].data(), n, 0, y.data(), width, at);
    at += n;
  }
  return {y};
}

template <class N, ops::Reduction kind>
Outputs<N> reduce(const TwinInput<N>& in, int axis) {
  const Shape& s = in.shapes[0];
  const int64_t n = s[axis];
  int64_t inner = 1;
  for (int i = axis + 1; i < s.rank(); ++i) inner *= s[i];
  std::vector<N> y = room<N>(s.size() / n);
  ref::reduce(s.size() / (n * inner), n, inner, static_cast<kernels::Reduce>(kind), in.x[0].data(), y.data(),
              static_cast<int32_t*>(nullptr));
  return {y};
}

template <class N, ops::Reduction kind>
Outputs<N> pool(const TwinInput<N>& in) {
  const int64_t B = in.shapes[0][0], R = in.shapes[0][1], C = in.shapes[0][2], F = in.shapes[0][3];
  std::vector<N> row = room<N>(B * R * F), col = room<N>(B * C * F), all = room<N>(B * F);
  for (int64_t b = 0; b < B; ++b)
    ref::pool_matrix(R, C, F, static_cast<kernels::Reduce>(kind), in.x[0].data() + b * R * C * F,
                     row.data() + b * R * F, col.data() + b * C * F, all.data() + b * F,
                     static_cast<int32_t*>(nullptr), static_cast<int32_t*>(nullptr),
                     static_cast<int32_t*>(nullptr));
  return {row, col, all};
}

template <class N>
std::vector<N> batch_norm(const TwinInput<N>& in, bool training) {
  const int64_t C = in.shapes[0].last(), P = in.shapes[1][0];
  std::vector<int> channel;
  for (int64_t c = 0; c < C; ++c) channel.push_back(static_cast<int>(c % P));
  const std::vector<double> running = positive_constants(P);
  std::vector<N> mean(running.begin(), running.end()), var = mean, y = room<N>(in.shapes[0].size());
  ref::batch_norm(rows_of(in.shapes[0]), C, P, channel.data(), in.x[0].data(), in.x[1].data(), in.x[2].data(),
                  N(1e-5), training, mean.data(), var.data(), y.data());
  return y;
}

template <class N>
std::vector<N> drop(const Shape& s, const std::vector<N>& x, double p) {
  std::vector<N> y = room<N>(s.size());
  ref::dropout_channels(s[0], rows_of(s) / s[0], s.last(), p, kSeed, 1, x.data(), y.data());
  return y;
}

template <class N>
Outputs<N> norm_relu_dropout(const TwinInput<N>& in, bool training, double p) {
  std::vector<N> y = batch_norm(in, training);
  ref::relu(in.shapes[0].size(), y.data(), y.data());
  return {training && p > 0 ? drop(in.shapes[0], y, p) : y};
}

template <class N>
Outputs<N> layer_norm(const TwinInput<N>& in) {
  const int64_t rows = rows_of(in.shapes[0]), C = in.shapes[0].last();
  std::vector<N> y = room<N>(rows * C), mean = room<N>(rows), rstd = room<N>(rows);
  ref::layer_norm(rows, C, in.x[0].data(), in.x[1].data(), in.x[2].data(), N(1e-5), y.data(), mean.data(),
                  rstd.data());
  return {y};
}

template <class N>
Outputs<N> cross_entropy(const TwinInput<N>& in) {
  const int64_t B = in.shapes[0][0], K = in.shapes[0][1];
  const std::vector<double> raw = positive_constants(B * K);
  std::vector<N> targets(raw.begin(), raw.end());
  for (int64_t b = 0; b < B; ++b) {
    double sum = 0;
    for (int64_t k = 0; k < K; ++k) sum += raw[static_cast<size_t>(b * K + k)];
    for (int64_t k = 0; k < K; ++k) targets[static_cast<size_t>(b * K + k)] /= sum;
  }
  return {{ref::cross_entropy(B, K, in.x[0].data(), targets.data(), N(0.4))}};
}

template <class N>
Outputs<N> conv2d(const TwinInput<N>& in, int64_t stride, int64_t pad, int64_t dilation) {
  const Shape &x = in.shapes[0], &w = in.shapes[1];
  const kernels::Conv2d c{.channels = x[3],
                          .height = x[1],
                          .width = x[2],
                          .filters = w[3],
                          .kernel_h = w[0],
                          .kernel_w = w[1],
                          .stride_h = stride,
                          .stride_w = stride,
                          .pad_top = pad,
                          .pad_left = pad,
                          .pad_bottom = pad,
                          .pad_right = pad,
                          .dilation_h = dilation,
                          .dilation_w = dilation};
  std::vector<N> y = room<N>(x[0] * c.places() * c.filters);
  ref::conv2d_nhwc(c, x[0], in.x[0].data(), in.x[1].data(), in.x.size() > 2 ? in.x[2].data() : nullptr,
                   y.data());
  return {y};
}

template <class N>
Outputs<N> pool2d(const TwinInput<N>& in, bool mean, int64_t kernel, int64_t pad) {
  const Shape& x = in.shapes[0];
  const kernels::Pool2d p{.height = x[1],
                          .width = x[2],
                          .kernel_h = kernel,
                          .kernel_w = kernel,
                          .stride_h = 2,
                          .stride_w = 2,
                          .pad_top = pad,
                          .pad_left = pad,
                          .pad_bottom = pad,
                          .pad_right = pad};
  std::vector<N> y = room<N>(x[0] * p.places() * x[3]);
  if (mean)
    ref::mean_pool2d(p, x[0], x[3], in.x[0].data(), y.data());
  else
    ref::max_pool2d(p, x[0], x[3], in.x[0].data(), y.data(), static_cast<int32_t*>(nullptr));
  return {y};
}

void add_pictures(std::vector<Twin>& all) {
  all.push_back(make("conv2d", "without bias", [](const auto& in) { return conv2d(in, 1, 1, 1); }));
  all.push_back(make("conv2d", "with bias and stride", [](const auto& in) { return conv2d(in, 2, 1, 1); }));
  all.push_back(make("conv2d", "dilated", [](const auto& in) { return conv2d(in, 1, 0, 2); }));
  all.push_back(make("conv2d", "pointwise", [](const auto& in) { return conv2d(in, 1, 0, 1); }));
  all.push_back(make("max_pool2d", "by two", [](const auto& in) { return pool2d(in, false, 2, 0); }));
  all.push_back(make("max_pool2d", "overlapping", [](const auto& in) { return pool2d(in, false, 3, 1); }));
  all.push_back(make("mean_pool2d", "by two", [](const auto& in) { return pool2d(in, true, 2, 0); }));
  all.push_back(make("mean_pool2d", "overlapping", [](const auto& in) { return pool2d(in, true, 3, 1); }));
}

void add_linear(std::vector<Twin>& all) {
  for (const char* label : {"without bias", "with bias"})
    all.push_back(make("linear", label, [](const auto& in) { return linear(in); }));
  all.push_back(make("matrix_update", "", [](const auto& in) { return matrix_update(in); }));
  all.push_back(make("matmul", "plain", [](const auto& in) { return matmul<DWS_N, false, false>(in); }));
  all.push_back(
      make("matmul", "transposed a", [](const auto& in) { return matmul<DWS_N, true, false>(in); }));
  all.push_back(
      make("matmul", "transposed b", [](const auto& in) { return matmul<DWS_N, false, true>(in); }));
  all.push_back(
      make("matmul", "both transposed", [](const auto& in) { return matmul<DWS_N, true, true>(in); }));
}

// An op y = kernel(n, x..., y) on arrays of one size.
#define DWS_SAME_SIZE(...)          \
  [](const auto& in) {              \
    const Shape& s = in.shapes[0];  \
    auto y = room<DWS_N>(s.size()); \
    const auto& x = in.x;           \
    __VA_ARGS__;                    \
    return Outputs<DWS_N>{y};       \
  }

void add_elementwise(std::vector<Twin>& all) {
  all.push_back(make("add", "", DWS_SAME_SIZE(ref::add(s.size(), x[0].data(), x[1].data(), y.data()))));
  all.push_back(
      make("scale", "", DWS_SAME_SIZE(ref::scale(s.size(), DWS_N(-1.7), x[0].data(), y.data(), false))));
  all.push_back(make("relu", "", DWS_SAME_SIZE(ref::relu(s.size(), x[0].data(), y.data()))));
  all.push_back(make("tanh", "", DWS_SAME_SIZE(ref::tanh(s.size(), x[0].data(), y.data()))));
  all.push_back(make("gelu", "", DWS_SAME_SIZE(ref::gelu(s.size(), x[0].data(), y.data()))));
  all.push_back(make("dropout", "training", DWS_SAME_SIZE(y = drop(s, x[0], 0.3))));
  all.push_back(
      make("softmax", "", DWS_SAME_SIZE(ref::softmax(rows_of(s), s.last(), x[0].data(), y.data()))));
}

void add_shape(std::vector<Twin>& all) {
  all.push_back(make("reshape", "", DWS_SAME_SIZE(y = x[0]; (void)s)));
  all.push_back(make("concat", "three parts", [](const auto& in) { return concat(in); }));
  all.push_back(make("slice", "", [](const auto& in) {
    const Shape& s = in.shapes[0];
    auto y = room<DWS_N>(rows_of(s) * (s.last() - 4));
    ref::copy_columns(rows_of(s), s.last() - 4, in.x[0].data(), s.last(), 2, y.data(), s.last() - 4, 0);
    return Outputs<DWS_N>{y};
  }));
  all.push_back(make("transpose", "last two",
                     DWS_SAME_SIZE(ref::swap_axes(s[0], s[1], 1, s[2], 1, x[0].data(), y.data()))));
  all.push_back(make("transpose", "apart",
                     DWS_SAME_SIZE(ref::swap_axes(s[0], s[1], s[2], s[3], s[4], x[0].data(), y.data()))));
  all.push_back(
      make("add_bias", "",
           DWS_SAME_SIZE(ref::add_row_vector(rows_of(s), s.last(), x[0].data(), x[1].data(), y.data()))));
  all.push_back(make(
      "add_global", "",
      DWS_SAME_SIZE(ref::add_global(s[0], rows_of(s) / s[0], s.last(), x[0].data(), x[1].data(), y.data()))));
  all.push_back(
      make("add_rows", "",
           DWS_SAME_SIZE(ref::add_rows(s[0], s[1], s[2], s[3], x[0].data(), x[1].data(), y.data()))));
  all.push_back(
      make("add_cols", "",
           DWS_SAME_SIZE(ref::add_cols(s[0], s[1], s[2], s[3], x[0].data(), x[1].data(), y.data()))));
}

template <ops::Reduction kind>
void add_reductions(std::vector<Twin>& all, const std::string& name) {
  for (const char* place : {" of the middle", " of the last"})
    all.push_back(make("reduce", name + place, [](const auto& in) { return reduce<DWS_N, kind>(in, 1); }));
  all.push_back(make("pool_matrix", name, [](const auto& in) { return pool<DWS_N, kind>(in); }));
}

template <bool training>
void add_norm(std::vector<Twin>& all) {
  const std::string mode = training ? "training" : "running statistics";
  for (const char* more : {"", ", shared channels", ", of a picture"})
    all.push_back(make("batch_norm", mode + more,
                       [](const auto& in) { return Outputs<DWS_N>{batch_norm(in, training)}; }));
  all.push_back(
      make("norm_relu_dropout", mode, [](const auto& in) { return norm_relu_dropout(in, training, 0.0); }));
  all.push_back(make("norm_relu_dropout", mode + ", dropout",
                     [](const auto& in) { return norm_relu_dropout(in, training, 0.25); }));
}

std::vector<Twin> make_twins() {
  std::vector<Twin> all;
  add_linear(all);
  add_elementwise(all);
  add_pictures(all);
  add_shape(all);
  add_reductions<ops::Reduction::max>(all, "max");
  add_reductions<ops::Reduction::mean>(all, "mean");
  add_reductions<ops::Reduction::sum>(all, "sum");
  add_norm<false>(all);
  add_norm<true>(all);
  all.push_back(make("layer_norm", "", [](const auto& in) { return layer_norm(in); }));
  all.push_back(make("cross_entropy", "", [](const auto& in) { return cross_entropy(in); }));
  return all;
}

}  // namespace

const std::vector<Twin>& twins() {
  static const std::vector<Twin> all = make_twins();
  return all;
}

const Twin* twin_of(std::string_view primitive, const std::string& label) {
  for (const Twin& twin : twins())
    if (twin.primitive == primitive && twin.label == label) return &twin;
  return nullptr;
}

}  // namespace dws::test
