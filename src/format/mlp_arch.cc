#include <optional>

#include "core/error.h"
#include "core/text.h"
#include "format/zoo.h"
#include "format/zoo_checks.h"

namespace dws {

int64_t MlpArch::param_count() const noexcept {
  int64_t count = 0;
  for (int i = 0; i < layers(); ++i) count += weight_size(i) + bias_size(i);
  return count;
}

std::string MlpArch::str() const {
  std::string out;
  for (size_t i = 0; i < dims.size(); ++i) out += text("{}{}", i ? "-" : "", dims[i]);
  return out;
}

MlpArch MlpArch::parse(const std::string& words) {
  MlpArch arch;
  for (const std::string& part : split(words, '-')) {
    const std::optional<int64_t> dim = to_int(part);
    if (!dim) {
      throw Error(ErrorKind::usage,
                  text("architecture '{}': expected whole numbers joined by '-', got '{}'", escaped(words),
                       escaped(part)),
                  "for example 2-32-32-1: two inputs, two hidden layers of 32, one output");
    }
    arch.dims.push_back(*dim);
  }
  const std::string wrong = format::wrong_dims(arch.dims);
  if (!wrong.empty()) throw Error(ErrorKind::usage, text("architecture '{}': {}", escaped(words), wrong));
  return arch;
}

namespace format {

std::string wrong_dims(const std::vector<int64_t>& dims) {
  if (dims.size() < 2) return "at least an input and an output size are needed";
  if (dims.size() > kMaxDims) return text("more than {} sizes", kMaxDims);
  for (const int64_t dim : dims) {
    if (dim < 1 || dim > kMaxDim) return text("size {} is not between 1 and {}", dim, kMaxDim);
  }
  return {};
}

}  // namespace format
}  // namespace dws
