#include "format/diff.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "core/interrupt.h"
#include "core/parallel.h"
#include "format/checkpoint.h"
#include "format/onnx.h"

namespace dws {
namespace {

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define DWS_CLONES __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#else
#define DWS_CLONES
#endif

constexpr int64_t kBlock = 4096;    // numbers in the first-level cache
constexpr int64_t kPart = 1 << 20;  // numbers a task
constexpr int kLanes = 8;

// Lanes of their own, added at the end: vectors, and an order of sums that depends on nothing.
DWS_CLONES void sums_of(const double* a, const double* b, int64_t n, double (&s)[7]) {
  double sa[kLanes] = {}, sb[kLanes] = {}, aa[kLanes] = {}, bb[kLanes] = {}, ab[kLanes] = {}, dd[kLanes] = {};
  double top[kLanes] = {};
  for (int64_t i = 0; i < n; i += kLanes)
    for (int j = 0; j < kLanes; ++j) {
      const double x = a[i + j], y = b[i + j], d = x - y, m = d < 0 ? -d : d;
      sa[j] += x;
      sb[j] += y;
      aa[j] += x * x;
      bb[j] += y * y;
      ab[j] += x * y;
      dd[j] += d * d;
      top[j] = m > top[j] ? m : top[j];
    }
  std::fill_n(s, 7, 0.0);
  for (int j = 0; j < kLanes; ++j) {
    s[0] += sa[j];
    s[1] += sb[j];
    s[2] += aa[j];
    s[3] += bb[j];
    s[4] += ab[j];
    s[5] += dd[j];
    s[6] = std::max(s[6], top[j]);
  }
}

template <class T, class Convert>
DWS_CLONES void spread(const std::byte* from, int64_t n, double* to, Convert convert) {
  for (int64_t i = 0; i < n; ++i) {
    T v;
    std::memcpy(&v, from + i * static_cast<int64_t>(sizeof v), sizeof v);
    to[i] = convert(v);
  }
}
template <class T>
void spread(const std::byte* from, int64_t n, double* to) {
  spread<T>(from, n, to, [](T v) { return static_cast<double>(v); });
}
// False for types whose numbers are not read here.
bool numbers_of(Dtype type, const std::byte* from, int64_t n, double* to) {
  switch (type) {
    case Dtype::f32:
      return spread<float>(from, n, to), true;
    case Dtype::f64:
      return spread<double>(from, n, to), true;
    case Dtype::bf16:
      return spread<uint16_t>(from, n, to, [](uint16_t v) { return static_cast<double>(bf16_to_float(v)); }),
             true;
    case Dtype::f16:
      return spread<uint16_t>(from, n, to, [](uint16_t v) { return static_cast<double>(f16_to_float(v)); }),
             true;
    case Dtype::i64:
      return spread<int64_t>(from, n, to), true;
    case Dtype::u64:
      return spread<uint64_t>(from, n, to), true;
    case Dtype::i32:
      return spread<int32_t>(from, n, to), true;
    case Dtype::u32:
      return spread<uint32_t>(from, n, to), true;
    case Dtype::i16:
      return spread<int16_t>(from, n, to), true;
    case Dtype::u16:
      return spread<uint16_t>(from, n, to), true;
    case Dtype::i8:
      return spread<int8_t>(from, n, to), true;
    case Dtype::u8:
    case Dtype::boolean:
      return spread<uint8_t>(from, n, to), true;
    default:
      return false;
  }
}
bool readable(const DiffTensor& t) {
  double none = 0;
  return t.dtype && numbers_of(*t.dtype, nullptr, 0, &none);
}

DiffSums part_of(const DiffTensor& a, const DiffTensor& b, int64_t begin, int64_t end) {
  DiffSums all;
  alignas(64) double x[kBlock], y[kBlock];
  const auto width_a = dtype_bits(*a.dtype) / 8, width_b = dtype_bits(*b.dtype) / 8;
  const bool same_type = a.dtype == b.dtype;
  for (int64_t i = begin; i < end; i += kBlock) {
    const int64_t n = std::min(kBlock, end - i), padded = (n + kLanes - 1) / kLanes * kLanes;
    const std::byte *p = a.bytes.data() + i * width_a, *q = b.bytes.data() + i * width_b;
    numbers_of(*a.dtype, p, n, x);
    numbers_of(*b.dtype, q, n, y);
    std::fill(x + n, x + padded, 0.0);
    std::fill(y + n, y + padded, 0.0);
    double s[7];
    sums_of(x, y, padded, s);
    all.count += n;
    all.sum_a += s[0];
    all.sum_b += s[1];
    all.square_a += s[2];
    all.square_b += s[3];
    all.product += s[4];
    all.square_difference += s[5];
    if (same_type && std::memcmp(p, q, static_cast<size_t>(n * width_a)) == 0) {
      all.equal += n;
      continue;
    }
    // Numbers that are none compare as unequal to all, and are looked for here alone.
    const bool odd = std::isnan(s[5]);
    for (int64_t k = 0; k < n; ++k) {
      const bool none = std::isnan(x[k]) && std::isnan(y[k]);
      all.equal += x[k] == y[k] || none;
      const double d = std::abs(x[k] - y[k]);
      const bool worse = odd && std::isnan(d) && !none && x[k] != y[k] && !std::isnan(all.largest);
      if (worse || (x[k] != y[k] && d > all.largest)) {
        all.largest = d;
        all.largest_at = i + k;
      }
    }
  }
  return all;
}

// Types that are only bytes.
DiffSums bytes_of(const DiffTensor& a, const DiffTensor& b) {
  DiffSums s;
  s.count = a.elements();
  const bool same =
      a.bytes.size() == b.bytes.size() && std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin());
  s.equal = same ? s.count : 0;
  if (!same) s.largest = s.square_difference = std::nan("");
  return s;
}

}  // namespace

int64_t DiffTensor::elements() const noexcept {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

void DiffSums::add(const DiffSums& o) noexcept {
  if (o.largest > largest || (std::isnan(o.largest) && !std::isnan(largest))) {
    largest = o.largest;
    largest_at = o.largest_at;
  }
  count += o.count;
  equal += o.equal;
  sum_a += o.sum_a;
  sum_b += o.sum_b;
  square_a += o.square_a;
  square_b += o.square_b;
  product += o.product;
  square_difference += o.square_difference;
}
double DiffSums::l2() const noexcept {
  return std::sqrt(square_difference);
}
double DiffSums::relative() const noexcept {
  return square_difference == 0 ? 0 : std::sqrt(square_difference / square_a);
}
double DiffSums::cosine() const noexcept {
  if (square_a == 0 && square_b == 0) return 1;
  if (square_a == 0 || square_b == 0) return 0;
  return product / (std::sqrt(square_a) * std::sqrt(square_b));
}
double DiffSums::sigma_ratio() const noexcept {
  const auto n = static_cast<double>(count);
  const double a = std::max(0.0, square_a / n - sum_a / n * (sum_a / n)),
               b = std::max(0.0, square_b / n - sum_b / n * (sum_b / n));
  return a == 0 && b == 0 ? 1 : std::sqrt(b / a);
}
double DiffSums::share_equal() const noexcept {
  return count ? static_cast<double>(equal) / static_cast<double>(count) : 1;
}

DiffFile open_for_diff(const std::string& path, const std::string& external_root, bool follow_links) {
  DiffFile file{.path = path, .tensors = {}, .owner = {}};
  if (path.ends_with(".onnx")) {
    const auto onnx = std::make_shared<const Onnx>(
        Onnx::open(path, {.folder = external_root, .follow_links = follow_links}));
    for (const OnnxTensor& t : onnx->graph().initializers)
      file.tensors.push_back({t.name, onnx_type_name(t.type), onnx_dtype(t.type), t.dims, t.bytes});
    file.owner = onnx;
    return file;
  }
  const auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(path, follow_links));
  for (const CheckpointTensor& t : checkpoint->tensors())
    file.tensors.push_back(
        {t.entry->name, dtype_name(t.entry->dtype), t.entry->dtype, t.entry->shape, checkpoint->bytes(t)});
  file.release = [checkpoint](Bytes part) {
    for (const Safetensors& shard : checkpoint->files()) {
      const Bytes all = shard.file_bytes();
      if (part.data() >= all.data() && part.data() < all.data() + all.size()) shard.release(part);
    }
  };
  file.owner = checkpoint;
  return file;
}

std::vector<DiffRow> diff(const DiffFile& a, const DiffFile& b) {
  std::map<std::string_view, const DiffTensor*> others;
  for (const DiffTensor& t : b.tensors) others.emplace(t.name, &t);
  std::vector<DiffRow> rows;
  struct Part {
    size_t row;
    int64_t begin, end;
  };
  std::vector<Part> parts;
  for (const DiffTensor& t : a.tensors) {
    DiffRow row{.name = t.name, .a = &t};
    const auto other = others.find(t.name);
    if (other == others.end()) {
      row.kind = DiffKind::missing_in_b;
    } else {
      row.b = other->second;
      others.erase(other);
      const bool numbers = readable(t) && readable(*row.b);
      if (row.b->shape != t.shape)
        row.kind = DiffKind::other_shape;
      else if (!numbers && row.b->type != t.type)
        row.kind = DiffKind::other_type;
      else if (!numbers)
        row.sums = bytes_of(t, *row.b);
      else
        for (int64_t i = 0; i < t.elements(); i += kPart)
          parts.push_back({rows.size(), i, std::min(i + kPart, t.elements())});
    }
    rows.push_back(std::move(row));
  }
  for (const DiffTensor& t : b.tensors)
    if (others.contains(t.name)) rows.push_back({.name = t.name, .kind = DiffKind::missing_in_a, .b = &t});
  std::vector<DiffSums> sums(parts.size());
  parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t i) {
    check_interrupt();
    const Part& part = parts[static_cast<size_t>(i)];
    const DiffRow& row = rows[part.row];
    sums[static_cast<size_t>(i)] = part_of(*row.a, *row.b, part.begin, part.end);
    const auto done = [&](const DiffFile& file, const DiffTensor& t) {
      const auto width = static_cast<size_t>(dtype_bits(*t.dtype) / 8);
      file.release(t.bytes.subspan(static_cast<size_t>(part.begin) * width,
                                   static_cast<size_t>(part.end - part.begin) * width));
    };
    done(a, *row.a);
    done(b, *row.b);
  });
  for (size_t i = 0; i < parts.size(); ++i) rows[parts[i].row].sums.add(sums[i]);
  return rows;
}

}  // namespace dws
