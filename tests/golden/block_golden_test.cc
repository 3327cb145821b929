// Each kind of block of the equivariant layer alone, values and gradients, against numbers PyTorch computed
// from the formulas (scripts/make_golden.py), on 2-5-4-3-3: first, interior and last layers, several outputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "format/safetensors.h"
#include "nn/dws_layer.h"

namespace dws {
namespace {

constexpr int64_t kIn = 2, kOut = 3, kBatch = 2;
const std::vector<int64_t> kDims = {2, 5, 4, 3, 3};

template <class T>
constexpr double kBlockTolerance = std::is_same_v<T, double> ? 1e-10 : 1e-5;

const Safetensors& file() {
  static const Safetensors opened = Safetensors::open(DWS_TEST_DATA "/golden/blocks.safetensors");
  return opened;
}

std::vector<double> golden(const std::string& name) {
  std::vector<double> values(static_cast<size_t>(file().at(name).elements()));
  file().read(file().at(name), std::span<double>(values));
  return values;
}

// "W2" is tensor 4 of the layout, "b2" tensor 5.
int tensor_of(const std::string& name) {
  return 2 * (name[1] - '0') + (name[0] == 'b');
}
std::string name_of(int tensor) {
  return text("{}{}", tensor % 2 ? "b" : "W", tensor / 2);
}

// Number (in, out, channel) of a weight of the file is number (out, in, channel) of the flat vector; visit
// gets both places and, for a bias, in = 0.
template <class Visit>
void each_number(int64_t channels, int64_t batch, int tensor, Visit visit) {
  int64_t total = 0, begin = 0;
  for (size_t i = 0; i + 1 < kDims.size(); ++i) {
    if (static_cast<int>(2 * i) == tensor) begin = total;
    total += kDims[i] * kDims[i + 1];
    if (static_cast<int>(2 * i + 1) == tensor) begin = total;
    total += kDims[i + 1];
  }
  const size_t layer = static_cast<size_t>(tensor / 2);
  const int64_t in = tensor % 2 ? 1 : kDims[layer], out = kDims[layer + 1];
  size_t at = 0;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t i = 0; i < in; ++i)
      for (int64_t o = 0; o < out; ++o)
        for (int64_t c = 0; c < channels; ++c) visit(at++, (b * total + begin + o * in + i) * channels + c);
}

// "PREFIX.W0", "PREFIX.b0", ... as (B, P channels).
template <class T>
Tensor<T> flat(const weights::WeightSpace& space, const std::string& prefix, int64_t channels) {
  Tensor<T> x({kBatch, space.param_count() * channels});
  for (int t = 0; t < space.tensors(); ++t) {
    const std::vector<double> values = golden(prefix + "." + name_of(t));
    each_number(channels, kBatch, t, [&](size_t i, int64_t place) { x[place] = static_cast<T>(values[i]); });
  }
  return x;
}

// Within the tolerance of the largest expected magnitude, and something was compared.
template <class T>
void expect_near(const std::vector<double>& got, const std::vector<double>& want, const std::string& name) {
  ASSERT_EQ(got.size(), want.size()) << name;
  double worst = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double e = std::abs(got[i] - want[i]);
    worst = e <= worst ? worst : std::isnan(e) ? std::numeric_limits<double>::infinity() : e;
    norm = std::max(norm, std::abs(want[i]));
  }
  EXPECT_TRUE(norm > 0 && worst <= kBlockTolerance<T> * norm) << name << ": " << worst << ", norm " << norm;
}

// Compares what the file has; tensors that the block does not touch must be zero.
template <class T>
void compare(const weights::WeightSpace& space, const nn::WeightFeatures<T>& got, const std::string& prefix) {
  const Tensor<T> numbers = nn::unfold(space, got);
  int found = 0;
  for (int t = 0; t < space.tensors(); ++t) {
    const std::string name = prefix + "." + name_of(t);
    std::vector<double> values;
    each_number(got.channels, kBatch, t,
                [&](size_t, int64_t place) { values.push_back(static_cast<double>(numbers[place])); });
    if (file().find(name)) {
      ++found;
      expect_near<T>(values, golden(name), name);
    } else {
      EXPECT_EQ(std::count(values.begin(), values.end(), 0.0), static_cast<int64_t>(values.size())) << name;
    }
  }
  EXPECT_GT(found, 0) << prefix;
}

// Where the numbers of a sub-block lie in the flat parameters: "own.W1", "axis.W1.b0.0" (source, target,
// hidden layer), "global.W1.b0", "bias.b0".
template <class T>
std::vector<int64_t> places(const ParamSet<T>& params, const nn::DwsLayer<T>& layer,
                            const weights::WeightSpace& space, const std::string& name) {
  const std::vector<std::string> part = split(name, '.');
  const int source = tensor_of(part[1]),
            target = tensor_of(part[0] == "axis" || part[0] == "global" ? part[2] : part[1]);
  const int64_t rows = space.slot(source).multiplicity * kIn,
                columns = space.slot(target).multiplicity * kOut;
  std::vector<int64_t> found;
  for (int64_t r = 0; r < (part[0] == "bias" ? 1 : rows); ++r)
    for (int64_t c = 0; c < columns; ++c)
      found.push_back(
          part[0] == "own"      ? params.info(layer.own(space.slot(source).bundle)).offset + r * columns + c
          : part[0] == "axis"   ? layer.axis(part[3][0] - '0').weight_place(params, source, r, target, c)
          : part[0] == "global" ? layer.global().weight_place(params, source, r, target, c)
                                : layer.global().bias_place(params, target, c));
  return found;
}

template <class T>
void check(nn::Block block, ops::Reduction reduction, const std::string& reduction_name) {
  const weights::WeightSpace space = weights::WeightSpace::mlp(kDims);
  const std::string prefix = std::string(nn::block_name(block)) + "/", run = prefix + reduction_name + "/";
  nn::DwsLayerOptions options;
  options.in = kIn;
  options.out = kOut;
  options.reduction = reduction;
  options.allowed = nn::block_mask(space, {block}, false);
  ParamSet<T> params;
  const nn::DwsLayer<T> layer(params, "layer", space, options);
  params.freeze();

  // The file's parameters, each to its own place, and all weights come from the file.
  std::vector<std::string> names;
  std::vector<bool> taken(static_cast<size_t>(params.size()));
  for (const TensorEntry& entry : file().tensors()) {
    if (!entry.name.starts_with(prefix) || entry.name.find('/', prefix.size()) != std::string::npos) continue;
    names.push_back(entry.name.substr(prefix.size()));
    const std::vector<double> values = golden(entry.name);
    const std::vector<int64_t> to = places(params, layer, space, names.back());
    ASSERT_EQ(values.size(), to.size()) << entry.name;
    for (size_t i = 0; i < to.size(); ++i) {
      ASSERT_TRUE(to[i] >= 0 && to[i] < params.size() && !taken[static_cast<size_t>(to[i])]) << entry.name;
      taken[static_cast<size_t>(to[i])] = true;
      params.values().data[to[i]] = static_cast<T>(values[i]);
    }
  }
  const int bias = params.find("layer.global.bias");
  for (int i = 0; i < params.count(); ++i)
    for (int64_t n = 0; i != bias && n < params.info(i).shape.size(); ++n)
      EXPECT_TRUE(taken[static_cast<size_t>(params.info(i).offset + n)]) << params.info(i).name << " " << n;

  Tape<T> tape, constants;
  std::vector<T> gradient(static_cast<size_t>(params.size()), T(0));
  tape.bind_gradients(gradient.data());
  const Tensor<T> x = flat<T>(space, "x", kIn), dy = flat<T>(space, "dy", kOut);
  const nn::WeightFeatures<T> leaves = nn::map_bundles(nn::fold<T>(constants, space, x.view(), kIn), kIn,
                                                       [&](Var<T> v) { return tape.input(v.view()); });
  const nn::WeightFeatures<T> y = layer.forward(tape, params, leaves);
  compare(space, y, run + "y");

  std::vector<Var<T>> roots;
  std::vector<View<const T>> seeds;
  const nn::WeightFeatures<T> cotangents = nn::fold<T>(constants, space, dy.view(), kOut);
  const auto add_root = [&](Var<T> root, Var<T> seed) {
    if (!root.valid() || !root.needs_grad()) return;
    roots.push_back(root);
    seeds.push_back(seed.view());
  };
  for (size_t k = 0; k < y.axis.size(); ++k) add_root(y.axis[k], cotangents.axis[k]);
  for (size_t i = 0; i < y.matrix.size(); ++i) add_root(y.matrix[i], cotangents.matrix[i]);
  add_root(y.scalar, cotangents.scalar);
  tape.backward(roots, seeds);
  compare(space, nn::map_bundles(leaves, kIn, [&](Var<T> v) { return constants.constant(tape.grad(v)); }),
          run + "dx");
  for (const std::string& name : names) {
    std::vector<double> values;
    for (const int64_t place : places(params, layer, space, name))
      values.push_back(static_cast<double>(gradient[static_cast<size_t>(place)]));
    expect_near<T>(values, golden(run + "d" + name), run + "d" + name);
  }
  EXPECT_GE(names.size(), 5u);
}

class BlockGolden : public ::testing::TestWithParam<nn::Block> {
 protected:
  template <class T>
  void check_all() {
    check<T>(GetParam(), ops::Reduction::max, "max");
    check<T>(GetParam(), ops::Reduction::mean, "mean");
    check<T>(GetParam(), ops::Reduction::sum, "sum");
  }
};
TEST_P(BlockGolden, Double) {
  check_all<double>();
}
TEST_P(BlockGolden, Float) {
  check_all<float>();
}
INSTANTIATE_TEST_SUITE_P(Dws, BlockGolden, ::testing::ValuesIn(nn::all_blocks()),
                         [](const auto& test) { return std::string(nn::block_name(test.param)); });

}  // namespace
}  // namespace dws
