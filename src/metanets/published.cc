#include "metanets/published.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "metanets/options.h"
#include "nn/reduction.h"

namespace dws {

DwsConfig published_config(const Json& arguments, int64_t outputs) {
  OptionReader in(arguments, "published DWS network");
  DwsConfig c;
  c.hidden = in.integer("hidden_dim", 32, 1, 4096);
  c.layers = in.integer("n_hidden", 4, 0, 63) + 1;
  c.attention = in.choice("set_layer", "sab", {"ds", "sab"}) == "sab";
  c.reduction = nn::parse_reduction(in.choice("reduction", "max", nn::reduction_names()));
  c.norm = in.flag("bn", false) ? nn::Norm::batch : nn::Norm::none;
  c.heads = in.integer("n_heads", 8, 1, 1024);
  c.diagonal = in.flag("diagonal", false);
  c.input_skip = in.flag("add_skip", false);
  c.layer_skip = in.flag("add_layer_skip", false);
  c.dropout = in.real("dropout_rate", 0, 0, 1);
  const int64_t fc_layers = in.integer("n_fc_layers", 1, 1, 64);
  const int64_t out_layers = in.integer("n_out_fc_layers", 1, 1, 64);
  in.real("init_scale", 1, 0, 1e9);
  in.finish();
  if (fc_layers != 1)
    throw Error(ErrorKind::usage,
                text("published DWS network: n_fc_layers {} cannot be folded into linear layers", fc_layers));
  c.head.assign(static_cast<size_t>(out_layers - 1), outputs);
  c.residual = false;
  c.final_norm = false;
  c.broadcast_last = c.attention;
  return c;
}

namespace {

template <class T>
std::vector<T> read_pieces(const Safetensors& file, const std::string& prefix, int64_t count,
                           const std::vector<PublishedMap::Piece>& pieces) {
  std::vector<T> flat(static_cast<size_t>(count));
  for (const PublishedMap::Piece& piece : pieces) {
    const TensorEntry& entry = file.at(prefix + piece.name);
    if (entry.shape != piece.shape)
      throw Error(ErrorKind::size_mismatch, text("{}: tensor '{}': expected shape {}, got {}", file.path(),
                                                 entry.name, shape_text(piece.shape), entry.shape_str()));
    file.read(entry, std::span<T>(flat).subspan(static_cast<size_t>(piece.offset),
                                                static_cast<size_t>(piece.size())));
  }
  return flat;
}

// A tensor of a state dict that the network does not have means that the arguments are not those of the file.
void refuse_strangers(const Safetensors& file, const std::string& prefix, const PublishedMap& map) {
  std::set<std::string> known;
  for (const auto* pieces : {&map.params(), &map.buffers()})
    for (const PublishedMap::Piece& piece : *pieces) known.insert(piece.name);
  for (const TensorEntry& entry : file.tensors()) {
    if (!entry.name.starts_with(prefix) || entry.name.ends_with(".num_batches_tracked")) continue;
    if (!known.contains(entry.name.substr(prefix.size())))
      throw Error(ErrorKind::mismatch, text("{}: tensor '{}' does not belong to a network of these arguments",
                                            file.path(), escaped(entry.name)));
  }
}

}  // namespace

template <class T>
std::unique_ptr<DwsNet<T>> read_published(const Safetensors& file, const MlpArch& arch, const Json& arguments,
                                          const std::string& param_prefix, const std::string& buffer_prefix) {
  const int64_t out_layers =
      arguments.find("n_out_fc_layers") ? arguments.at("n_out_fc_layers").as_int("n_out_fc_layers") : 1;
  const TensorEntry& last = file.at(param_prefix + text("clf.layer.{}.bias", 2 * (out_layers - 1)));
  const int64_t outputs = last.elements();
  if (outputs < 1)
    throw Error(ErrorKind::size_mismatch, text("{}: tensor '{}' is empty", file.path(), last.name));
  auto net = std::make_unique<DwsNet<T>>(weights::WeightSpace::mlp(arch.dims), outputs,
                                         published_config(arguments, outputs));
  const PublishedMap map = published_map(*net);
  refuse_strangers(file, param_prefix, map);
  const std::vector<T> params = read_pieces<T>(file, param_prefix, map.param_count(), map.params());
  map.fold(std::span<const T>(params), net->params().values().span());
  const std::vector<T> buffers = read_pieces<T>(file, buffer_prefix, map.buffer_count(), map.buffers());
  map.fold_buffers(std::span<const T>(buffers), net->params().buffer_values().span());
  return net;
}

template std::unique_ptr<DwsNet<float>> read_published(const Safetensors&, const MlpArch&, const Json&,
                                                       const std::string&, const std::string&);
template std::unique_ptr<DwsNet<double>> read_published(const Safetensors&, const MlpArch&, const Json&,
                                                        const std::string&, const std::string&);

}  // namespace dws
