#include "train_network.h"

#include <memory>

#include "core/error.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/text.h"
#include "tasknets/network_file.h"
#include "train/image_set.h"
#include "train/metrics_log.h"
#include "train/trainer.h"

namespace dws::tools {
namespace {

constexpr int64_t kMostParameters = int64_t{1} << 30;

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double v : values) list.push_back(v);
  return list;
}

// A norm is a word of the settings like those of other models; --norm none, batch, layer.
nn::Norm norm_of(TrainSettings& settings) {
  const std::string word = settings.take("norm");
  return word.empty() ? nn::Norm::none : nn::parse_norm(word);
}

// A result on pictures that were trained on means nothing.
void warn_if_seen(const train::ImageSet& images, const train::ImageSet& test, const Json& hashes) {
  for (const std::string& b : test.files())
    for (const std::string& a : images.files())
      if (hashes.at(a).as_string() == hashes.at(b).as_string())
        return log_warn(text("{}: is trained on and tested on", one_line(b)));
}

int64_t parameters_of(const ClassifierConfig& c) {
  int64_t C = c.channels, features = c.arch.of_pictures ? 0 : c.height * c.width * c.channels, total = 0;
  for (const Arch::Layer& layer : c.arch.layers) {
    if (layer.kind == Arch::Kind::conv) {
      total += layer.kernel * layer.kernel * C * layer.width;
      C = layer.width;
    } else if (layer.kind == Arch::Kind::linear) {
      total += (features > 0 ? features : C) * layer.width;
      features = layer.width;
    }
    if (total > kMostParameters) break;
  }
  return total;
}

}  // namespace

void NetworkTraining::add_options(Options& verb) {
  const char* group = "Networks";
  verb.add_option("--arch", arch,
                  "of --task network: mlp:W,W,... fully connected; cnn:F[kK][sS],...: convolutions by "
                  "filters, kernel "
                  "[3], stride [1], with p and a halving by maximum and mean and fW at the end; vgg:W")
      ->group(group);
  verb.add_option("--activation", activation, "relu, tanh or gelu (its tanh form) [relu]")->group(group);
  verb.add_option("--test-labels", test_labels, "label file of --test [in it or beside it]")->group(group);
}

int NetworkTraining::run(const Request& r) const {
  TrainSettings& settings = r.settings;
  if (arch.empty())
    throw Error(ErrorKind::usage, "--task network needs the layers of the network",
                "for example --arch mlp:512,512,512 or --arch cnn:16,32,p,64,p");
  ClassifierConfig config{.arch = parse_arch(arch),
                          .norm = norm_of(settings),
                          .activation = activation.empty() ? Activation::relu : parse_activation(activation)};
  const train::ImageAugmentation augmentation = train::parse_image_augmentation(settings.take("augment"));
  settings.require_no_model("--task network");
  // Pictures are many and networks large: fewer gradients to add up.
  settings.training.shards = 4;
  settings.resolve();
  const train::TrainOptions& options = settings.training;
  const std::string checkpoint = r.out + ".ckpt";
  const bool goes_on = check_train_outputs(r.out, r.resume, r.force);

  const auto label_files = [](const std::string& file) {
    return file.empty() ? std::vector<std::string>{} : std::vector<std::string>{file};
  };
  const train::ImageSet images = train::ImageSet::open(r.data, label_files(r.labels), r.limit);
  config.height = images.height();
  config.width = images.width();
  config.channels = images.channels();
  config.classes = std::max(r.classes, images.classes());
  std::optional<train::ImageSet> test;
  if (!r.test.empty()) {
    test = train::ImageSet::open(r.test, label_files(test_labels));
    images.require_same(*test, config.classes);
  }
  if (r.classes > 0) images.require_same(images, r.classes);
  if (parameters_of(config) > kMostParameters)
    throw Error(ErrorKind::resource_limit,
                text("--arch {}: more than {} parameters", escaped(arch), kMostParameters));
  Classifier<float> model(config);
  model.init(options.seed);
  const train::ImageSet::Colours colours = images.colours();
  const weights::Normaliser normaliser = train::colour_normaliser(images, colours);

  std::vector<std::string> inputs = images.files();
  if (test) inputs.insert(inputs.end(), test->files().begin(), test->files().end());
  Json made_by = recipe(r.globals, inputs);
  if (test) warn_if_seen(images, *test, made_by.at("inputs"));
  Json identity = training_identity(made_by);
  identity.set("images", images.size());
  identity.set("model", model.config());
  identity.set("augment", augmentation.str());

  const train::Part all = train::Part::all(images), none{&images, {}};
  train::Trainer trainer(model, normaliser,
                         std::make_unique<train::ImageReader>(images, normaliser, augmentation, options.seed),
                         all, none, options, checkpoint, identity);
  const int64_t done = goes_on ? trainer.resume() : 0;
  if (goes_on) log_info(text("{}: resuming after {} of {} epochs", checkpoint, done, options.epochs));
  Json training = options.to_json();
  training.set("augment", augmentation.str());
  Json settings_of_run = identity;
  settings_of_run.set("train", training);
  const std::string run_line = settings_of_run.dump();
  train::MetricsLog metrics({.path = r.log,
                             .run = hash_bytes(std::as_bytes(std::span(run_line))),
                             .force = r.force,
                             .resumed = goes_on || r.resume,
                             .epochs = done});
  log_info(text("{} with {} parameters; {} images to train on, {} to test", arch, model.params().size(),
                images.size(), test ? test->size() : 0));
  const train::TrainResult result = trainer.run([&](const train::EpochRecord& e) {
    metrics.write(e.to_json());
    log_info(text("epoch {}/{}: loss {:.4f}, accuracy {:.4f}, {:.0f} images/s", e.epoch, options.epochs,
                  e.train.mean_loss(), e.train.accuracy(), e.samples_per_second));
  });
  std::optional<train::Tally> tally;
  if (test) tally = train::Predictor(model, normaliser).evaluate(train::Part::all(*test));

  made_by.set("task", "network");
  made_by.set("model", model.config());
  made_by.set("train", training);
  made_by.set("images", images.size());
  made_by.set("steps", result.steps);
  made_by.set("train_accuracy", result.train.accuracy());
  if (tally) {
    made_by.set("test_accuracy", tally->accuracy());
    made_by.set("test_loss", tally->mean_loss());
  }
  Json input = Json::object();
  input.set("mean", numbers(colours.mean));
  input.set("std", numbers(colours.deviation));
  save_network(r.out, model, {{"dws.input", input.dump()}, {"dws.recipe", made_by.dump()}}, r.force);
  trainer.discard_checkpoint();
  Json record = Json::object();
  record.set("schema", "dws.train/1");
  record.set("output", r.out);
  record.set("recipe", made_by);
  record.set("parameters", model.params().size());
  record.set("seconds", result.seconds);
  record.set("images_per_second", result.samples_per_second);
  metrics.write(record);
  if (r.json) {
    print(record.dump());
    return 0;
  }
  std::string line = text("{}: {}, {} parameters", r.out, arch, model.params().size());
  if (tally) line += text(", test accuracy {:.4f} ({} images)", tally->accuracy(), tally->count);
  print(line + text(", training {:.4f}, {:.1f} s, {:.0f} images/s", result.train.accuracy(), result.seconds,
                    result.samples_per_second));
  return 0;
}

}  // namespace dws::tools
