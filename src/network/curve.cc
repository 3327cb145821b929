#include "network/curve.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "core/parallel.h"
#include "core/shape.h"
#include "core/text.h"
#include "network/array.h"

namespace dws::network {
namespace {

Buffer<float> floats_of(const Constant& c) {
  Buffer<float> numbers(static_cast<size_t>(c.elements()));
  if (c.type == OnnxType::f32) {
    if (!numbers.empty()) std::memcpy(numbers.data(), c.bytes.data(), c.bytes.size());
  } else {
    const Array array = to_array(c);
    std::transform(array.reals.begin(), array.reals.end(), numbers.begin(),
                   [](double v) { return static_cast<float>(v); });
  }
  return numbers;
}
bool moves(const Constant& c) {
  return c.floating() && is_real(c.type) && !c.made;
}

}  // namespace

Barrier barrier_of(const std::vector<CurvePoint>& points) {
  Barrier b;
  const double first = points.front().loss, last = points.back().loss, mean = (first + last) / 2;
  const auto psi = [&](const CurvePoint& p) { return p.loss - ((1 - p.lambda) * first + p.lambda * last); };
  for (size_t i = 0; i < points.size(); ++i) {
    const CurvePoint& p = points[i];
    const double here = psi(p), over = p.loss - mean;
    // A NaN takes the place and stays.
    if (i == 0 || here > b.highest || (std::isnan(here) && !std::isnan(b.highest)))
      b.highest = here, b.at = p.lambda;
    if (i == 0 || over > b.over_mean || (std::isnan(over) && !std::isnan(b.over_mean)))
      b.over_mean = over, b.over_mean_at = p.lambda;
    if (i == 0) continue;
    const double before = psi(points[i - 1]), width = p.lambda - points[i - 1].lambda;
    b.area += width * (before + here) / 2;
    b.clamped_area += width * (std::max(before, 0.0) + std::max(here, 0.0)) / 2;
  }
  return b;
}

Line::Line(const Network& a, const Network& b) {
  std::map<std::string, const Constant*> others;
  for (const Constant& c : b.constants)
    if (moves(c)) others.emplace(c.name, &c);
  for (size_t i = 0; i < a.constants.size(); ++i) {
    const Constant& c = a.constants[i];
    if (!moves(c)) continue;
    const auto other = others.find(c.name);
    if (other == others.end())
      throw Error(ErrorKind::missing_tensor,
                  text("{}: has no tensor '{}' of {}", one_line(b.file), escaped(c.name), one_line(a.file)));
    if (other->second->dims != c.dims)
      throw Error(ErrorKind::mismatch,
                  text("{}: tensor '{}': expected shape {} of {}, got {}", one_line(b.file), escaped(c.name),
                       shape_text(c.dims), one_line(a.file), shape_text(other->second->dims)));
    pairs_.push_back({.constant = static_cast<int>(i),
                      .a = floats_of(c),
                      .b = floats_of(*other->second),
                      .between = Buffer<float>(static_cast<size_t>(c.elements()))});
    numbers_ += c.elements();
    others.erase(other);
  }
  if (!others.empty())
    throw Error(ErrorKind::missing_tensor, text("{}: has no tensor '{}' of {}", one_line(a.file),
                                                escaped(others.begin()->first), one_line(b.file)));
}

std::vector<float> Line::numbers(int constant) const {
  for (const Pair& pair : pairs_)
    if (pair.constant == constant) return {pair.between.data(), pair.between.data() + pair.between.size()};
  return {};
}

void Line::set(Engine& engine, double lambda) {
  const auto to = static_cast<float>(lambda), from = static_cast<float>(1 - lambda);
  for (Pair& pair : pairs_) {
    const float *a = pair.a.data(), *b = pair.b.data();
    float* between = pair.between.data();
    parallel_blocks(static_cast<int64_t>(pair.between.size()), 1 << 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) between[i] = from * a[i] + to * b[i];
    });
    engine.set(pair.constant, between);
  }
}

}  // namespace dws::network
