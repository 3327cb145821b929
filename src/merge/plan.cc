#include "merge/plan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <span>

#include "core/error.h"
#include "core/hash.h"
#include "core/text.h"

namespace dws::merge {
namespace {

struct Row {
  Method method;
  const char* name;
  MethodTraits traits;  // needs_base, takes_base, least, most, normalize, random
};
constexpr std::array<Row, 20> kRows{{
    {Method::linear, "linear", {false, false, 1, 0, true, false}},
    {Method::slerp, "slerp", {false, false, 2, 2, true, false}},
    {Method::nuslerp, "nuslerp", {false, true, 2, 2, true, false}},
    {Method::multislerp, "multislerp", {false, true, 1, 0, true, false}},
    {Method::karcher, "karcher", {false, false, 1, 0, true, false}},
    {Method::task_arithmetic, "task_arithmetic", {true, true, 1, 0, false, false}},
    {Method::ties, "ties", {true, true, 1, 0, true, false}},
    {Method::dare_linear, "dare_linear", {true, true, 1, 0, false, true}},
    {Method::dare_ties, "dare_ties", {true, true, 1, 0, false, true}},
    {Method::breadcrumbs, "breadcrumbs", {true, true, 1, 0, false, false}},
    {Method::breadcrumbs_ties, "breadcrumbs_ties", {true, true, 1, 0, false, false}},
    {Method::della, "della", {true, true, 1, 0, true, true}},
    {Method::della_linear, "della_linear", {true, true, 1, 0, false, true}},
    {Method::model_stock, "model_stock", {true, true, 2, 0, true, false}},
    {Method::sce, "sce", {true, true, 1, 0, true, false}},
    {Method::nearswap, "nearswap", {true, true, 1, 1, true, false}},
    {Method::arcee_fusion, "arcee_fusion", {true, true, 1, 1, true, false}},
    {Method::ram, "ram", {true, true, 1, 0, true, false}},
    {Method::ramplus_tl, "ramplus_tl", {true, true, 1, 0, true, false}},
    {Method::passthrough, "passthrough", {false, false, 1, 1, true, false}},
}};

const Row& row(Method method) noexcept {
  return kRows[static_cast<size_t>(method)];
}

// Numbers one after another, each with all its bits.
class Words {
 public:
  void add(double x) { add(std::bit_cast<uint64_t>(x)); }
  void add(uint64_t x) { bytes_.append(reinterpret_cast<const char*>(&x), sizeof x); }
  void add(int64_t x) { add(static_cast<uint64_t>(x)); }
  void add(int x) { add(static_cast<uint64_t>(static_cast<int64_t>(x))); }
  void add(const std::string& s) {
    add(uint64_t{s.size()});
    bytes_ += s;
  }
  void add(const Source& s) {
    add(s.input);
    add(s.tensor);
    for (const double x : {s.weight, s.density, s.gamma, s.epsilon, s.scale}) add(x);
  }
  void add(const Parameters& p) {
    add(int{p.normalize});
    for (const double x : {p.lambda, p.t, p.select_topk, p.ram_epsilon, p.ram_r, p.ram_alpha, p.tolerance})
      add(x);
    add(static_cast<int>(p.rescale));
    add(static_cast<int>(p.over));
    add(p.max_iterations);
  }
  std::string hash() const { return hash_bytes(std::as_bytes(std::span(bytes_))); }

 private:
  std::string bytes_;
};

class Check {
 public:
  explicit Check(const OutputTensor& tensor) : tensor_(tensor) {}
  void run() const {
    const MethodTraits& t = traits(tensor_.method);
    const auto sources = static_cast<int>(tensor_.sources.size());
    if (sources == 0) fail("no source");
    if (tensor_.copy) return;
    if (t.needs_base && !tensor_.base) fail(text("{} needs a base", method_name(tensor_.method)));
    if (sources < t.least || (t.most > 0 && sources > t.most))
      fail(text("{} takes {} networks besides the base, got {}", method_name(tensor_.method),
                t.most == t.least ? text("{}", t.least) : text("at least {}", t.least), sources));
    for (const Source& s : tensor_.sources) source(s);
    const Parameters& p = tensor_.parameters;
    finite(p.lambda, "lambda");
    finite(p.t, "t");
    within(p.select_topk, 0, 1, "select_topk");
    within(p.ram_epsilon, 0, INFINITY, "ram_epsilon");
    within(p.tolerance, 0, INFINITY, "tolerance");
    finite(p.ram_r, "ram_r");
    within(p.ram_alpha, 0, INFINITY, "ram_alpha");
    if (p.max_iterations < 0) fail(text("max_iterations {}", p.max_iterations));
  }

 private:
  void source(const Source& s) const {
    finite(s.weight, "weight");
    finite(s.scale, "scale");
    within(s.density, 0, 1, "density");
    within(s.gamma, 0, 1, "gamma");
    const bool by_rank = tensor_.method == Method::della || tensor_.method == Method::della_linear;
    if (by_rank && s.density < 1 && (s.density + s.epsilon >= 1 || s.density - s.epsilon <= 0))
      fail(text("density {} and epsilon {}: density - epsilon and density + epsilon must lie between 0 and 1",
                number(s.density), number(s.epsilon)));
  }
  void finite(double x, const char* what) const {
    if (!std::isfinite(x)) fail(text("{} {}", what, number(x)));
  }
  void within(double x, double low, double high, const char* what) const {
    if (!(x >= low && x <= high))
      fail(text("{} {}: expected a number of {} to {}", what, number(x), number(low), number(high)));
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::usage, text("tensor '{}': {}", escaped(tensor_.name), what));
  }
  const OutputTensor& tensor_;
};

}  // namespace

const char* method_name(Method method) noexcept {
  return row(method).name;
}

Method parse_method(std::string_view name) {
  std::vector<std::string> names;
  for (const Row& r : kRows) {
    if (name == r.name) return r.method;
    names.emplace_back(r.name);
  }
  const std::string near = nearest(name, names);
  throw Error(ErrorKind::usage, text("unknown method '{}'", escaped(name)),
              near.empty() ? "methods: " + join(names, ", ") : text("did you mean '{}'?", near));
}

const std::vector<Method>& all_methods() {
  static const std::vector<Method> all = [] {
    std::vector<Method> methods;
    for (const Row& r : kRows) methods.push_back(r.method);
    return methods;
  }();
  return all;
}

const MethodTraits& traits(Method method) noexcept {
  return row(method).traits;
}

std::string plan_hash(const Plan& plan) {
  Words words;
  words.add(plan.seed);
  words.add(int{plan.compat});
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const OutputTensor& tensor = plan.tensors[i];
    words.add(plan.file.empty() ? 0 : plan.file[i]);
    words.add(tensor.name);
    words.add(static_cast<int>(tensor.dtype));
    words.add(uint64_t{tensor.shape.size()});
    for (const int64_t extent : tensor.shape) words.add(extent);
    words.add(static_cast<int>(tensor.method));
    words.add(uint64_t{tensor.sources.size()});
    for (const Source& source : tensor.sources) words.add(source);
    words.add(int{tensor.base.has_value()});
    if (tensor.base) words.add(*tensor.base);
    words.add(tensor.parameters);
    words.add(int{tensor.copy} + 2 * int{tensor.pad_rows});
  }
  return words.hash();
}

void check_plan(const Plan& plan) {
  for (const OutputTensor& tensor : plan.tensors) Check(tensor).run();
}

}  // namespace dws::merge
