#include "autograd/params.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace dws {
namespace {

int index_of(const std::vector<ParamInfo>& infos, std::string_view name) noexcept {
  const auto it =
      std::find_if(infos.begin(), infos.end(), [&](const ParamInfo& i) { return i.name == name; });
  return it == infos.end() ? -1 : static_cast<int>(it - infos.begin());
}

// Appends a piece behind the others and moves `size` on.
int append(std::vector<ParamInfo>& infos, std::string name, const Shape& shape, bool decay, int64_t& size) {
  infos.push_back({std::move(name), shape, size, decay});
  size += shape.size();
  return static_cast<int>(infos.size()) - 1;
}

void require_new(bool frozen, bool known, std::string_view name) {
  if (frozen) throw Error(ErrorKind::internal, text("parameter '{}' added after freeze()", name));
  if (known) throw Error(ErrorKind::duplicate_name, text("two parameters are called '{}'", name));
}

}  // namespace

template <class T>
int ParamSet<T>::add(std::string name, Shape shape, bool decay) {
  require_new(frozen_, index_of(params_, name) >= 0 || index_of(buffers_, name) >= 0, name);
  return append(params_, std::move(name), shape, decay, size_);
}

template <class T>
int ParamSet<T>::add_buffer(std::string name, Shape shape, T initial) {
  require_new(frozen_, index_of(params_, name) >= 0 || index_of(buffers_, name) >= 0, name);
  buffer_initial_.push_back(initial);
  return append(buffers_, std::move(name), shape, false, buffer_size_);
}

template <class T>
void ParamSet<T>::freeze() {
  if (frozen_) return;
  frozen_ = true;
  values_ = Buffer<T>(static_cast<size_t>(size_));
  buffer_values_ = Buffer<T>(static_cast<size_t>(buffer_size_));
  for (int i = 0; i < buffer_count(); ++i) {
    const View<T> piece = buffer(i);
    std::fill_n(piece.data, piece.size(), buffer_initial_[static_cast<size_t>(i)]);
  }
}

template <class T>
int ParamSet<T>::find(std::string_view name) const noexcept {
  return index_of(params_, name);
}

template <class T>
View<T> ParamSet<T>::value(int index) {
  return {values_.data() + info(index).offset, info(index).shape};
}

template <class T>
View<const T> ParamSet<T>::value(int index) const {
  return {values_.data() + info(index).offset, info(index).shape};
}

template <class T>
View<T> ParamSet<T>::buffer(int index) {
  return {buffer_values_.data() + buffer_info(index).offset, buffer_info(index).shape};
}

template <class T>
View<const T> ParamSet<T>::buffer(int index) const {
  return {buffer_values_.data() + buffer_info(index).offset, buffer_info(index).shape};
}

template class ParamSet<float>;
template class ParamSet<double>;

}  // namespace dws
