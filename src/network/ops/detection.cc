// What detectors have: boxes that suppress one another, regions and grids that a picture is sampled at.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/text.h"
#include "network/ops/families.h"

namespace dws::network {
namespace {

struct Box {
  double y0, x0, y1, x1;
  double area() const { return (y1 - y0) * (x1 - x0); }
};
double overlap(const Box& a, const Box& b) {
  const double height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0),
               width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  if (height <= 0 || width <= 0) return 0;
  return height * width / (a.area() + b.area() - height * width);
}
// Of each class the boxes in the order of their scores, without those that overlap one taken before.
void non_max_suppression(Context& c) {
  const Array &boxes = c.in(0), &scores = c.in(1);
  c.require(boxes.real() && scores.real() && boxes.rank() == 3 && scores.rank() == 3 && boxes.dims[2] == 4 &&
                boxes.dims[0] == scores.dims[0] && boxes.dims[1] == scores.dims[2],
            "expected boxes (B, N, 4) and scores (B, C, N)");
  if (!c.computing()) throw UnknownShape{};
  for (const int i : {2, 3, 4}) c.require(!c.has(i) || c.in(i).size() == 1, "limits are one number each");
  const int64_t most = c.has(2) ? c.ints(2)[0] : 0;
  const double threshold = c.has(3) ? c.reals(3)[0] : 0;
  const double lowest = c.has(4) ? c.reals(4)[0] : 0;
  const bool centred = c.node().attr_int("center_point_box", 0) != 0;
  const int64_t n = boxes.dims[1], classes = scores.dims[1];
  std::vector<int64_t> chosen;
  for (int64_t b = 0; b < boxes.dims[0]; ++b) {
    std::vector<Box> all;
    for (int64_t i = 0; i < n; ++i) {
      const double* v = boxes.reals.data() + (b * n + i) * 4;
      if (centred)
        all.push_back({v[1] - v[3] / 2, v[0] - v[2] / 2, v[1] + v[3] / 2, v[0] + v[2] / 2});
      else  // any two opposite corners
        all.push_back(
            {std::min(v[0], v[2]), std::min(v[1], v[3]), std::max(v[0], v[2]), std::max(v[1], v[3])});
    }
    for (int64_t k = 0; k < classes; ++k) {
      const double* score = scores.reals.data() + (b * classes + k) * n;
      std::vector<int64_t> order(static_cast<size_t>(n)), taken;
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, [&](int64_t p, int64_t q) { return score[p] > score[q]; });
      for (const int64_t i : order) {
        if (static_cast<int64_t>(taken.size()) >= most) break;
        if (c.has(4) && !(score[i] > lowest)) continue;
        const auto covered = [&](int64_t t) {
          return overlap(all[static_cast<size_t>(t)], all[static_cast<size_t>(i)]) > threshold;
        };
        if (std::ranges::any_of(taken, covered)) continue;
        taken.push_back(i);
        chosen.insert(chosen.end(), {b, k, i});
      }
    }
  }
  Array& y = c.make(0, OnnxType::i64, {static_cast<int64_t>(chosen.size()) / 3, 3});
  if (c.computing()) y.ints = chosen;
}

// Means of points within each cell of a region, each between its four neighbours.
void roi_align(Context& c) {
  const Array &x = c.in(0), &rois = c.in(1), &batch = c.in(2);
  c.require(x.real() && x.rank() == 4 && rois.real() && rois.rank() == 2 && rois.dims[1] == 4 &&
                !batch.real() && batch.size() == rois.dims[0],
            "expected (N, C, H, W), regions (R, 4) and a picture's number for each");
  if (c.node().attr_string("mode", "avg") != "avg")
    c.fail(ErrorKind::mismatch, "regions' maxima cannot be run");
  const int64_t rows = c.node().attr_int("output_height", 1), columns = c.node().attr_int("output_width", 1),
                given = c.node().attr_int("sampling_ratio", 0);
  c.require(rows > 0 && columns > 0 && rows < 65'536 && columns < 65'536 && given >= 0 && given < 65'536,
            "an output of no or too many places");
  const double scale = c.node().attr_float("spatial_scale", 1);
  const std::string coordinates = c.node().attr_string("coordinate_transformation_mode",
                                                       c.version() < 16 ? "output_half_pixel" : "half_pixel");
  const bool half = coordinates == "half_pixel";
  const int64_t channels = x.dims[1], height = x.dims[2], width = x.dims[3];
  Array& y = c.make(0, x.type, {rois.dims[0], channels, rows, columns});
  if (!c.computing()) return;
  for (int64_t r = 0; r < rois.dims[0]; ++r) {
    const double* box = rois.reals.data() + r * 4;
    const int64_t n = batch.ints[static_cast<size_t>(r)];
    if (n < 0 || n >= x.dims[0]) c.fail(ErrorKind::bad_value, text("picture {} of {}", n, x.dims[0]));
    const double shift = half ? 0.5 : 0, x0 = box[0] * scale - shift, y0 = box[1] * scale - shift;
    double w = box[2] * scale - shift - x0, h = box[3] * scale - shift - y0;
    if (!half) {
      w = std::max(w, 1.0);
      h = std::max(h, 1.0);
    }
    const double cell_h = h / static_cast<double>(rows), cell_w = w / static_cast<double>(columns);
    const int64_t down = given > 0 ? given : std::max<int64_t>(0, static_cast<int64_t>(std::ceil(cell_h))),
                  across = given > 0 ? given : std::max<int64_t>(0, static_cast<int64_t>(std::ceil(cell_w)));
    if (down > 65'536 || across > 65'536) c.fail(ErrorKind::resource_limit, "a region of too many points");
    for (int64_t ch = 0; ch < channels; ++ch) {
      const double* plane = x.reals.data() + (n * channels + ch) * height * width;
      const auto sample = [&](double py, double px) {
        if (py < -1 || py > static_cast<double>(height) || px < -1 || px > static_cast<double>(width))
          return 0.0;
        py = std::clamp(py, 0.0, static_cast<double>(height - 1));
        px = std::clamp(px, 0.0, static_cast<double>(width - 1));
        const auto a = static_cast<int64_t>(py), b = static_cast<int64_t>(px);
        const int64_t below = std::min(a + 1, height - 1), right = std::min(b + 1, width - 1);
        const double fy = py - static_cast<double>(a), fx = px - static_cast<double>(b);
        return (1 - fy) * ((1 - fx) * plane[a * width + b] + fx * plane[a * width + right]) +
               fy * ((1 - fx) * plane[below * width + b] + fx * plane[below * width + right]);
      };
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          double sum = 0;
          for (int64_t p = 0; p < down; ++p)
            for (int64_t q = 0; q < across; ++q)
              sum += sample(y0 + cell_h * (static_cast<double>(i) +
                                           (static_cast<double>(p) + 0.5) / static_cast<double>(down)),
                            x0 + cell_w * (static_cast<double>(j) +
                                           (static_cast<double>(q) + 0.5) / static_cast<double>(across)));
          y.reals[static_cast<size_t>(((r * channels + ch) * rows + i) * columns + j)] =
              sum / static_cast<double>(std::max<int64_t>(down * across, 1));
        }
    }
  }
}

// Where a place outside the picture falls: back and forth between the edges.
double reflected(double x, double low, double high) {
  const double span = high - low;
  if (span <= 0) return low;
  const double away = x < low ? low - x : x > high ? x - high : 0;
  if (away == 0) return x;
  const double turns = std::floor(away / span), rest = away - turns * span;
  const bool even = std::fmod(turns, 2) == 0;
  return (x < low) == even ? low + rest : high - rest;
}
// The picture (N, C, H, W) at the places of a grid (N, h, w, 2), x before y, from -1 to 1.
class Grid {
 public:
  enum class Padding { zeros, border, reflection };
  Grid(int64_t size, Padding padding, bool corners) : size_(size), padding_(padding), corners_(corners) {
    low_ = corners ? 0 : -0.5;
    high_ = corners ? static_cast<double>(size - 1) : static_cast<double>(size) - 0.5;
  }
  double place(double x, bool nearest) const {
    const double n = static_cast<double>(size_);
    double p = corners_ ? (x + 1) / 2 * (n - 1) : ((x + 1) * n - 1) / 2;
    if (nearest) p = std::nearbyint(p);
    if (!std::isfinite(p)) return -1e9;
    if (p < low_ || p > high_) {
      if (padding_ == Padding::border) p = std::clamp(p, 0.0, n - 1);
      if (padding_ == Padding::reflection) p = reflected(p, low_, high_);
    }
    return std::clamp(p, -1e9, 1e9);
  }
  // -1: there is none, and its number is 0.
  int64_t item(int64_t p) const {
    if (p >= 0 && p < size_) return p;
    if (padding_ == Padding::zeros) return -1;
    if (padding_ == Padding::border) return std::clamp<int64_t>(p, 0, size_ - 1);
    return std::clamp<int64_t>(static_cast<int64_t>(reflected(static_cast<double>(p), low_, high_)), 0,
                               size_ - 1);
  }

 private:
  int64_t size_;
  Padding padding_;
  bool corners_;
  double low_, high_;
};
struct Tap {
  int64_t item;
  double weight;
};
std::vector<Tap> taps(const Grid& grid, double x, const std::string& mode) {
  const double p = grid.place(x, mode == "nearest");
  const double floor = std::floor(p), t = p - floor;
  const auto first = static_cast<int64_t>(floor);
  if (mode == "nearest") return {{grid.item(static_cast<int64_t>(p)), 1}};
  if (mode == "linear") return {{grid.item(first), 1 - t}, {grid.item(first + 1), t}};
  constexpr double a = -0.75;
  const auto near = [&](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [&](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {{grid.item(first - 1), far(t + 1)},
          {grid.item(first), near(t)},
          {grid.item(first + 1), near(1 - t)},
          {grid.item(first + 2), far(2 - t)}};
}
void grid_sample(Context& c) {
  const Array &x = c.in(0), &grid = c.in(1);
  c.require(x.real() && grid.real() && x.rank() == 4 && grid.rank() == 4 && grid.dims[3] == 2 &&
                grid.dims[0] == x.dims[0] && x.dims[2] > 0 && x.dims[3] > 0,
            "expected (N, C, H, W) and a grid (N, h, w, 2)");
  std::string mode = c.node().attr_string("mode", "linear");
  if (mode == "bilinear") mode = "linear";
  if (mode == "bicubic") mode = "cubic";
  const std::string padding = c.node().attr_string("padding_mode", "zeros");
  c.require((mode == "linear" || mode == "nearest" || mode == "cubic") &&
                (padding == "zeros" || padding == "border" || padding == "reflection"),
            "mode or padding_mode: no such");
  const auto kind = padding == "zeros"    ? Grid::Padding::zeros
                    : padding == "border" ? Grid::Padding::border
                                          : Grid::Padding::reflection;
  const bool corners = c.node().attr_int("align_corners", 0) != 0;
  const int64_t channels = x.dims[1], height = x.dims[2], width = x.dims[3],
                places = grid.dims[1] * grid.dims[2];
  Array& y = c.make(0, x.type, {x.dims[0], channels, grid.dims[1], grid.dims[2]});
  if (!c.computing()) return;
  const Grid down(height, kind, corners), across(width, kind, corners);
  for (int64_t n = 0; n < x.dims[0]; ++n)
    for (int64_t p = 0; p < places; ++p) {
      const double* at = grid.reals.data() + (n * places + p) * 2;
      const std::vector<Tap> rows = taps(down, at[1], mode), columns = taps(across, at[0], mode);
      for (int64_t ch = 0; ch < channels; ++ch) {
        double sum = 0;
        for (const Tap& r : rows)
          for (const Tap& q : columns)
            if (r.item >= 0 && q.item >= 0)
              sum += r.weight * q.weight *
                     x.reals[static_cast<size_t>(((n * channels + ch) * height + r.item) * width + q.item)];
        y.reals[static_cast<size_t>((n * channels + ch) * places + p)] = sum;
      }
    }
}

constexpr OperatorRow kRows[] = {
    {"NonMaxSuppression", non_max_suppression},
    {"RoiAlign", roi_align},
    {"GridSample", grid_sample},
};

}  // namespace

std::span<const OperatorRow> detection_operators() {
  return kRows;
}

}  // namespace dws::network
