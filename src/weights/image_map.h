// Exact movements of the picture that a network of two coordinates draws. With f(x) = net(W_0 x + b_0) only
// the first layer changes: f(A x + t) has W_0 A and b_0 + W_0 t. What comes into view from outside the
// zoo's coordinate range is whatever the network says there.
#pragma once

#include <cstdint>

#include "symmetry/layout.h"

namespace dws::weights {

// The picture is mirrored (left and right exchanged), then turned, then enlarged, all about the middle of the
// coordinate range, then moved. A point is (x, y) = (column, row), rows going down: positive angles turn
// clockwise as drawn.
struct Movement {
  bool mirror = false;
  double degrees = 0;
  double zoom = 1;                // above 0; 2 draws everything twice as large
  double move_x = 0, move_y = 0;  // in units of the coordinates
};

// The coordinates at which the unmoved network is to be read: x -> A x + t.
struct ImageMap {
  double a[2][2] = {{1, 0}, {0, 1}};
  double t[2] = {0, 0};
};
// `middle`: of the coordinate range, the same on both axes.
ImageMap image_map(const Movement& movement, double middle);

// Replaces the first layer in `params` (layout.param_count()); layout.tensors[0] is W_0 (d_1, 2),
// layout.tensors[1] is b_0 (d_1). T is float or double. Throws Error{mismatch} for another shape.
template <class T>
void act(const symmetry::Layout& layout, const ImageMap& map, T* params);

}  // namespace dws::weights
