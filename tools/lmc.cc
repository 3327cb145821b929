// dws lmc: loss and accuracy along the line between networks (linear mode connectivity).
#include <filesystem>
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/file.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "curve_plot.h"
#include "data_input.h"

namespace dws::tools {
namespace {

struct Lmc {
  std::vector<std::string> paths, names;
  NetworkOptions network;
  DataOptions data;
  int points = 25;
  std::string plot;
  bool json = false, force = false;

  int run() const;
  NamedCurve curve(network::Evaluator& evaluator, const NetworkInput& a, size_t which,
                   Progress& progress) const;
  void write(const NamedCurve& curve, const std::string& other) const;
};

NamedCurve Lmc::curve(network::Evaluator& evaluator, const NetworkInput& a, size_t which,
                      Progress& progress) const {
  const NetworkInput b = read_network(paths[which], network);
  network::Line line(a.network, b.network);
  NamedCurve curve;
  curve.name =
      which - 1 < names.size() ? names[which - 1] : std::filesystem::path(paths[which]).filename().string();
  for (int i = 0; i < points; ++i) {
    check_interrupt();
    const double lambda = static_cast<double>(i) / (points - 1);
    line.set(evaluator.engine(), lambda);
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
  const NetworkInput a = read_network(paths[0], network);
  const LabelledData samples = read_data(data, a);
  network::Evaluator evaluator(a.network, samples, evaluator_options(data));
  warn_if_slow(evaluator.engine(), paths[0]);
  std::vector<NamedCurve> curves;
  {
    Progress progress("lmc", "points", points * static_cast<int64_t>(paths.size() - 1));
    for (size_t which = 1; which < paths.size(); ++which)
      curves.push_back(curve(evaluator, a, which, progress));
  }
  for (size_t i = 0; i < curves.size(); ++i) write(curves[i], paths[i + 1]);
  if (!plot.empty()) {
    const auto name = [](const std::string& path) { return std::filesystem::path(path).filename().string(); };
    write_text(plot, curve_svg(curves, name(paths[0]), curves.size() == 1 ? name(paths[1]) : "other"), force);
  }
  return 0;
}

}  // namespace

void register_lmc(CLI::App& app, const Globals&, Run& run) {
  auto verb = std::make_shared<Lmc>();
  CLI::App* sub =
      app.add_subcommand("lmc", "loss and accuracy along the line between two networks, and its barrier");
  sub->footer(
      "lambda 0 is A, 1 is B; all floating tensors move, running statistics too.\n"
      "Example:\n  dws lmc a.safetensors b.safetensors --data t10k-images-idx3-ubyte --plot curve.svg");
  sub->add_option("FILES", verb->paths, "A, and one B or several: a curve each")
      ->required()
      ->expected(2, 100);
  sub->add_option("--points", verb->points, "on each line, both ends included")
      ->check(CLI::Range(2, 10'000))
      ->capture_default_str();
  sub->add_option("--names", verb->names, "what the curves are called, with commas between")
      ->allow_extra_args(false)
      ->delimiter(',');
  sub->add_option("--plot", verb->plot, "a picture of the curves, SVG");
  sub->add_flag("--force", verb->force, "overwrite the picture");
  sub->add_flag("--json", verb->json, "JSON on stdout, a line a curve");
  add_data_options(*sub, verb->data);
  add_network_options(*sub, verb->network);
  sub->callback([verb, &run] { run = [verb] { return verb->run(); }; });
}

}  // namespace dws::tools
