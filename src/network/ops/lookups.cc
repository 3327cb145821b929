// Items looked up and items put at places that are numbers of the network.
#include <algorithm>
#include <string>

#include "core/text.h"
#include "network/ops/families.h"
#include "network/ops/pick.h"

namespace dws::network {
namespace {

int64_t row_of(const Context& c, int64_t index, int64_t rows) {
  if (index < -rows || index >= rows)
    c.fail(ErrorKind::bad_value, text("index {} into {} items", index, rows));
  return index < 0 ? index + rows : index;
}
void gather(Context& c) {
  const Array &x = c.in(0), &at = c.in(1);
  c.require(!at.real(), "indices are integers");
  const int axis = c.axis(c.node().attr_int("axis", 0), x.rank());
  std::vector<int64_t> dims(x.dims.begin(), x.dims.begin() + axis);
  dims.insert(dims.end(), at.dims.begin(), at.dims.end());
  dims.insert(dims.end(), x.dims.begin() + axis + 1, x.dims.end());
  Array& y = c.make(0, x.type, dims);
  if (!c.computing()) return;
  const int64_t rows = x.dims[static_cast<size_t>(axis)],
                inner = strides_of(x.dims)[static_cast<size_t>(axis)];
  const int64_t outer = rows * inner > 0 ? x.size() / (rows * inner) : 0;
  int64_t to = 0;
  for (int64_t o = 0; o < outer; ++o)
    for (const int64_t index : at.ints) {
      const int64_t from = (o * rows + row_of(c, index, rows)) * inner;
      for (int64_t k = 0; k < inner; ++k) copy_item(x, from + k, y, to++);
    }
}
// The items of x that `at` (of its rank) names along one axis, each in its own place along the others.
struct NamedElements {
  const Context& c;
  const Array &x, &at;
  size_t axis;

  NamedElements(const Context& context, const Array& of, const Array& indices)
      : c(context),
        x(of),
        at(indices),
        axis(static_cast<size_t>(c.axis(c.node().attr_int("axis", 0), x.rank()))) {
    for (size_t a = 0; a < x.dims.size(); ++a)
      c.require(a == axis || at.dims[a] <= x.dims[a], "more indices than items");
  }
  // visit(number of the index, place in x)
  template <class Visit>
  void each(const Visit& visit) const {
    const std::vector<int64_t> strides = strides_of(x.dims);
    std::vector<int64_t> index(x.dims.size(), 0);
    for (int64_t i = 0; i < at.size(); ++i, next_index(index, at.dims)) {
      int64_t place = 0;
      for (size_t a = 0; a < index.size(); ++a)
        place += strides[a] * (a == axis ? row_of(c, at.ints[static_cast<size_t>(i)], x.dims[a]) : index[a]);
      visit(i, place);
    }
  }
};
void gather_elements(Context& c) {
  const Array &x = c.in(0), &at = c.in(1);
  c.require(!at.real() && at.rank() == x.rank(), "indices: integers of the same rank");
  const NamedElements named(c, x, at);
  Array& y = c.make(0, x.type, at.dims);
  if (!c.computing()) return;
  named.each([&](int64_t i, int64_t from) { copy_item(x, from, y, i); });
}
void gather_nd(Context& c) {
  const Array &x = c.in(0), &at = c.in(1);
  const int64_t batch = c.node().attr_int("batch_dims", 0);
  c.require(!at.real() && at.rank() >= 1 && batch >= 0 && batch < at.rank() && batch <= x.rank(),
            "indices: integers, at least one axis");
  const int64_t depth = at.dims.back();
  c.require(depth >= 0 && batch + depth <= x.rank(), "an index names more axes than there are");
  for (int64_t a = 0; a < batch; ++a)
    c.require(x.dims[static_cast<size_t>(a)] == at.dims[static_cast<size_t>(a)], "batches differ");
  std::vector<int64_t> dims(at.dims.begin(), at.dims.end() - 1);
  dims.insert(dims.end(), x.dims.begin() + batch + depth, x.dims.end());
  Array& y = c.make(0, x.type, dims);
  if (!c.computing()) return;
  const std::vector<int64_t> strides = strides_of(x.dims);
  const int64_t inner = batch + depth > 0 ? strides[static_cast<size_t>(batch + depth - 1)] : x.size();
  int64_t batches = 1;
  for (int64_t a = 0; a < batch; ++a) batches *= x.dims[static_cast<size_t>(a)];
  const int64_t tuples = depth > 0 ? at.size() / depth : 0, each = batches > 0 ? tuples / batches : 0;
  const int64_t batch_size = batches > 0 ? x.size() / batches : 0;
  for (int64_t t = 0; t < tuples; ++t) {
    int64_t from = each > 0 ? t / each * batch_size : 0;
    for (int64_t k = 0; k < depth; ++k)
      from += strides[static_cast<size_t>(batch + k)] *
              row_of(c, at.ints[static_cast<size_t>(t * depth + k)], x.dims[static_cast<size_t>(batch + k)]);
    for (int64_t k = 0; k < inner; ++k) copy_item(x, from + k, y, t * inner + k);
  }
}
// Rows are replaced, or added to and the like.
void combine(const std::string& how, const Array& x, int64_t from, Array& y, int64_t to) {
  const auto f = static_cast<size_t>(from), t = static_cast<size_t>(to);
  const auto apply = [&](auto& a, auto b) {
    if (how == "add")
      a += b;
    else if (how == "mul")
      a *= b;
    else if (how == "max")
      a = std::max(a, b);
    else if (how == "min")
      a = std::min(a, b);
    else
      a = b;
  };
  if (y.real())
    apply(y.reals[t], x.reals[f]);
  else
    apply(y.ints[t], x.ints[f]);
}
void scatter_nd(Context& c) {
  const Array &x = c.in(0), &at = c.in(1), &updates = c.in(2);
  const std::string how = c.node().attr_string("reduction", "none");
  c.require(!at.real() && at.rank() >= 1 && updates.type == x.type,
            "expected integer indices and updates of the input's type");
  const int64_t depth = at.dims.back();
  c.require(depth > 0 && depth <= x.rank(), "an index names more axes than there are");
  const std::vector<int64_t> strides = strides_of(x.dims);
  const int64_t inner = strides[static_cast<size_t>(depth - 1)], tuples = at.size() / depth;
  c.require(updates.size() == tuples * inner, "updates do not fit the indices");
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  y.reals = x.reals;
  y.ints = x.ints;
  for (int64_t t = 0; t < tuples; ++t) {
    int64_t to = 0;
    for (int64_t k = 0; k < depth; ++k)
      to += strides[static_cast<size_t>(k)] *
            row_of(c, at.ints[static_cast<size_t>(t * depth + k)], x.dims[static_cast<size_t>(k)]);
    for (int64_t k = 0; k < inner; ++k) combine(how, updates, t * inner + k, y, to + k);
  }
}

// One number each, along one axis.
void scatter_elements(Context& c) {
  const Array &x = c.in(0), &at = c.in(1), &updates = c.in(2);
  const std::string how = c.node().attr_string("reduction", "none");
  c.require(!at.real() && at.dims == updates.dims && at.rank() == x.rank() && updates.type == x.type,
            "expected integer indices and as many updates, of the input's rank and type");
  const NamedElements named(c, x, at);
  Array& y = c.make(0, x.type, x.dims);
  if (!c.computing()) return;
  y.reals = x.reals;
  y.ints = x.ints;
  named.each([&](int64_t i, int64_t to) { combine(how, updates, i, y, to); });
}

void one_hot(Context& c) {
  const Array& at = c.in(0);
  const std::vector<double> depth = c.reals(1);
  c.require(depth.size() == 1 && depth[0] >= 1 && depth[0] < 1e9, "depth is one number of at least 1");
  const auto n = static_cast<int64_t>(depth[0]);
  const int axis = c.axis(c.node().attr_int("axis", -1), at.rank() + 1);
  std::vector<int64_t> dims = at.dims;
  dims.insert(dims.begin() + axis, n);
  const Array& values = c.in(2);
  c.require(values.size() == 2, "values are two numbers");
  Array& y = c.make(0, values.type, dims);
  if (!c.computing()) return;
  int64_t inner = 1;
  for (int a = axis; a < at.rank(); ++a) inner *= at.dims[static_cast<size_t>(a)];
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t k = i / inner % n, source = i / (inner * n) * inner + i % inner;
    const int64_t index = at.real() ? static_cast<int64_t>(at.reals[static_cast<size_t>(source)])
                                    : at.ints[static_cast<size_t>(source)];
    copy_item(values, k == (index < 0 ? index + n : index), y, i);
  }
}

constexpr OperatorRow kRows[] = {
    {"Gather", gather},
    {"GatherElements", gather_elements},
    {"GatherND", gather_nd},
    {"ScatterND", scatter_nd},
    {"ScatterElements", scatter_elements},
    {"Scatter", scatter_elements},  // its name up to operator set 10
    {"OneHot", one_hot},
};

}  // namespace

std::span<const OperatorRow> lookup_operators() {
  return kRows;
}

}  // namespace dws::network
