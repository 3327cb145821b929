// What stands behind a Zoo: a stacked file, a folder, or one network.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/safetensors.h"
#include "format/zoo.h"

namespace dws::format {

class ZooSource {
 public:
  virtual ~ZooSource() = default;
  virtual const std::string& path() const noexcept = 0;
  virtual const ZooInfo& info() const noexcept = 0;
  virtual int64_t size() const noexcept = 0;
  virtual bool has_labels() const noexcept { return false; }
  // Indices are in [0, size()): Zoo checks them.
  virtual int64_t label(int64_t) const { return -1; }
  virtual int64_t image_id(int64_t i) const { return i; }
  virtual bool has_image_ids() const noexcept { return false; }
  virtual std::optional<float> psnr(int64_t) const { return {}; }
  virtual int64_t soft_classes() const noexcept { return 0; }
  virtual void soft_label(int64_t, std::span<float>) const {}
  virtual int64_t mixed_image_id(int64_t i) const { return image_id(i); }
  virtual std::string name(int64_t i) const = 0;
  virtual std::string remark() const = 0;
  // `out` has arch.param_count() elements. `finite`: NaN and infinities are refused.
  virtual void read(int64_t i, std::span<float> out, bool finite) const = 0;
  // Networks [begin, end), not empty: what Zoo says of these.
  virtual void release(int64_t, int64_t) const noexcept {}
  virtual void prefetch(int64_t, int64_t) const noexcept {}
};

// True when the file holds stacked networks (weights of rank 3, or one of the arrays only zoos have).
bool is_stacked(const Safetensors& file) noexcept;
std::unique_ptr<ZooSource> open_stacked(Safetensors file);
std::unique_ptr<ZooSource> open_folder(const std::string& path);
std::unique_ptr<ZooSource> open_single(Safetensors file);

// One fully connected network in a file of its own, with tensor names of a PyTorch state dict: PREFIX.weight
// (out, in) and PREFIX.bias (out,), layers in natural order of PREFIX ("net.2" before "net.10").
class NetworkFile {
 public:
  // Throws Error{bad_schema|missing_tensor|size_mismatch|mismatch|unknown_dtype} when it is no such network.
  explicit NetworkFile(Safetensors file);
  const std::string& path() const noexcept { return file_.path(); }
  // From metadata "dws.zoo"; without it the defaults of ZooInfo with the architecture of the tensors.
  const ZooInfo& info() const noexcept { return info_; }
  std::string remark() const { return file_.remark(); }
  void read(std::span<float> out, bool finite) const;
  // What the summary of a network's own file says; nothing in a file taken from elsewhere.
  std::optional<float> psnr() const;
  std::optional<int64_t> image_id() const;
  std::optional<int64_t> label() const;

 private:
  struct Layer {
    std::string prefix;
    const TensorEntry* weight = nullptr;
    const TensorEntry* bias = nullptr;
  };
  void collect_layers();
  void read_info();
  const Json* summary(std::string_view key) const;
  std::optional<int64_t> integer(std::string_view key) const;

  Safetensors file_;
  ZooInfo info_;
  std::vector<Layer> layers_;
};

}  // namespace dws::format
