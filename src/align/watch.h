// The numbers of values on the way through a network, on data.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "network/executor.h"
#include "network/network.h"

namespace dws::align {

// Reads samples [first, first + count) of an input to `to` (count, sample), as network::Engine has it.
using Fill = std::function<void(int input, int64_t first, int64_t count, float* to)>;

struct Data {
  int64_t samples = 0;
  Fill fill;
};

class Watch {
 public:
  // Refers to the network, which must outlive it. `inputs`: type and shape of each input, the batch axis first. `values` of the
  // outermost graph, each with whole samples one behind another. Throws Error as the executor does.
  Watch(const network::Network& network, std::vector<network::ArrayPtr> inputs, std::vector<int> values);
  Watch(Watch&&) noexcept;
  ~Watch();

  // A floating constant's numbers from now on, in place of the network's own.
  void set(int constant, std::vector<float> numbers);

  // numbers[v] = values[v] of samples [first, first + count): (count, numbers a sample). The same bits on any number of
  // threads.
  void run(const Data& data, int64_t first, int64_t count, std::vector<std::vector<float>>& numbers);

 private:
  struct Runner;
  std::unique_ptr<Runner> runner_;
};

}  // namespace dws::align
