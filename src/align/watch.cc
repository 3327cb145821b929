#include "align/watch.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

namespace dws::align {
namespace {

network::EngineOptions options_of(const std::vector<network::ArrayPtr>& inputs,
                                  const std::vector<int>& values) {
  network::EngineOptions options{.samples = {}, .watched = values};
  for (const network::ArrayPtr& input : inputs)
    options.samples.emplace_back(input->dims.begin() + std::min<std::ptrdiff_t>(1, std::ssize(input->dims)),
                                 input->dims.end());
  return options;
}

}  // namespace

Watch::Watch(const network::Network& network, const std::vector<network::ArrayPtr>& inputs,
             std::vector<int> values)
    : values_(std::move(values)), engine_(network, options_of(inputs, values_)) {}

void Watch::run(const Data& data, int64_t first, int64_t count, std::vector<std::vector<float>>& numbers) {
  numbers.assign(values_.size(), {});
  std::mutex sizing;
  engine_.observe(
      count, [&](int input, int64_t from, int64_t n, float* to) { data.fill(input, first + from, n, to); },
      [&](const network::Observed& seen) {
        for (size_t v = 0; v < values_.size(); ++v) {
          if (values_[v] != seen.value) continue;
          {
            const std::scoped_lock lock(sizing);
            if (numbers[v].empty()) numbers[v].resize(static_cast<size_t>(count * seen.size));
          }
          std::memcpy(numbers[v].data() + seen.first * seen.size, seen.numbers,
                      static_cast<size_t>(seen.count * seen.size) * sizeof(float));
        }
      });
}

}  // namespace dws::align
