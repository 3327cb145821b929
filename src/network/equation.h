// The equations of Einsum, read once for all who look at them: "bhqd,bhkd->bhqk", "...ij,jk".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dws::network {

struct Equation {
  // A label an axis: letters, and below 0 the axes under an ellipsis, counted from the last (-1).
  std::vector<std::vector<int>> inputs;
  std::vector<int> output;
};
// `ranks` of the inputs. Throws Error{bad_schema}, without a file's name, where they do not fit; an output without an arrow
// has the letters that are used once, in alphabetical order, behind the ellipsis.
Equation parse_equation(std::string_view text, const std::vector<int>& ranks);

}  // namespace dws::network
