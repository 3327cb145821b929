// What a plain YAML scalar stands for.
#pragma once

#include <optional>
#include <string_view>

#include "core/json.h"

namespace dws {

// A plain scalar's value by its spelling: null, true or false, an integer, a number, or else a string. Empty for an integer
// beyond 64 bits.
std::optional<Json> yaml_plain_scalar(std::string_view text);

// The same for one kind alone, as a tag asks for; empty when `text` is none.
std::optional<Json> yaml_null(std::string_view text);
std::optional<Json> yaml_bool(std::string_view text);
std::optional<Json> yaml_int(std::string_view text);
std::optional<Json> yaml_float(std::string_view text);

}  // namespace dws
