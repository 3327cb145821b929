// The metadata "dws.zoo" of zoo and network files.
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "format/zoo.h"
#include "format/zoo_checks.h"

namespace dws {
namespace {

constexpr const char* kSchema = "dws.zoo/1";
constexpr int64_t kMaxSide = int64_t{1} << 24;

[[noreturn]] void bad(const std::string& what) {
  throw Error(ErrorKind::bad_schema, what);
}

MlpArch read_arch(const Json& json) {
  MlpArch arch;
  for (const Json& dim : json.as_array("arch")) arch.dims.push_back(dim.as_int("arch"));
  const std::string wrong = format::wrong_dims(arch.dims);
  if (!wrong.empty()) bad("arch: " + wrong);
  return arch;
}

// A member that may be absent: `target` keeps its default then.
void read(const Json& json, const char* key, double& target) {
  const Json* value = json.find(key);
  if (!value) return;
  target = value->as_double(key);
  if (!std::isfinite(target)) bad(text("{}: not finite", key));
}

void read(const Json& json, const char* key, int64_t low, int64_t& target) {
  const Json* value = json.find(key);
  if (!value) return;
  target = value->as_int(key);
  if (target < low || target > kMaxSide)
    bad(text("{}: {} is not between {} and {}", key, target, low, kMaxSide));
}

void read_activation(const Json& json, ZooInfo& info) {
  if (const Json* value = json.find("activation")) info.activation = value->as_string("activation");
  if (info.activation != "siren" && info.activation != "relu" && info.activation != "tanh") {
    bad(text("activation: expected siren, relu or tanh, got '{}'", escaped(info.activation)));
  }
}

void read_range(const Json& json, ZooInfo& info) {
  const Json* value = json.find("range");
  if (!value) return;
  const Json::Array& ends = value->as_array("range");
  if (ends.size() != 2) bad(text("range: expected 2 numbers, got {}", ends.size()));
  for (size_t i = 0; i < 2; ++i) info.range[i] = ends[i].as_double("range");
  if (!(std::isfinite(info.range[0]) && std::isfinite(info.range[1]) && info.range[0] < info.range[1])) {
    bad(text("range: expected two finite numbers, the smaller first, got {} and {}", info.range[0],
             info.range[1]));
  }
}

// Checks sizes before anything of that size is made.
void read_fourier(const Json& json, ZooInfo& info) {
  int64_t features = 0;
  read(json, "fourier_features", 0, features);
  if (features > ZooInfo::kMaxFourierFeatures) {
    bad(text("fourier_features: {} is not between 0 and {}", features, ZooInfo::kMaxFourierFeatures));
  }
  info.fourier_features = static_cast<int>(features);
  read(json, "fourier_scale", info.fourier_scale);
  if (const Json* seed = json.find("fourier_seed")) info.fourier_seed = seed->as_u64("fourier_seed");
  if (features == 0) return;
  if (!(info.fourier_scale > 0)) bad(text("fourier_scale: {} is not above 0", info.fourier_scale));
  if (info.arch.dims.front() != 2 * features) {
    bad(text("arch: expected {} inputs, sine and cosine of {} Fourier features, got {}", 2 * features,
             features, info.arch.dims.front()));
  }
  const Json* matrix = json.find("fourier_matrix");
  if (!matrix) return;
  const Json::Array& numbers = matrix->as_array("fourier_matrix");
  if (numbers.size() != static_cast<size_t>(2 * features)) {
    bad(text("fourier_matrix: expected {} numbers, 2 a feature, got {}", 2 * features, numbers.size()));
  }
  info.fourier_matrix.reserve(numbers.size());
  for (const Json& entry : numbers) {
    info.fourier_matrix.push_back(entry.as_double("fourier_matrix"));
    if (!std::isfinite(info.fourier_matrix.back())) bad("fourier_matrix: not finite");
  }
}

ZooInfo read_info(const Json& json) {
  json.as_object("the value");
  if (const Json* schema = json.find("schema"); schema && schema->as_string("schema") != kSchema) {
    bad(text("schema: expected '{}', got '{}'", kSchema, escaped(schema->as_string())));
  }
  ZooInfo info;
  info.arch = read_arch(json.at("arch"));
  read_activation(json, info);
  read(json, "omega", info.omega);
  if (!(info.omega > 0)) bad(text("omega: {} is not above 0", info.omega));
  read_fourier(json, info);
  read(json, "output_offset", info.output_offset);
  read_range(json, info);
  read(json, "image_height", 0, info.image_height);
  read(json, "image_width", 0, info.image_width);
  read(json, "channels", 1, info.channels);
  const bool images = info.image_height > 0 || info.image_width > 0;
  if (images && info.fourier_features == 0 && info.arch.dims.front() != 2) {
    bad(text("arch: expected 2 inputs, column and row of an image, got {}", info.arch.dims.front()));
  }
  for (auto [key, target] : {std::pair{"source", &info.source},
                             {"fit", &info.fit},
                             {"summary", &info.summary},
                             {"align", &info.align}}) {
    if (const Json* value = json.find(key)) *target = *value;
  }
  return info;
}

}  // namespace

Json ZooInfo::to_json() const {
  Json json = Json::object();
  json.set("schema", kSchema);
  Json dims = Json::array();
  for (const int64_t dim : arch.dims) dims.push_back(dim);
  json.set("arch", std::move(dims));
  json.set("activation", activation);
  json.set("omega", omega);
  if (fourier_features > 0) {
    json.set("fourier_features", fourier_features);
    json.set("fourier_scale", fourier_scale);
    json.set("fourier_seed", fourier_seed);
    if (!fourier_matrix.empty()) {
      Json matrix = Json::array();
      for (const double entry : fourier_matrix) matrix.push_back(entry);
      json.set("fourier_matrix", std::move(matrix));
    }
  }
  json.set("output_offset", output_offset);
  json.set("range", Json::array({range[0], range[1]}));
  if (image_height > 0 || image_width > 0) {
    json.set("image_height", image_height);
    json.set("image_width", image_width);
  }
  json.set("channels", channels);
  if (!source.is_null()) json.set("source", source);
  if (!fit.is_null()) json.set("fit", fit);
  if (!summary.is_null()) json.set("summary", summary);
  if (!align.is_null()) json.set("align", align);
  return json;
}

ZooInfo ZooInfo::from_json(const Json& json, const std::string& file) {
  try {
    return read_info(json);
  } catch (const Error& error) {
    throw Error(ErrorKind::bad_schema, text("{}: metadata dws.zoo: {}", file, error.what()), error.advice());
  }
}

void ZooInfo::require_same_network(const ZooInfo& other, const std::string& this_name,
                                   const std::string& other_name) const {
  const auto differ = [&](const char* what, const std::string& mine, const std::string& theirs) {
    if (mine == theirs) return;
    throw Error(ErrorKind::mismatch, text("{}: another {} than {}: expected {}, got {}", other_name, what,
                                          this_name, mine, theirs));
  };
  differ("architecture", arch.str(), other.arch.str());
  differ("activation", activation, other.activation);
  if (activation == "siren") differ("omega", number(omega), number(other.omega));
  differ("number of Fourier features", text("{}", fourier_features), text("{}", other.fourier_features));
  if (fourier_features > 0 && !fourier_matrix.empty() && !other.fourier_matrix.empty()) {
    // The numbers decide; where they come from does not.
    if (fourier_matrix != other.fourier_matrix) {
      throw Error(ErrorKind::mismatch, text("{}: another Fourier matrix than {}", other_name, this_name));
    }
  } else if (fourier_features > 0) {
    const auto stated = [](const ZooInfo& info) { return info.fourier_matrix.empty() ? "none" : "stated"; };
    differ("Fourier matrix", stated(*this), stated(other));
    differ("Fourier feature scale", number(fourier_scale), number(other.fourier_scale));
    differ("Fourier feature seed", text("{}", fourier_seed), text("{}", other.fourier_seed));
  }
  differ("output offset", number(output_offset), number(other.output_offset));
  differ("coordinate range", text("[{}, {}]", number(range[0]), number(range[1])),
         text("[{}, {}]", number(other.range[0]), number(other.range[1])));
}

}  // namespace dws
