// The same numbers under another shape or in another order.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/shape.h"
#include "core/text.h"
#include "network/ops/broadcast.h"
#include "network/ops/families.h"
#include "network/ops/pick.h"

namespace dws::network {
namespace {

// The input under another shape of as many numbers.
void reshaped(Context& c, std::vector<int64_t> dims) {
  const Array& x = c.in(0);
  if (elements(dims) != x.size())
    c.fail(text("shape {} does not take {} numbers", shape_text(dims), x.size()));
  if (dims == x.dims) return c.pass(0, c.in_ptr(0));
  Array& y = c.make(0, x.type, std::move(dims));
  if (!c.computing()) return;
  y.reals = x.reals;
  y.ints = x.ints;
}
void reshape(Context& c) {
  const Array& x = c.in(0);
  std::vector<int64_t> dims = c.ints(1);
  const bool allow_zero = c.node().attr_int("allowzero", 0) != 0;
  int64_t known = 1;
  int free = -1;
  for (size_t a = 0; a < dims.size(); ++a) {
    if (dims[a] == 0 && !allow_zero) {
      c.require(a < x.dims.size(), "a 0 in the shape has no axis to copy");
      dims[a] = x.dims[a];
    }
    if (dims[a] == -1) {
      c.require(free < 0, "more than one -1 in the shape");
      free = static_cast<int>(a);
    } else {
      c.require(dims[a] >= 0, "a negative size in the shape");
      if (__builtin_mul_overflow(known, dims[a], &known))
        c.fail(ErrorKind::shape_overflow, "the shape is beyond 64 bits");
    }
  }
  if (free >= 0) dims[static_cast<size_t>(free)] = known > 0 ? x.size() / known : 0;
  reshaped(c, std::move(dims));
}
void flatten(Context& c) {
  const Array& x = c.in(0);
  const int64_t axis = c.node().attr_int("axis", 1);
  const int at = axis == x.rank() ? x.rank() : c.axis(axis, x.rank());
  int64_t rows = 1;
  for (int a = 0; a < at; ++a) rows *= x.dims[static_cast<size_t>(a)];
  reshaped(c, {rows, rows > 0 ? x.size() / rows : 0});
}
std::optional<std::vector<int64_t>> axes_of(const Context& c) {
  if (c.version() < 13) return c.node().attr_ints("axes");
  if (!c.has(1)) return {};
  return c.ints(1);
}
void squeeze(Context& c) {
  const Array& x = c.in(0);
  const auto named = axes_of(c);
  std::vector<bool> gone(x.dims.size());
  for (size_t a = 0; a < gone.size(); ++a) gone[a] = !named && x.dims[a] == 1;
  if (named)
    for (const int64_t a : *named) {
      const auto at = static_cast<size_t>(c.axis(a, x.rank()));
      if (x.dims[at] != 1) c.fail(text("axis {} has {} items", at, x.dims[at]));
      gone[at] = true;
    }
  std::vector<int64_t> dims;
  for (size_t a = 0; a < gone.size(); ++a)
    if (!gone[a]) dims.push_back(x.dims[a]);
  reshaped(c, std::move(dims));
}
void unsqueeze(Context& c) {
  const Array& x = c.in(0);
  const auto named = axes_of(c);
  c.require(named.has_value(), "axes are missing");
  const int rank = x.rank() + static_cast<int>(named->size());
  std::vector<bool> fresh(static_cast<size_t>(rank));
  for (const int64_t a : *named) {
    const auto at = static_cast<size_t>(c.axis(a, rank));
    c.require(!fresh[at], "an axis twice");
    fresh[at] = true;
  }
  std::vector<int64_t> dims;
  for (size_t a = 0, next = 0; a < fresh.size(); ++a) dims.push_back(fresh[a] ? 1 : x.dims[next++]);
  reshaped(c, std::move(dims));
}

void transpose(Context& c) {
  const Array& x = c.in(0);
  std::vector<int64_t> order(x.dims.size());
  std::iota(order.rbegin(), order.rend(), 0);
  order = c.node().attr_ints("perm").value_or(order);
  std::vector<bool> seen(x.dims.size());
  c.require(order.size() == x.dims.size(), "perm names another number of axes");
  for (const int64_t a : order) {
    c.require(a >= 0 && a < x.rank() && !seen[static_cast<size_t>(a)], "perm is no permutation");
    seen[static_cast<size_t>(a)] = true;
  }
  std::vector<int64_t> strides = strides_of(x.dims), dims, steps;
  for (const int64_t a : order) {
    dims.push_back(x.dims[static_cast<size_t>(a)]);
    steps.push_back(strides[static_cast<size_t>(a)]);
  }
  Array& y = c.make(0, x.type, dims);
  if (c.computing()) pick(x, y, 0, steps);
}
void expand(Context& c) {
  const Array& x = c.in(0);
  const std::vector<int64_t> to = c.ints(1);
  for (const int64_t n : to) c.require(n >= 0, "a negative size");
  Array& y = c.make(0, x.type, broadcast_dims(c, x.dims, to));
  if (!c.computing()) return;
  Stretched at(x.dims, y.dims);
  for (int64_t i = 0; i < y.size(); ++i, at.next()) copy_item(x, at.at(), y, i);
}
void tile(Context& c) {
  const Array& x = c.in(0);
  const std::vector<int64_t> repeats = c.ints(1);
  c.require(repeats.size() == x.dims.size(), "repeats: one number an axis");
  std::vector<int64_t> dims = x.dims;
  for (size_t a = 0; a < dims.size(); ++a) {
    c.require(repeats[a] >= 0, "a negative repeat");
    if (__builtin_mul_overflow(dims[a], repeats[a], &dims[a]))
      c.fail(ErrorKind::shape_overflow, "repeats are beyond 64 bits");
  }
  Array& y = c.make(0, x.type, dims);
  if (!c.computing()) return;
  const std::vector<int64_t> strides = strides_of(x.dims);
  std::vector<int64_t> at(dims.size(), 0);
  for (int64_t i = 0; i < y.size(); ++i, next_index(at, dims)) {
    int64_t from = 0;
    for (size_t a = 0; a < at.size(); ++a) from += at[a] % x.dims[a] * strides[a];
    copy_item(x, from, y, i);
  }
}

void cast_to(Context& c, OnnxType to) {
  const Array& x = c.in(0);
  if (to == x.type) return c.pass(0, c.in_ptr(0));
  Array& y = c.make(0, to, x.dims);
  if (!c.computing()) return;
  for (int64_t i = 0; i < y.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    if (y.real())
      y.reals[at] = x.real() ? x.reals[at] : static_cast<double>(x.ints[at]);
    else if (!x.real())
      y.ints[at] = wrap_to(to, x.ints[at]);
    else if (to == OnnxType::boolean)
      y.ints[at] = x.reals[at] != 0;
    else {
      const double v = std::trunc(x.reals[at]);
      y.ints[at] = v >= -9.2e18 && v <= 9.2e18 ? wrap_to(to, static_cast<int64_t>(v)) : 0;
    }
  }
}
void cast(Context& c) {
  const int64_t to = c.node().attr_int("to", 0);
  c.require(to >= 1 && to <= kLastOnnxType, "to: no such type");
  cast_to(c, static_cast<OnnxType>(to));
}
void cast_like(Context& c) {
  cast_to(c, c.in(1).type);
}

// Only the shape is needed: known without the numbers.
void shape(Context& c) {
  const std::vector<int64_t>& dims = c.in(0).dims;
  const auto rank = static_cast<int64_t>(dims.size());
  const auto place = [&](int64_t p) { return std::clamp<int64_t>(p < 0 ? p + rank : p, 0, rank); };
  const int64_t begin = place(c.node().attr_int("start", 0)),
                end = std::max(begin, place(c.node().attr_int("end", rank)));
  auto y = std::make_shared<Array>(Array{.type = OnnxType::i64, .dims = {end - begin}});
  y->ints.assign(dims.begin() + begin, dims.begin() + end);
  c.pass(0, std::move(y));
}
void size(Context& c) {
  auto y = std::make_shared<Array>(Array{.type = OnnxType::i64, .dims = {}});
  y->ints = {c.in(0).size()};
  c.pass(0, std::move(y));
}
void constant_of_shape(Context& c) {
  const std::vector<int64_t> dims = c.ints(0);
  for (const int64_t n : dims) c.require(n >= 0, "a negative size");
  const OnnxAttribute* value = c.node().find("value", OnnxAttribute::Kind::tensor);
  if (!value || value->tensors.empty()) {
    c.make(0, OnnxType::f32, dims);
    return;
  }
  const OnnxTensor& t = value->tensors.front();
  const Array fill = to_array({.name = {}, .type = t.type, .dims = t.dims, .bytes = t.bytes});
  c.require(fill.size() == 1, "the value is one number");
  Array& y = c.make(0, fill.type, dims);
  if (!c.computing()) return;
  std::ranges::fill(y.reals, fill.real() ? fill.reals[0] : 0);
  std::ranges::fill(y.ints, fill.real() ? 0 : fill.ints[0]);
}
void range(Context& c) {
  const std::vector<double> start = c.reals(0), limit = c.reals(1), delta = c.reals(2);
  c.require(start.size() == 1 && limit.size() == 1 && delta.size() == 1 && delta[0] != 0,
            "expected three numbers, the step not 0");
  const double count = std::max(0.0, std::ceil((limit[0] - start[0]) / delta[0]));
  if (!(count <= 1e9)) c.fail(ErrorKind::resource_limit, "a range of more than 10^9 numbers");
  Array& y = c.make(0, c.in(0).type, {static_cast<int64_t>(count)});
  if (!c.computing()) return;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i)
    if (y.real())
      y.reals[i] = start[0] + static_cast<double>(i) * delta[0];
    else
      y.ints[i] = c.in(0).ints[0] + static_cast<int64_t>(i) * c.in(2).ints[0];
}

// (N, C, H b, W b) and (N, C b b, H, W): both through one table of which item is which.
void depth_to_space(Context& c) {
  const Array& x = c.in(0);
  const int64_t b = c.node().attr_int("blocksize", 0);
  c.require(x.rank() == 4 && b > 0 && b < (1 << 20) && x.dims[1] % (b * b) == 0,
            "the channels do not divide into blocks");
  const bool column_row = c.node().attr_string("mode", "DCR") == "CRD";
  const int64_t channels = x.dims[1] / (b * b), height = x.dims[2], width = x.dims[3];
  Array& y = c.make(0, x.type, {x.dims[0], channels, height * b, width * b});
  if (!c.computing()) return;
  std::vector<int64_t> at(4, 0);
  for (int64_t i = 0; i < y.size(); ++i, next_index(at, y.dims)) {
    const int64_t place = at[2] % b * b + at[3] % b;
    const int64_t channel = column_row ? at[1] * b * b + place : place * channels + at[1];
    copy_item(x, ((at[0] * x.dims[1] + channel) * height + at[2] / b) * width + at[3] / b, y, i);
  }
}
void space_to_depth(Context& c) {
  const Array& x = c.in(0);
  const int64_t b = c.node().attr_int("blocksize", 0);
  c.require(x.rank() == 4 && b > 0 && b < (1 << 20) && x.dims[2] % b == 0 && x.dims[3] % b == 0,
            "the places do not divide into blocks");
  Array& y = c.make(0, x.type, {x.dims[0], x.dims[1] * b * b, x.dims[2] / b, x.dims[3] / b});
  if (!c.computing()) return;
  std::vector<int64_t> at(4, 0);
  for (int64_t i = 0; i < y.size(); ++i, next_index(at, y.dims)) {
    const int64_t place = at[1] / x.dims[1], channel = at[1] % x.dims[1];
    copy_item(x,
              ((at[0] * x.dims[1] + channel) * x.dims[2] + at[2] * b + place / b) * x.dims[3] + at[3] * b +
                  place % b,
              y, i);
  }
}

constexpr OperatorRow kRows[] = {
    {"Reshape", reshape},
    {"Flatten", flatten},
    {"Squeeze", squeeze},
    {"Unsqueeze", unsqueeze},
    {"Transpose", transpose},
    {"Expand", expand},
    {"Tile", tile},
    {"Cast", cast},
    {"CastLike", cast_like},
    {"Shape", shape},
    {"Size", size},
    {"ConstantOfShape", constant_of_shape},
    {"Range", range},
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", space_to_depth},
};

}  // namespace

std::span<const OperatorRow> movement_operators() {
  return kRows;
}

}  // namespace dws::network
