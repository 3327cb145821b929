// Items chosen by what they are or where they stand.
#include <algorithm>
#include <map>
#include <numeric>

#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/pick.h"

namespace dws::network {
namespace {

void non_zero(Context& c) {
  if (!c.computing()) throw UnknownShape{};
  const Array& x = c.in(0);
  std::vector<int64_t> found;
  for (int64_t i = 0; i < x.size(); ++i)
    if (x.real() ? x.reals[static_cast<size_t>(i)] != 0 : x.ints[static_cast<size_t>(i)] != 0)
      found.push_back(i);
  const auto n = static_cast<int64_t>(found.size());
  Array& y = c.make(0, OnnxType::i64, {x.rank(), n});
  if (!c.computing()) return;
  const std::vector<int64_t> strides = strides_of(x.dims);
  for (int64_t a = 0; a < x.rank(); ++a)
    for (int64_t i = 0; i < n; ++i)
      y.ints[static_cast<size_t>(a * n + i)] =
          found[static_cast<size_t>(i)] / strides[static_cast<size_t>(a)] % x.dims[static_cast<size_t>(a)];
}
// An array seen as (outer, n, inner) around one axis.
struct Around {
  int64_t outer = 1, n = 1, inner = 1;
};
Around around(const std::vector<int64_t>& dims, size_t axis) {
  Around s;
  for (size_t a = 0; a < dims.size(); ++a) (a < axis ? s.outer : a == axis ? s.n : s.inner) *= dims[a];
  return s;
}
// The items `chosen` along the middle axis.
void copy_slices(const Array& x, const Around& s, const std::vector<int64_t>& chosen, Array& y) {
  int64_t to = 0;
  for (int64_t o = 0; o < s.outer; ++o)
    for (const int64_t k : chosen)
      for (int64_t i = 0; i < s.inner; ++i) copy_item(x, (o * s.n + k) * s.inner + i, y, to++);
}
void compress(Context& c) {
  const Array& x = c.in(0);
  const std::vector<int64_t> condition = c.ints(1);
  const OnnxAttribute* named = c.node().find("axis", OnnxAttribute::Kind::i);
  std::vector<int64_t> dims = named ? x.dims : std::vector<int64_t>{x.size()};
  const auto axis = named ? static_cast<size_t>(c.axis(named->i, x.rank())) : 0;
  const Around s = around(dims, axis);
  std::vector<int64_t> chosen;
  c.require(static_cast<int64_t>(condition.size()) <= s.n, "a condition longer than the axis");
  for (size_t i = 0; i < condition.size(); ++i)
    if (condition[i]) chosen.push_back(static_cast<int64_t>(i));
  dims[axis] = static_cast<int64_t>(chosen.size());
  Array& y = c.make(0, x.type, dims);
  if (c.computing()) copy_slices(x, s, chosen, y);
}
// Slices along an axis, or all numbers: each once, with the place where it was first met, which of them each was, how often.
void unique(Context& c) {
  const Array& x = c.in(0);
  if (!c.computing()) throw UnknownShape{};
  const OnnxAttribute* named = c.node().find("axis", OnnxAttribute::Kind::i);
  std::vector<int64_t> dims = named ? x.dims : std::vector<int64_t>{x.size()};
  const auto axis = named ? static_cast<size_t>(c.axis(named->i, x.rank())) : 0;
  const Around s = around(dims, axis);
  const auto line = [&](const auto& numbers, int64_t k) {
    std::vector<double> found;
    for (int64_t o = 0; o < s.outer; ++o)
      for (int64_t i = 0; i < s.inner; ++i)
        found.push_back(static_cast<double>(numbers[static_cast<size_t>((o * s.n + k) * s.inner + i)]));
    return found;
  };
  std::map<std::vector<double>, size_t> seen;
  std::vector<std::vector<double>> lines;
  std::vector<int64_t> first, which, count;
  for (int64_t k = 0; k < s.n; ++k) {
    std::vector<double> own = x.real() ? line(x.reals, k) : line(x.ints, k);
    const auto [at, fresh] = seen.emplace(own, first.size());
    if (fresh) {
      lines.push_back(std::move(own));
      first.push_back(k);
      count.push_back(0);
    }
    which.push_back(static_cast<int64_t>(at->second));
    ++count[at->second];
  }
  std::vector<size_t> order(first.size()), place(first.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (c.node().attr_int("sorted", 1))
    std::ranges::sort(order, [&](size_t a, size_t b) { return lines[a] < lines[b]; });
  for (size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  const auto n = static_cast<int64_t>(order.size());
  dims[axis] = n;
  Array& y = c.make(0, x.type, dims);
  Array& firsts = c.make(1, OnnxType::i64, {n});
  Array& inverse = c.make(2, OnnxType::i64, {s.n});
  Array& counts = c.make(3, OnnxType::i64, {n});
  if (!c.computing()) return;
  for (size_t i = 0; i < order.size(); ++i) {
    firsts.ints[i] = first[order[i]];
    counts.ints[i] = count[order[i]];
  }
  for (size_t k = 0; k < which.size(); ++k)
    inverse.ints[k] = static_cast<int64_t>(place[static_cast<size_t>(which[k])]);
  copy_slices(x, s, firsts.ints, y);
}
// The first items of each sequence the other way round.
void reverse_sequence(Context& c) {
  const Array &x = c.in(0), &lengths = c.in(1);
  c.require(x.rank() >= 2 && !lengths.real(), "expected sequences and their lengths");
  const auto batch = static_cast<size_t>(c.axis(c.node().attr_int("batch_axis", 1), x.rank())),
             time = static_cast<size_t>(c.axis(c.node().attr_int("time_axis", 0), x.rank()));
  c.require(batch != time && lengths.size() == x.dims[batch], "one length a sequence");
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  const std::vector<int64_t> strides = strides_of(x.dims);
  std::vector<int64_t> index(x.dims.size(), 0);
  for (int64_t i = 0; i < y.size(); ++i, next_index(index, x.dims)) {
    const int64_t n = lengths.ints[static_cast<size_t>(index[batch])];
    if (n < 0 || n > x.dims[time])
      c.fail(ErrorKind::bad_value, text("a sequence of {} of {}", n, x.dims[time]));
    const int64_t t = index[time], from = t < n ? n - 1 - t : t;
    copy_item(x, i + (from - t) * strides[time], y, i);
  }
}
void eye_like(Context& c) {
  const Array& x = c.in(0);
  c.require(x.rank() == 2, "expected a matrix");
  const int64_t type = c.node().attr_int("dtype", static_cast<int64_t>(x.type)),
                k = c.node().attr_int("k", 0);
  c.require(type >= 1 && type <= kLastOnnxType, "dtype: no such type");
  Array& y = c.make(0, static_cast<OnnxType>(type), x.dims);
  if (!c.computing()) return;
  for (int64_t r = 0; r < y.dims[0]; ++r) {
    if (k < -r || k >= y.dims[1] - r) continue;
    const auto at = static_cast<size_t>(r * y.dims[1] + r + k);
    if (y.real())
      y.reals[at] = 1;
    else
      y.ints[at] = 1;
  }
}

constexpr OperatorRow kRows[] = {
    {"NonZero", non_zero}, {"Compress", compress}, {"Unique", unique}, {"ReverseSequence", reverse_sequence},
    {"EyeLike", eye_like},
};

}  // namespace

std::span<const OperatorRow> selection_operators() {
  return kRows;
}

}  // namespace dws::network
