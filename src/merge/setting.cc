#include "merge/setting.h"

#include <algorithm>
#include <cmath>

namespace dws::merge {
namespace {

using M = Method;
const std::vector<Method> kTask{M::task_arithmetic,  M::ties,  M::dare_linear, M::dare_ties, M::breadcrumbs,
                                M::breadcrumbs_ties, M::della, M::della_linear};

std::vector<Method> with_task(std::vector<Method> more) {
  more.insert(more.end(), kTask.begin(), kTask.end());
  return more;
}

struct Row {
  const char* name;
  Scope scope;
  std::vector<Method> methods;
};
const std::vector<Row>& rows() {
  static const std::vector<Row> all{
      {"weight", Scope::source, with_task({M::linear, M::nuslerp, M::multislerp})},
      {"density",
       Scope::source,
       {M::ties, M::dare_linear, M::dare_ties, M::breadcrumbs, M::breadcrumbs_ties, M::della,
        M::della_linear}},
      {"gamma", Scope::source, {M::breadcrumbs, M::breadcrumbs_ties}},
      {"epsilon", Scope::source, {M::della, M::della_linear}},
      {"epsilon", Scope::merge, {M::ram, M::ramplus_tl}},
      {"scale", Scope::source, {M::passthrough}},
      {"normalize", Scope::merge, with_task({M::linear})},
      {"normalize_weights", Scope::merge, {M::multislerp}},
      {"lambda", Scope::merge, kTask},
      {"rescale", Scope::merge, {M::dare_linear, M::dare_ties, M::della, M::della_linear}},
      {"t", Scope::merge, {M::slerp, M::nearswap}},
      {"nuslerp_flatten", Scope::merge, {M::nuslerp}},
      {"nuslerp_row_wise", Scope::merge, {M::nuslerp}},
      {"select_topk", Scope::merge, {M::sce}},
      {"filter_wise", Scope::merge, {M::model_stock}},
      {"max_iter", Scope::merge, {M::karcher}},
      {"tol", Scope::merge, {M::karcher}},
      {"r", Scope::merge, {M::ramplus_tl}},
      {"alpha", Scope::merge, {M::ramplus_tl}},
      // Only how the other program stores its masks, or guards a division: results do not depend on them.
      {"int8_mask", Scope::merge, all_methods()},
      {"eps", Scope::merge, {M::multislerp}},
  };
  return all;
}

}  // namespace

std::optional<double> Setting::at(std::string_view tensor, double t) const {
  for (const Case& c : cases_) {
    if (c.filter && *c.filter != "*" && tensor.find(*c.filter) == tensor.npos) continue;
    const double place = t * static_cast<double>(c.points.size() - 1);
    const auto left = std::min(static_cast<size_t>(place), c.points.size() - 1);
    const double share = place - static_cast<double>(left);
    const double right = c.points[std::min(left + 1, c.points.size() - 1)];
    return (1 - share) * c.points[left] + share * right;
  }
  return std::nullopt;
}

const Setting* find(const Settings& settings, std::string_view name) noexcept {
  for (const auto& [key, setting] : settings)
    if (key == name) return &setting;
  return nullptr;
}

std::optional<ParameterKind> parameter_kind(std::string_view name, Method method) {
  std::optional<ParameterKind> kind;
  for (const Row& row : rows()) {
    if (name != row.name) continue;
    const bool used = std::ranges::count(row.methods, method) > 0;
    if (!kind || used) kind = {row.scope, used};
  }
  return kind;
}

std::vector<std::string> parameter_names() {
  std::vector<std::string> names;
  for (const Row& row : rows())
    if (names.empty() || names.back() != row.name) names.emplace_back(row.name);
  return names;
}

}  // namespace dws::merge
