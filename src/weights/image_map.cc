#include "weights/image_map.h"

#include <cmath>
#include <numbers>

#include "core/error.h"

namespace dws::weights {

ImageMap image_map(const Movement& movement, double middle) {
  const double angle = movement.degrees * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
  const double side = movement.mirror ? -1 : 1, z = movement.zoom;
  // The inverse of x -> middle + zoom R F (x - middle) + move, with F the mirror and R the turn.
  ImageMap map;
  map.a[0][0] = side * c / z;
  map.a[0][1] = side * s / z;
  map.a[1][0] = -s / z;
  map.a[1][1] = c / z;
  const double x = middle + movement.move_x, y = middle + movement.move_y;
  for (int i = 0; i < 2; ++i) map.t[i] = middle - (map.a[i][0] * x + map.a[i][1] * y);
  return map;
}

template <class T>
void act(const symmetry::Layout& layout, const ImageMap& map, T* params) {
  if (layout.tensors.size() < 2 || layout.tensors[0].dims.size() != 2 || layout.tensors[0].dims[1] != 2 ||
      layout.tensors[1].dims != std::vector<int64_t>{layout.tensors[0].dims[0]})
    throw Error(ErrorKind::mismatch, "pictures are moved by a first layer of two inputs");
  const int64_t rows = layout.tensors[0].dims[0];
  T *w = params, *b = params + 2 * rows;
  for (int64_t i = 0; i < rows; ++i, w += 2) {
    const auto x = static_cast<double>(w[0]), y = static_cast<double>(w[1]);
    w[0] = static_cast<T>(x * map.a[0][0] + y * map.a[1][0]);
    w[1] = static_cast<T>(x * map.a[0][1] + y * map.a[1][1]);
    b[i] = static_cast<T>(static_cast<double>(b[i]) + x * map.t[0] + y * map.t[1]);
  }
}

template void act(const symmetry::Layout&, const ImageMap&, float*);
template void act(const symmetry::Layout&, const ImageMap&, double*);

}  // namespace dws::weights
