#include "network_input.h"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/shape.h"
#include "core/text.h"
#include "format/onnx_write.h"
#include "stored_network.h"

namespace dws::tools {
namespace {

int64_t parse_size(std::string_view word, const char* option, const std::string& all) {
  int64_t n = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), n);
  if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size() || n < 1 || n > 1'000'000'000'000)
    throw Error(ErrorKind::usage, text("{} {}: expected sizes of at least 1", option, escaped(all)));
  return n;
}
network::InputShapes parse_shapes(const NetworkOptions& options) {
  network::InputShapes shapes;
  for (const auto& [given, option] :
       {std::pair(&options.dims, "--dim"), std::pair(&options.shapes, "--shape")})
    for (const std::string& word : *given) {
      const size_t equals = word.rfind('=');
      if (equals == std::string::npos || equals == 0)
        throw Error(ErrorKind::usage, text("{} {}: expected NAME=SIZE", option, escaped(word)));
      const std::string name = word.substr(0, equals);
      if (given == &options.dims) {
        shapes.dimensions[name] = parse_size(word.substr(equals + 1), option, word);
        continue;
      }
      for (const std::string& size : split(std::string_view(word).substr(equals + 1), 'x'))
        shapes.whole[name].push_back(parse_size(size, option, word));
    }
  return shapes;
}

}  // namespace

std::map<std::string, double> parse_pairs(const std::vector<std::string>& given, const char* option) {
  std::map<std::string, double> pairs;
  for (const std::string& word : given) {
    const size_t equals = word.rfind('=');
    double n = 0;
    const char* end = word.data() + word.size();
    const auto parsed = equals == std::string::npos || equals == 0
                            ? std::from_chars_result{nullptr, std::errc::invalid_argument}
                            : std::from_chars(word.data() + equals + 1, end, n);
    if (parsed.ec != std::errc() || parsed.ptr != end || !std::isfinite(n))
      throw Error(ErrorKind::usage, text("{} {}: expected NAME=NUMBER", option, escaped(word)));
    pairs[word.substr(0, equals)] = n;
  }
  return pairs;
}
void add_input_options(Options& verb, NetworkOptions& options) {
  verb.add_option("--set", options.set,
                  "NAME=NUMBER: an input that is this number everywhere, instead of random ones");
}
void add_network_options(Options& verb, NetworkOptions& options) {
  verb.add_option("--dim", options.dims,
                  "NAME=N: what a free dimension of the inputs is taken for (else 2 along the first axis, 8 "
                  "along others)");
  verb.add_option("--shape", options.shapes, "NAME=2x3x4: the shape that an input is taken for");
  verb.add_option("--graph", options.graph,
                  "for tensors without a graph: the ONNX file, with the same tensors, whose graph they have");
  verb.add_option("--recipe", options.recipe,
                  "for tensors without a graph: how they are computed with, by name (llama, gpt2, bert, vit, "
                  "resnet, ...) or a file *.json; looked for when not given");
  verb.add_option("--size", options.sizes,
                  "NAME=N: a size of the recipe that no tensor says, heads=12 for one");
  verb.add_option("--activation", options.activation,
                  "for a chain of linear layers: relu, tanh, gelu, ...; not known when not given");
  add_source_options(verb, options);
}
void add_source_options(Options& verb, NetworkOptions& options) {
  verb.add_option("--external-data-root", options.external_root,
                  "folder of an ONNX model's external data, when it is not the model's own");
  verb.add_flag("--follow-symlinks", options.follow_symlinks,
                "read shards and external data through symbolic links, of which caches of models are made");
}

std::function<void(Bytes)> releaser(const NetworkInput& input) {
  return [onnx = input.onnx, tensors = input.tensors](Bytes part) {
    if (onnx) onnx->release(part);
    if (!tensors) return;
    for (const Safetensors& file : tensors->files())
      if (format::inside(part, file.file_bytes())) file.release(part);
  };
}

void write_changed(const NetworkInput& input, const std::string& path, const std::vector<Patch>& patches,
                   bool force) {
  std::vector<Patch> of_file = patches;
  std::vector<AddedTensor> added;
  if (input.own) {
    const OwnTensor& own = *input.own;
    added.push_back({own.name, own.like, [&own] { return *own.numbers; }, own.readers});
    std::erase_if(of_file, [&](const Patch& patch) {
      if (patch.old.data() != own.numbers->data()) return false;
      added.back().numbers = patch.numbers;
      return true;
    });
  }
  if (input.tensors)
    write_checkpoint(*input.tensors, path, of_file, force, added);
  else
    write_onnx(*input.onnx, path, of_file, force, {}, added);
}

void require_other_file(const std::string& written, const std::string& read, const char* option) {
  std::error_code none;
  if (std::filesystem::weakly_canonical(written, none) == std::filesystem::weakly_canonical(read, none))
    throw Error(ErrorKind::usage,
                text("{} {}: would take the place of {}", option, one_line(written), one_line(read)),
                "choose another name");
}

bool is_onnx(const std::string& path) {
  return path.size() > 5 && path.ends_with(".onnx");
}

ExternalData external_data(const NetworkOptions& options) {
  return {.folder = options.external_root, .follow_links = options.follow_symlinks};
}

NetworkInput read_network(const std::string& path, const NetworkOptions& options) {
  NetworkInput input = read_network_silently(path, options);
  for (const std::string& warning : input.network.warnings) log_warn(warning);
  if (!input.assumed.empty()) log_info(text("{}: taken for {}", one_line(path), input.assumed));
  return input;
}

NetworkInput read_network_silently(const std::string& path, const NetworkOptions& options) {
  NetworkInput input;
  std::error_code none;
  const bool stored =
      path.ends_with(".safetensors") || path.ends_with(".json") || std::filesystem::is_directory(path, none);
  if (!stored) {
    if (!options.graph.empty() || !options.recipe.empty() || !options.activation.empty() ||
        !options.sizes.empty())
      throw Error(
          ErrorKind::usage,
          text("{}: --graph, --recipe, --size and --activation are for safetensors files", one_line(path)));
    input.onnx = std::make_shared<const Onnx>(Onnx::open(path, external_data(options)));
    input.network = network::from_onnx(input.onnx);
  } else {
    read_stored(path, options, input);
  }
  // What free dimensions may be depends on the network (a window needs room): the first size that fits is taken.
  constexpr int64_t kSizes[] = {8, 32, 128, 512, 1600};
  network::InputShapes shapes = parse_shapes(options);
  for (const int64_t size : kSizes) {
    try {
      shapes.otherwise = size;
      input.inputs = network::input_shapes(input.network, shapes);
      input.shapes = network::infer(input.network, input.inputs);
      break;
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::bad_schema || size == kSizes[std::size(kSizes) - 1]) throw;
    }
  }
  return input;
}

std::map<std::string, double> parse_inputs(const NetworkOptions& options) {
  return parse_pairs(options.set, "--set");
}

symmetry::Spec spec_of(const std::string& file, const NetworkInput& input) {
  return file.empty() ? symmetry::discover(input.network, input.inputs) : read_spec(file, input.network);
}

symmetry::Spec read_spec(const std::string& path, const network::Network& network) {
  const MappedFile file(path);
  const Bytes bytes = file.bytes();
  const Json json = Json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
  symmetry::Spec spec = symmetry::spec_from_json(json, path);
  find_tensors(spec, path, network);
  return spec;
}

void find_tensors(symmetry::Spec& spec, const std::string& path, const network::Network& network) {
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
}

void require_memory(const NetworkInput& input, double copies) {
  double bytes = 0;
  for (const network::Constant& c : input.network.constants)
    bytes += copies * sizeof(double) * static_cast<double>(c.elements());
  const std::optional<uint64_t> there = available_memory();
  if (there && bytes > static_cast<double>(*there))
    throw Error(
        ErrorKind::resource_limit,
        text("{}: running it in double precision takes {:.1f} GB of memory at least, and {:.1f} GB are left",
             one_line(input.network.file), bytes * 1e-9, static_cast<double>(*there) * 1e-9),
        "its symmetry is found without running it: dws symmetry");
}

}  // namespace dws::tools
