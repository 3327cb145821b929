// Arithmetic on named sizes: numbers, names, + - * / (), sqrt().
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dws::network {

// nullopt from `size` where the name is not known. Throws Error{bad_schema}, with `what` in front, for anything else than an
// expression, for a name that is not known and for a division by 0.
double evaluate(std::string_view expression,
                const std::function<std::optional<double>(std::string_view)>& size, const std::string& what);

}  // namespace dws::network
