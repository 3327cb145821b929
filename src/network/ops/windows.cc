#include "network/ops/windows.h"

#include <algorithm>

#include "core/text.h"

namespace dws::network {
namespace {

constexpr int64_t kLargest = int64_t{1} << 40, kMostTable = int64_t{1} << 28;

std::vector<int64_t> list(const Context& c, const char* name, size_t length, int64_t otherwise,
                          int64_t least) {
  const auto given = c.node().attr_ints(name);
  if (!given || given->empty()) return std::vector<int64_t>(length, otherwise);
  if (given->size() != length) c.fail(text("{}: expected {} numbers, got {}", name, length, given->size()));
  for (const int64_t v : *given)
    if (v < least || v > kLargest) c.fail(text("{}: {} is out of range", name, v));
  return *given;
}
// Offsets by places is what a table of windows holds.
void check_table(const Context& c, const Windows& w) {
  int64_t product = 1;
  for (const auto* list : {&w.kernel, &w.out})
    for (const int64_t x : *list)
      if (x < 0 || x > kLargest || __builtin_mul_overflow(product, std::max<int64_t>(x, 1), &product) ||
          (product > kMostTable && c.computing()))
        c.fail(ErrorKind::resource_limit,
               text("windows of {} places in all: expected at most {}", product, kMostTable));
}
Windows start(const Context& c, size_t axes, std::vector<int64_t> kernel) {
  Windows w;
  if (kernel.size() != axes) c.fail(text("a kernel of {} axes on {}", kernel.size(), axes));
  for (const int64_t k : kernel)
    if (k < 1 || k > kLargest) c.fail(text("a kernel of {}", k));
  w.kernel = std::move(kernel);
  w.strides = list(c, "strides", axes, 1, 1);
  w.dilations = list(c, "dilations", axes, 1, 1);
  const std::vector<int64_t> pads = list(c, "pads", 2 * axes, 0, 0);
  w.before.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(axes));
  w.after.assign(pads.begin() + static_cast<std::ptrdiff_t>(axes), pads.end());
  return w;
}

// Calls visit(place index, coordinates) over all of `extents`, in order.
template <class Visit>
void each(const std::vector<int64_t>& extents, const Visit& visit) {
  int64_t total = 1;
  for (const int64_t e : extents) total *= e;
  std::vector<int64_t> at(extents.size(), 0);
  for (int64_t i = 0; i < total; ++i) {
    visit(i, at);
    for (size_t a = extents.size(); a-- > 0;) {
      if (++at[a] < extents[a]) break;
      at[a] = 0;
    }
  }
}

}  // namespace

std::vector<int64_t> Windows::table() const {
  int64_t places = 1;
  for (const int64_t e : out) places *= e;
  int64_t offsets = 1;
  for (const int64_t e : kernel) offsets *= e;
  std::vector<int64_t> found(static_cast<size_t>(places * offsets));
  each(kernel, [&](int64_t k, const std::vector<int64_t>& offset) {
    each(out, [&](int64_t p, const std::vector<int64_t>& place) {
      int64_t at = 0;
      for (size_t a = 0; a < in.size() && at >= 0; ++a) {
        const int64_t x = place[a] * strides[a] + offset[a] * dilations[a] - before[a];
        at = x < 0 || x >= in[a] ? -1 : at * in[a] + x;
      }
      found[static_cast<size_t>(k * places + p)] = at;
    });
  });
  return found;
}

std::vector<int64_t> Windows::padded_counts() const {
  std::vector<int64_t> counts;
  each(out, [&](int64_t, const std::vector<int64_t>& place) {
    int64_t n = 1;
    for (size_t a = 0; a < in.size(); ++a) {
      int64_t inside = 0;
      for (int64_t k = 0; k < kernel[a]; ++k) {
        const int64_t x = place[a] * strides[a] + k * dilations[a] - before[a];
        inside += x >= -before[a] && x < in[a] + after[a];
      }
      n *= inside;
    }
    counts.push_back(n);
  });
  return counts;
}

Windows windows(const Context& c, const std::vector<int64_t>& dims, std::vector<int64_t> kernel,
                bool ceil_mode) {
  const size_t axes = dims.size() - 2;
  Windows w = start(c, axes, std::move(kernel));
  w.in.assign(dims.begin() + 2, dims.end());
  const std::string automatic = c.node().attr_string("auto_pad", "NOTSET");
  for (size_t a = 0; a < axes; ++a) {
    const int64_t reach = (w.kernel[a] - 1) * w.dilations[a] + 1;
    if (automatic == "VALID") w.before[a] = w.after[a] = 0;
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      const int64_t out = (w.in[a] + w.strides[a] - 1) / w.strides[a];
      const int64_t total = std::max<int64_t>(0, (out - 1) * w.strides[a] + reach - w.in[a]);
      w.before[a] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      w.after[a] = total - w.before[a];
    }
    const int64_t room = w.in[a] + w.before[a] + w.after[a] - reach;
    if (room < 0) c.fail(text("a window of {} on {} places", reach, w.in[a] + w.before[a] + w.after[a]));
    int64_t out = (room + (ceil_mode ? w.strides[a] - 1 : 0)) / w.strides[a] + 1;
    // A window that begins in the padding behind is none.
    if (ceil_mode && (out - 1) * w.strides[a] >= w.in[a] + w.before[a]) --out;
    w.out.push_back(out);
  }
  check_table(c, w);
  return w;
}

Windows transposed_windows(const Context& c, const std::vector<int64_t>& dims, std::vector<int64_t> kernel) {
  const size_t axes = dims.size() - 2;
  Windows w = start(c, axes, std::move(kernel));
  w.out.assign(dims.begin() + 2, dims.end());
  const std::vector<int64_t> extra = list(c, "output_padding", axes, 0, 0);
  const auto wanted = c.node().attr_ints("output_shape");
  const std::string automatic = c.node().attr_string("auto_pad", "NOTSET");
  if (wanted && wanted->size() < axes) c.fail("output_shape is too short");
  for (size_t a = 0; a < axes; ++a) {
    const int64_t full = (w.out[a] - 1) * w.strides[a] + extra[a] + (w.kernel[a] - 1) * w.dilations[a] + 1;
    int64_t size = full - w.before[a] - w.after[a];
    const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
    if (wanted || same) {
      size = wanted ? (*wanted)[wanted->size() - axes + a] : w.out[a] * w.strides[a];
      const int64_t total = std::max<int64_t>(0, full - size);
      w.before[a] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      w.after[a] = total - w.before[a];
    }
    if (size < 1) c.fail(text("an output of {} places", size));
    w.in.push_back(size);
  }
  check_table(c, w);
  return w;
}

}  // namespace dws::network
