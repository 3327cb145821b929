#include "convert_network.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "format/cast.h"
#include "format/checkpoint.h"
#include "format/onnx_write.h"
#include "network_input.h"

namespace dws::tools {
namespace {

constexpr uint64_t kShard = 5'000'000'000;  // as the transformers library cuts

// A tensor as it is stored, in whatever file.
struct Stored {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  Bytes bytes;
};

class Conversion {
 public:
  Conversion(const Globals& globals, const std::string& path, const NetworkConversion& wanted)
      : globals_(globals), path_(path), wanted_(wanted) {
    if (!wanted.dtype.empty()) dtype_ = parse_float_type(wanted.dtype);
  }
  void run() {
    if (is_onnx(wanted_.out)) {
      if (dtype_ || !wanted_.shard_size.empty())
        throw Error(ErrorKind::usage, text("{}: --dtype and --shard-size are for outputs in safetensors",
                                           one_line(wanted_.out)));
      return is_onnx(path_) ? write_onnx(Onnx::open(path_, external_data(wanted_.source)), wanted_.out, {},
                                         wanted_.force)
                            : into_graph();
    }
    if (is_onnx(path_))
      read_onnx();
    else
      read_checkpoint();
    write();
  }

 private:
  Dtype parse_float_type(const std::string& name) const {
    for (const auto& [word, type] : {std::pair{"f16", Dtype::f16}, std::pair{"bf16", Dtype::bf16},
                                     std::pair{"f32", Dtype::f32}, std::pair{"f64", Dtype::f64}})
      if (name == word) return type;
    throw Error(ErrorKind::usage, text("--dtype {}: expected f16, bf16, f32 or f64", escaped(name)));
  }

  void into_graph() {
    if (wanted_.source.graph.empty())
      throw Error(ErrorKind::usage, text("{}: tensors alone make no ONNX file", one_line(path_)),
                  "--graph NET.onnx names one with the same tensors, into which they are put");
    const NetworkInput input = read_network(path_, wanted_.source);
    const network::Network own = network::from_onnx(input.onnx);
    std::vector<Patch> patches;
    for (size_t c = 0; c < own.constants.size(); ++c) {
      const Bytes old = own.constants[c].bytes, now = input.network.constants[c].bytes;
      if (old.data() != now.data() && !std::ranges::equal(old, now))
        patches.push_back({old, [now] { return std::vector<std::byte>(now.begin(), now.end()); }});
    }
    write_onnx(*input.onnx, wanted_.out, patches, wanted_.force);
  }

  void read_onnx() {
    onnx_ = std::make_shared<const Onnx>(Onnx::open(path_, external_data(wanted_.source)));
    network_ = network::from_onnx(onnx_);
    for (const network::Constant& c : network_.constants) {
      const std::optional<Dtype> dtype = onnx_dtype(c.type);
      if (!dtype)
        throw Error(ErrorKind::unknown_dtype,
                    text("{}: tensor '{}' is of type {}, which safetensors does not have", one_line(path_),
                         escaped(c.name), onnx_type_name(c.type)));
      stored_.push_back({c.name, *dtype, c.dims, c.bytes});
    }
    metadata_ = {{"format", "dws"}, {"source", path_}};
    changed_ = true;
  }
  void read_checkpoint() {
    checkpoint_ = std::make_unique<Checkpoint>(Checkpoint::open(path_, wanted_.source.follow_symlinks));
    for (const std::string& warning : checkpoint_->warnings()) log_warn(warning);
    for (const CheckpointTensor& tensor : checkpoint_->tensors())
      stored_.push_back(
          {tensor.entry->name, tensor.entry->dtype, tensor.entry->shape, checkpoint_->bytes(tensor)});
    metadata_ = checkpoint_->metadata();
  }

  void write() {
    const auto count = std::make_shared<CastCount>();
    std::vector<TensorSource> tensors;
    for (const Stored& s : stored_) {
      tensors.push_back(cast(s.name, s.dtype, s.shape, s.bytes, dtype_.value_or(s.dtype), count));
      changed_ = changed_ || tensors.back().dtype != s.dtype;
    }
    // Bytes that only moved keep the metadata that they came with.
    if (changed_) {
      std::erase_if(metadata_, [](const auto& entry) { return entry.first == "dws.recipe"; });
      metadata_.emplace_back("dws.recipe", recipe(globals_, {path_}).dump());
    }
    if (wanted_.out.ends_with(".safetensors")) {
      if (!wanted_.shard_size.empty())
        throw Error(ErrorKind::usage, text("{}: --shard-size writes many files", one_line(wanted_.out)),
                    "give -o the name of a new folder");
      write_safetensors(wanted_.out, std::move(tensors), metadata_, wanted_.force);
    } else {
      if (wanted_.shard_size.empty() && !std::filesystem::path(wanted_.out).extension().empty())
        throw Error(ErrorKind::usage,
                    text("{}: expected NAME.onnx, NAME.safetensors, or the name of a folder for shards",
                         one_line(wanted_.out)));
      const uint64_t size =
          wanted_.shard_size.empty() ? kShard : parse_bytes(wanted_.shard_size, "--shard-size");
      if (size == 0) throw Error(ErrorKind::usage, "--shard-size 0: expected a size, 5GB for one");
      write_sharded(wanted_.out, std::move(tensors), metadata_, size);
    }
    if (count->overflowed > 0)
      log_warn(text("{}: {} numbers are too large for {} and became infinite", one_line(wanted_.out),
                    count->overflowed, wanted_.dtype));
  }

  const Globals& globals_;
  const std::string& path_;
  const NetworkConversion& wanted_;
  std::optional<Dtype> dtype_;
  std::shared_ptr<const Onnx> onnx_;
  network::Network network_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::vector<Stored> stored_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  bool changed_ = false;
};

}  // namespace

bool is_network(const std::string& path) {
  if (is_onnx(path) || is_sharded(path)) return true;
  std::error_code none;
  if (std::filesystem::is_directory(path, none)) return false;
  const Safetensors file = Safetensors::open(path);
  if (file.meta("dws.zoo") || file.meta("dws.model") || file.meta("dws.checkpoint")) return false;
  // A fully connected network of weights and biases alone is a zoo of one.
  return !std::ranges::all_of(file.tensors(), [](const TensorEntry& t) {
    return (t.name.ends_with("weight") && (t.shape.size() == 2 || t.shape.size() == 3)) ||
           (t.name.ends_with("bias") && t.shape.size() <= 2) || t.name == "label" || t.name == "image_id" ||
           t.name == "psnr";
  });
}

void convert_network(const Globals& globals, const std::string& path, const NetworkConversion& conversion) {
  Conversion(globals, path, conversion).run();
}

}  // namespace dws::tools
