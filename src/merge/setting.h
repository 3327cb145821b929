// A parameter of a merge configuration: a number, a gradient over layers, or either by the names of tensors; and
// which parameters there are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "merge/plan.h"

namespace dws::merge {

class Setting {
 public:
  struct Case {
    std::optional<std::string> filter;  // part of a tensor's name; none, or "*": any
    std::vector<double> points;         // of the gradient, evenly spaced; at least one
  };
  Setting(std::vector<Case> cases, int line) : cases_(std::move(cases)), line_(line) {}

  // Of the first case that `tensor` fits, at `t` in [0, 1]: between the points of a gradient in a straight line. Empty
  // where it fits none.
  std::optional<double> at(std::string_view tensor, double t) const;
  int line() const noexcept { return line_; }
  const std::vector<Case>& cases() const noexcept { return cases_; }

 private:
  std::vector<Case> cases_;
  int line_ = 0;
};

using Settings = std::vector<std::pair<std::string, Setting>>;
const Setting* find(const Settings& settings, std::string_view name) noexcept;

// Whether a parameter is a source's own or one of the whole merge, where it may stand.
enum class Scope : uint8_t { source, merge };
struct ParameterKind {
  Scope scope;
  bool used;  // by the method; else it is without effect
};
// Of the parameter `name` to `method`; empty for one that there is none of. A source's parameter may stand above too.
std::optional<ParameterKind> parameter_kind(std::string_view name, Method method);
std::vector<std::string> parameter_names();

}  // namespace dws::merge
