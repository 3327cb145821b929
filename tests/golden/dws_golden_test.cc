// The published DWS networks' own numbers (tests/data/golden/dws): parameters read by their names and folded
// into our layers must give their layer outputs, logits, gradients and first optimiser step.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/text.h"
#include "kernels/optimizer.h"
#include "metanets/published.h"
#include "testing.h"

namespace dws {
namespace {

// Largest relative difference allowed: float against float files, double against the files' .f64 twins.
constexpr double kFloat = 1e-5, kDouble = 1e-10;
constexpr double kLearningRate = 5e-3, kWeightDecay = 5e-4;

template <class T>
constexpr bool kTwin = std::is_same_v<T, double>;

double norm(const std::vector<double>& x) {
  double sum = 0;
  for (double v : x) sum += v * v;
  return std::sqrt(sum);
}

// |a - b| / max(|b|, floor), infinite for different sizes or nothing to compare.
double difference(const std::vector<double>& a, const std::vector<double>& b, double floor = 0) {
  if (a.size() != b.size() || b.empty()) return HUGE_VAL;
  std::vector<double> d(a.size());
  for (size_t i = 0; i < a.size(); ++i) d[i] = a[i] - b[i];
  return norm(d) / std::max(norm(b), floor);
}

template <class T>
std::vector<double> widen(std::span<const T> x) {
  return {x.begin(), x.end()};
}

template <class T>
struct Case {
  Safetensors file;
  MlpArch arch;
  std::unique_ptr<DwsNet<T>> net;
  Tensor<T> x;        // (B, P)
  Tensor<T> targets;  // (B, classes), one-hot

  explicit Case(const std::string& name)
      : file(Safetensors::open(dws::testing::data_path("golden/dws/" + name + ".safetensors"))) {
    const Json dims = Json::parse(*file.meta("dims"), "dims");
    for (const Json& d : dims.as_array()) arch.dims.push_back(d.as_int());
    net = read_published<T>(file, arch, Json::parse(*file.meta("model"), "model"), "param/", "buffer/");
    const int64_t batch = file.at("label").shape[0];
    x = Tensor<T>(Shape{batch, arch.param_count()});
    for (int64_t b = 0; b < batch; ++b) {
      T* write = x.data() + b * arch.param_count();
      for (int i = 0; i < arch.layers(); ++i) {
        const std::vector<double> w = published(text("in.W{}", i));
        const std::vector<double> bias = published(text("in.b{}", i));
        const int64_t n = arch.weight_size(i), m = arch.bias_size(i);
        for (int64_t out = 0; out < m; ++out)
          for (int64_t in = 0; in < n / m; ++in) *write++ = static_cast<T>(w[size_t(b * n + in * m + out)]);
        for (int64_t out = 0; out < m; ++out) *write++ = static_cast<T>(bias[size_t(b * m + out)]);
      }
    }
    std::vector<int64_t> labels(static_cast<size_t>(batch));
    file.read(file.at("label"), std::span<int64_t>(labels));
    targets = Tensor<T>(Shape{batch, net->output_size()});
    for (int64_t b = 0; b < batch; ++b) targets[b * net->output_size() + labels[size_t(b)]] = T(1);
  }

  std::vector<double> published(const std::string& name) const {
    std::vector<double> values(static_cast<size_t>(file.at(name).elements()));
    file.read(file.at(name), std::span<double>(values));
    return values;
  }
  std::vector<double> expected(const std::string& name) const {
    return published(kTwin<T> ? name + ".f64" : name);
  }

  // Features (B, P, F) in the order of the file's tensors "PREFIX.W0", "PREFIX.b0", ...: one vector a tensor.
  std::map<std::string, std::vector<double>> by_tensor(const nn::WeightFeatures<T>& f) const {
    std::map<std::string, std::vector<double>> result;
    const Tensor<T> flat = nn::unfold(net->space(), f);
    const int64_t batch = x.shape()[0], channels = f.channels;
    for (int64_t b = 0; b < batch; ++b) {
      const T* read = flat.data() + b * arch.param_count() * channels;
      for (int i = 0; i < arch.layers(); ++i) {
        const int64_t m = arch.bias_size(i), in_count = arch.weight_size(i) / m;
        std::vector<double>& w = result[text("W{}", i)];
        for (int64_t in = 0; in < in_count; ++in)
          for (int64_t out = 0; out < m; ++out)
            for (int64_t c = 0; c < channels; ++c)
              w.push_back(static_cast<double>(read[(out * in_count + in) * channels + c]));
        read += arch.weight_size(i) * channels;
        std::vector<double>& bias = result[text("b{}", i)];
        bias.insert(bias.end(), read, read + m * channels);
        read += m * channels;
      }
    }
    return result;
  }
};

template <class T>
void check_evaluation(const std::string& name) {
  const Case<T> c(name);
  Tape<T> tape;
  std::vector<nn::WeightFeatures<T>> trace;
  const nn::WeightFeatures<T> last = c.net->equivariant(tape, c.x.view(), nullptr, &trace);
  const Var<T> logits = c.net->classify(tape, last, nullptr);
  EXPECT_LE(difference(widen<T>(logits.view().span()), c.expected("out.eval")), kTwin<T> ? kDouble : kFloat);

  // Layers alternate: equivariant layer, rectifier (after norm); the file numbers norm, rectifier and dropout
  // too.
  const int stride = c.net->settings().norm == nn::Norm::batch ? 4 : 3;
  int checked = 0;
  for (size_t i = 0; i < trace.size(); ++i) {
    const size_t number = (i + 1) / 2 * static_cast<size_t>(stride) - (i % 2 ? 1 : 0);
    for (const auto& [tensor, values] : c.by_tensor(trace[i])) {
      const std::string entry = text("layer{}.{}", number, tensor);
      EXPECT_LE(difference(values, c.published(entry)), kFloat) << entry;
      ++checked;
    }
  }
  for (const auto& [tensor, values] : c.by_tensor(last))
    EXPECT_LE(difference(values, c.published(text("equiv.{}", tensor))), kFloat) << tensor;
  EXPECT_EQ(checked, 2 * c.arch.layers() * (2 * static_cast<int>(c.net->layers().size()) - 1));
}

// Mean and unbiased variance of each channel of values (positions, channels).
std::pair<std::vector<double>, std::vector<double>> moments(const std::vector<double>& values,
                                                            size_t channels) {
  const double n = static_cast<double>(values.size() / channels);
  std::vector<double> mean(channels, 0), var(channels, 0);
  for (size_t i = 0; i < values.size(); ++i) mean[i % channels] += values[i] / n;
  for (size_t i = 0; i < values.size(); ++i) {
    const double d = values[i] - mean[i % channels];
    var[i % channels] += d * d / (n - 1);
  }
  return {mean, var};
}

// What training adds to BatchNorm's running statistics, under the published names: the moments of what goes
// into each norm. The file's first layer is the same in training and pins the first norm's; those behind it
// are compared with the formula on our own activations (trace as of DwsNet::equivariant).
template <class T>
void check_statistics(const Case<T>& c, const PublishedMap& map, const std::vector<T>& stats,
                      const std::vector<nn::WeightFeatures<T>>& trace) {
  std::vector<double> number(static_cast<size_t>(map.buffer_count())), own(stats.size());
  for (size_t i = 0; i < number.size(); ++i) number[i] = static_cast<double>(i);
  map.fold_buffers(std::span<const double>(number), std::span<double>(own));
  std::vector<double> published(number.size(), HUGE_VAL);
  for (size_t i = 0; i < own.size(); ++i)
    published[static_cast<size_t>(own[i])] = static_cast<double>(stats[i]);
  std::map<std::string, std::vector<double>> by_name;
  for (const auto& piece : map.buffers())
    by_name[piece.name].assign(published.begin() + piece.offset,
                               published.begin() + piece.offset + piece.size());

  size_t checked = 0;
  for (size_t norm = 0; 2 * norm + 1 < trace.size(); ++norm) {
    const auto channels = static_cast<size_t>(trace[2 * norm].channels);
    for (const auto& [tensor, values] : c.by_tensor(trace[2 * norm])) {
      const std::string prefix = text("layers.layers.{}.{}_bn.{}.", 1 + 4 * norm,
                                      tensor[0] == 'W' ? "weights" : "biases", tensor.substr(1));
      const std::vector<double>&mean = by_name[prefix + "running_mean"],
            &var = by_name[prefix + "running_var"];
      const auto check = [&](const std::vector<double>& inputs, double tolerance) {
        const auto [want_mean, want_var] = moments(inputs, channels);
        EXPECT_LE(difference(mean, want_mean, std::sqrt(*std::max_element(want_var.begin(), want_var.end()))),
                  tolerance)
            << prefix;
        EXPECT_LE(difference(var, want_var), tolerance) << prefix;
      };
      check(values, kTwin<T> ? kDouble : kFloat);
      if (norm == 0) check(c.published("layer0." + tensor), kFloat);
      checked += 2 * channels;
    }
  }
  EXPECT_EQ(checked, stats.size());
}

template <class T>
void check_training(const std::string& name) {
  const Case<T> c(name);
  const ParamSet<T>& params = c.net->params();
  std::vector<T> gradient(static_cast<size_t>(params.size()), T(0));
  std::vector<T> stats(static_cast<size_t>(params.buffer_size()), T(0));
  Tape<T> tape;
  tape.set_training(true);
  tape.bind_gradients(gradient.data());
  T* const batch = stats.empty() ? nullptr : stats.data();
  std::vector<nn::WeightFeatures<T>> trace;
  const Var<T> logits = c.net->classify(tape, c.net->equivariant(tape, c.x.view(), batch, &trace), batch);
  EXPECT_LE(difference(widen<T>(logits.view().span()), c.expected("out.train")), kTwin<T> ? kDouble : kFloat);
  const Var<T> loss = ops::cross_entropy(logits, View<const T>(c.targets.view()), T(1) / T(c.x.shape()[0]));
  EXPECT_NEAR(static_cast<double>(*loss.data()), std::stod(*c.file.meta("loss_f64")),
              kTwin<T> ? kDouble : kFloat);
  tape.backward(loss);

  const PublishedMap map = published_map(*c.net);
  if (batch) check_statistics(c, map, stats, trace);
  std::vector<T> g(static_cast<size_t>(map.param_count()));
  map.pull_back(std::span<const T>(gradient), std::span<T>(g));

  // A bias in front of BatchNorm has no influence: its gradient is nothing but rounding, so the scale of a
  // tensor's error is at least a small part of the whole gradient's.
  double whole = 0;
  for (const auto& piece : map.params()) whole = std::hypot(whole, norm(c.published("grad/" + piece.name)));
  const double floor = 1e-2 * whole;
  for (const auto& piece : map.params()) {
    const std::span<const T> own = std::span<const T>(g).subspan(size_t(piece.offset), size_t(piece.size()));
    EXPECT_LE(difference(widen(own), c.expected("grad/" + piece.name), floor), kTwin<T> ? kDouble : kFloat)
        << piece.name;
  }

  // One step of AdamW with amsgrad on the published parameters. The first step is lr g / (|g| + 1e-8): where
  // g is nothing but rounding, so is the step, and only its bound is checked. The file has the result in
  // float only; in double the step is computed here from the file's gradients.
  kernels::AdamwStep step{kLearningRate, 0.9, 0.999, 1e-8, kWeightDecay, 1 - 0.9, 1 - 0.999, true};
  int64_t exact = 0;
  for (const auto& piece : map.params()) {
    const size_t n = static_cast<size_t>(piece.size());
    std::vector<T> w(n), m(n, T(0)), v(n, T(0)), vmax(n, T(0));
    const std::vector<double> before = c.published("param/" + piece.name);
    std::copy(before.begin(), before.end(), w.begin());
    kernels::adamw<T>(piece.size(), step, T(1), g.data() + piece.offset, w.data(), m.data(), v.data(),
                      vmax.data());
    const std::vector<double> after = c.published("after1/" + piece.name);
    const std::vector<double> golden = c.expected("grad/" + piece.name);
    double error = 0, formula_error = 0, scale = 0;
    for (size_t i = 0; i < n; ++i) {
      const double d = std::abs(static_cast<double>(w[i]) - after[i]);
      EXPECT_LE(d, 2.01 * kLearningRate) << piece.name;
      if (std::abs(golden[i]) < std::max(1e-6, 1e-5 * whole)) continue;
      error = std::hypot(error, d);
      const double first = (1 - 0.9) * golden[i], second = (1 - 0.999) * golden[i] * golden[i];
      const double formula = before[i] * (1 - kLearningRate * kWeightDecay) -
                             kLearningRate * (first / (1 - 0.9)) / (std::sqrt(second / (1 - 0.999)) + 1e-8);
      formula_error = std::hypot(formula_error, static_cast<double>(w[i]) - formula);
      scale = std::hypot(scale, after[i]);
      ++exact;
    }
    EXPECT_LE(error, kFloat * scale) << piece.name;
    EXPECT_LE(formula_error, (kTwin<T> ? kDouble : kFloat) * scale) << piece.name;
  }
  EXPECT_GT(2 * exact, map.param_count());
}

class Published : public ::testing::TestWithParam<const char*> {};
TEST_P(Published, EvaluationFloat) {
  check_evaluation<float>(GetParam());
}
TEST_P(Published, EvaluationDouble) {
  check_evaluation<double>(GetParam());
}
TEST_P(Published, TrainingFloat) {
  check_training<float>(GetParam());
}
TEST_P(Published, TrainingDouble) {
  check_training<double>(GetParam());
}
TEST_P(Published, EveryNumberIsRead) {
  const Case<float> c(GetParam());
  EXPECT_EQ(published_map(*c.net).param_count(), std::stoll(*c.file.meta("n_params")));
}
INSTANTIATE_TEST_SUITE_P(Dws, Published,
                         ::testing::Values("tiny_ds_max", "tiny_ds_mean", "tiny_ds_sum", "tiny_sab_max",
                                           "diag_ds_max", "skip_ds_max"),
                         [](const auto& test) { return std::string(test.param); });

TEST(PublishedReader, RefusesOtherArguments) {
  const std::string path = dws::testing::data_path("golden/dws/tiny_ds_max.safetensors");
  const Safetensors file = Safetensors::open(path);
  const auto read = [&](const char* dims, const char* arguments) {
    return [&file, dims, arguments] {
      read_published<float>(file, MlpArch::parse(dims), Json::parse(arguments, "arguments"), "param/",
                            "buffer/");
    };
  };
  const char* good = R"({"hidden_dim": 8, "n_hidden": 2, "set_layer": "ds", "bn": true})";
  EXPECT_NO_THROW(read("2-5-4-1", good)());
  using dws::testing::throws_error;
  EXPECT_TRUE(
      throws_error(ErrorKind::size_mismatch, read("3-5-4-1", good), "expected shape (24, 3), got (16, 2)"));
  EXPECT_TRUE(throws_error(ErrorKind::mismatch, read("2-5-1", good), "at least three"));
  EXPECT_TRUE(
      throws_error(ErrorKind::mismatch,
                   read("2-5-4-1", R"({"hidden_dim": 8, "n_hidden": 1, "set_layer": "ds", "bn": true})"),
                   "does not belong"));
  EXPECT_TRUE(
      throws_error(ErrorKind::missing_tensor,
                   read("2-5-4-1", R"({"hidden_dim": 8, "n_hidden": 3, "set_layer": "ds", "bn": true})"),
                   "layers.layers.9"));
  EXPECT_TRUE(
      throws_error(ErrorKind::usage, read("2-5-4-1", R"({"set_layer": "ds", "n_fc_layers": 2})"), "folded"));
  EXPECT_TRUE(
      throws_error(ErrorKind::usage, read("2-5-4-1", R"({"hiddendim": 8})"), "no option 'hiddendim'"));
}

}  // namespace
}  // namespace dws
