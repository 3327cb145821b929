#include "merge/mergekit_plan.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "core/error.h"
#include "core/shape.h"
#include "core/text.h"
#include "merge/as_it_is.h"
#include "merge/compose.h"
#include "merge/layers.h"
#include "merge/mergekit_parameters.h"
#include "merge/operand.h"

namespace dws::merge {
namespace {

// One network of a slice, at its place there.
struct Part {
  int input = 0;
  const ConfigSource* source = nullptr;  // null: the base, which the configuration names elsewhere
  std::vector<int64_t> layers;           // their numbers
};
struct Parts {
  std::vector<Part> all;
  std::optional<size_t> base;                       // of `all`
  size_t lead() const { return base.value_or(0); }  // whose names and order the output has
};

class Planner {
 public:
  Planner(const MergeConfig& config, const ModelFinder& finder, const ConfigOptions& options)
      : config_(config), finder_(finder), options_(options) {}

  ConfiguredMerge run() {
    open_inputs();
    for (size_t m = 0; m < config_.modules.size(); ++m) add_module(m);
    // Wide types first, as safetensors files have them: every tensor then lies at a multiple of its element's size.
    std::ranges::stable_sort(done_.plan.tensors, std::greater{},
                             [](const OutputTensor& t) { return dtype_bits(t.dtype); });
    done_.plan.seed = options_.seed;
    done_.plan.compat = options_.compat;
    check_plan(done_.plan);
    return std::move(done_);
  }

 private:
  [[noreturn]] void fail(int line, const std::string& what, ErrorKind kind = ErrorKind::usage,
                         std::string advice = {}) const {
    throw Error(kind, text("{}: line {}: {}", config_.file, line, what), std::move(advice));
  }

  int open(const ModelName& model) {
    const std::string key = model.path + '\0' + model.revision;
    if (const auto at = opened_.find(key); at != opened_.end()) return at->second;
    const ModelPath found = finder_.find(model, config_.file);
    std::error_code none;
    for (size_t i = 0; i < done_.found.size(); ++i)
      if (std::filesystem::equivalent(done_.found[i].path, found.path, none))
        return opened_[key] = static_cast<int>(i);
    const auto other = options_.stand_ins.find(found.path);
    done_.inputs.push_back(
        Input::open(other != options_.stand_ins.end() ? other->second : found.path,
                    {.external = {}, .follow_links = found.follow_links || options_.follow_links}));
    done_.found.push_back(found);
    for (const std::string& warning : done_.inputs.back().warnings()) done_.warnings.push_back(warning);
    done_.names.push_back(model.path);
    return opened_[key] = static_cast<int>(done_.inputs.size()) - 1;
  }

  void open_inputs() {
    if (config_.base) open(*config_.base);
    for (const ConfigModule& module : config_.modules)
      for (const ConfigSlice& slice : module.slices) {
        if (slice.base) open(*slice.base);
        for (const ConfigSource& source : slice.sources) open(source.model);
      }
    done_.pattern = 0;  // the base, or else the first
    done_.tokenizer = config_.tokenizer == Tokenizer::model ? open(config_.tokenizer_model) : done_.pattern;
  }

  const Input& input(int i) const { return done_.inputs[static_cast<size_t>(i)]; }
  std::string path(int i) const { return one_line(input(i).path()); }

  // The module that a tensor is of: that whose name stands in the tensor's before the first number. -1: of none.
  int module_of(std::string_view tensor) const {
    int rest = -1;
    for (size_t m = 0; m < config_.modules.size(); ++m)
      if (config_.modules[m].name.empty() || config_.modules[m].name == "default") rest = static_cast<int>(m);
    for (const std::string& part : split(tensor, '.')) {
      if (to_int(part)) break;
      for (size_t m = 0; m < config_.modules.size(); ++m)
        if (config_.modules[m].name == part) return static_cast<int>(m);
    }
    return rest;
  }

  std::vector<std::string_view> names_of(int i, int module) const {
    std::vector<std::string_view> names;
    for (const InputTensor& t : input(i).tensors())
      if (module_of(t.name) == module) names.push_back(t.name);
    return names;
  }

  void add_module(size_t m) {
    const ConfigModule& module = config_.modules[m];
    const auto number = static_cast<int>(m);
    const std::vector<std::string_view> names = names_of(done_.pattern, number);
    if (names.empty())
      fail(module.line,
           text("module '{}': {} has no tensors of that name", escaped(module.name), path(done_.pattern)),
           ErrorKind::mismatch,
           text("its first tensor is '{}'", escaped(input(done_.pattern).tensors().front().name)));
    layers_ = Layers::find(names);
    std::vector<Parts> slices;
    for (const ConfigSlice& slice : module.slices) slices.push_back(parts(module, slice, number));

    const bool first = m == 0, last = m + 1 == config_.modules.size();
    add_others(number, first, true, module, module.slices.front(), slices.front());
    StackedLayers stacked{module.name, static_cast<int64_t>(layers_.numbers().size()), {}};
    for (size_t s = 0; s < slices.size(); ++s)
      add_slice(number, module, module.slices[s], slices[s], stacked);
    const std::vector<int64_t>& old = layers_.numbers();
    if (!module.whole && stacked.origin != old) done_.restacked = true;
    done_.layers.push_back(std::move(stacked));
    add_others(number, last, false, module, module.slices.back(), slices.back());
  }

  // The sources of a slice, with the base among them where it has to be.
  Parts parts(const ConfigModule& module, const ConfigSlice& slice, int number) {
    const Method method = config_.method;
    const MethodTraits& t = traits(method);
    Parts parts;
    for (const ConfigSource& source : slice.sources)
      parts.all.push_back({open(source.model), &source, layers_of(source, number)});
    const std::optional<ModelName>& base = slice.base ? slice.base : config_.base;
    if (base) {
      const int at = open(*base);
      for (size_t i = 0; i < parts.all.size() && !parts.base; ++i)
        if (parts.all[i].input == at) parts.base = i;
      if (!parts.base && module.whole && method != Method::passthrough) {
        parts.base = parts.all.size();
        parts.all.push_back({at, nullptr, layers_.of(names_of(at, number)).numbers()});
      }
    }
    const bool required = t.needs_base || method == Method::slerp;
    if (required && !base) fail(slice.line, text("{} needs the key 'base_model'", method_name(method)));
    if ((required || t.takes_base) && base && !parts.base)
      fail(slice.line, text("base_model {} is none of the sources of this slice", one_line(base->path)),
           ErrorKind::usage, "add it to 'sources' with its layer_range");
    check_lengths(slice, parts);
    const auto count = static_cast<int>(parts.all.size()) - (t.takes_base && parts.base ? 1 : 0);
    if (count < t.least || (t.most > 0 && count > t.most))
      fail(slice.line, text("{} takes {} networks{}, got {}", method_name(method),
                            t.most == t.least ? text("{}", t.least) : text("at least {}", t.least),
                            t.takes_base ? " besides the base" : "", count));
    // From the base to the other.
    if (method == Method::slerp && *parts.base == 1) {
      std::swap(parts.all[0], parts.all[1]);
      parts.base = 0;
    }
    return parts;
  }

  std::vector<int64_t> layers_of(const ConfigSource& source, int module) {
    const Layers all = layers_.of(names_of(open(source.model), module));
    if (!source.layers) return all.numbers();
    const auto [first, last] = *source.layers;
    const auto count = static_cast<int64_t>(all.numbers().size());
    if (!all.contiguous())
      fail(source.line, text("{}: no layers are found in the names of its tensors", path(open(source.model))),
           ErrorKind::mismatch, "names with a number for each layer, as model.layers.0.mlp.weight");
    if (last > count)
      fail(source.line,
           text("layer_range [{}, {}]: {} has {} layers", first, last, path(open(source.model)), count),
           ErrorKind::mismatch);
    std::vector<int64_t> numbers;
    for (int64_t layer = first; layer < last; ++layer) numbers.push_back(layer);
    return numbers;
  }

  void check_lengths(const ConfigSlice& slice, const Parts& parts) const {
    const Part& first = parts.all.front();
    for (const Part& part : parts.all)
      if (part.layers.size() != first.layers.size())
        fail(slice.line,
             text("{} layers of {}, but {} of {}", first.layers.size(), path(first.input), part.layers.size(),
                  path(part.input)),
             ErrorKind::mismatch, "all sources of a slice have the same number of layers");
  }

  void add_slice(int number, const ConfigModule& module, const ConfigSlice& slice, const Parts& parts,
                 StackedLayers& stacked) {
    const size_t count = parts.all.front().layers.size();
    for (size_t i = 0; i < count; ++i) {
      const double t = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 1;
      const int64_t out =
          module.whole ? parts.all[parts.lead()].layers[i] : static_cast<int64_t>(stacked.origin.size());
      // What the lead's layer has, then what only others have.
      std::vector<std::string> pieces;
      std::set<std::string> seen;
      for_leading(parts, [&](const Part& part) {
        for (const std::string_view name : in_layer(part.input, number, part.layers[i]))
          if (seen.emplace(name).second) pieces.emplace_back(name);
      });
      for (const std::string& piece : pieces)
        add(layers_.name(out, piece), module, slice, parts, t,
            [&](const Part& part) { return layers_.name(part.layers[i], piece); });
      stacked.origin.push_back(parts.all.front().layers[i]);
    }
  }

  // Parts of names of the tensors of a layer.
  const std::vector<std::string_view>& in_layer(int i, int module, int64_t layer) {
    auto& layers = by_layer_[{i, module}];
    if (layers.empty())
      for (const std::string_view name : names_of(i, module))
        if (const auto part = layers_.parse(name)) layers[part->layer].push_back(part->part);
    return layers[layer];
  }

  void for_leading(const Parts& parts, const std::function<void(const Part&)>& f) const {
    f(parts.all[parts.lead()]);
    for (size_t i = 0; i < parts.all.size(); ++i)
      if (i != parts.lead()) f(parts.all[i]);
  }

  // Tensors of no layer: those used before the layers or those after; `shared`: those of no module too.
  void add_others(int number, bool shared, bool before, const ConfigModule& module, const ConfigSlice& slice,
                  const Parts& parts) {
    std::vector<std::string> names;
    std::set<std::string> seen;
    for_leading(parts, [&](const Part& part) {
      for (const InputTensor& tensor : input(part.input).tensors()) {
        const int of = module_of(tensor.name);
        const bool here = of == number ? !layers_.parse(tensor.name) : shared && of < 0;
        if (here && stands_before_layers(tensor.name) == before && seen.insert(tensor.name).second)
          names.push_back(tensor.name);
      }
    });
    for (const std::string& name : names)
      add(name, module, slice, parts, before ? 0 : 1, [&](const Part&) { return name; });
  }

  using NameIn = std::function<std::string(const Part&)>;
  void add(const std::string& name, const ConfigModule& module, const ConfigSlice& slice, const Parts& parts,
           double t, const NameIn& name_in) {
    const ParameterLookup lookup(config_, module, slice, t);
    OutputTensor out;
    out.name = name;
    out.method = config_.method;
    const InputTensor* like = nullptr;
    int like_input = 0;
    const bool apart = traits(out.method).takes_base;
    for_leading(parts, [&](const Part& part) {
      Source source{.input = part.input, .tensor = name_in(part)};
      const InputTensor* tensor = find_tensor(part.input, source.tensor);
      if (!tensor) return;
      if (!like) {
        like = tensor;
        like_input = part.input;
        out.shape = tensor->shape;
      }
      fit(*tensor, part.input, *like, like_input, out);
    });
    for (size_t i = 0; i < parts.all.size() && like; ++i) {
      const Part& part = parts.all[i];
      Source source{.input = part.input, .tensor = name_in(part)};
      if (!find_tensor(part.input, source.tensor)) continue;
      const bool base = apart && parts.base == i;
      if (!base) lookup.set(source, part.source);
      if (!base && out.method == Method::linear && !part.source && !lookup.of_merge("weight", source.tensor))
        fail(config_.base->line,
             text("base_model {} is none of the models and has no weight", one_line(config_.base->path)),
             ErrorKind::usage, "add it to 'models' with a weight, or leave base_model out");
      if (base)
        out.base = source;
      else
        out.sources.push_back(source);
    }
    if (!like) return;
    Parameters defaults = default_parameters(config_.method, options_.compat);
    if (options_.rescale) defaults.rescale = *options_.rescale;
    out.parameters = lookup.parameters(name, defaults);
    settle(*like, out);
    done_.plan.tensors.push_back(std::move(out));
  }

  // A tensor by its name; of a network without a head of its own the embedding that it shares, whose name `name` then is. Null
  // for one that may be missing.
  const InputTensor* find_tensor(int i, std::string& name) {
    if (const InputTensor* tensor = input(i).find(name)) return tensor;
    if (is_output_head(name))
      for (const InputTensor& tensor : input(i).tensors())
        if (is_word_embedding(tensor.name)) {
          name = tensor.name;
          done_.untied = true;
          return &tensor;
        }
    if (options_.allow_missing) return nullptr;
    throw Error(ErrorKind::missing_tensor,
                text("{}: has no tensor '{}', which others have", path(i), escaped(name)), kMissingAdvice);
  }

  void fit(const InputTensor& t, int i, const InputTensor& like, int like_input, OutputTensor& out) const {
    const auto differ = [&](const std::string& expected, const std::string& got, const std::string& advice) {
      throw Error(ErrorKind::mismatch,
                  text("{}: tensor '{}': expected {} as '{}' of {}, got {}", path(i), escaped(t.name),
                       expected, escaped(like.name), path(like_input), got),
                  advice);
    };
    const bool numbers = merges(t.dtype) && merges(like.dtype);
    if (t.dtype != like.dtype && !(numbers && dtype()))
      differ(dtype_name(like.dtype), dtype_name(t.dtype),
             numbers ? "'dtype: bfloat16' or the like says of which type the result is to be" : "");
    if (t.shape == out.shape) return;
    const bool rows = differ_in_rows(t, out.shape);
    if (!rows || !options_.pad_vocab || !numbers)
      differ(shape_text(out.shape), shape_text(t.shape),
             rows && numbers ? "--pad-vocab takes rows that one lacks from those that have them" : "");
    out.pad_rows = true;
    out.shape.front() = std::max(out.shape.front(), t.shape.front());
  }

  std::optional<Dtype> dtype() const {
    if (options_.dtype) return options_.dtype;
    return config_.out_dtype ? config_.out_dtype : config_.dtype;
  }

  // What cannot be merged by the method is copied.
  void settle(const InputTensor& like, OutputTensor& out) {
    out.dtype = like.dtype;
    if (!merges(like.dtype)) return keep_one(out, done_.inputs, done_.warnings);
    out.dtype = dtype().value_or(like.dtype);
    const MethodTraits& t = traits(out.method);
    if (out.sources.empty()) {  // the base alone has it
      out.sources.push_back(*out.base);
      take_first(out, done_.inputs);
    } else if (static_cast<int>(out.sources.size()) < t.least) {
      take_first(out, done_.inputs);
    } else if (t.needs_base && !out.base) {  // no deltas: the mean of what there is
      out.method = Method::linear;
      out.parameters.normalize = true;
    } else if (out.method == Method::passthrough && !out.pad_rows) {
      const InputTensor& from = *input(out.sources.front().input).find(out.sources.front().tensor);
      out.copy = out.sources.front().scale == 1 && from.dtype == out.dtype;
    }
  }
  const MergeConfig& config_;
  const ModelFinder& finder_;
  const ConfigOptions& options_;
  ConfiguredMerge done_;
  std::map<std::string, int> opened_;
  Layers layers_;  // of the module that is being added
  std::map<std::pair<int, int>, std::map<int64_t, std::vector<std::string_view>>> by_layer_;
};

}  // namespace

ConfiguredMerge plan_config(const MergeConfig& config, const ModelFinder& finder,
                            const ConfigOptions& options) {
  ConfiguredMerge done = Planner(config, finder, options).run();
  done.warnings.insert(done.warnings.begin(), config.remarks.begin(), config.remarks.end());
  return done;
}

}  // namespace dws::merge
