// A zoo file: stacked tensors of N networks, mapped; a network is read row by row out of the mapping.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "format/convert.h"
#include "format/failure.h"
#include "format/shape_text.h"
#include "format/zoo_checks.h"
#include "format/zoo_source.h"

namespace dws::format {
namespace {

class StackedZoo : public ZooSource {
 public:
  explicit StackedZoo(Safetensors file) : file_(std::move(file)) {
    const std::string* meta = file_.meta("dws.zoo");
    if (!meta) {
      fail(ErrorKind::bad_schema,
           {.file = path(),
            .what = "metadata dws.zoo is missing",
            .advice = "it says how the networks are to be evaluated; see src/README.md"});
    }
    info_ = ZooInfo::from_json(Json::parse(*meta, path() + ": metadata dws.zoo"), path());
    check_layers();
    labels_ = find_array("label", true);
    image_ids_ = find_array("image_id", true);
    psnr_ = find_array("psnr", false);
    if (labels_) check_integers(*labels_, -1);
    mixed_ids_ = find_array("mixed_image_id", true);
    if (image_ids_) check_integers(*image_ids_, std::numeric_limits<int64_t>::min());
    if (mixed_ids_) check_integers(*mixed_ids_, std::numeric_limits<int64_t>::min());
    soft_labels_ = file_.find("label_soft");
    if (soft_labels_) check_soft_labels();
  }

  const std::string& path() const noexcept override { return file_.path(); }
  const ZooInfo& info() const noexcept override { return info_; }
  int64_t size() const noexcept override { return count_; }
  bool has_labels() const noexcept override { return has_labels_; }
  int64_t label(int64_t i) const override { return labels_ ? integer(*labels_, i) : -1; }
  int64_t image_id(int64_t i) const override { return image_ids_ ? integer(*image_ids_, i) : i; }
  std::optional<float> psnr(int64_t i) const override {
    if (!psnr_) return {};
    float value = 0;
    convert(psnr_->dtype, row(*psnr_, i, 1), &value, 1);
    return value;
  }
  bool has_image_ids() const noexcept override { return image_ids_ != nullptr; }
  int64_t soft_classes() const noexcept override { return soft_labels_ ? soft_labels_->shape[1] : 0; }
  void soft_label(int64_t i, std::span<float> out) const override {
    convert(soft_labels_->dtype, row(*soft_labels_, i, out.size()), out.data(), out.size());
  }
  int64_t mixed_image_id(int64_t i) const override {
    return mixed_ids_ ? integer(*mixed_ids_, i) : image_id(i);
  }
  std::string name(int64_t i) const override { return text("{}#{}", path(), i); }
  std::string remark() const override { return file_.remark(); }

  void read(int64_t i, std::span<float> out, bool finite) const override {
    size_t at = 0;
    for (const TensorEntry* entry : rows_) {
      const size_t size = static_cast<size_t>(entry->elements() / count_);
      const std::span<float> part = out.subspan(at, size);
      convert(entry->dtype, row(*entry, i, size), part.data(), size);
      if (finite) require_finite(part, {path(), i}, entry->name);
      at += size;
    }
  }

  void release(int64_t begin, int64_t end) const noexcept override {
    each_part(begin, end, [&](Bytes part) { file_.release(part); });
  }
  void prefetch(int64_t begin, int64_t end) const noexcept override {
    each_part(begin, end, [&](Bytes part) { file_.prefetch(part); });
  }

 private:
  // Calls done(bytes) with what each array of the file holds of networks [begin, end).
  template <class Done>
  void each_part(int64_t begin, int64_t end, Done done) const noexcept {
    const auto part_of = [&](const TensorEntry* entry) {
      if (!entry) return;
      const Bytes all = file_.bytes(*entry);
      const size_t one = all.size() / static_cast<size_t>(count_);
      done(all.subspan(static_cast<size_t>(begin) * one, static_cast<size_t>(end - begin) * one));
    };
    for (const TensorEntry* entry : rows_) part_of(entry);
    for (const TensorEntry* entry : {labels_, image_ids_, psnr_}) part_of(entry);
  }

  const std::byte* row(const TensorEntry& entry, int64_t i, size_t elements) const noexcept {
    const size_t width = static_cast<size_t>(dtype_bits(entry.dtype)) / 8;
    return file_.bytes(entry).data() + static_cast<size_t>(i) * elements * width;
  }

  int64_t integer(const TensorEntry& entry, int64_t i) const noexcept {
    int64_t value = 0;
    convert(entry.dtype, row(entry, i, 1), &value, 1);
    return value;
  }

  void check_tensor(const TensorEntry& entry, std::vector<int64_t> shape) {
    require_float(path(), entry);
    if (entry.shape != shape) {
      fail(ErrorKind::size_mismatch, {.file = path(),
                                      .what = "wrong shape for architecture " + info_.arch.str(),
                                      .tensor = entry.name,
                                      .expected = shape_text(shape),
                                      .got = entry.shape_str()});
    }
    rows_.push_back(&entry);
  }

  void check_layers() {
    const TensorEntry& first = file_.at(weight_name(0));
    count_ = first.shape.empty() ? 0 : first.shape[0];
    if (count_ == 0)
      fail(ErrorKind::empty, {.file = path(), .what = "holds no networks", .tensor = first.name});
    for (int layer = 0; layer < info_.arch.layers(); ++layer) {
      const int64_t in = info_.arch.dims[static_cast<size_t>(layer)];
      const int64_t out = info_.arch.dims[static_cast<size_t>(layer) + 1];
      check_tensor(file_.at(weight_name(layer)), {count_, out, in});
      check_tensor(file_.at(bias_name(layer)), {count_, out});
    }
    for (const TensorEntry& entry : file_.tensors()) {
      const bool known = std::find(rows_.begin(), rows_.end(), &entry) != rows_.end();
      if (entry.name.starts_with("layers.") && !known) {
        fail(ErrorKind::mismatch,
             {.file = path(), .what = "not part of architecture " + info_.arch.str(), .tensor = entry.name});
      }
    }
  }

  // One number a network; nullptr when the file has none of this name.
  const TensorEntry* find_array(const char* name, bool integers) const {
    const TensorEntry* entry = file_.find(name);
    if (!entry) return nullptr;
    if (integers ? !is_integer_dtype(entry->dtype) : !is_float_dtype(entry->dtype)) {
      fail(ErrorKind::unknown_dtype, {.file = path(),
                                      .what = "wrong dtype",
                                      .tensor = name,
                                      .expected = integers ? "I64" : "F32",
                                      .got = dtype_name(entry->dtype)});
    }
    if (entry->shape != std::vector<int64_t>{count_}) {
      fail(ErrorKind::size_mismatch, {.file = path(),
                                      .what = text("not one value for each of {} networks", count_),
                                      .tensor = name,
                                      .expected = text("({},)", count_),
                                      .got = entry->shape_str()});
    }
    return entry;
  }

  void check_integers(const TensorEntry& entry, int64_t low) {
    for (int64_t i = 0; i < count_; ++i) {
      int64_t value = 0;
      const bool fits = convert(entry.dtype, row(entry, i, 1), &value, 1);
      if (!fits || value < low) {
        fail(ErrorKind::bad_value, {.file = path(),
                                    .what = text("value of network {}", i),
                                    .tensor = entry.name,
                                    .expected = fits ? text("at least {}", low) : "a value within int64",
                                    .got = fits ? text("{}", value) : "a larger one"});
      }
      if (&entry == labels_ && value >= 0) has_labels_ = true;
    }
    file_.release(file_.bytes(entry));
  }

  // (N, classes), each row a distribution up to rounding.
  void check_soft_labels() {
    const TensorEntry& entry = *soft_labels_;
    if (!is_float_dtype(entry.dtype)) {
      fail(ErrorKind::unknown_dtype, {.file = path(),
                                      .what = "wrong dtype",
                                      .tensor = entry.name,
                                      .expected = "F32",
                                      .got = dtype_name(entry.dtype)});
    }
    if (entry.shape.size() != 2 || entry.shape[0] != count_ || entry.shape[1] < 1) {
      fail(ErrorKind::size_mismatch, {.file = path(),
                                      .what = text("not one row for each of {} networks", count_),
                                      .tensor = entry.name,
                                      .expected = text("({}, classes)", count_),
                                      .got = entry.shape_str()});
    }
    std::vector<float> values(static_cast<size_t>(entry.shape[1]));
    for (int64_t i = 0; i < count_; ++i) {
      soft_label(i, values);
      double sum = 0;
      bool positive = true;
      for (const float value : values) {
        positive = positive && value >= 0;
        sum += static_cast<double>(value);
      }
      if (!positive || !(std::abs(sum - 1) <= 1e-2)) {
        fail(ErrorKind::bad_value, {.file = path(),
                                    .what = text("row of network {}", i),
                                    .tensor = entry.name,
                                    .expected = "numbers of 0 or more whose sum is 1",
                                    .got = positive ? text("a sum of {}", sum) : "a negative one or NaN"});
      }
    }
  }

  Safetensors file_;
  ZooInfo info_;
  int64_t count_ = 0;
  std::vector<const TensorEntry*> rows_;  // W_0, b_0, W_1, ...
  const TensorEntry* labels_ = nullptr;
  const TensorEntry* image_ids_ = nullptr;
  const TensorEntry* psnr_ = nullptr;
  const TensorEntry* mixed_ids_ = nullptr;
  const TensorEntry* soft_labels_ = nullptr;  // (N, classes)
  bool has_labels_ = false;
};

}  // namespace

bool is_stacked(const Safetensors& file) noexcept {
  for (const TensorEntry& entry : file.tensors()) {
    if (entry.shape.size() == 3 || entry.name == "image_id" || entry.name == "label") return true;
  }
  return false;
}

std::unique_ptr<ZooSource> open_stacked(Safetensors file) {
  return std::make_unique<StackedZoo>(std::move(file));
}

}  // namespace dws::format
