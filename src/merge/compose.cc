#include "merge/compose.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "merge/as_it_is.h"
#include "merge/operand.h"

namespace dws::merge {
namespace {

// The value of model m; `fallback` where none is given.
double value_of(const std::vector<double>& given, size_t m, double fallback) {
  return given.empty() ? fallback : given.size() == 1 ? given.front() : given[m];
}

class Composer {
 public:
  Composer(const std::vector<Input>& inputs, const Choices& choices, std::vector<std::string>& warnings)
      : inputs_(inputs), choices_(choices), warnings_(warnings), pattern_(pattern(inputs, choices)) {
    for (const auto& [given, option] :
         {std::pair(&choices.weight, "weight"), std::pair(&choices.density, "density"),
          std::pair(&choices.gamma, "gamma"), std::pair(&choices.epsilon, "epsilon")})
      if (given->size() > 1 && given->size() != choices.models.size())
        throw Error(ErrorKind::usage,
                    text("--{}: {} numbers for {} networks", option, given->size(), choices.models.size()),
                    "give one for all, or one each");
  }

  Plan run() {
    plan_.seed = choices_.seed;
    plan_.compat = choices_.compat;
    for (size_t i = 0; i < pattern_.tensors().size(); ++i) add(pattern_.tensors()[i], file_of(i));
    others();
    return std::move(plan_);
  }

 private:
  int file_of(size_t i) const {
    const auto& checkpoint = pattern_.checkpoint();
    return checkpoint ? static_cast<int>(checkpoint->tensors()[i].file) : 0;
  }

  // Tensors that the pattern does not have.
  void others() {
    std::set<std::string> seen;
    for (const int m : choices_.models)
      for (const InputTensor& t : input(m).tensors()) {
        if (pattern_.find(t.name) || !seen.insert(t.name).second) continue;
        if (!choices_.allow_missing)
          throw Error(ErrorKind::mismatch,
                      text("{}: has a tensor '{}', which {} has not", one_line(input(m).path()),
                           escaped(t.name), one_line(pattern_.path())),
                      kMissingAdvice);
        if (pattern_.onnx())
          warnings_.push_back(text("{}: tensor '{}' is not in the graph of {} and is left out",
                                   one_line(input(m).path()), escaped(t.name), one_line(pattern_.path())));
        else
          add(t, plan_.file.empty() ? 0 : plan_.file.back());
      }
  }

  const Input& input(int i) const { return inputs_[static_cast<size_t>(i)]; }

  void add(const InputTensor& like, int file) {
    OutputTensor out;
    out.name = like.name;
    out.dtype = like.dtype;
    out.shape = like.shape;
    out.method = choices_.method;
    out.parameters = choices_.parameters;
    for (size_t m = 0; m < choices_.models.size(); ++m) {
      const int i = choices_.models[m];
      if (!has(i, like)) continue;
      Source s{.input = i, .tensor = like.name};
      s.weight = value_of(choices_.weight, m, 1);
      s.density = value_of(choices_.density, m, default_density(choices_.method));
      s.gamma = value_of(choices_.gamma, m, s.gamma);
      s.epsilon = value_of(choices_.epsilon, m, s.epsilon);
      s.scale = choices_.scale;
      fit(i, like, out);
      out.sources.push_back(s);
    }
    if (choices_.base && has(*choices_.base, like)) {
      fit(*choices_.base, like, out);
      out.base = Source{.input = *choices_.base, .tensor = like.name};
    }
    settle(like, out);
    plan_.tensors.push_back(std::move(out));
    plan_.file.push_back(file);
  }

  bool has(int i, const InputTensor& like) const {
    if (input(i).find(like.name)) return true;
    if (choices_.allow_missing) return false;
    throw Error(ErrorKind::missing_tensor,
                text("{}: has no tensor '{}', which {} has", one_line(input(i).path()), escaped(like.name),
                     one_line(pattern_.path())),
                kMissingAdvice);
  }

  // What input i has for the tensor must be of its type and shape; with pad_vocab the longest counts.
  void fit(int i, const InputTensor& like, OutputTensor& out) const {
    const InputTensor& t = *input(i).find(like.name);
    const auto differ = [&](const std::string& expected, const std::string& got, const std::string& advice) {
      throw Error(ErrorKind::mismatch,
                  text("{}: tensor '{}': expected {} as in {}, got {}", one_line(input(i).path()),
                       escaped(t.name), expected, one_line(pattern_.path()), got),
                  advice);
    };
    if (t.dtype != like.dtype && !(choices_.dtype && merges(t.dtype) && merges(like.dtype)))
      differ(dtype_name(like.dtype), dtype_name(t.dtype),
             merges(t.dtype) && merges(like.dtype) ? "--dtype says of which type the result is to be" : "");
    if (t.shape == out.shape) return;
    const bool rows = differ_in_rows(t, out.shape);
    if (!rows || !choices_.pad_vocab || !merges(t.dtype))
      differ(
          shape_text(like.shape), shape_text(t.shape),
          rows && merges(t.dtype) ? "--pad-vocab takes rows that one lacks from those that have them" : "");
    out.pad_rows = true;
    if (t.shape.front() > out.shape.front()) {
      if (pattern_.onnx())
        differ(text("at most {} rows", out.shape.front()), shape_text(t.shape),
               "a graph cannot grow: give the largest network first, or as --base");
      out.shape.front() = t.shape.front();
    }
  }

  // What cannot be merged by the method is copied.
  void settle(const InputTensor& like, OutputTensor& out) {
    if (!merges(like.dtype)) return keep_one(out, inputs_, warnings_);
    if (choices_.dtype) out.dtype = *choices_.dtype;
    const MethodTraits& t = traits(out.method);
    const auto sources = static_cast<int>(out.sources.size());
    if (sources == 0) {  // the base alone has it
      out.sources.push_back(*out.base);
      take_first(out, inputs_);
    } else if (t.needs_base && !out.base) {  // no delta: the mean of what there is
      out.method = Method::linear;
      out.parameters.normalize = true;
      if (sources == 1) take_first(out, inputs_);
    } else if (sources < t.least || (sources == 1 && choices_.models.size() > 1 && !t.needs_base)) {
      take_first(out, inputs_);
    }
    if (!t.takes_base && !out.pad_rows) out.base.reset();
  }

  const std::vector<Input>& inputs_;
  const Choices& choices_;
  std::vector<std::string>& warnings_;
  const Input& pattern_;
  Plan plan_;
};

}  // namespace

Parameters default_parameters(Method method, bool compat) {
  Parameters p;
  p.normalize = traits(method).normalize;
  if (method == Method::nearswap) p.t = 0.001;
  p.rescale = compat ? Rescale::l1 : Rescale::paper;
  return p;
}

double default_density(Method method) {
  switch (method) {
    case Method::ties:
      return 0.2;
    case Method::breadcrumbs:
    case Method::breadcrumbs_ties:
      return 0.9;
    default:
      return 0.5;
  }
}

const Input& pattern(const std::vector<Input>& inputs, const Choices& choices) {
  return inputs[static_cast<size_t>(choices.base ? *choices.base : choices.models.front())];
}

Plan compose(const std::vector<Input>& inputs, const Choices& choices, std::vector<std::string>& warnings) {
  Plan plan = Composer(inputs, choices, warnings).run();
  check_plan(plan);
  return plan;
}

}  // namespace dws::merge
