#include "data_input.h"

#include "core/error.h"
#include "core/json.h"
#include "core/log.h"
#include "core/text.h"

namespace dws::tools {
namespace {

// A file's metadata entry; nullptr.
const std::string* said_by(const NetworkInput& network, std::string_view key) {
  const auto& metadata = network.tensors ? network.tensors->metadata() : network.onnx->metadata();
  for (const auto& [name, value] : metadata)
    if (name == key) return &value;
  return nullptr;
}

// One number for all channels or one each.
std::vector<double> numbers_of(const Json& entry, const char* key, const std::string& where) {
  std::vector<double> numbers;
  const Json* list = entry.find(key);
  if (!list) return numbers;
  if (list->is_number()) return {list->as_double(where)};
  for (const Json& item : list->as_array(where + ": " + key))
    numbers.push_back(item.as_double(where + ": " + key));
  return numbers;
}

}  // namespace

void add_sample_options(Options& verb, DataOptions& options, const char* data) {
  verb.add_option(data, options.data,
                  "IDX images, CIFAR-10 .bin batches, PNG images, or a safetensors file with `inputs` and "
                  "`labels`; may be repeated")
      ->allow_extra_args(false);
  verb.add_option("--labels", options.labels,
                  "the labels of each file of images; IDX labels beside them are found without")
      ->allow_extra_args(false);
  verb.add_option("--mean", options.mean, "taken from every pixel in [0, 1]: one number, or one a channel")
      ->delimiter(',');
  verb.add_option(
          "--std", options.std,
          "pixels are divided by it then; without either the network's own metadata dws.input is used")
      ->delimiter(',');
  verb.add_option("--limit", options.limit, "only the first so many samples")->check(positive_number());
}
void add_data_options(Options& verb, DataOptions& options) {
  add_sample_options(verb, options, "--data");
  verb.get_option("--data")->required();
  verb.add_option("--batch", options.batch, "samples a piece of work; as many as caches take when not given")
      ->check(range(int64_t{1}, int64_t{1} << 20));
  verb.add_option(
          "--output", options.output,
          "what the network gives: logits, probabilities, log-probabilities; auto looks at its last operator")
      ->check(one_of({"auto", "logits", "probabilities", "log-probabilities"}));
}

LabelledData read_data(const DataOptions& options, const NetworkInput& network) {
  LabelledData data = LabelledData::open(options.data, options.labels, options.limit);
  if (!options.mean.empty() || !options.std.empty()) {
    data.normalise(options.mean, options.std);
  } else if (const std::string* said = said_by(network, "dws.input")) {
    const std::string where = one_line(network.network.file) + ": dws.input";
    const Json entry = Json::parse(*said, where);
    if (!entry.is_object()) throw Error(ErrorKind::bad_schema, where + ": expected an object");
    data.normalise(numbers_of(entry, "mean", where), numbers_of(entry, "std", where));
    log_info(text("{}: pixels are normalised as the network says", one_line(network.network.file)));
  }
  return data;
}

std::vector<network::ArrayPtr> input_for(const NetworkInput& network, const LabelledData& data) {
  const std::vector<int64_t> sample = network::sample_dims(network.network, data);
  network::Array input{.type = network.inputs.front()->type, .dims = {network.inputs.front()->dims.front()}};
  input.dims.insert(input.dims.end(), sample.begin(), sample.end());
  return {std::make_shared<const network::Array>(std::move(input))};
}

network::Evaluator::Options evaluator_options(const DataOptions& options) {
  network::Evaluator::Options o{.output = {}, .watched = {}, .piece = options.batch};
  if (options.output != "auto") o.output = network::parse_output_kind(options.output);
  return o;
}

void warn_if_slow(const network::Engine& engine, const std::string& file) {
  if (!engine.slow().empty())
    log_warn(text("{}: runs by the slow reference executor: {}", one_line(file), join(engine.slow(), ", ")));
}

}  // namespace dws::tools
