#include "own_head.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "align/own_head.h"
#include "core/error.h"
#include "core/log.h"
#include "core/text.h"

namespace dws::tools {
namespace {

using align::ResidualStream;

std::optional<ResidualStream> stream_of(const NetworkInput& input) {
  try {
    return align::find_residual_stream(input.network, input.shapes);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
    return {};  // who matches them says so
  }
}
bool tied(const std::optional<ResidualStream>& stream) {
  return stream && align::tied_head(*stream) >= 0;
}

bool has_constant(const NetworkInput& input, const std::string& name) {
  return std::ranges::find(input.network.constants, name, &network::Constant::name) !=
         input.network.constants.end();
}

// What the head's own tensor is called: as the recipe does; in a graph as the other network does. "": it cannot have one.
std::string own_name(const NetworkInput& input, const ResidualStream& stream, const NetworkInput& other,
                     bool other_tied) {
  const align::StreamMember& member = stream.members[static_cast<size_t>(align::tied_head(stream))];
  if (member.inseparable) return "";
  const network::Constant& one = input.network.constants[static_cast<size_t>(member.constant)];
  if (!input.onnx) {
    const auto named = input.stands_for.find(one.name);
    return named == input.stands_for.end() ? "" : named->second;
  }
  if (input.tensors) return "";
  if (!other_tied) {
    std::vector<std::string> more;
    for (const network::Constant& c : other.network.constants)
      if (!c.made && c.dims == one.dims && !has_constant(input, c.name)) more.push_back(c.name);
    if (more.size() == 1) return more.front();
  }
  const auto taken = [&](const std::string& name) {
    return input.network.find_value(name) != network::kNone;
  };
  std::string name = "lm_head.weight";
  for (int i = 2; taken(name); ++i) name = text("lm_head.weight.{}", i);
  return name;
}

void give_own_head(NetworkInput& input, const ResidualStream& stream, const std::string& name) {
  const align::StreamMember& member = stream.members[static_cast<size_t>(align::tied_head(stream))];
  const Bytes bytes = input.network.constants[static_cast<size_t>(member.constant)].bytes;
  auto own = std::make_shared<OwnTensor>();
  own->name = name;
  own->like = bytes;
  own->numbers = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  const std::vector<network::Node>& nodes = input.network.graph.nodes;
  for (const align::StreamRead& read : member.read_at)
    own->readers.push_back(
        {input.network.values[static_cast<size_t>(nodes[static_cast<size_t>(read.node)].outputs[0])].name,
         read.input});
  const align::StreamRead& first = member.read_at.front();
  const int value = nodes[static_cast<size_t>(first.node)].inputs[first.input];
  input.shapes.push_back(input.shapes[static_cast<size_t>(value)]);
  input.network = align::with_own_head(input.network, stream, name, own->numbers);
  input.own = std::move(own);
}

}  // namespace

void give_own_heads(NetworkInput& a, NetworkInput& b) {
  const std::optional<ResidualStream> of_a = stream_of(a), of_b = stream_of(b);
  const bool tied_a = tied(of_a), tied_b = tied(of_b);
  if (!of_a || !of_b || (!tied_a && !tied_b)) return;
  if (tied_a && tied_b && !align::must_be_untied(a.network, *of_a) &&
      !align::must_be_untied(b.network, *of_b))
    return;
  const std::string name_a = tied_a ? own_name(a, *of_a, b, tied_b) : "",
                    name_b = tied_b ? own_name(b, *of_b, a, tied_a) : "";
  if ((tied_a && name_a.empty()) || (tied_b && name_b.empty())) return;
  if (tied_a) give_own_head(a, *of_a, name_a);
  if (tied_b) give_own_head(b, *of_b, name_b);
}

void tell_of_own_head(const NetworkInput& input, const std::string& read, const std::string& written) {
  if (!input.own) return;
  const OwnTensor& own = *input.own;
  std::string shared;
  for (const network::Constant& c : input.network.constants)
    if (c.bytes.data() == own.like.data()) shared = c.name;
  std::string config;
  if (input.tensors && !input.tensors->sharded()) {
    config = "; a config.json beside it must say \"tie_word_embeddings\": false";
  } else if (input.tensors) {
    std::error_code none;
    if (std::filesystem::is_regular_file(std::filesystem::path(input.tensors->folder()) / "config.json",
                                         none))
      config = ", and its config.json says so";
  }
  const size_t bytes = own.numbers->size();
  const std::string more =
      bytes < 100'000 ? text("{} bytes", bytes) : text("{:.1f} MB", static_cast<double>(bytes) * 1e-6);
  log_info(text("{}: head and embedding, one tensor '{}' in {}, are two now: '{}' is the head's, {} more{}",
                one_line(written), escaped(shared), one_line(read), escaped(own.name), more, config));
}

}  // namespace dws::tools
