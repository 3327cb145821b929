// dws train --task network: a classifier of pictures, written as a network.
#pragma once

#include <string>
#include <vector>

#include "command.h"
#include "train_settings.h"

namespace dws::tools {

// What the command line says for this task; the settings are not resolved yet.
struct NetworkTraining {
  std::string arch, activation, test_labels;  // of this task alone
  void add_options(Options& verb);
  bool any() const { return !arch.empty() || !activation.empty() || !test_labels.empty(); }

  struct Request {
    const Globals& globals;
    TrainSettings& settings;
    std::vector<std::string> data, test;
    std::string labels, out, log;
    int64_t limit = 0, classes = 0;
    bool resume = false, force = false, json = false;
  };
  int run(const Request& request) const;
};

}  // namespace dws::tools
