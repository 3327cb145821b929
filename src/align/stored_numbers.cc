#include "align/stored_numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <string_view>

#include "core/dtype.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "core/text.h"
#include "network/array.h"

namespace dws::align {
namespace {

template <class T>
T load(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);  // tensors of a safetensors file need not be aligned
  return value;
}

struct F32 {
  static constexpr int64_t kBytes = 4;
  static float at(const std::byte* p) noexcept { return load<float>(p); }
};
struct F64 {
  static constexpr int64_t kBytes = 8;
  static double at(const std::byte* p) noexcept { return load<double>(p); }
};
struct F16 {
  static constexpr int64_t kBytes = 2;
  static float at(const std::byte* p) noexcept { return f16_to_float(load<uint16_t>(p)); }
};
struct Bf16 {
  static constexpr int64_t kBytes = 2;
  static float at(const std::byte* p) noexcept {
    return std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(p)) << 16);
  }
};

// call(format) with the struct above that reads the type; false for others.
template <class Call>
bool with_format(OnnxType type, const Call& call) {
  switch (type) {
    case OnnxType::f32:
      return call(F32{}), true;
    case OnnxType::f64:
      return call(F64{}), true;
    case OnnxType::f16:
      return call(F16{}), true;
    case OnnxType::bf16:
      return call(Bf16{}), true;
    default:
      return false;
  }
}

}  // namespace

std::vector<const network::Constant*> constants_of(const symmetry::Spec& spec,
                                                   const network::Network& network) {
  std::map<std::string_view, const network::Constant*> constants;
  for (const network::Constant& c : network.constants) constants.emplace(c.name, &c);
  std::vector<const network::Constant*> found;
  for (const symmetry::SpecTensor& t : spec.tensors) {
    const auto at = constants.find(t.name);
    if (at == constants.end())
      throw Error(ErrorKind::missing_tensor,
                  text("{}: no tensor '{}'", one_line(network.file), escaped(t.name)));
    if (at->second->dims != t.dims)
      throw Error(ErrorKind::mismatch,
                  text("{}: tensor '{}': expected shape {}, got {}", one_line(network.file), escaped(t.name),
                       shape_text(t.dims), shape_text(at->second->dims)));
    found.push_back(at->second);
  }
  return found;
}

void require_finite(const network::Network& network, const network::Constant& tensor,
                    std::span<const float> x, int64_t first) {
  for (size_t i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i]))
      throw Error(ErrorKind::bad_value, text("{}: tensor '{}': number {} is {}", one_line(network.file),
                                             escaped(tensor.name), first + static_cast<int64_t>(i),
                                             std::isnan(x[i]) ? "not a number" : "infinite or too large"));
}

void to_floats(const StoredNumbers::Tensor& tensor, int64_t first, int64_t count, float* out) {
  const bool direct = with_format(tensor.type, [&](auto format) {
    using Format = decltype(format);
    const std::byte* from = tensor.bytes.data() + first * Format::kBytes;
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(Format::at(from + i * Format::kBytes));
  });
  if (direct) return;
  // Integers; where several share a byte, from the byte's first on.
  const int64_t bits = onnx_type_bits(tensor.type), skip = bits < 8 ? first % (8 / bits) : 0;
  const network::Constant part{
      .name = {},
      .type = tensor.type,
      .dims = {skip + count},
      .bytes = tensor.bytes.subspan(static_cast<size_t>((first - skip) * bits / 8),
                                    static_cast<size_t>(((skip + count) * bits + 7) / 8))};
  const network::Array array = network::to_array(part);
  for (int64_t i = 0; i < count; ++i)
    out[i] =
        static_cast<float>(kIntegerStep * static_cast<double>(array.ints[static_cast<size_t>(skip + i)]));
}

StoredNumbers stored_numbers(const symmetry::Spec& spec, const network::Network& network,
                             std::function<void(Bytes)> release) {
  StoredNumbers numbers{.tensors = {}, .owner = network.owner, .release = std::move(release)};
  const std::vector<const network::Constant*> found = constants_of(spec, network);
  for (const network::Constant* c : found) {
    const bool has = network::is_real(c->type) || network::is_integer(c->type);
    numbers.tensors.push_back({.type = c->type, .bytes = has ? c->bytes : Bytes()});
  }
  parallel_for(static_cast<int64_t>(found.size()), [&](int64_t i) {
    const auto t = static_cast<size_t>(i);
    if (!spec.tensors[t].parameter || numbers.tensors[t].bytes.empty()) return;
    const int64_t count = found[t]->elements();
    std::vector<float> block(static_cast<size_t>(std::min(count, kBlockNumbers)));
    for (int64_t first = 0; first < count; first += kBlockNumbers) {
      const int64_t here = std::min(kBlockNumbers, count - first);
      to_floats(numbers.tensors[t], first, here, block.data());
      require_finite(network, *found[t], std::span(block).first(static_cast<size_t>(here)), first);
    }
    if (numbers.release) numbers.release(numbers.tensors[t].bytes);
  });
  return numbers;
}

MovedTensor::MovedTensor(const symmetry::Spec& spec, const StoredNumbers& numbers, int tensor,
                         const symmetry::NetworkElement* g, const symmetry::MembersByTensor& members)
    : numbers_(numbers), stored_(numbers.tensors[static_cast<size_t>(tensor)]) {
  const std::vector<int64_t>& dims = spec.tensors[static_cast<size_t>(tensor)].dims;
  whole_ = {.row = 0, .rows = dims.empty() ? 1 : dims[0], .column = 0, .columns = 1};
  for (size_t a = 1; a < dims.size(); ++a) whole_.columns *= dims[a];
  if (!g || members[static_cast<size_t>(tensor)].empty()) return;
  action_ = std::make_unique<const symmetry::Action>(spec, *g, tensor, symmetry::LeftOut{}, &members);
  tabled_ = dims.size() == 1 || dims.size() == 2;
  for (size_t a = 0; a < dims.size(); ++a) tabled_ = tabled_ && !action_->table(a).empty();
  if (tabled_) columns_ = dims.size() == 2 ? action_->table(1) : std::vector<symmetry::Action::Step>(1);
}

MovedTensor::~MovedTensor() {
  if (numbers_.release && !stored_.bytes.empty()) numbers_.release(stored_.bytes);
}

void MovedTensor::read_here(const Box& box, float* out) const {
  if (!action_) {
    for (int64_t r = 0; r < box.rows; ++r)
      to_floats(stored_, (box.row + r) * whole_.columns + box.column, box.columns, out + r * box.columns);
    return;
  }
  const bool direct = with_format(stored_.type, [&](auto format) {
    using Format = decltype(format);
    const std::byte* from = stored_.bytes.data();
    if (!tabled_) {
      action_->each(box, [&](size_t to, size_t source, double factor, double shift) {
        const double x = static_cast<float>(Format::at(from + static_cast<int64_t>(source) * Format::kBytes));
        out[to] = static_cast<float>(factor * x + shift);
      });
      return;
    }
    const std::vector<symmetry::Action::Step>& rows = action_->table(0);
    for (int64_t r = 0; r < box.rows; ++r) {
      const symmetry::Action::Step& row = rows[static_cast<size_t>(box.row + r)];
      const std::byte* line = from + row.source * whole_.columns * Format::kBytes;
      float* to = out + r * box.columns;
      for (int64_t c = 0; c < box.columns; ++c) {
        const symmetry::Action::Step& s = columns_[static_cast<size_t>(box.column + c)];
        const double x = static_cast<float>(Format::at(line + s.source * Format::kBytes));
        to[c] = static_cast<float>(row.factor * s.factor * x + (row.shift + s.shift));
      }
    }
  });
  if (direct) return;
  float number = 0;
  action_->each(box, [&](size_t to, size_t source, double factor, double shift) {
    to_floats(stored_, static_cast<int64_t>(source), 1, &number);
    out[to] = static_cast<float>(factor * double{number} + shift);
  });
}

void MovedTensor::read(const Box& box, float* out) const {
  const int64_t rows = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, box.columns));
  parallel_blocks(box.rows, rows, [&](int64_t begin, int64_t end) {
    read_here({.row = box.row + begin, .rows = end - begin, .column = box.column, .columns = box.columns},
              out + begin * box.columns);
  });
}

int64_t MovedTensor::block_rows() const noexcept {
  const int64_t rows = std::max<int64_t>(1, kBlockNumbers / std::max<int64_t>(1, whole_.columns));
  return std::min((rows + 7) / 8 * 8, std::max<int64_t>(1, whole_.rows));
}

void each_block(const MovedTensor& tensor, const std::function<void(std::span<const float>)>& visit) {
  each_block(tensor, tensor, [&](std::span<const float> x, std::span<const float>) { visit(x); });
}

void each_block(const MovedTensor& a, const MovedTensor& b,
                const std::function<void(std::span<const float>, std::span<const float>)>& visit) {
  const MovedTensor::Box whole = a.whole();
  const int64_t rows = a.block_rows();
  const bool same = &a == &b;
  std::vector<float> x(static_cast<size_t>(rows * whole.columns)), y(same ? 0 : x.size());
  for (int64_t r = 0; r < whole.rows; r += rows) {
    const MovedTensor::Box box{
        .row = r, .rows = std::min(rows, whole.rows - r), .column = 0, .columns = whole.columns};
    const auto count = static_cast<size_t>(box.rows * box.columns);
    a.read_here(box, x.data());
    if (!same) b.read_here(box, y.data());
    visit(std::span(x).first(count), std::span(same ? x : y).first(count));
  }
}

}  // namespace dws::align
