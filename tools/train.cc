// dws train: networks and their labels in, a model that reads such networks out; or pictures in, a network out.
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/text.h"
#include "metanets/registry.h"
#include "output.h"
#include "train/metrics_log.h"
#include "train/split.h"
#include "train/trainer.h"
#include "train_network.h"
#include "train_settings.h"

namespace dws::tools {
namespace {

struct Train {
  explicit Train(const Globals& g) : globals(g) {}
  const Globals& globals;
  TrainSettings settings;
  NetworkTraining network;
  std::vector<std::string> data, val, test;
  std::string out, task = "classify", split, log, labels, precision;
  int64_t limit = 0, classes = 0;
  bool resume = false, force = false, json = false;

  int run();
  int train_network();
  void check_task() const;
  train::SplitSizes split_sizes() const;
  void print_result(const train::TrainResult& result, const std::optional<train::Tally>& test_tally,
                    const ModelFile& file, const Json& made_by) const;
  std::string checkpoint() const { return out + ".ckpt"; }
};

// The three parts and the data sets they look into.
struct Data {
  explicit Data(train::Dataset all) : main(std::move(all)) {}
  train::Dataset main;
  std::optional<train::Dataset> val_set, test_set;
  train::Part train, val, test;
  int64_t classes = 0;
};

// A result on images that were trained on would mean nothing.
void refuse_shared_images(const train::Dataset& first, const char* first_name, const train::Dataset& second,
                          const char* second_name) {
  const int64_t shared = train::shared_images(first, second);
  if (shared > 0)
    throw Error(ErrorKind::mismatch,
                text("{}: {} of {} networks of {} are of images that {} holds too", second.path(), shared,
                     second.size(), second_name, first_name),
                text("cut the zoos apart with dws convert --range, or let --split part {}", first_name));
}

std::unique_ptr<Data> load(const Train& command, const train::SplitSizes& sizes, uint64_t seed) {
  auto data = std::make_unique<Data>(train::Dataset::open(command.data, command.limit));
  train::Dataset& main = data->main;
  data->classes = main.require_labels(command.classes);
  if (command.classes > 0) data->classes = command.classes;
  if (!command.labels.empty())
    data->classes = std::max(data->classes, static_cast<int64_t>(read_class_names(command.labels).size()));
  const auto open = [&](const std::vector<std::string>& paths, std::optional<train::Dataset>& set,
                        train::Part& part, const char* name) {
    if (paths.empty()) return;
    set = train::Dataset::open(paths);
    main.info().require_same_network(set->info(), main.path(), set->path());
    set->require_labels(data->classes);
    set->check_values();
    for (const std::string& remark : set->remarks()) log_warn(remark);
    refuse_shared_images(main, "--data", *set, name);
    if (!set->mixed_image_ids().empty())
      throw Error(ErrorKind::usage,
                  text("{}: {} holds mixtures of networks, which have no one class", set->path(), name),
                  "judge on networks as they were fitted");
    part = train::Part::all(*set);
  };
  for (const std::string& remark : main.remarks()) log_warn(remark);
  main.check_values();
  open(command.val, data->val_set, data->val, "--val");
  open(command.test, data->test_set, data->test, "--test");
  if (data->val_set && data->test_set)
    refuse_shared_images(*data->val_set, "--val", *data->test_set, "--test");
  train::Split split =
      train::split_by_image(main.image_ids(), main.labels(), sizes, seed, main.mixed_image_ids());
  data->train = {&main, std::move(split.train)};
  if (command.val.empty()) data->val = {&main, std::move(split.val)};
  if (command.test.empty()) data->test = {&main, std::move(split.test)};
  return data;
}

void Train::check_task() const {
  const std::vector<std::string> later{"regress", "edit", "align", "reconstruct"};
  if (task == "classify") return;
  for (const std::string& name : later)
    if (task == name)
      throw Error(ErrorKind::usage, text("--task {}: this version trains classifiers", task),
                  "use --task classify");
  const std::string near = nearest(task, {"classify", "network"});
  throw Error(ErrorKind::usage, text("unknown task '{}'", escaped(task)),
              near.empty() ? "use --task classify or network" : text("did you mean '{}'?", near));
}

train::SplitSizes Train::split_sizes() const {
  if (!split.empty()) {
    const train::SplitSizes sizes = train::parse_split(split);
    if ((sizes.val > 0 && !val.empty()) || (sizes.test > 0 && !test.empty()))
      throw Error(ErrorKind::usage,
                  text("--split {} takes a part of --data that {} gives already", split,
                       sizes.val > 0 && !val.empty() ? "--val" : "--test"),
                  "give that part of --split as 0");
    return sizes;
  }
  if (!val.empty() && !test.empty()) return {1, 0, 0};
  if (!val.empty()) return {0.9, 0, 0.1};
  if (!test.empty()) return {0.9, 0.1, 0};
  return {};
}

int Train::train_network() {
  if (!val.empty() || !split.empty())
    throw Error(ErrorKind::usage, text("{} is not for --task network", val.empty() ? "--split" : "--val"),
                "all of --data is trained on and the last epoch is kept; --test judges it");
  use_precision(precision);
  return network.run({.globals = globals,
                      .settings = settings,
                      .data = data,
                      .test = test,
                      .labels = labels,
                      .out = out,
                      .log = log,
                      .limit = limit,
                      .classes = classes,
                      .resume = resume,
                      .force = force,
                      .json = json});
}

int Train::run() {
  if (task == "network") return train_network();
  check_task();
  if (network.any())
    throw Error(ErrorKind::usage, "an option of --task network: --arch, --activation or --test-labels");
  use_precision(precision);
  settings.resolve();
  const train::SplitSizes sizes = split_sizes();
  const bool goes_on = check_train_outputs(out, resume, force);
  const train::TrainOptions& options = settings.training;
  const std::unique_ptr<Data> sets = load(*this, sizes, options.seed);

  ModelFile file;
  file.zoo = sets->main.info();
  file.classes = class_names(labels, sets->classes);
  file.model = make_model<float>(settings.model, file.zoo.arch, sets->classes, settings.options);
  file.model->init(options.seed);
  file.normaliser = train::fit_normaliser(sets->main, sets->train);
  std::vector<std::string> inputs = data;
  inputs.insert(inputs.end(), val.begin(), val.end());
  inputs.insert(inputs.end(), test.begin(), test.end());
  Json made_by = recipe(globals, inputs);

  // What a checkpoint must agree on: the bytes of the data, how they are dealt out, the model, and the
  // program and instruction set that make the bits.
  Json identity = training_identity(made_by);
  Json parts = Json::array();
  for (const train::Part* part : {&sets->train, &sets->val, &sets->test}) parts.push_back(part->size());
  identity.set("split", parts);
  identity.set("model", settings.model);
  identity.set("options", file.model->config());
  identity.set("classes", sets->classes);

  train::Trainer trainer(*file.model, file.normaliser,
                         std::make_unique<train::Reader>(sets->main, sets->train, file.normaliser,
                                                         options.augmentation, options.mixup, options.seed),
                         sets->train, sets->val, options, checkpoint(), identity);
  const int64_t done = goes_on ? trainer.resume() : 0;
  if (goes_on) log_info(text("{}: resuming after {} of {} epochs", checkpoint(), done, options.epochs));
  Json settings_of_run = identity;
  settings_of_run.set("train", options.to_json());
  const std::string run_line = settings_of_run.dump();
  train::MetricsLog metrics({.path = log,
                             .run = hash_bytes(std::as_bytes(std::span(run_line))),
                             .force = force,
                             .resumed = goes_on || resume,
                             .epochs = done});
  log_info(text("{} with {} parameters; {} networks to train on, {} to validate, {} to test", settings.model,
                file.model->params().size(), sets->train.size(), sets->val.size(), sets->test.size()));

  const train::TrainResult result = trainer.run([&](const train::EpochRecord& r) {
    metrics.write(r.to_json());
    const std::string validation = r.val ? text(", validation {:.4f}", r.val->accuracy()) : std::string();
    log_info(text("epoch {}/{}: loss {:.4f}, accuracy {:.4f}{}, {:.0f} networks/s", r.epoch, options.epochs,
                  r.train.mean_loss(), r.train.accuracy(), validation, r.samples_per_second));
  });
  std::optional<train::Tally> test_tally;
  if (!sets->test.empty()) test_tally = train::Predictor(*file.model, file.normaliser).evaluate(sets->test);

  // No times: the same run with the same version on the same instruction set writes the same bytes.
  made_by.set("task", task);
  made_by.set("model", settings.model);
  made_by.set("train", options.to_json());
  made_by.set("networks", parts);
  made_by.set("epoch", result.epoch);
  made_by.set("steps", result.steps);
  made_by.set("train_accuracy", result.train.accuracy());
  if (result.val) made_by.set("val_accuracy", result.val->accuracy());
  if (test_tally) made_by.set("test_accuracy", test_tally->accuracy());
  file.recipe = made_by;
  save_model(out, file, force);
  trainer.discard_checkpoint();
  Json record = Json::object();
  record.set("schema", "dws.train/1");
  record.set("output", out);
  record.set("recipe", made_by);
  record.set("parameters", file.model->params().size());
  record.set("seconds", result.seconds);
  record.set("networks_per_second", result.samples_per_second);
  metrics.write(record);
  if (json) {
    print(record.dump());
  } else {
    print_result(result, test_tally, file, made_by);
  }
  return 0;
}

void Train::print_result(const train::TrainResult& result, const std::optional<train::Tally>& test_tally,
                         const ModelFile& file, const Json& made_by) const {
  std::string line =
      text("{}: {}, {} parameters", out, made_by.at("model").as_string(), file.model->params().size());
  if (test_tally)
    line += text(", test accuracy {:.4f} ({} networks)", test_tally->accuracy(), test_tally->count);
  if (result.val) line += text(", validation {:.4f} at epoch {}", result.val->accuracy(), result.epoch);
  line += text(", training {:.4f}, {:.1f} s, {:.0f} networks/s", result.train.accuracy(), result.seconds,
               result.samples_per_second);
  print(line);
}

}  // namespace

void register_train(Options& app, const Globals& globals, Run& run) {
  auto command = std::make_shared<Train>(globals);
  Options* verb =
      app.add_subcommand("train", "train a model that reads networks, or a network that reads pictures");
  verb->footer(
      "Example:\n  dws train --data zoo.safetensors -o model.safetensors --epochs 40 --log metrics.jsonl\n  "
      "dws train --task network --arch mlp:512,512,512 --data "
      "train-images-idx3-ubyte --test t10k-images-idx3-ubyte -o net.safetensors");
  Train& t = *command;
  verb->add_option("--data", t.data, "zoo of labelled networks, or pictures; may be repeated")
      ->required()
      ->allow_extra_args(false);
  verb->add_option("-o,--output", t.out, "the model file to write")->required();
  verb->add_option("--task", t.task,
                   "what to learn: classify (networks), network (to classify pictures) [classify]");
  verb->add_option("--split", t.split,
                   "TRAIN,VAL,TEST parts of --data, fractions or numbers; by image [0.8,0.1,0.1]");
  verb->add_option("--val", t.val, "validate on this zoo instead of a part of --data")
      ->allow_extra_args(false);
  verb->add_option("--test", t.test, "test on this zoo instead of a part of --data, or on these pictures")
      ->allow_extra_args(false);
  verb->add_option("--limit", t.limit, "use the first N networks or pictures of --data")
      ->check(non_negative_number());
  verb->add_option("--classes", t.classes, "number of classes [largest label + 1]")
      ->check(non_negative_number());
  verb->add_option("--labels", t.labels,
                   "file with the names of the classes, one a line; of --task network: the label file of "
                   "--data [in it or beside it]");
  t.settings.add_options(*verb);
  t.network.add_options(*verb);
  add_precision(*verb, t.precision);
  verb->add_option("--log", t.log, "write metrics to this file, a JSON line an epoch");
  verb->add_flag("--resume", t.resume, "go on from the checkpoint of a run that was stopped");
  verb->add_flag("--force", t.force, "overwrite the output, and start over if there is a checkpoint");
  verb->add_flag("--json", t.json, "print the result as JSON");
  verb->callback([command, &run] { run = [command] { return command->run(); }; });
}

}  // namespace dws::tools
