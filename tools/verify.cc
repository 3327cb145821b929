// dws verify: runs a network before and after random elements of its symmetry, or compares two networks.
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/text.h"
#include "network_input.h"
#include "symmetry/verify.h"

namespace dws::tools {
namespace {

struct Verify {
  std::vector<std::string> paths;
  std::string spec_file, precision = "f64";
  NetworkOptions network;
  symmetry::VerifyOptions options{};
  double tolerance = 0;  // 0: by precision
  bool json = false;

  int run();
  int one();
  int two();
};

int Verify::run() {
  options.precision = precision == "f32" ? network::Precision::f32 : network::Precision::f64;
  options.tolerance = tolerance > 0 ? tolerance : precision == "f32" ? 1e-5 : 1e-10;
  options.set = parse_inputs(network);
  return paths.size() == 1 ? one() : two();
}

int Verify::one() {
  const NetworkInput input = read_network(paths[0], network);
  require_memory(input, 2);  // before and after
  const symmetry::Spec spec = spec_of(spec_file, input);
  const symmetry::Verdict verdict = symmetry::verify(input.network, input.inputs, spec, options);
  const int64_t groups = spec.free_groups();
  if (json) {
    print(Json::object({{"schema", "dws.verify/1"},
                        {"file", paths[0]},
                        {"holds", verdict.holds},
                        {"difference", verdict.difference},
                        {"tolerance", options.tolerance},
                        {"precision", precision},
                        {"trials", options.trials},
                        {"groups", groups},
                        {"coverage", spec.coverage()},
                        {"guilty", verdict.guilty.empty() ? Json() : Json(verdict.guilty)},
                        {"control", verdict.control},
                        {"control_difference", verdict.control_difference}})
              .dump());
  } else {
    print(text("{}: {} groups, {:.1f} % of parameters, largest relative difference {:.2g} in {} trials: {}",
               one_line(paths[0]), groups, 100 * spec.coverage(), verdict.difference, options.trials,
               verdict.holds ? "the same function" : "NOT the same function"));
    if (!verdict.holds && !verdict.guilty.empty()) print(text("guilty: group '{}'", escaped(verdict.guilty)));
    if (verdict.holds && verdict.control)
      print(text("control: without one tensor of group '{}' the difference is {:.2g}",
                 escaped(verdict.control_group), verdict.control_difference));
    if (verdict.holds && !verdict.control && groups > 0)
      print("control: the network is constant on the inputs tried, which shows nothing");
  }
  return verdict.holds ? 0 : 1;
}

int Verify::two() {
  const NetworkInput a = read_network(paths[0], network), b = read_network(paths[1], network);
  require_memory(a, 1);
  require_memory(b, 1);
  const auto same_inputs = [&] {
    if (a.inputs.size() != b.inputs.size()) return false;
    for (size_t i = 0; i < a.inputs.size(); ++i) {
      const network::Array &x = *a.inputs[i], &y = *b.inputs[i];
      if (x.dims != y.dims || (x.type != y.type && !(x.real() && y.real()))) return false;
    }
    return true;
  };
  if (!same_inputs())
    throw Error(ErrorKind::mismatch,
                text("{} and {} take different inputs", one_line(paths[0]), one_line(paths[1])));
  network::Executor run_a(a.network, options.precision), run_b(b.network, options.precision);
  Rng rng(options.seed);
  double difference = 0;
  for (int trial = 0; trial < options.trials; ++trial) {
    const auto inputs = symmetry::random_inputs(a.network, a.inputs, options.set, rng);
    auto others = inputs;  // the same numbers in another format, where b is stored in it
    for (size_t i = 0; i < others.size(); ++i)
      if (others[i]->type != b.inputs[i]->type) {
        network::Array as = *inputs[i];
        as.type = b.inputs[i]->type;
        others[i] = std::make_shared<const network::Array>(std::move(as));
      }
    difference = std::max(difference, symmetry::relative_difference(run_a.run(inputs), run_b.run(others)));
  }
  const bool same = difference <= options.tolerance;
  if (json)
    print(Json::object({{"schema", "dws.verify/1"},
                        {"file", paths[0]},
                        {"other", paths[1]},
                        {"holds", same},
                        {"difference", difference},
                        {"tolerance", options.tolerance},
                        {"precision", precision},
                        {"trials", options.trials}})
              .dump());
  else
    print(text("largest relative difference {:.2g} in {} trials: {}", difference, options.trials,
               same ? "the same function" : "NOT the same function"));
  return same ? 0 : 1;
}

}  // namespace

void register_verify(Options& app, const Globals&, Run& run) {
  auto verb = std::make_shared<Verify>();
  Options* sub = app.add_subcommand(
      "verify",
      "runs a network before and after random changes that must not matter, or compares two networks");
  sub->add_option("FILES", verb->paths, "one network, or two to compare")->required()->expected(1, 2);
  sub->add_option("--spec", verb->spec_file, "a spec of `dws symmetry -o`; found anew when not given");
  sub->add_option("--trials", verb->options.trials, "random elements to try")->check(range(1, 1'000'000));
  sub->add_option("--tol", verb->tolerance,
                  "largest relative difference that is no difference: 1e-10, in f32 1e-5")
      ->check(positive_number());
  sub->add_option("--precision", verb->precision, "f64, or f32: every result rounded to the model's types")
      ->check(one_of({"f64", "f32"}));
  sub->add_option("--seed", verb->options.seed, "of elements and inputs");
  sub->add_flag("--json", verb->json, "JSON on stdout");
  add_network_options(*sub, verb->network);
  add_input_options(*sub, verb->network);
  sub->callback([verb, &run] { run = [verb] { return verb->run(); }; });
}

}  // namespace dws::tools
