// Opening a sharded checkpoint of 10 GB, and finding its symmetry: what is not needed is not read.
#include <filesystem>
#include <fstream>

#include "bench.h"
#include "bench_files.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "format/checkpoint.h"
#include "network/executor.h"
#include "network/stored.h"
#include "symmetry/spec.h"
#include "temp_folder.h"

namespace dws::tools {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kWidth = 4096, kHidden = 11008, kTokens = 32000, kHeads = 32, kLayers = 24, kShards = 2;

// A checkpoint like LLaMA's, bf16, whose numbers are holes in its files; removed at the end.
class SparseCheckpoint {
 public:
  SparseCheckpoint() {
    shards_.resize(kShards);
    add(0, "model.embed_tokens.weight", {kTokens, kWidth});
    for (int64_t i = 0; i < kLayers; ++i) {
      const auto at = [&](const char* name) { return text("model.layers.{}.{}.weight", i, name); };
      const auto shard = static_cast<size_t>(i * kShards / kLayers);
      for (const char* name : {"input_layernorm", "post_attention_layernorm"}) add(shard, at(name), {kWidth});
      for (const char* name :
           {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"})
        add(shard, at(name), {kWidth, kWidth});
      for (const char* name : {"mlp.gate_proj", "mlp.up_proj"}) add(shard, at(name), {kHidden, kWidth});
      add(shard, at("mlp.down_proj"), {kWidth, kHidden});
    }
    add(kShards - 1, "model.norm.weight", {kWidth});
    add(kShards - 1, "lm_head.weight", {kTokens, kWidth});
    for (size_t s = 0; s < shards_.size(); ++s) write(s);
    write_text(index(), Json::object({{"weight_map", Json(map_)}}).dump(), false);
  }
  std::string index() const { return folder_.file("model.safetensors.index.json"); }
  double gigabytes() const {
    int64_t all = 0;
    for (const Shard& shard : shards_) all += shard.bytes;
    return static_cast<double>(all) * 1e-9;
  }

 private:
  struct Shard {
    std::string header = "{";
    int64_t bytes = 0;
  };
  static std::string name(size_t shard) {
    return text("model-{:05}-of-{:05}.safetensors", shard + 1, static_cast<size_t>(kShards));
  }
  void add(size_t shard, const std::string& tensor, const std::vector<int64_t>& dims) {
    Shard& s = shards_[shard];
    int64_t size = 2;
    std::vector<std::string> extents;
    for (const int64_t d : dims) {
      size *= d;
      extents.push_back(text("{}", d));
    }
    s.header += text("{}\"{}\":{{\"dtype\":\"BF16\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                     s.bytes ? "," : "", tensor, join(extents, ","), s.bytes, s.bytes + size);
    s.bytes += size;
    map_.emplace_back(tensor, name(shard));
  }
  void write(size_t shard) {
    Shard& s = shards_[shard];
    s.header += '}';
    const uint64_t length = s.header.size();
    const std::string path = folder_.file(name(shard));
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), sizeof length);
    out << s.header;
    out.close();
    if (!out) throw Error(ErrorKind::io, text("{}: cannot write a checkpoint with holes", path));
    fs::resize_file(path, 8 + length + static_cast<uint64_t>(s.bytes));
  }

  TempFolder folder_;
  std::vector<Shard> shards_;
  Json::Object map_;
};

Json open_sharded(const BenchContext& context) {
  const SparseCheckpoint made;
  const double before = resident_mib();
  size_t tensors = 0;
  double resident = 0;
  const double seconds = best_seconds(context.seconds, [&] {
    const Checkpoint checkpoint = Checkpoint::open(made.index());
    tensors = checkpoint.tensors().size();
    resident = resident_mib() - before;
  });
  return Json::object({{"seconds", seconds},
                       {"gigabytes", made.gigabytes()},
                       {"tensors", static_cast<int64_t>(tensors)},
                       {"resident_mib", resident},
                       {"threads", 1}});
}

Json symmetry_of_sharded(const BenchContext& context) {
  const SparseCheckpoint made;
  const double before = resident_mib();
  size_t groups = 0;
  double resident = 0;
  const double seconds = best_seconds(context.seconds, [&] {
    const auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(made.index()));
    network::StoredTensors stored{.file = made.index(), .tensors = {}, .owner = checkpoint};
    for (const CheckpointTensor& t : checkpoint->tensors())
      stored.tensors.push_back({.name = t.entry->name,
                                .type = *onnx_type(t.entry->dtype),
                                .dims = t.entry->shape,
                                .bytes = checkpoint->bytes(t)});
    network::StoredSettings settings;
    settings.sizes.sizes = {{"heads", kHeads}};
    const network::RecipeResult net = network::from_tensors(std::move(stored), settings);
    groups = symmetry::discover(net.network, network::input_shapes(net.network, {})).groups.size();
    resident = resident_mib() - before;
  });
  return Json::object({{"seconds", seconds},
                       {"gigabytes", made.gigabytes()},
                       {"groups", static_cast<int64_t>(groups)},
                       {"resident_mib", resident},
                       {"threads", 1}});
}

}  // namespace

std::vector<BenchCase> bench_checkpoint() {
  return {{"checkpoint.open", open_sharded}, {"checkpoint.symmetry", symmetry_of_sharded}};
}

}  // namespace dws::tools
