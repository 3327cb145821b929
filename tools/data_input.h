// Options of verbs that run networks on labelled data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "format/labelled.h"
#include "network/evaluate.h"
#include "network_input.h"
#include "options.h"

namespace dws::tools {

struct DataOptions {
  std::vector<std::string> data, labels;
  std::vector<double> mean, std;
  int64_t limit = 0, batch = 0;
  std::string output = "auto";
};
void add_data_options(Options& verb, DataOptions& options);
// Of these, what names samples and how they are normalised; `data` is the name of the option for files, which may be left out.
void add_sample_options(Options& verb, DataOptions& options, const char* data);

// The data as `network` wants it: normalised by --mean and --std, or else as its own metadata "dws.input" says.
LabelledData read_data(const DataOptions& options, const NetworkInput& network);

// Type and shape of the network's one input for such samples, a batch as the network was read with. Throws Error{mismatch}.
std::vector<network::ArrayPtr> input_for(const NetworkInput& network, const LabelledData& data);

network::Evaluator::Options evaluator_options(const DataOptions& options);

// Says once on stderr which operators are slow.
void warn_if_slow(const network::Engine& engine, const std::string& file);

}  // namespace dws::tools
