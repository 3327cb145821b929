#include <cmath>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "core/version.h"
#include "format/safetensors.h"
#include "metanets/registry.h"

namespace dws {

namespace {

constexpr const char* kSchema = "dws.model/1";

std::vector<int64_t> extents(const Shape& shape) {
  return {shape.begin(), shape.end()};
}

void check_shape(const Safetensors& file, const TensorEntry& entry, const std::vector<int64_t>& shape) {
  if (entry.shape != shape)
    throw Error(ErrorKind::size_mismatch, text("{}: tensor '{}': expected shape {}, got {}", file.path(),
                                               entry.name, shape_text(shape), entry.shape_str()));
}

// Copies one tensor, which must have this shape and finite numbers.
void read_checked(const Safetensors& file, const std::string& name, const std::vector<int64_t>& shape,
                  std::span<float> out) {
  const TensorEntry& entry = file.at(name);
  check_shape(file, entry, shape);
  file.read(entry, out);
  for (size_t i = 0; i < out.size(); ++i)
    if (!std::isfinite(out[i]))
      throw Error(ErrorKind::bad_value,
                  text("{}: tensor '{}': number {} is not finite", file.path(), name, i));
}

const std::string& metadata(const Safetensors& file, std::string_view key) {
  const std::string* value = file.meta(key);
  if (!value)
    throw Error(ErrorKind::bad_schema, text("{}: not a model: no metadata '{}'", file.path(), key),
                "models are written by dws train");
  return *value;
}

// Tensors that belong to no part of the model would be silently lost: refuse them.
void refuse_strangers(const Safetensors& file, const Model<float>& model) {
  const size_t expected = static_cast<size_t>(model.params().count() + model.params().buffer_count()) + 2;
  if (file.tensors().size() == expected) return;
  for (const TensorEntry& entry : file.tensors()) {
    const std::string_view name = entry.name;
    if (name == "normaliser/mean" || name == "normaliser/scale") continue;
    bool known = name.starts_with("params/") && model.params().find(name.substr(7)) >= 0;
    for (int i = 0; i < model.params().buffer_count() && !known; ++i)
      known = name.starts_with("buffers/") && name.substr(8) == model.params().buffer_info(i).name;
    if (!known)
      throw Error(ErrorKind::bad_schema, text("{}: tensor '{}' does not belong to a '{}' model", file.path(),
                                              escaped(name), model.kind()));
  }
}

}  // namespace

void save_model(const std::string& path, const ModelFile& file, bool force) {
  const Model<float>& model = *file.model;
  const int64_t inputs = model.input_size();
  Json about = Json::object();
  about.set("schema", kSchema);
  about.set("version", version());
  about.set("kind", std::string(model.kind()));
  about.set("config", model.config());
  about.set("outputs", model.output_size());
  about.set("zoo", file.zoo.to_json());
  Json classes = Json::array();
  for (const std::string& name : file.classes) classes.push_back(name);
  about.set("classes", classes);

  std::vector<TensorSource> tensors;
  const ParamSet<float>& params = model.params();
  for (int i = 0; i < params.count(); ++i)
    tensors.push_back(TensorSource::of("params/" + params.info(i).name, extents(params.info(i).shape),
                                       std::span<const float>(params.value(i).span())));
  for (int i = 0; i < params.buffer_count(); ++i)
    tensors.push_back(TensorSource::of("buffers/" + params.buffer_info(i).name,
                                       extents(params.buffer_info(i).shape),
                                       std::span<const float>(params.buffer(i).span())));
  tensors.push_back(
      TensorSource::of("normaliser/mean", {inputs}, std::span<const float>(file.normaliser.mean)));
  tensors.push_back(
      TensorSource::of("normaliser/scale", {inputs}, std::span<const float>(file.normaliser.scale)));
  write_safetensors(path, std::move(tensors),
                    {{"dws.model", about.dump()}, {"dws.recipe", file.recipe.dump()}}, force);
}

ModelFile load_model(const std::string& path) {
  const Safetensors file = Safetensors::open(path);
  const Json about = Json::parse(metadata(file, "dws.model"), path + ": metadata dws.model");
  const auto field = [&](std::string_view key) -> const Json& {
    const Json* value = about.find(key);
    if (!value)
      throw Error(ErrorKind::bad_schema, text("{}: metadata dws.model: missing field '{}'", path, key));
    return *value;
  };
  if (const std::string& schema = field("schema").as_string("schema"); schema != kSchema)
    throw Error(ErrorKind::bad_schema,
                text("{}: schema '{}' where '{}' is expected", path, escaped(schema), kSchema));

  ModelFile result;
  result.remark = file.remark();
  result.zoo = ZooInfo::from_json(field("zoo"), path);
  const int64_t outputs = field("outputs").as_int("outputs");
  if (outputs < 1 || outputs > (int64_t{1} << 24))
    throw Error(ErrorKind::resource_limit, text("{}: a model of {} outputs", path, outputs));
  for (const Json& name : field("classes").as_array("classes"))
    result.classes.push_back(name.as_string("class"));
  if (static_cast<int64_t>(result.classes.size()) != outputs)
    throw Error(ErrorKind::mismatch,
                text("{}: {} class names for {} outputs", path, result.classes.size(), outputs));
  // Sizes that the file has no numbers for are refused before a model of that size is built.
  const std::vector<int64_t> inputs = {result.zoo.arch.param_count()};
  check_shape(file, file.at("normaliser/mean"), inputs);
  check_shape(file, file.at("normaliser/scale"), inputs);
  try {
    result.model =
        make_model<float>(field("kind").as_string("kind"), result.zoo.arch, outputs, field("config"));
  } catch (const Error& error) {
    throw Error(error.kind(), text("{}: {}", path, error.what()), error.advice());
  }
  if (const std::string* recipe = file.meta("dws.recipe"))
    result.recipe = Json::parse(*recipe, path + ": metadata dws.recipe");

  ParamSet<float>& params = result.model->params();
  for (int i = 0; i < params.count(); ++i)
    read_checked(file, "params/" + params.info(i).name, extents(params.info(i).shape),
                 params.value(i).span());
  for (int i = 0; i < params.buffer_count(); ++i)
    read_checked(file, "buffers/" + params.buffer_info(i).name, extents(params.buffer_info(i).shape),
                 params.buffer(i).span());
  result.normaliser = weights::Normaliser::identity(result.model->input_size());
  read_checked(file, "normaliser/mean", inputs, result.normaliser.mean);
  read_checked(file, "normaliser/scale", inputs, result.normaliser.scale);
  refuse_strangers(file, *result.model);
  return result;
}

}  // namespace dws
