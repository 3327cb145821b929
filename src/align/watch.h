// The numbers of values on the way through a network, on data.
#pragma once

#include <cstdint>
#include <vector>

#include "network/engine.h"
#include "network/executor.h"

namespace dws::align {

struct Data {
  int64_t samples = 0;
  network::Engine::Fill fill;
};

class Watch {
 public:
  // Refers to the network, which must outlive it. `inputs`: type and shape of each input, the batch axis first. Throws Error as the
  // engine does.
  Watch(const network::Network& network, const std::vector<network::ArrayPtr>& inputs,
        std::vector<int> values);

  // numbers[v] = values[v] of samples [first, first + count): (count, numbers a sample). The same bits on any number of
  // threads.
  void run(const Data& data, int64_t first, int64_t count, std::vector<std::vector<float>>& numbers);

 private:
  std::vector<int> values_;
  network::Engine engine_;
};

}  // namespace dws::align
