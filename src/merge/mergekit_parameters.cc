#include "merge/mergekit_parameters.h"

#include <array>
#include <cmath>

#include "core/error.h"
#include "core/text.h"

namespace dws::merge {

std::optional<double> ParameterLookup::of_merge(std::string_view name, std::string_view tensor) const {
  for (const Settings* settings : {&slice_.parameters, &module_.parameters, &config_.parameters})
    if (const Setting* setting = find(*settings, name))
      if (const std::optional<double> value = setting->at(tensor, t_)) return value;
  return std::nullopt;
}

std::optional<double> ParameterLookup::of_source(std::string_view name, const ConfigSource* source,
                                                 std::string_view tensor) const {
  if (source)
    if (const Setting* setting = find(source->parameters, name))
      if (const std::optional<double> value = setting->at(tensor, t_)) return value;
  return of_merge(name, tensor);
}

Parameters ParameterLookup::parameters(std::string_view tensor, Parameters p) const {
  const auto number_of = [&](const char* name, double& to) {
    if (const auto value = of_merge(name, tensor)) to = *value;
  };
  const auto flag = [&](const char* name, bool fallback) {
    return of_merge(name, tensor).value_or(fallback ? 1 : 0) != 0;
  };
  const Method method = config_.method;
  if ((method == Method::slerp || method == Method::nearswap) && !of_merge("t", tensor))
    throw Error(ErrorKind::usage,
                text("{}: {} needs the parameter 't', which has no value for tensor '{}'", config_.file,
                     method_name(method), escaped(tensor)),
                "under 'parameters' of the whole: t: 0.5, or with filters a last one without: - value: 0.5");
  p.normalize = flag(method == Method::multislerp ? "normalize_weights" : "normalize", p.normalize);
  number_of("lambda", p.lambda);
  number_of("t", p.t);
  if (!flag("rescale", true)) p.rescale = Rescale::none;
  if (method == Method::nuslerp && !flag("nuslerp_flatten", true))
    p.over = flag("nuslerp_row_wise", false) ? Over::rows : Over::columns;
  if (method == Method::model_stock && flag("filter_wise", false)) p.over = Over::rows;
  number_of("select_topk", p.select_topk);
  if (const auto value = of_merge("max_iter", tensor)) {
    if (*value != std::floor(*value) || *value < 0 || *value > 1e6)
      throw Error(ErrorKind::usage,
                  text("{}: max_iter {}: expected an integer of 0 to 1000000", config_.file, number(*value)));
    p.max_iterations = static_cast<int>(*value);
  }
  number_of("tol", p.tolerance);
  if (method == Method::ram || method == Method::ramplus_tl) number_of("epsilon", p.ram_epsilon);
  number_of("r", p.ram_r);
  number_of("alpha", p.ram_alpha);
  return p;
}

void ParameterLookup::set(Source& to, const ConfigSource* from) const {
  const auto take = [&](const char* name, double& value) {
    if (const auto given = of_source(name, from, to.tensor)) value = *given;
  };
  if (parameter_kind("weight", config_.method)->used && !of_source("weight", from, to.tensor)) {
    for (const Settings* settings :
         {from ? &from->parameters : nullptr, &slice_.parameters, &module_.parameters, &config_.parameters})
      if (const Setting* setting = settings ? find(*settings, "weight") : nullptr)
        throw Error(ErrorKind::usage,
                    text("{}: line {}: weight: none of the filters fits tensor '{}'", config_.file,
                         setting->line(), escaped(to.tensor)),
                    "a last one without a filter is for all others: - value: 1");
  }
  take("weight", to.weight);
  take("density", to.density);
  take("gamma", to.gamma);
  take("epsilon", to.epsilon);
  take("scale", to.scale);
}

}  // namespace dws::merge
