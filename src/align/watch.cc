#include "align/watch.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace dws::align {

struct Watch::Runner {
  network::Network network;  // with the watched values for outputs
  std::vector<network::ArrayPtr> inputs;
  network::Executor executor;
  network::Replacements replaced;
  int64_t piece;

  Runner(network::Network shown, std::vector<network::ArrayPtr> shapes)
      : network(std::move(shown)),
        inputs(std::move(shapes)),
        executor(network, network::Precision::f32),
        piece(std::max<int64_t>(batch(), 1)) {}

  // A free batch axis takes pieces of this size.
  int64_t batch() const {
    constexpr int64_t kPiece = 32;
    for (const int input : network.graph.inputs) {
      const network::Value& v = network.values[static_cast<size_t>(input)];
      if (v.dims && !v.dims->empty() && v.dims->front() >= 0) return v.dims->front();
    }
    return kPiece;
  }
};

Watch::Watch(const network::Network& network, std::vector<network::ArrayPtr> inputs,
             std::vector<int> values) {
  network::Network shown = network;
  shown.graph.outputs = std::move(values);
  runner_ = std::make_unique<Runner>(std::move(shown), std::move(inputs));
}
Watch::Watch(Watch&&) noexcept = default;
Watch::~Watch() = default;

void Watch::set(int constant, std::vector<float> numbers) {
  const network::Constant& c = runner_->network.constants[static_cast<size_t>(constant)];
  network::Array array{.type = c.type, .dims = c.dims};
  array.reals.assign(numbers.begin(), numbers.end());
  runner_->replaced[constant] = std::make_shared<const network::Array>(std::move(array));
}

void Watch::run(const Data& data, int64_t first, int64_t count, std::vector<std::vector<float>>& numbers) {
  Runner& r = *runner_;
  numbers.assign(r.network.graph.outputs.size(), {});
  for (int64_t begin = first; begin < first + count; begin += r.piece) {
    const int64_t here = std::min(r.piece, first + count - begin);
    std::vector<network::ArrayPtr> given;
    for (size_t i = 0; i < r.inputs.size(); ++i) {
      network::Array a{.type = r.inputs[i]->type, .dims = r.inputs[i]->dims};
      a.dims.front() = r.piece;
      std::vector<float> floats(static_cast<size_t>(network::elements(a.dims)));
      data.fill(static_cast<int>(i), begin, here, floats.data());
      if (a.real())
        a.reals.assign(floats.begin(), floats.end());
      else
        for (const float x : floats) a.ints.push_back(static_cast<int64_t>(x));
      given.push_back(std::make_shared<const network::Array>(std::move(a)));
    }
    const std::vector<network::ArrayPtr> found = r.executor.run(given, r.replaced);
    for (size_t v = 0; v < found.size(); ++v) {
      const auto size = static_cast<int64_t>(found[v]->reals.size());
      for (int64_t k = 0; k < size / r.piece * here; ++k)
        numbers[v].push_back(static_cast<float>(found[v]->reals[static_cast<size_t>(k)]));
    }
  }
}

}  // namespace dws::align
