// The explicit table of networks that read networks, and the file a trained one lives in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/zoo.h"
#include "nn/model.h"
#include "weights/normalise.h"

namespace dws {

std::vector<std::string> model_names();  // "dws", "mlp", "stats"

// Builds an untrained model for networks of `arch` with `outputs` outputs. `config` is a JSON object of the
// model's own options (defaults for what is missing; unknown keys are refused with a suggestion). Throws
// Error{usage}.
template <class T>
std::unique_ptr<Model<T>> make_model(const std::string& kind, const MlpArch& arch, int64_t outputs,
                                     const Json& config);

// A trained model with what is needed to use it.
struct ModelFile {
  std::unique_ptr<Model<float>> model;
  ZooInfo zoo;  // the kind of networks it reads
  weights::Normaliser normaliser;
  std::vector<std::string> classes;  // names, "0".."9" unless given
  Json recipe;                       // how it was trained
  std::string remark;                // Safetensors::remark() of the file read; not written
};
// Metadata dws.model (configuration, zoo, classes) and dws.recipe; tensors params/*, buffers/*, normaliser/*.
void save_model(const std::string& path, const ModelFile& file, bool force);
ModelFile load_model(const std::string& path);  // throws Error

}  // namespace dws
