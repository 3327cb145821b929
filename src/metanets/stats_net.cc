#include "metanets/stats_net.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace dws {

template <class T>
Tensor<T> tensor_statistics(const symmetry::Layout& layout, View<const T> x) {
  const int64_t params = layout.param_count();
  if (x.shape.rank() != 2 || x.shape[1] != params)
    throw Error(ErrorKind::mismatch,
                text("networks of shape {} where (batch, {}) is expected", x.shape.str(), params));
  const int64_t batch = x.shape[0], tensors = static_cast<int64_t>(layout.tensors.size());
  Tensor<T> out(Shape{batch, tensors * kTensorStatistics});
  std::vector<T> sorted;
  T* write = out.data();
  for (int64_t b = 0; b < batch; ++b) {
    const T* read = x.data + b * params;
    for (const symmetry::TensorAxes& tensor : layout.tensors) {
      const int64_t n = tensor.size();
      sorted.assign(read, read + n);
      read += n;
      // Sorted first: the sums then do not depend on the order of neurons either, to the last bit.
      std::sort(sorted.begin(), sorted.end());
      double sum = 0, square = 0;
      for (T value : sorted) sum += static_cast<double>(value);
      const double mean = sum / static_cast<double>(n);
      for (T value : sorted)
        square += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
      *write++ = static_cast<T>(mean);
      *write++ = static_cast<T>(std::sqrt(square / static_cast<double>(n)));
      for (double q : {0.0, 0.25, 0.5, 0.75, 1.0}) {
        const double position = q * static_cast<double>(n - 1);
        const size_t low = static_cast<size_t>(position), high = std::min(low + 1, sorted.size() - 1);
        const double weight = position - static_cast<double>(low);
        *write++ = static_cast<T>((1 - weight) * static_cast<double>(sorted[low]) +
                                  weight * static_cast<double>(sorted[high]));
      }
    }
  }
  return out;
}

template <class T>
MlpConfig StatsNet<T>::defaults() {
  MlpConfig config;
  config.layers = 2;
  return config;
}

template <class T>
StatsNet<T>::StatsNet(weights::WeightSpace space, int64_t outputs, const MlpConfig& config)
    : space_(std::move(space)),
      outputs_(outputs),
      config_(config),
      net_(make_perceptron(this->params_, space_.tensors() * kTensorStatistics, outputs, config)) {
  this->params_.freeze();
  init(0);
}

template <class T>
Var<T> StatsNet<T>::forward(Tape<T>& tape, View<const T> x, T* batch_stats) const {
  const Tensor<T> statistics = tensor_statistics(space_.layout(), x);
  View<T> copy = tape.allocate(statistics.shape());
  std::copy_n(statistics.data(), statistics.size(), copy.data);
  return net_.forward(tape, this->params_, tape.record({}, copy, nullptr), batch_stats);
}

template Tensor<float> tensor_statistics(const symmetry::Layout&, View<const float>);
template Tensor<double> tensor_statistics(const symmetry::Layout&, View<const double>);
template class StatsNet<float>;
template class StatsNet<double>;

}  // namespace dws
