#include "core/text.h"
#include "format/failure.h"
#include "format/safetensors.h"
#include "format/zoo.h"
#include "format/zoo_checks.h"

namespace dws {
namespace {

using Metadata = std::vector<std::pair<std::string, std::string>>;

Metadata with_info(const ZooInfo& info, const Metadata& more) {
  Metadata metadata = {{"dws.zoo", info.to_json().dump()}};
  metadata.insert(metadata.end(), more.begin(), more.end());
  return metadata;
}

void check_arch(const std::string& path, const MlpArch& arch) {
  const std::string wrong = format::wrong_dims(arch.dims);
  if (!wrong.empty()) format::fail(ErrorKind::usage, {path, "architecture '" + arch.str() + "': " + wrong});
}

void check_count(const std::string& path, const char* what, size_t got, int64_t expected) {
  if (got == 0 || got == static_cast<size_t>(expected)) return;
  format::fail(ErrorKind::size_mismatch, {.file = path,
                                          .what = text("wrong number of values of {}", what),
                                          .expected = text("{}", expected),
                                          .got = text("{}", got)});
}

// Calls add(name, shape of one network's tensor, offset in read()'s order) for W_0, b_0, W_1, ...
template <class Add>
void each_tensor(const MlpArch& arch, Add add) {
  int64_t offset = 0;
  for (int layer = 0; layer < arch.layers(); ++layer) {
    const int64_t in = arch.dims[static_cast<size_t>(layer)], out = arch.dims[static_cast<size_t>(layer) + 1];
    add(format::weight_name(layer), std::vector<int64_t>{out, in}, offset);
    offset += arch.weight_size(layer);
    add(format::bias_name(layer), std::vector<int64_t>{out}, offset);
    offset += arch.bias_size(layer);
  }
}

size_t product(const std::vector<int64_t>& shape) {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  return static_cast<size_t>(size);
}

}  // namespace

void write_zoo(const std::string& path, const ZooContent& content, bool force) {
  check_arch(path, content.info.arch);
  if (content.count <= 0) format::fail(ErrorKind::empty, {path, "no networks to write"});
  if (!content.network) format::fail(ErrorKind::internal, {path, "nothing gives the networks to write"});
  check_count(path, "label", content.labels.size(), content.count);
  check_count(path, "image_id", content.image_ids.size(), content.count);
  check_count(path, "psnr", content.psnr.size(), content.count);
  check_count(path, "mixed_image_id", content.mixed_image_ids.size(), content.count);
  for (size_t i = 0; i < content.labels.size(); ++i) {
    if (content.labels[i] < -1) {
      format::fail(ErrorKind::bad_value, {.file = path,
                                          .what = text("label of network {}", i),
                                          .expected = "at least -1",
                                          .got = text("{}", content.labels[i])});
    }
  }
  std::vector<TensorSource> tensors;
  each_tensor(content.info.arch, [&](std::string name, std::vector<int64_t> shape, int64_t offset) {
    const size_t size = product(shape);
    shape.insert(shape.begin(), content.count);
    auto fill = [&content, &path, name, size, offset](const std::function<void(const void*, size_t)>& sink) {
      for (int64_t i = 0; i < content.count; ++i) {
        const float* row = content.network(content.context, i) + offset;
        format::require_finite({row, size}, {path, i}, name);
        sink(row, size * sizeof(float));
      }
    };
    tensors.push_back({std::move(name), Dtype::f32, std::move(shape), std::move(fill)});
  });
  const std::vector<int64_t> one_each = {content.count};
  if (!content.labels.empty()) tensors.push_back(TensorSource::of("label", one_each, content.labels));
  if (!content.image_ids.empty())
    tensors.push_back(TensorSource::of("image_id", one_each, content.image_ids));
  if (!content.psnr.empty()) tensors.push_back(TensorSource::of("psnr", one_each, content.psnr));
  if (!content.mixed_image_ids.empty())
    tensors.push_back(TensorSource::of("mixed_image_id", one_each, content.mixed_image_ids));
  if (content.soft_label) {
    auto fill = [&content, &path](const std::function<void(const void*, size_t)>& sink) {
      std::vector<float> row(static_cast<size_t>(content.soft_classes));
      for (int64_t i = 0; i < content.count; ++i) {
        content.soft_label(i, row);
        format::require_finite(row, {path, i}, "label_soft");
        sink(row.data(), row.size() * sizeof(float));
      }
    };
    tensors.push_back({"label_soft", Dtype::f32, {content.count, content.soft_classes}, std::move(fill)});
  }
  write_safetensors(path, std::move(tensors), with_info(content.info, content.metadata), force);
}

void write_network(const std::string& path, const ZooInfo& info, std::span<const float> params,
                   const Metadata& metadata, bool force) {
  check_arch(path, info.arch);
  if (params.size() != static_cast<size_t>(info.arch.param_count())) {
    format::fail(ErrorKind::size_mismatch,
                 {.file = path,
                  .what = text("wrong number of parameters for architecture {}", info.arch.str()),
                  .expected = text("{}", info.arch.param_count()),
                  .got = text("{}", params.size())});
  }
  std::vector<TensorSource> tensors;
  each_tensor(info.arch, [&](std::string name, std::vector<int64_t> shape, int64_t offset) {
    const std::span<const float> part = params.subspan(static_cast<size_t>(offset), product(shape));
    format::require_finite(part, {path}, name);
    tensors.push_back(TensorSource::of(std::move(name), std::move(shape), part));
  });
  write_safetensors(path, std::move(tensors), with_info(info, metadata), force);
}

}  // namespace dws
