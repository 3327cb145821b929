// A configuration's parameters for one tensor: at the source before the slice, the slice before the module, the module
// before the whole.
#pragma once

#include <optional>
#include <string_view>

#include "merge/mergekit.h"
#include "merge/plan.h"

namespace dws::merge {

class ParameterLookup {
 public:
  // `t` in [0, 1]: the layer's place in its slice.
  ParameterLookup(const MergeConfig& config, const ConfigModule& module, const ConfigSlice& slice, double t)
      : config_(config), module_(module), slice_(slice), t_(t) {}

  std::optional<double> of_merge(std::string_view name, std::string_view tensor) const;
  // `source` may be null: a base that is none of the sources.
  std::optional<double> of_source(std::string_view name, const ConfigSource* source,
                                  std::string_view tensor) const;

  // Of the output's tensor. Throws Error{usage} for one that the method needs and that is not there.
  Parameters parameters(std::string_view tensor, Parameters defaults) const;
  // Weight, density and the like of a source, whose tensor is set. Throws Error{usage} for a weight that is given for other
  // tensors and not for this one.
  void set(Source& source, const ConfigSource* from) const;

 private:
  const MergeConfig& config_;
  const ConfigModule& module_;
  const ConfigSlice& slice_;
  double t_;
};

}  // namespace dws::merge
