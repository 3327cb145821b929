#include "format/onnx.h"

#include <limits>

#include "core/text.h"
#include "format/onnx_parts.h"
#include "format/patch.h"

namespace dws {
namespace {

constexpr int64_t kLastIr = 14,
                  kKnownIr = 13;  // newer than the first is refused, than the second remarked on

}  // namespace

struct Onnx::State {
  MappedFile file;  // empty for parse()
  format::OnnxSource source;
  int64_t ir_version = 0;
  std::string producer;
  std::map<std::string, int64_t> opsets;
  OnnxGraph graph;
  std::vector<OnnxFunction> functions;
  std::vector<std::pair<std::string, std::string>> metadata;

  void read();
  void read_header(const onnx::ModelProto& model);
};

void Onnx::State::read_header(const onnx::ModelProto& model) {
  const std::string& name = source.file;
  ir_version = model.ir_version();
  if (!model.has_ir_version() || ir_version < 1)
    format::fail(ErrorKind::bad_schema, {.file = name, .what = "not an ONNX model: it has no IR version"});
  if (ir_version > kLastIr)
    format::fail(ErrorKind::resource_limit, {.file = name,
                                             .what = "of an IR version this program does not know",
                                             .expected = text("at most {}", kLastIr),
                                             .got = text("{}", ir_version)});
  if (ir_version > kKnownIr)
    source.warnings.push_back(
        text("{}: IR version {} is newer than this program", one_line(name), ir_version));
  if (!model.has_graph())
    format::fail(ErrorKind::bad_schema, {.file = name, .what = "not an ONNX model: it has no graph"});
  opsets = format::read_onnx_opsets(source, model.opset_import(), "the model");
  producer = model.producer_name() + (model.producer_version().empty() ? "" : " " + model.producer_version());
  for (const auto& entry : model.metadata_props()) metadata.emplace_back(entry.key(), entry.value());
}

void Onnx::State::read() {
  if (source.bytes.empty())
    format::fail(ErrorKind::truncated, {.file = source.file, .what = "an empty file"});
  format::OnnxSkeleton skeleton = format::onnx_skeleton(source.bytes, source.file);
  source.payloads = std::move(skeleton.payloads);
  onnx::ModelProto model;
  if (!model.ParseFromArray(skeleton.message.data(), static_cast<int>(skeleton.message.size())))
    format::fail(ErrorKind::bad_protobuf,
                 {.file = source.file, .what = "not an ONNX file: protobuf cannot read it"});
  read_header(model);
  graph = format::read_onnx_graph(source, model.graph(), 1);
  for (const auto& function : model.functions())
    functions.push_back(format::read_onnx_function(source, function));
  format::check_onnx_model(source, graph, functions, opsets);
}

Onnx::Onnx(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Onnx::Onnx(Onnx&&) noexcept = default;
Onnx& Onnx::operator=(Onnx&&) noexcept = default;
Onnx::~Onnx() = default;

Onnx Onnx::open(const std::string& path, const ExternalData& external, const OnnxLimits& limits) {
  auto state = std::make_unique<State>();
  state->file = MappedFile(path);
  state->source.file = path;
  state->source.bytes = state->file.bytes();
  state->source.beside = external;
  if (external.folder.empty()) state->source.beside.folder = folder_of(path);
  state->source.limits = limits;
  state->read();
  return Onnx(std::move(state));
}

Onnx Onnx::parse(Bytes bytes, std::string name, const ExternalData& external, const OnnxLimits& limits) {
  auto state = std::make_unique<State>();
  state->source.file = std::move(name);
  state->source.bytes = bytes;
  state->source.beside = external;
  state->source.limits = limits;
  state->read();
  return Onnx(std::move(state));
}

const std::string& Onnx::path() const noexcept {
  return state_->source.file;
}
int64_t Onnx::ir_version() const noexcept {
  return state_->ir_version;
}
const std::string& Onnx::producer() const noexcept {
  return state_->producer;
}
const std::map<std::string, int64_t>& Onnx::opsets() const noexcept {
  return state_->opsets;
}
const OnnxGraph& Onnx::graph() const noexcept {
  return state_->graph;
}
const std::vector<OnnxFunction>& Onnx::functions() const noexcept {
  return state_->functions;
}
const std::vector<std::pair<std::string, std::string>>& Onnx::metadata() const noexcept {
  return state_->metadata;
}
Bytes Onnx::file_bytes() const noexcept {
  return state_->source.bytes;
}
const std::map<std::string, MappedFile>& Onnx::external_files() const noexcept {
  return state_->source.external;
}
namespace {

// The mapping that holds `part`, or nothing.
template <class State>
const MappedFile* mapping_of(const State& state, Bytes part) noexcept {
  if (format::inside(part, state.file.bytes())) return &state.file;
  for (const auto& [name, file] : state.source.external)
    if (format::inside(part, file.bytes())) return &file;
  return nullptr;
}

}  // namespace

void Onnx::release(Bytes part) const noexcept {
  if (const MappedFile* file = mapping_of(*state_, part)) file->release(part);
}
void Onnx::prefetch(Bytes part) const noexcept {
  if (const MappedFile* file = mapping_of(*state_, part)) file->prefetch(part);
}
const std::deque<OnnxSpelled>& Onnx::spelled() const noexcept {
  return state_->source.spelled;
}
const std::vector<std::string>& Onnx::warnings() const noexcept {
  return state_->source.warnings;
}

}  // namespace dws
