#include <algorithm>
#include <map>

#include "core/text.h"
#include "format/failure.h"
#include "format/natural_order.h"
#include "format/shape_text.h"
#include "format/zoo_checks.h"
#include "format/zoo_source.h"

namespace dws::format {
namespace {

struct NaturalOrder {
  bool operator()(const std::string& a, const std::string& b) const noexcept {
    if (natural_less(a, b)) return true;
    return !natural_less(b, a) && a < b;  // "1" and "01" are two names
  }
};

// Splits "net.2.weight" into "net.2" and "weight"; "weight" alone has the prefix "".
std::pair<std::string, std::string> split_name(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return {"", name};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

}  // namespace

NetworkFile::NetworkFile(Safetensors file) : file_(std::move(file)) {
  if (file_.meta("dws.model")) {
    fail(ErrorKind::mismatch, {.file = path(),
                               .what = "holds a trained model, not a network to be read",
                               .advice = "give a model with -m, and zoo or network files as input"});
  }
  collect_layers();
  read_info();
}

void NetworkFile::collect_layers() {
  std::map<std::string, Layer, NaturalOrder> found;
  for (const TensorEntry& entry : file_.tensors()) {
    const auto [prefix, kind] = split_name(entry.name);
    const bool weight = kind == "weight" && entry.shape.size() == 2;
    const bool bias = kind == "bias" && entry.shape.size() == 1;
    if (!weight && !bias) {
      fail(ErrorKind::bad_schema, {.file = path(),
                                   .what = "not a fully connected network",
                                   .tensor = entry.name,
                                   .expected = "tensors NAME.weight (out, in) and NAME.bias (out,)",
                                   .got = "shape " + entry.shape_str()});
    }
    require_float(path(), entry);
    Layer& layer = found[prefix];
    layer.prefix = prefix;
    (weight ? layer.weight : layer.bias) = &entry;
  }
  if (found.empty()) fail(ErrorKind::empty, {path(), "no tensors"});
  for (auto& [prefix, layer] : found) {
    const std::string dot = prefix.empty() ? "" : ".";
    if (!layer.weight || !layer.bias) {
      fail(ErrorKind::missing_tensor,
           {.file = path(),
            .what = layer.weight ? "a weight without its bias" : "a bias without its weight",
            .tensor = prefix + dot + (layer.weight ? "bias" : "weight")});
    }
    layers_.push_back(layer);
  }
}

void NetworkFile::read_info() {
  MlpArch arch;
  arch.dims.push_back(layers_.front().weight->shape[1]);
  for (const Layer& layer : layers_) {
    const std::vector<int64_t>& shape = layer.weight->shape;
    if (shape[1] != arch.dims.back()) {
      fail(ErrorKind::size_mismatch, {.file = path(),
                                      .what = "the layer does not fit the one before",
                                      .tensor = layer.weight->name,
                                      .expected = text("{} inputs", arch.dims.back()),
                                      .got = text("{}", shape[1])});
    }
    if (layer.bias->shape[0] != shape[0]) {
      fail(ErrorKind::size_mismatch, {.file = path(),
                                      .what = "the bias does not fit its weight",
                                      .tensor = layer.bias->name,
                                      .expected = text("({},)", shape[0]),
                                      .got = layer.bias->shape_str()});
    }
    arch.dims.push_back(shape[0]);
  }
  const std::string wrong = wrong_dims(arch.dims);
  if (!wrong.empty())
    fail(ErrorKind::bad_schema, {path(), "architecture " + escaped(arch.str()) + ": " + wrong});
  if (const std::string* meta = file_.meta("dws.zoo")) {
    info_ = ZooInfo::from_json(Json::parse(*meta, path() + ": metadata dws.zoo"), path());
    if (!(info_.arch == arch)) {
      fail(ErrorKind::mismatch, {.file = path(),
                                 .what = "metadata dws.zoo and tensors differ in architecture",
                                 .expected = info_.arch.str(),
                                 .got = arch.str()});
    }
  } else {
    info_.arch = std::move(arch);
    info_.assumed = true;
  }
}

const Json* NetworkFile::summary(std::string_view key) const {
  if (!info_.summary.is_object()) return nullptr;
  const Json* networks = info_.summary.find("networks");
  return networks && networks->dump() == "1" ? info_.summary.find(key) : nullptr;
}

std::optional<float> NetworkFile::psnr() const {
  const Json* value = summary("psnr_mean");
  if (!value || !value->is_number()) return {};
  return static_cast<float>(value->as_double());
}

std::optional<int64_t> NetworkFile::integer(std::string_view key) const {
  const Json* value = summary(key);
  if (!value || !value->is_integer()) return {};
  try {
    return value->as_int();
  } catch (const Error&) {
    return {};  // beyond 64 bits with a sign: no number of ours
  }
}

std::optional<int64_t> NetworkFile::image_id() const {
  return integer("image_id");
}

std::optional<int64_t> NetworkFile::label() const {
  const std::optional<int64_t> value = integer("label");
  return value && *value >= 0 ? value : std::nullopt;
}

void NetworkFile::read(std::span<float> out, bool finite) const {
  size_t at = 0;
  for (const Layer& layer : layers_) {
    for (const TensorEntry* entry : {layer.weight, layer.bias}) {
      const std::span<float> part = out.subspan(at, static_cast<size_t>(entry->elements()));
      file_.read(*entry, part);
      if (finite) require_finite(part, {path()}, entry->name);
      at += part.size();
    }
  }
}

namespace {

class SingleZoo : public ZooSource {
 public:
  explicit SingleZoo(Safetensors file) : network_(std::move(file)) {}
  const std::string& path() const noexcept override { return network_.path(); }
  const ZooInfo& info() const noexcept override { return network_.info(); }
  int64_t size() const noexcept override { return 1; }
  std::string name(int64_t) const override { return network_.path(); }
  bool has_labels() const noexcept override { return network_.label().has_value(); }
  int64_t label(int64_t) const override { return network_.label().value_or(-1); }
  int64_t image_id(int64_t i) const override { return network_.image_id().value_or(i); }
  bool has_image_ids() const noexcept override { return network_.image_id().has_value(); }
  std::optional<float> psnr(int64_t) const override { return network_.psnr(); }
  std::string remark() const override { return network_.remark(); }
  void read(int64_t, std::span<float> out, bool finite) const override { network_.read(out, finite); }

 private:
  NetworkFile network_;
};

}  // namespace

std::unique_ptr<ZooSource> open_single(Safetensors file) {
  return std::make_unique<SingleZoo>(std::move(file));
}

}  // namespace dws::format
