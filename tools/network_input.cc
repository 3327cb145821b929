#include "network_input.h"

#include <charconv>
#include <map>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/shape.h"
#include "core/text.h"

namespace dws::tools {
namespace {

network::Dimensions parse_dims(const std::vector<std::string>& given) {
  network::Dimensions dims;
  for (const std::string& word : given) {
    const size_t equals = word.find('=');
    int64_t n = 0;
    const char* end = word.data() + word.size();
    const auto parsed = equals == std::string::npos
                            ? std::from_chars_result{nullptr, std::errc::invalid_argument}
                            : std::from_chars(word.data() + equals + 1, end, n);
    if (parsed.ec != std::errc() || parsed.ptr != end || n < 1 || equals == 0)
      throw Error(ErrorKind::usage, text("--dim {}: expected NAME=N with N of at least 1", word));
    dims[word.substr(0, equals)] = n;
  }
  return dims;
}

}  // namespace

void add_network_options(CLI::App& verb, NetworkOptions& options) {
  verb.add_option("--dim", options.dims,
                  "NAME=N: what a free dimension of the inputs is taken for (else 2 along the first axis, 8 "
                  "along others)");
  verb.add_option("--external-data-root", options.external_root,
                  "folder of an ONNX model's external data, when it is not the model's own");
}

NetworkInput read_network(const std::string& path, const NetworkOptions& options) {
  auto onnx = std::make_shared<const Onnx>(Onnx::open(path, options.external_root));
  NetworkInput input{.onnx = onnx, .network = network::from_onnx(onnx), .inputs = {}, .shapes = {}};
  for (const std::string& warning : input.network.warnings) log_warn(warning);
  // What free dimensions may be depends on the network (a window needs room): the first size that fits is taken.
  constexpr int64_t kSizes[] = {8, 32, 128, 512, 1600};
  const network::Dimensions dims = parse_dims(options.dims);
  for (const int64_t size : kSizes) {
    try {
      input.inputs = network::input_shapes(input.network, dims, size);
      input.shapes = network::infer(input.network, input.inputs);
      break;
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::bad_schema || size == kSizes[std::size(kSizes) - 1]) throw;
    }
  }
  return input;
}

symmetry::Spec read_spec(const std::string& path, const network::Network& network) {
  const MappedFile file(path);
  const Bytes bytes = file.bytes();
  const Json json = Json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
  symmetry::Spec spec = symmetry::spec_from_json(json, path);
  std::map<std::string, int> constants;
  for (size_t c = 0; c < network.constants.size(); ++c)
    constants.emplace(network.constants[c].name, static_cast<int>(c));
  for (symmetry::SpecTensor& tensor : spec.tensors) {
    const auto at = constants.find(tensor.name);
    if (at == constants.end())
      throw Error(ErrorKind::missing_tensor, text("{}: {} has no tensor '{}'", one_line(path),
                                                  one_line(network.file), escaped(tensor.name)));
    const std::vector<int64_t>& dims = network.constants[static_cast<size_t>(at->second)].dims;
    if (dims != tensor.dims)
      throw Error(ErrorKind::mismatch, text("{}: tensor '{}' of {}: expected shape {}, got {}",
                                            one_line(path), escaped(tensor.name), one_line(network.file),
                                            shape_text(tensor.dims), shape_text(dims)));
    tensor.constant = at->second;
  }
  return spec;
}

}  // namespace dws::tools
