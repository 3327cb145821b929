// dws lmc: loss and accuracy along the line between networks (linear mode connectivity).
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "command.h"
#include "core/error.h"
#include "core/file.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "curve_plot.h"
#include "data_input.h"
#include "repair.h"

namespace dws::tools {
namespace {

struct Lmc {
  std::vector<std::string> paths, names;
  NetworkOptions network;
  DataOptions data;
  int points = 25;
  std::string plot;
  bool json = false, force = false, repair = false;
  std::vector<std::string> repair_files;  // what statistics are measured on
  int64_t repair_limit = 5'000;

  int run() const;
  NamedCurve curve(network::Evaluator& evaluator, const NetworkInput& a, size_t which,
                   const LabelledData* measured, Progress& progress) const;
  void write(const NamedCurve& curve, const std::string& other) const;
};

// The networks between two ends, with statistics set right.
class Repaired {
 public:
  Repaired(const network::Network& a, network::Line& line, const LabelledData& data)
      : line_(line), data_(repair_data(data)), repair_(a, {network::sample_dims(a, data)}) {
    for (const double end : {0.0, 1.0})
      if (!repair_.has_norms()) goals_.push_back(repair_.measure(data_, at(end)));
  }
  const network::Repair& repair() const noexcept { return repair_; }
  // On an engine that line.set() has been called for; until the next call.
  void set(network::Engine& engine, double lambda) {
    changed_ = repair_.run(data_,
                           goals_.empty() ? std::vector<network::ChannelStatistics>{}
                                          : network::mean_of(goals_, {1 - lambda, lambda}),
                           at(lambda));
    for (const auto& [constant, numbers] : changed_) engine.set(constant, numbers.data());
  }

 private:
  network::OtherTensors at(double lambda) {
    return {.set = [this, lambda](network::Engine& e) { line_.set(e, lambda); },
            .numbers = [this](int constant) { return line_.numbers(constant); }};
  }
  network::Line& line_;
  network::RepairData data_;
  network::Repair repair_;
  std::vector<std::vector<network::ChannelStatistics>> goals_;
  std::map<int, std::vector<float>> changed_;
};

NamedCurve Lmc::curve(network::Evaluator& evaluator, const NetworkInput& a, size_t which,
                      const LabelledData* measured, Progress& progress) const {
  const NetworkInput b = read_network(paths[which], network);
  network::Line line(a.network, b.network);
  std::optional<Repaired> repaired;
  if (measured) {
    repaired.emplace(a.network, line, *measured);
    say_repair(repaired->repair(), paths[which], measured->size());
  }
  NamedCurve curve;
  curve.name =
      which - 1 < names.size() ? names[which - 1] : std::filesystem::path(paths[which]).filename().string();
  for (int i = 0; i < points; ++i) {
    check_interrupt();
    const double lambda = static_cast<double>(i) / (points - 1);
    line.set(evaluator.engine(), lambda);
    if (repaired && i > 0 && i < points - 1)
      repaired->set(evaluator.engine(), lambda);  // the ends are as given
    const network::Evaluation e = evaluator.run();
    curve.points.push_back({lambda, e.loss, e.accuracy()});
    progress.add(1);
  }
  curve.barrier = network::barrier_of(curve.points);
  return curve;
}

void Lmc::write(const NamedCurve& c, const std::string& other) const {
  const network::Barrier& b = c.barrier;
  if (json) {
    Json list = Json::array();
    for (const auto& p : c.points)
      list.push_back(Json::object({{"lambda", p.lambda}, {"loss", p.loss}, {"accuracy", p.accuracy}}));
    print(Json::object({{"schema", "dws.lmc/1"},
                        {"a", paths[0]},
                        {"b", other},
                        {"name", c.name},
                        {"points", list},
                        {"barrier", std::max(0.0, b.highest)},
                        {"barrier_unclamped", b.highest},
                        {"barrier_lambda", b.at},
                        {"barrier_over_mean", std::max(0.0, b.over_mean)},
                        {"barrier_over_mean_unclamped", b.over_mean},
                        {"barrier_over_mean_lambda", b.over_mean_at},
                        {"area", b.clamped_area},
                        {"area_unclamped", b.area}})
              .dump());
    return;
  }
  if (paths.size() > 2) print(text("# {}", one_line(c.name)));
  print("lambda\tloss\taccuracy");
  for (const auto& p : c.points) print(text("{:.4f}\t{:.6f}\t{:.4f}", p.lambda, p.loss, p.accuracy));
  print(
      text("# barrier {:.4f} at lambda {:.4f} over the chord (generalised); {:.4f} at {:.4f} over the mean "
           "of the ends "
           "(Git Re-Basin); area {:.4f}",
           std::max(0.0, b.highest), b.at, std::max(0.0, b.over_mean), b.over_mean_at, b.clamped_area));
}

int Lmc::run() const {
  if (names.size() > paths.size() - 1)
    throw Error(ErrorKind::usage, text("--names: {} names for {} curves", names.size(), paths.size() - 1));
  if (!plot.empty()) {
    for (const std::string& path : paths) require_other_file(plot, path, "--plot");
    require_writable(plot, force);
  }
  if (repair != !repair_files.empty())
    throw Error(ErrorKind::usage, repair ? "--repair needs --repair-data" : "--repair-data is for --repair",
                "give the data that was trained on: statistics are not to come from what is judged");
  const NetworkInput a = read_network(paths[0], network);
  const LabelledData samples = read_data(data, a);
  std::optional<LabelledData> measured;
  if (repair) {
    DataOptions options = data;
    options.data = repair_files;
    options.labels.clear();
    options.limit = repair_limit;
    measured = read_data(options, a);
  }
  network::Evaluator evaluator(a.network, samples, evaluator_options(data));
  warn_if_slow(evaluator.engine(), paths[0]);
  std::vector<NamedCurve> curves;
  {
    Progress progress("lmc", "points", points * static_cast<int64_t>(paths.size() - 1));
    for (size_t which = 1; which < paths.size(); ++which)
      curves.push_back(curve(evaluator, a, which, measured ? &*measured : nullptr, progress));
  }
  for (size_t i = 0; i < curves.size(); ++i) write(curves[i], paths[i + 1]);
  if (!plot.empty()) {
    const auto name = [](const std::string& path) { return std::filesystem::path(path).filename().string(); };
    write_text(plot, curve_svg(curves, name(paths[0]), curves.size() == 1 ? name(paths[1]) : "other"), force);
  }
  return 0;
}

}  // namespace

void register_lmc(Options& app, const Globals&, Run& run) {
  auto verb = std::make_shared<Lmc>();
  Options* sub =
      app.add_subcommand("lmc", "loss and accuracy along the line between two networks, and its barrier");
  sub->footer(
      "lambda 0 is A, 1 is B; all floating tensors move, running statistics too.\n"
      "Example:\n  dws lmc a.safetensors b.safetensors --data t10k-images-idx3-ubyte --plot curve.svg");
  sub->add_option("FILES", verb->paths, "A, and one B or several: a curve each")
      ->required()
      ->expected(2, 100);
  sub->add_option("--points", verb->points, "on each line, both ends included")
      ->check(range(2, 10'000))
      ->capture_default_str();
  sub->add_option("--names", verb->names, "what the curves are called, with commas between")
      ->allow_extra_args(false)
      ->delimiter(',');
  sub->add_option("--plot", verb->plot, "a picture of the curves, SVG");
  sub->add_flag(
      "--repair", verb->repair,
      "at each point between the ends set statistics right on --repair-data: of BatchNorm, or (REPAIR) "
      "of each hidden layer's channels");
  sub->add_option("--repair-data", verb->repair_files, "data for it, as --data")->allow_extra_args(false);
  sub->add_option("--repair-limit", verb->repair_limit, "only the first so many samples of it")
      ->check(positive_number())
      ->capture_default_str();
  sub->add_flag("--force", verb->force, "overwrite the picture");
  sub->add_flag("--json", verb->json, "JSON on stdout, a line a curve");
  add_data_options(*sub, verb->data);
  add_network_options(*sub, verb->network);
  sub->callback([verb, &run] { run = [verb] { return verb->run(); }; });
}

}  // namespace dws::tools
