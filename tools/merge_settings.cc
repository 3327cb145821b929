#include "merge_settings.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace dws::tools {
namespace {

using merge::Method;

// Which methods an option is for; others would not look at it.
struct Use {
  const char* option;
  std::vector<Method> methods;
};
const std::vector<Method> kSparse{Method::ties,        Method::dare_linear,      Method::dare_ties,
                                  Method::breadcrumbs, Method::breadcrumbs_ties, Method::della,
                                  Method::della_linear};
const std::vector<Method> kTask{Method::task_arithmetic, Method::ties,        Method::dare_linear,
                                Method::dare_ties,       Method::breadcrumbs, Method::breadcrumbs_ties,
                                Method::della,           Method::della_linear};

void require_use(const char* option, bool given, Method method, const std::vector<Method>& methods) {
  if (!given || std::ranges::count(methods, method)) return;
  std::vector<std::string> names;
  for (const Method m : methods) names.emplace_back(merge::method_name(m));
  throw Error(ErrorKind::usage,
              text("{}: method {} has no such parameter", option, merge::method_name(method)),
              text("{} is for {}", option, join(names, ", ")));
}

}  // namespace

void add_merge_settings(Options& verb, MergeSettings& s) {
  std::vector<std::string> names;
  for (const Method m : merge::all_methods()) names.emplace_back(merge::method_name(m));
  verb.add_option("--method", s.method, "how: " + join(names, ", "))->capture_default_str();
  verb.add_option("--weight", s.weight, "of each network, in order: 0.3,0.7 or option by option [1]");
  verb.add_option("--t", s.t, "slerp, nuslerp: from the first (0) to the second (1) [0.5]; nearswap [0.001]");
  verb.add_option("--lambda", s.lambda, "task arithmetic, ties and the like: factor of the merged delta [1]");
  verb.add_option("--density", s.density,
                  "share of each delta that is kept [ties .2, breadcrumbs .9, others .5]");
  verb.add_option("--gamma", s.gamma, "breadcrumbs: share of the largest that is dropped [0.01]");
  verb.add_option("--epsilon", s.epsilon, "della: chances lie within density - epsilon and + epsilon [0.15]");
  verb.add_option("--rescale", s.rescale,
                  "dare, della: paper (divide by the chance), l1 (keep the sum of magnitudes), none [paper]");
  verb.add_flag("--normalize", s.normalize, "divide by the sum of weights");
  verb.add_flag("--no-normalize", s.no_normalize, "do not; the default depends on the method");
  verb.add_option("--over", s.over,
                  "nuslerp, model_stock: angles of the whole tensor, of rows or columns [tensor]");
  verb.add_option("--select-topk", s.select_topk, "sce: share of the elements that vary most [1]");
  verb.add_option("--scale", s.scale, "passthrough: factor [1]");
  verb.add_option("--max-iterations", s.max_iterations, "karcher [10]");
  verb.add_option("--tolerance", s.tolerance, "karcher [1e-5]");
  verb.add_option("--ram-epsilon", s.ram_epsilon, "ram, ramplus_tl: deltas above count [1e-5]");
  verb.add_option("--ram-r", s.ram_r, "ramplus_tl [0.1]");
  verb.add_option("--ram-alpha", s.ram_alpha, "ramplus_tl [0.2]");
  verb.add_option("--dtype", s.dtype, "of the result's floating numbers: f16, bf16, f32, f64 [as they are]");
  verb.add_option("--seed", s.seed, "of what dare and della drop")->capture_default_str();
  verb.add_option("--compat", s.compat,
                  "mergekit: its rounding after each step and its defects, where it is deterministic");
  verb.add_flag("--allow-missing", s.allow_missing,
                "tensors that not all networks have are made of those that do");
  verb.add_flag("--pad-vocab", s.pad_vocab,
                "rows that a network's embedding lacks come from those that have them");
}

std::vector<double> parse_numbers(const std::vector<std::string>& given, const char* option) {
  std::vector<double> numbers;
  for (const std::string& word : given)
    for (const std::string& one : split(word, ',')) numbers.push_back(parse_double(one, option));
  return numbers;
}

Dtype parse_float_dtype(const std::string& name) {
  for (const auto& [word, type] : {std::pair{"f16", Dtype::f16}, std::pair{"bf16", Dtype::bf16},
                                   std::pair{"f32", Dtype::f32}, std::pair{"f64", Dtype::f64}})
    if (name == word) return type;
  throw Error(ErrorKind::usage, text("--dtype {}: expected f16, bf16, f32 or f64", escaped(name)));
}

merge::Rescale parse_rescale(const std::string& name) {
  for (const auto& [word, rescale] :
       {std::pair{"paper", merge::Rescale::paper}, std::pair{"l1", merge::Rescale::l1},
        std::pair{"none", merge::Rescale::none}})
    if (name == word) return rescale;
  throw Error(ErrorKind::usage, text("--rescale {}: expected paper, l1 or none", escaped(name)));
}

merge::Choices choices(const MergeSettings& s) {
  merge::Choices c;
  c.method = merge::parse_method(s.method);
  if (!s.compat.empty() && s.compat != "mergekit")
    throw Error(ErrorKind::usage, text("--compat {}: expected mergekit", escaped(s.compat)));
  c.compat = !s.compat.empty();
  merge::Parameters& p = c.parameters = merge::default_parameters(c.method, c.compat);
  require_use("--density", !s.density.empty(), c.method, kSparse);
  require_use("--gamma", !s.gamma.empty(), c.method, {Method::breadcrumbs, Method::breadcrumbs_ties});
  require_use("--epsilon", !s.epsilon.empty(), c.method, {Method::della, Method::della_linear});
  require_use("--rescale", !s.rescale.empty(), c.method,
              {Method::dare_linear, Method::dare_ties, Method::della, Method::della_linear});
  require_use("--lambda", s.lambda.has_value(), c.method, kTask);
  require_use("--t", s.t.has_value(), c.method, {Method::slerp, Method::nuslerp, Method::nearswap});
  require_use("--over", !s.over.empty(), c.method, {Method::nuslerp, Method::model_stock});
  require_use("--select-topk", s.select_topk.has_value(), c.method, {Method::sce});
  require_use("--scale", s.scale.has_value(), c.method, {Method::passthrough});
  require_use("--max-iterations", s.max_iterations.has_value(), c.method, {Method::karcher});
  require_use("--tolerance", s.tolerance.has_value(), c.method, {Method::karcher});
  require_use("--ram-epsilon", s.ram_epsilon.has_value(), c.method, {Method::ram, Method::ramplus_tl});
  require_use("--ram-r", s.ram_r.has_value(), c.method, {Method::ramplus_tl});
  require_use("--ram-alpha", s.ram_alpha.has_value(), c.method, {Method::ramplus_tl});
  std::vector<Method> normal = kTask;
  normal.insert(normal.end(), {Method::linear, Method::multislerp});
  require_use("--normalize", s.normalize, c.method, normal);
  require_use("--no-normalize", s.no_normalize, c.method, normal);
  std::vector<Method> weighted = normal;
  weighted.insert(weighted.end(), {Method::nuslerp, Method::karcher});
  require_use("--weight", !s.weight.empty(), c.method, weighted);
  if (s.normalize && s.no_normalize)
    throw Error(ErrorKind::usage, "--normalize and --no-normalize: give one of them");
  if (s.normalize || s.no_normalize) p.normalize = s.normalize;
  c.weight = parse_numbers(s.weight, "--weight");
  c.density = parse_numbers(s.density, "--density");
  c.gamma = parse_numbers(s.gamma, "--gamma");
  c.epsilon = parse_numbers(s.epsilon, "--epsilon");
  if (s.t) {
    p.t = *s.t;
    if (c.method == Method::nuslerp) {
      if (!c.weight.empty()) throw Error(ErrorKind::usage, "--t and --weight: give one of them");
      c.weight = {1 - *s.t, *s.t};
    }
  }
  p.lambda = s.lambda.value_or(p.lambda);
  p.select_topk = s.select_topk.value_or(p.select_topk);
  p.max_iterations = s.max_iterations.value_or(p.max_iterations);
  p.tolerance = s.tolerance.value_or(p.tolerance);
  p.ram_epsilon = s.ram_epsilon.value_or(p.ram_epsilon);
  p.ram_r = s.ram_r.value_or(p.ram_r);
  p.ram_alpha = s.ram_alpha.value_or(p.ram_alpha);
  c.scale = s.scale.value_or(1);
  if (!s.rescale.empty()) p.rescale = parse_rescale(s.rescale);
  if (s.over == "rows" || s.over == "columns")
    p.over = s.over == "rows" ? merge::Over::rows : merge::Over::columns;
  else if (!s.over.empty() && s.over != "tensor")
    throw Error(ErrorKind::usage, text("--over {}: expected tensor, rows or columns", escaped(s.over)));
  if (!s.dtype.empty()) c.dtype = parse_float_dtype(s.dtype);
  c.allow_missing = s.allow_missing;
  c.pad_vocab = s.pad_vocab;
  c.seed = s.seed;
  return c;
}

Json settings_json(const merge::Choices& c) {
  Json json = Json::object();
  json.set("method", merge::method_name(c.method));
  const auto list = [&](const char* name, const std::vector<double>& numbers) {
    if (numbers.empty()) return;
    Json all = Json::array();
    for (const double x : numbers) all.push_back(x);
    json.set(name, std::move(all));
  };
  list("weight", c.weight);
  if (std::ranges::count(kSparse, c.method)) {
    if (c.density.empty())
      json.set("density", merge::default_density(c.method));
    else
      list("density", c.density);
  }
  list("gamma", c.gamma);
  list("epsilon", c.epsilon);
  const merge::Parameters& p = c.parameters;
  if (std::ranges::count(kTask, c.method)) json.set("lambda", p.lambda);
  if (c.method == Method::slerp || c.method == Method::nearswap) json.set("t", p.t);
  if (c.method == Method::sce) json.set("select_topk", p.select_topk);
  if (merge::traits(c.method).takes_base || c.method == Method::linear) json.set("normalize", p.normalize);
  if (merge::traits(c.method).random) {
    json.set("rescale", p.rescale == merge::Rescale::paper ? "paper"
                        : p.rescale == merge::Rescale::l1  ? "l1"
                                                           : "none");
    json.set("seed", c.seed);
  }
  if (c.compat) json.set("compat", "mergekit");
  return json;
}

}  // namespace dws::tools
