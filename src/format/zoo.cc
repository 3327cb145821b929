#include "format/zoo.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/text.h"
#include "format/zoo_source.h"

namespace dws {

struct Zoo::Impl {
  std::unique_ptr<format::ZooSource> source;

  void read(int64_t i, std::span<float> out, bool finite) const {
    const format::ZooSource& zoo = at(i);
    const int64_t count = zoo.info().arch.param_count();
    if (out.size() != static_cast<size_t>(count)) {
      throw Error(ErrorKind::internal, text("{}: wrong length of the array to read into: expected {}, got {}",
                                            zoo.path(), count, out.size()));
    }
    zoo.read(i, out, finite);
  }

  // The source, once `i` is known to be one of its networks.
  const format::ZooSource& at(int64_t i) const {
    if (i < 0 || i >= source->size()) {
      throw Error(ErrorKind::internal, text("{}: no network {} among {}", source->path(), i, source->size()));
    }
    return *source;
  }
};

Zoo::Zoo(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Zoo::~Zoo() = default;
Zoo::Zoo(Zoo&&) noexcept = default;
Zoo& Zoo::operator=(Zoo&&) noexcept = default;

Zoo Zoo::open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    impl->source = format::open_folder(path);
  } else {
    Safetensors file = Safetensors::open(path);
    impl->source = format::is_stacked(file) ? format::open_stacked(std::move(file))
                                            : format::open_single(std::move(file));
  }
  return Zoo(std::move(impl));
}

const std::string& Zoo::path() const noexcept {
  return impl_->source->path();
}
const ZooInfo& Zoo::info() const noexcept {
  return impl_->source->info();
}
int64_t Zoo::size() const noexcept {
  return impl_->source->size();
}
bool Zoo::has_labels() const noexcept {
  return impl_->source->has_labels();
}
int64_t Zoo::label(int64_t i) const {
  return impl_->at(i).label(i);
}
int64_t Zoo::image_id(int64_t i) const {
  return impl_->at(i).image_id(i);
}
std::optional<float> Zoo::psnr(int64_t i) const {
  return impl_->at(i).psnr(i);
}
int64_t Zoo::soft_classes() const noexcept {
  return impl_->source->soft_classes();
}
void Zoo::soft_label(int64_t i, std::span<float> row) const {
  const format::ZooSource& zoo = impl_->at(i);
  if (static_cast<int64_t>(row.size()) != zoo.soft_classes())
    throw Error(ErrorKind::internal,
                text("{}: {} soft labels a network, not {}", zoo.path(), zoo.soft_classes(), row.size()));
  zoo.soft_label(i, row);
}
int64_t Zoo::mixed_image_id(int64_t i) const {
  return impl_->at(i).mixed_image_id(i);
}
std::string Zoo::name(int64_t i) const {
  return impl_->at(i).name(i);
}

void Zoo::read(int64_t i, std::span<float> out) const {
  impl_->read(i, out, true);
}
void Zoo::read_as_is(int64_t i, std::span<float> out) const {
  impl_->read(i, out, false);
}
void Zoo::release(int64_t begin, int64_t end) const noexcept {
  begin = std::max<int64_t>(begin, 0), end = std::min(end, size());
  if (begin < end) impl_->source->release(begin, end);
}
void Zoo::prefetch(int64_t begin, int64_t end) const noexcept {
  begin = std::max<int64_t>(begin, 0), end = std::min(end, size());
  if (begin < end) impl_->source->prefetch(begin, end);
}
int64_t Zoo::block() const noexcept {
  constexpr int64_t kNumbers = (4 << 20) / sizeof(float);
  return std::clamp<int64_t>(kNumbers / info().arch.param_count(), 1, 1024);
}
bool Zoo::has_image_ids() const noexcept {
  return impl_->source->has_image_ids();
}
std::string Zoo::remark() const {
  return impl_->source->remark();
}

}  // namespace dws
