#include "cases.h"

#include "core/rng.h"

namespace dws::test {
namespace {

template <class T>
T element(Tape<T>&);  // names T inside a generic lambda
#define DWS_T decltype(element(tape))

template <class T>
std::vector<Var<T>> out(Var<T> y) {
  return {y};
}
template <class T>
std::vector<Var<T>> out(const ops::Pooled<T>& y) {
  return {y.row, y.col, y.all};
}

// Constants of a case: positive numbers in tape memory, the same in float and double.
template <class T>
View<T> constants(Tape<T>& tape, const Shape& shape) {
  const View<T> v = tape.allocate(shape);
  const std::vector<double> values = positive_constants(v.size());
  for (int64_t i = 0; i < v.size(); ++i) v.data[i] = static_cast<T>(values[static_cast<size_t>(i)]);
  return v;
}

// Rows that sum to one.
template <class T>
View<const T> target_rows(Tape<T>& tape, const Shape& shape) {
  const View<T> v = constants(tape, shape);
  for (int64_t b = 0; b < shape[0]; ++b) {
    T sum = 0;
    for (int64_t k = 0; k < shape[1]; ++k) sum += v.data[b * shape[1] + k];
    for (int64_t k = 0; k < shape[1]; ++k) v.data[b * shape[1] + k] /= sum;
  }
  return v;
}

// Columns 0 .. C-1 on P parameter sets, in turn when shared; running statistics too.
template <class T>
ops::BatchNormState<T> norm_state(Tape<T>& tape, Var<T> x, Var<T> gamma) {
  const int64_t C = x.shape().last(), P = gamma.shape()[0];
  int* channel = tape.arena().template take<int>(static_cast<size_t>(C));
  for (int64_t c = 0; c < C; ++c) channel[c] = static_cast<int>(c % P);
  ops::BatchNormState<T> state;
  state.channel_of = {channel, static_cast<size_t>(C)};
  state.mean = constants(tape, {P}).data;
  state.var = constants(tape, {P}).data;
  return state;
}

template <class F>
Case make(std::string_view primitive, std::string label, std::vector<Shape> shapes, std::vector<Shape> wide,
          F build, Values values = Values::normal, bool training = false) {
  return {primitive, std::move(label), std::move(shapes), std::move(wide), build, build, values, training};
}

void add_linear(std::vector<Case>& all) {
  all.push_back(make("linear", "without bias", {{2, 3, 4}, {4, 5}}, {{3, 37, 19}, {19, 33}},
                     [](auto&, auto in) { return out(ops::linear(in[0], in[1])); }));
  all.push_back(make("linear", "with bias", {{3, 4}, {4, 2}, {2}}, {{45, 32}, {32, 17}, {17}},
                     [](auto&, auto in) { return out(ops::linear(in[0], in[1], in[2])); }));
  all.push_back(make("matrix_update", "", {{2, 3, 4, 2}, {2, 3}, {2, 3, 3}, {2, 4, 3}},
                     {{2, 13, 7, 9}, {9, 33}, {2, 13, 33}, {2, 7, 33}},
                     [](auto&, auto in) { return out(ops::matrix_update(in[0], in[1], in[2], in[3])); }));
  all.push_back(make("matmul", "plain", {{2, 3, 4}, {2, 4, 2}}, {{3, 17, 9}, {3, 9, 35}},
                     [](auto&, auto in) { return out(ops::matmul(in[0], in[1])); }));
  all.push_back(make("matmul", "transposed a", {{2, 4, 3}, {2, 4, 2}}, {{3, 9, 17}, {3, 9, 35}},
                     [](auto&, auto in) { return out(ops::matmul(in[0], in[1], true, false)); }));
  all.push_back(make("matmul", "transposed b", {{2, 3, 4}, {2, 2, 4}}, {{3, 17, 9}, {3, 35, 9}},
                     [](auto&, auto in) { return out(ops::matmul(in[0], in[1], false, true)); }));
  all.push_back(make("matmul", "both transposed", {{4, 3}, {2, 4}}, {{9, 17}, {35, 9}},
                     [](auto&, auto in) { return out(ops::matmul(in[0], in[1], true, true)); }));
}

void add_elementwise(std::vector<Case>& all) {
  all.push_back(make("add", "", {{3, 4}, {3, 4}}, {{7, 37}, {7, 37}},
                     [](auto&, auto in) { return out(ops::add(in[0], in[1])); }));
  all.push_back(make("scale", "", {{3, 4}}, {{7, 37}},
                     [](auto& tape, auto in) { return out(ops::scale(in[0], static_cast<DWS_T>(-1.7))); }));
  all.push_back(make(
      "relu", "", {{3, 5}}, {{7, 37}}, [](auto&, auto in) { return out(ops::relu(in[0])); }, Values::spread));
  all.push_back(make("tanh", "", {{3, 5}}, {{7, 37}}, [](auto&, auto in) { return out(ops::tanh(in[0])); }));
  all.push_back(make("gelu", "", {{3, 5}}, {{7, 37}}, [](auto&, auto in) { return out(ops::gelu(in[0])); }));
  all.push_back(make(
      "dropout", "training", {{3, 9}}, {{7, 37}},
      [](auto&, auto in) { return out(ops::dropout(in[0], 0.3)); }, Values::normal, true));
  all.push_back(
      make("softmax", "", {{2, 3, 5}}, {{9, 37}}, [](auto&, auto in) { return out(ops::softmax(in[0])); }));
}

void add_pictures(std::vector<Case>& all) {
  all.push_back(make("conv2d", "without bias", {{2, 4, 5, 2}, {3, 3, 2, 3}}, {{3, 9, 7, 17}, {3, 3, 17, 35}},
                     [](auto&, auto in) { return out(ops::conv2d(in[0], in[1], {.padding = 1})); }));
  all.push_back(make("conv2d", "with bias and stride", {{2, 5, 4, 2}, {3, 2, 2, 3}, {3}},
                     {{3, 9, 8, 17}, {3, 2, 17, 35}, {35}}, [](auto&, auto in) {
                       return out(ops::conv2d(in[0], in[1], in[2], {.stride = 2, .padding = 1}));
                     }));
  all.push_back(make("conv2d", "dilated", {{2, 5, 6, 2}, {2, 3, 2, 3}}, {{2, 9, 8, 5}, {2, 3, 5, 19}},
                     [](auto&, auto in) { return out(ops::conv2d(in[0], in[1], {.dilation = 2})); }));
  all.push_back(make("conv2d", "pointwise", {{2, 3, 2, 4}, {1, 1, 4, 3}}, {{2, 5, 8, 19}, {1, 1, 19, 33}},
                     [](auto&, auto in) { return out(ops::conv2d(in[0], in[1])); }));
  all.push_back(make(
      "max_pool2d", "by two", {{2, 4, 5, 2}}, {{2, 8, 6, 17}},
      [](auto&, auto in) { return out(ops::max_pool2d(in[0], 2, {.stride = 2})); }, Values::spread));
  all.push_back(make(
      "max_pool2d", "overlapping", {{2, 4, 5, 2}}, {{2, 8, 6, 17}},
      [](auto&, auto in) { return out(ops::max_pool2d(in[0], 3, {.stride = 2, .padding = 1})); },
      Values::spread));
  all.push_back(make("mean_pool2d", "by two", {{2, 4, 5, 2}}, {{2, 8, 6, 17}},
                     [](auto&, auto in) { return out(ops::mean_pool2d(in[0], 2, {.stride = 2})); }));
  all.push_back(make("mean_pool2d", "overlapping", {{2, 4, 5, 2}}, {{2, 8, 6, 17}}, [](auto&, auto in) {
    return out(ops::mean_pool2d(in[0], 3, {.stride = 2, .padding = 1}));
  }));
  for (const bool training : {false, true})
    all.push_back(make(
        "batch_norm", training ? "training, of a picture" : "running statistics, of a picture",
        {{2, 2, 3, 3}, {3}, {3}}, {{2, 5, 4, 35}, {35}, {35}},
        [](auto& tape, auto in) {
          return out(ops::batch_norm(in[0], in[1], in[2], norm_state(tape, in[0], in[1])));
        },
        Values::normal, training));
}

void add_shape(std::vector<Case>& all) {
  all.push_back(make("reshape", "", {{2, 6}}, {{6, 38}}, [](auto&, auto in) {
    return out(ops::reshape(in[0], {3, 2, in[0].shape().size() / 6}));
  }));
  all.push_back(make("concat", "three parts", {{2, 2, 3}, {2, 2, 1}, {2, 2, 4}}, {{5, 19}, {5, 33}, {5, 7}},
                     [](auto&, auto in) { return out(ops::concat(in)); }));
  all.push_back(make("slice", "", {{2, 3, 7}}, {{5, 67}},
                     [](auto&, auto in) { return out(ops::slice(in[0], 2, in[0].shape().last() - 4)); }));
  all.push_back(make("transpose", "last two", {{2, 3, 4}}, {{3, 17, 35}},
                     [](auto&, auto in) { return out(ops::transpose(in[0], -1, -2)); }));
  all.push_back(make("transpose", "apart", {{2, 3, 2, 3, 2}}, {{3, 5, 2, 4, 9}},
                     [](auto&, auto in) { return out(ops::transpose(in[0], 3, 1)); }));
  all.push_back(make("add_bias", "", {{2, 3, 4}, {4}}, {{7, 5, 35}, {35}},
                     [](auto&, auto in) { return out(ops::add_bias(in[0], in[1])); }));
  all.push_back(make("add_global", "", {{2, 3, 2, 4}, {2, 4}}, {{3, 5, 35}, {3, 35}},
                     [](auto&, auto in) { return out(ops::add_global(in[0], in[1])); }));
  all.push_back(make("add_rows", "", {{2, 3, 2, 4}, {2, 3, 4}}, {{2, 5, 7, 35}, {2, 5, 35}},
                     [](auto&, auto in) { return out(ops::add_rows(in[0], in[1])); }));
  all.push_back(make("add_cols", "", {{2, 3, 2, 4}, {2, 2, 4}}, {{2, 5, 7, 35}, {2, 7, 35}},
                     [](auto&, auto in) { return out(ops::add_cols(in[0], in[1])); }));
}

template <ops::Reduction kind>
void add_reductions(std::vector<Case>& all, const std::string& name) {
  all.push_back(make(
      "reduce", name + " of the middle", {{2, 3, 4}}, {{3, 17, 35}},
      [](auto&, auto in) { return out(ops::reduce(in[0], 1, kind)); }, Values::spread));
  all.push_back(make(
      "reduce", name + " of the last", {{2, 5}}, {{7, 37}},
      [](auto&, auto in) { return out(ops::reduce(in[0], -1, kind)); }, Values::spread));
  all.push_back(make(
      "pool_matrix", name, {{2, 3, 4, 2}}, {{2, 13, 7, 35}},
      [](auto&, auto in) { return out(ops::pool_matrix(in[0], kind)); }, Values::spread));
}

void add_norm(std::vector<Case>& all) {
  for (const bool training : {false, true}) {
    const std::string mode = training ? "training" : "running statistics";
    const auto plain = [](auto& tape, auto in) {
      return out(ops::batch_norm(in[0], in[1], in[2], norm_state(tape, in[0], in[1])));
    };
    all.push_back(make("batch_norm", mode, {{2, 4, 3}, {3}, {3}}, {{3, 19, 35}, {35}, {35}}, plain,
                       Values::normal, training));
    all.push_back(make("batch_norm", mode + ", shared channels", {{5, 6}, {2}, {2}}, {{31, 36}, {9}, {9}},
                       plain, Values::normal, training));
    const auto fused = [](auto& tape, auto in) {
      return out(ops::norm_relu_dropout(in[0], in[1], in[2], norm_state(tape, in[0], in[1]), 0.0));
    };
    all.push_back(make("norm_relu_dropout", mode, {{3, 5, 3}, {3}, {3}}, {{3, 19, 35}, {35}, {35}}, fused,
                       Values::normal, training));
    const auto dropped = [](auto& tape, auto in) {
      return out(ops::norm_relu_dropout(in[0], in[1], in[2], norm_state(tape, in[0], in[1]), 0.25));
    };
    all.push_back(make("norm_relu_dropout", mode + ", dropout", {{8, 4}, {2}, {2}}, {{31, 36}, {9}, {9}},
                       dropped, Values::normal, training));
  }
  all.push_back(make("layer_norm", "", {{2, 3, 5}, {5}, {5}}, {{9, 37}, {37}, {37}},
                     [](auto&, auto in) { return out(ops::layer_norm(in[0], in[1], in[2])); }));
}

std::vector<Case> make_cases() {
  std::vector<Case> all;
  add_linear(all);
  add_elementwise(all);
  add_pictures(all);
  add_shape(all);
  add_reductions<ops::Reduction::max>(all, "max");
  add_reductions<ops::Reduction::mean>(all, "mean");
  add_reductions<ops::Reduction::sum>(all, "sum");
  add_norm(all);
  all.push_back(make("cross_entropy", "", {{3, 4}}, {{21, 10}}, [](auto& tape, auto in) {
    return out(ops::cross_entropy(in[0], target_rows(tape, in[0].shape()), static_cast<DWS_T>(0.4)));
  }));
  return all;
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = make_cases();
  return all;
}

std::vector<double> positive_constants(int64_t n) {
  std::vector<double> values(static_cast<size_t>(n));
  Rng rng(11);
  for (double& v : values) v = rng.uniform(0.25, 1.0);
  return values;
}

std::vector<Tensor<double>> draw_normal(const std::vector<Shape>& shapes, uint64_t seed) {
  std::vector<Tensor<double>> all;
  Rng rng(seed);
  for (const Shape& shape : shapes) {
    all.emplace_back(shape);
    for (double& v : all.back().span()) v = rng.normal();
  }
  return all;
}

std::vector<Tensor<double>> draw(const Case& c, const std::vector<Shape>& shapes) {
  const uint64_t seed = stream_id((std::string(c.primitive) + c.label).c_str());
  if (c.values == Values::normal) return draw_normal(shapes, seed);
  std::vector<Tensor<double>> all;
  Rng rng(seed);
  for (const Shape& shape : shapes) {
    all.emplace_back(shape);
    const int64_t n = all.back().size();
    for (int64_t i = 0; i < n; ++i) all.back()[i] = 0.1 * (static_cast<double>(i - n / 2) + 0.37);
    rng.shuffle(all.back().span());
  }
  return all;
}

}  // namespace dws::test
