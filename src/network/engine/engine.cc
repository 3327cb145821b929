#include "network/engine.h"

#include <algorithm>
#include <atomic>

#include "core/buffer.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "core/text.h"
#include "network/context.h"
#include "network/engine/arena.h"
#include "network/engine/fixed.h"
#include "network/engine/plan.h"
#include "network/executor.h"

namespace dws::network {
namespace {

using engine::Frame;
using engine::Step;

// Floats of activations that one core should have at a time: half of a second-level cache of 1 MiB.
constexpr int64_t kNear = int64_t{1} << 17;
// Rows of a product beyond which more of them gain nothing.
constexpr int64_t kMostSamples = 120;
// Where the activations of one sample do not fit anyway, a few share the weights that pass by.
constexpr int64_t kFewSamples = 4;

}  // namespace

struct Engine::Plan {
  const Network& network;
  EngineOptions options;
  int64_t piece = 1;
  std::vector<ArrayPtr> inputs;  // shapes of one piece
  engine::Builder::Result built;
  engine::Arena arena;
  std::unique_ptr<engine::Fixed> fixed;
  size_t steps_watched = 0;             // steps up to the last watched value
  std::vector<std::vector<int>> shown;  // by step: watched values that it makes
  std::vector<int> given;               // watched values that are inputs
  std::vector<std::vector<int64_t>> output_dims;
  std::vector<int64_t> output_sizes;
  std::unique_ptr<Network>
      widened;  // the network with watched values as outputs, where the reference executor runs it
  std::unique_ptr<Executor> reference;
  std::vector<std::pair<int, const float*>> replaced;
  std::vector<std::string> slow;

  Plan(const Network& net, EngineOptions opts) : network(net), options(std::move(opts)) {}

  std::vector<ArrayPtr> shapes_at(int64_t samples) const;
  void build(int64_t samples);
  void check_outputs();
  void as_a_whole(const std::string& why);
  void run(int64_t samples, const Fill& fill, const Take* take, const Observer* observer, int lanes);
  void run_piece(int64_t first, int64_t count, const Fill& fill, const Take* take, const Observer* observer,
                 int lane, Buffer<float>& memory) const;
  void run_whole(int64_t first, int64_t count, const Fill& fill, const Take* take, const Observer* observer,
                 int lane);
  void show(const Observer& observer, int value, const float* numbers, int64_t first, int64_t count,
            int lane) const;
};

std::vector<ArrayPtr> Engine::Plan::shapes_at(int64_t samples) const {
  std::vector<ArrayPtr> shapes;
  for (size_t i = 0; i < network.graph.inputs.size(); ++i) {
    const Value& value = network.values[static_cast<size_t>(network.graph.inputs[i])];
    Array a{.type = value.type.value_or(OnnxType::f32), .dims = {samples}};
    const auto& sample = options.samples[i];
    a.dims.insert(a.dims.end(), sample.begin(), sample.end());
    const auto fits = [&] {
      if (!value.dims) return true;
      if (value.dims->size() != a.dims.size()) return false;
      for (size_t axis = 1; axis < a.dims.size(); ++axis)
        if ((*value.dims)[axis] >= 0 && (*value.dims)[axis] != a.dims[axis]) return false;
      return true;
    };
    if (!fits())
      throw Error(ErrorKind::mismatch,
                  text("{}: input '{}' has shape {}, samples of shape {} do not fit", one_line(network.file),
                       escaped(value.name), shape_text(*value.dims), shape_text(sample)));
    if (!is_real(a.type) && !is_integer(a.type))
      throw Error(ErrorKind::mismatch, text("{}: input '{}' is not a tensor of numbers",
                                            one_line(network.file), escaped(value.name)));
    shapes.push_back(std::make_shared<const Array>(std::move(a)));
  }
  return shapes;
}

void Engine::Plan::check_outputs() {
  output_dims.clear();
  output_sizes.clear();
  const auto shape = [&](int v) { return built.shapes[static_cast<size_t>(v)]; };
  std::vector<int> all = network.graph.outputs;
  all.insert(all.end(), options.watched.begin(), options.watched.end());
  for (size_t o = 0; o < all.size(); ++o) {
    const ArrayPtr a = shape(all[o]);
    const std::string name = escaped(network.values[static_cast<size_t>(all[o])].name);
    if (!a || a->dims.empty() || a->size() % piece != 0 || a->dims[0] % piece != 0)
      throw Error(ErrorKind::mismatch,
                  text("{}: value '{}' of shape {} has no batch axis in front", one_line(network.file), name,
                       a ? shape_text(a->dims) : "unknown"));
    if (o >= network.graph.outputs.size()) continue;
    output_dims.push_back(a->dims);
    output_sizes.push_back(a->size() / piece);
  }
}

void Engine::Plan::as_a_whole(const std::string& why) {
  widened = std::make_unique<Network>(network);
  for (const int v : options.watched) widened->graph.outputs.push_back(v);
  reference = std::make_unique<Executor>(*widened, Precision::f64);
  slow = {why};
}

void Engine::Plan::build(int64_t samples) {
  piece = samples;
  inputs = shapes_at(samples);
  std::vector<ArrayPtr> shapes = infer(network, inputs);
  for (const Node& node : network.graph.nodes)
    if (!find_operator(node.domain, node.op))
      throw Error(ErrorKind::unsupported, text("{}: {}: operator {} cannot be run", one_line(network.file),
                                               node.where(network.values), escaped(node.op)));
  reference.reset();
  slow.clear();
  std::string why;
  try {
    engine::Builder builder(network, shapes, options.watched);
    built = builder.take();
    slow = built.slow;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
    built = {};
    built.shapes = shapes;
    why = e.what();
  }
  check_outputs();
  if (!why.empty()) return as_a_whole(why);
  std::vector<int> kept = network.graph.outputs;
  arena = engine::lay_out(built, network.graph.inputs, kept);
  fixed = std::make_unique<engine::Fixed>(network, built, kept);
  shown.assign(built.steps.size(), {});
  steps_watched = 0;
  given.clear();
  for (const int v : options.watched) {
    int root = v;
    while (built.alias_of[static_cast<size_t>(root)] != kNone)
      root = built.alias_of[static_cast<size_t>(root)];
    const auto made =
        std::ranges::find_if(built.steps, [&](const Step& s) { return std::ranges::count(s.writes, root); });
    if (made == built.steps.end()) {
      given.push_back(v);
      continue;
    }
    const auto at = static_cast<size_t>(made - built.steps.begin());
    shown[at].push_back(v);
    steps_watched = std::max(steps_watched, at + 1);
  }
}

Engine::Engine(const Network& network, const EngineOptions& options)
    : plan_(std::make_unique<Plan>(network, options)) {
  if (options.samples.size() != network.graph.inputs.size())
    throw Error(ErrorKind::mismatch, text("{}: expected {} inputs, got {}", one_line(network.file),
                                          network.graph.inputs.size(), options.samples.size()));
  int64_t declared = -1;
  for (const int input : network.graph.inputs) {
    const Value& value = network.values[static_cast<size_t>(input)];
    if (value.dims && !value.dims->empty() && value.dims->front() >= 0) declared = value.dims->front();
  }
  if (declared == 0)
    throw Error(ErrorKind::mismatch, text("{}: a batch of no samples", one_line(network.file)));
  if (declared > 0 || options.piece > 0) {
    plan_->build(declared > 0 ? declared : options.piece);
    return;
  }
  plan_->build(1);
  const int64_t near = kNear / std::max<int64_t>(1, plan_->arena.activations);
  const int64_t samples = plan_->reference ? 1 : std::clamp(near, kFewSamples, kMostSamples);
  if (samples > 1) {
    try {
      plan_->build(samples);
    } catch (const Error& e) {
      // A graph that was exported for one sample has its number within.
      if (e.kind() == ErrorKind::interrupted || e.kind() == ErrorKind::resource_limit) throw;
      plan_->build(1);
    }
  }
}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;

int64_t Engine::piece() const noexcept {
  return plan_->piece;
}
int64_t Engine::output_size(int output) const noexcept {
  return plan_->output_sizes[static_cast<size_t>(output)];
}
const std::vector<int64_t>& Engine::output_dims(int output) const noexcept {
  return plan_->output_dims[static_cast<size_t>(output)];
}
const std::vector<std::string>& Engine::slow() const noexcept {
  return plan_->slow;
}
double Engine::flops() const noexcept {
  return plan_->built.flops / static_cast<double>(plan_->piece);
}
void Engine::set(int constant, const float* numbers) {
  const Constant& c = plan_->network.constants.at(static_cast<size_t>(constant));
  if (!is_real(c.type))
    throw Error(ErrorKind::unknown_dtype,
                text("tensor '{}' holds no floating point numbers", escaped(c.name)));
  std::erase_if(plan_->replaced, [&](const auto& pair) { return pair.first == constant; });
  if (numbers) plan_->replaced.emplace_back(constant, numbers);
  if (plan_->fixed) plan_->fixed->set(constant, numbers);
}

void Engine::Plan::show(const Observer& observer, int value, const float* numbers, int64_t first,
                        int64_t count, int lane) const {
  const int64_t size = built.shapes[static_cast<size_t>(value)]->size() / piece;
  observer({.value = value, .numbers = numbers, .size = size, .first = first, .count = count, .lane = lane});
}

void Engine::Plan::run_piece(int64_t first, int64_t count, const Fill& fill, const Take* take,
                             const Observer* observer, int lane, Buffer<float>& memory) const {
  std::vector<float*> values = fixed->numbers();
  arena.place(memory.data(), values);
  Frame frame{values.data(), memory.data() + arena.scratch_at};
  const auto at = [&](int v) { return values[static_cast<size_t>(v)]; };
  for (size_t i = 0; i < network.graph.inputs.size(); ++i) {
    float* to = at(network.graph.inputs[i]);
    fill(static_cast<int>(i), first, count, to);
    // What is missing of the last piece is its first sample: lengths and positions that an operator takes are within bounds.
    const int64_t size = inputs[i]->size() / piece;
    for (int64_t k = count; k < piece; ++k) std::copy_n(to, size, to + k * size);
  }
  if (observer)
    for (const int v : given) show(*observer, v, at(v), first, count, lane);
  const size_t steps = take ? built.steps.size() : steps_watched;
  for (size_t s = 0; s < steps; ++s) {
    built.steps[s].work(frame);
    if (observer)
      for (const int v : shown[s]) show(*observer, v, at(v), first, count, lane);
  }
  if (!take) return;
  std::vector<const float*> outputs;
  for (const int output : network.graph.outputs) outputs.push_back(at(output));
  (*take)(first, count, outputs);
}

void Engine::Plan::run_whole(int64_t first, int64_t count, const Fill& fill, const Take* take,
                             const Observer* observer, int lane) {
  std::vector<ArrayPtr> arrays;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Buffer<float> numbers(static_cast<size_t>(inputs[i]->size()));
    fill(static_cast<int>(i), first, count, numbers.data());
    arrays.push_back(engine::from_floats(*inputs[i], numbers.data()));
  }
  Replacements others;
  for (const auto& [constant, numbers] : replaced) {
    const Constant& c = network.constants[static_cast<size_t>(constant)];
    others[constant] = engine::from_floats({.type = c.type, .dims = c.dims}, numbers);
  }
  const std::vector<ArrayPtr> outputs = reference->run(arrays, others);
  std::vector<std::vector<float>> floats;
  std::vector<const float*> numbers;
  for (const ArrayPtr& output : outputs) {
    engine::to_floats(*output, floats.emplace_back(static_cast<size_t>(output->size())).data());
    numbers.push_back(floats.back().data());
  }
  const size_t own = network.graph.outputs.size();
  if (observer)
    for (size_t w = 0; w < options.watched.size(); ++w)
      show(*observer, options.watched[w], numbers[own + w], first, count, lane);
  numbers.resize(own);
  if (take) (*take)(first, count, numbers);
}

void Engine::Plan::run(int64_t samples, const Fill& fill, const Take* take, const Observer* observer,
                       int lanes) {
  const int64_t pieces = (samples + piece - 1) / piece;
  const int64_t ways = lanes > 0 ? std::min<int64_t>(lanes, pieces) : pieces;
  if (reference) {
    for (int64_t p = 0; p < pieces; ++p) {
      check_interrupt();
      run_whole(p * piece, std::min(piece, samples - p * piece), fill, take, observer,
                static_cast<int>(p % ways));
    }
    return;
  }
  fixed->prepare();
  std::vector<Buffer<float>> memory(static_cast<size_t>(std::max(1, threads())));
  parallel_for(ways, [&](int64_t lane) {
    Buffer<float>& own = memory[static_cast<size_t>(worker_index())];
    if (own.empty()) own = Buffer<float>(static_cast<size_t>(std::max<int64_t>(1, arena.size)));
    for (int64_t p = lane; p < pieces; p += ways) {
      check_interrupt();
      run_piece(p * piece, std::min(piece, samples - p * piece), fill, take, observer, static_cast<int>(lane),
                own);
    }
  });
}

void Engine::run(int64_t samples, const Fill& fill, const Take& take) {
  plan_->run(samples, fill, &take, nullptr, 0);
}
void Engine::observe(int64_t samples, const Fill& fill, const Observer& observer, int lanes) {
  plan_->run(samples, fill, nullptr, &observer, std::max(1, lanes));
}
void Engine::run(int64_t samples, const Fill& fill, const Take& take, const Observer& observer, int lanes) {
  plan_->run(samples, fill, &take, &observer, std::max(1, lanes));
}

}  // namespace dws::network
