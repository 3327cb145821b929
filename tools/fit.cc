// dws fit: one implicit neural representation an image.
#include <cmath>

#include "command.h"
#include "core/error.h"
#include "core/text.h"
#include "format/images.h"
#include "inr/fit_zoo.h"

namespace dws::tools {
namespace {

struct Settings {
  std::string images, labels, out, arch, shard;
  FitOptions options;
  bool force = false, json = false;
};

void parse_shard(const std::string& word, FitOptions& options) {
  if (word.empty()) return;
  const std::vector<std::string> parts = split(word, '/');
  if (parts.size() != 2)
    throw Error(ErrorKind::usage, text("--shard '{}': expected I/N", escaped(word)),
                "for example --shard 0/8");
  options.shard_index = parse_int(parts[0], "--shard");
  options.shard_count = parse_int(parts[1], "--shard");
}

Json source_of(const Settings& settings, const Json& recipe) {
  Json source = Json::object();
  const Json* hashes = recipe.find("inputs");
  const auto put = [&](const char* key, const std::string& path) {
    if (path.empty()) return;
    Json file = Json::object();
    file.set("file", path.substr(path.find_last_of('/') + 1));
    if (const Json* hash = hashes ? hashes->find(path) : nullptr) file.set("hash", *hash);
    source.set(key, std::move(file));
  };
  put("images", settings.images);
  put("labels", settings.labels);
  return source;
}

int fit(Settings settings, const Globals& globals) {
  FitOptions& options = settings.options;
  parse_shard(settings.shard, options);
  if (!settings.arch.empty()) options.arch = MlpArch::parse(settings.arch);
  const Images images = read_images(settings.images);
  std::vector<int64_t> labels;
  if (!settings.labels.empty()) labels = read_labels(settings.labels);
  std::vector<std::string> inputs = {settings.images};
  if (!settings.labels.empty()) inputs.push_back(settings.labels);
  const Json made = recipe(globals, inputs);

  FitOutput output;
  output.path = settings.out;
  output.force = settings.force;
  output.source = source_of(settings, made);
  output.metadata = {{"dws.recipe", made.dump()}};
  const FitSummary summary = fit_images(images, labels, options, output);

  const auto fresh = static_cast<double>(summary.networks - summary.resumed);
  const double rate = summary.seconds > 0 ? fresh / summary.seconds : 0;
  if (!settings.json) {
    print(text("{}: {} networks, PSNR mean {:.2f} dB, min {:.2f}, max {:.2f}, {:.1f} s, {:.1f} networks/s",
               settings.out, summary.networks, summary.psnr_mean, summary.psnr_min, summary.psnr_max,
               summary.seconds, rate));
    return 0;
  }
  Json line = Json::object();
  line.set("schema", "dws.fit/1");
  line.set("output", settings.out);
  line.set("networks", summary.networks);
  line.set("resumed", summary.resumed);
  line.set("psnr_mean", summary.psnr_mean);
  line.set("psnr_min", summary.psnr_min);
  line.set("psnr_max", summary.psnr_max);
  line.set("steps", summary.steps);
  line.set("seconds", summary.seconds);
  line.set("networks_per_second", rate);
  line.set("recipe", made);
  print(line.dump());
  return 0;
}

}  // namespace

void register_fit(Options& app, const Globals& globals, Run& run) {
  auto settings = std::make_shared<Settings>();
  FitOptions& options = settings->options;
  Options* sub = app.add_subcommand("fit", "fit one implicit neural representation an image, many at once");
  sub->footer(
      "Example:\n  dws fit train-images-idx3-ubyte --labels train-labels-idx1-ubyte -o zoo.safetensors");
  sub->add_option("IMAGES", settings->images, "IDX file, PNG file or folder of PNGs, or a CIFAR-10 batch")
      ->required();
  sub->add_option("-o,--output", settings->out, "zoo file to write")->required();
  sub->add_option("--labels", settings->labels, "labels of the images: IDX file or CIFAR-10 batch");
  sub->add_option("--arch", settings->arch,
                  "widths, column and row first: 2-32-32-1 (default; last: channels)");
  sub->add_option("--activation", options.activation, "siren, relu or tanh")->capture_default_str();
  sub->add_option("--omega", options.omega, "frequency factor of sine layers")->capture_default_str();
  sub->add_option("--steps", options.steps, "full-batch steps of Adam")->capture_default_str();
  sub->add_option("--lr", options.lr, "learning rate")->capture_default_str();
  sub->add_option("--weight-decay", options.weight_decay, "L2 factor")->capture_default_str();
  sub->add_option("--psnr-stop", options.psnr_stop, "stop a network at this PSNR in dB, 0: never")
      ->capture_default_str();
  sub->add_option("--init", options.init, "random: each network its own start; shared: one for all images")
      ->capture_default_str();
  sub->add_option("--views", options.views, "networks an image, each with its own start")
      ->capture_default_str();
  sub->add_option("--limit", options.limit, "the first images only, 0: all")->capture_default_str();
  sub->add_option("--shard", settings->shard, "I/N: images whose index modulo N is I, from 0");
  sub->add_option("--seed", options.seed, "seed of all random numbers")->capture_default_str();
  sub->add_option("--fourier-features", options.fourier_features,
                  "relu, tanh: random Fourier features in front of the network")
      ->capture_default_str();
  sub->add_option("--fourier-scale", options.fourier_scale, "their deviation in cycles per unit")
      ->capture_default_str();
  sub->add_flag("--force", settings->force, "overwrite the output; drop an unfinished fit of other settings");
  sub->add_flag("--json", settings->json, "summary as JSON");
  sub->callback(
      [settings, &globals, &run] { run = [settings, &globals] { return fit(*settings, globals); }; });
}

}  // namespace dws::tools
