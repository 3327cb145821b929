#include "train_settings.h"

#include <filesystem>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/text.h"
#include "core/version.h"
#include "kernels/bf16.h"
#include "kernels/isa.h"

namespace dws::tools {

namespace {

enum class Kind { integer, number, word };
struct Setting {
  const char* key;  // in a file; on the command line with - instead of _
  Kind kind;
  const char* help;
  void (*set)(train::TrainOptions& o, const Json& value, const std::string& name);
};

using O = train::TrainOptions;
using S = std::string;
const Setting kSettings[] = {
    {"epochs", Kind::integer, "passes over the training data [30]",
     [](O& o, const Json& v, const S& n) { o.epochs = v.as_int(n); }},
    {"batch", Kind::integer, "samples a step [128]",
     [](O& o, const Json& v, const S& n) { o.batch = v.as_int(n); }},
    {"shards", Kind::integer,
     "pieces of a batch that are worked on at once; part of the result [16, of --task network 4]",
     [](O& o, const Json& v, const S& n) { o.shards = v.as_int(n); }},
    {"lr", Kind::number, "highest learning rate [0.002]",
     [](O& o, const Json& v, const S& n) { o.lr = v.as_double(n); }},
    {"lr_floor", Kind::number, "learning rate at the end, as a share of --lr [0.01]",
     [](O& o, const Json& v, const S& n) { o.lr_floor = v.as_double(n); }},
    {"warmup", Kind::number, "rise of the learning rate: steps, or below 1 a share of all steps [0.05]",
     [](O& o, const Json& v, const S& n) { o.warmup = v.as_double(n); }},
    {"weight_decay", Kind::number, "of weights, not of biases and norms [0.0005]",
     [](O& o, const Json& v, const S& n) { o.adamw.weight_decay = v.as_double(n); }},
    {"optimizer", Kind::word, "adamw, or sgd with Nesterov's momentum [adamw]",
     [](O& o, const Json& v, const S& n) { o.optimizer = train::parse_optimizer(v.as_string(n)); }},
    {"momentum", Kind::number, "of sgd [0.9]",
     [](O& o, const Json& v, const S& n) { o.momentum = v.as_double(n); }},
    {"clip", Kind::number, "largest norm of a gradient, 0 none [1]",
     [](O& o, const Json& v, const S& n) { o.clip = v.as_double(n); }},
    {"ema", Kind::number, "decay of the running average of parameters, 0 none [0]",
     [](O& o, const Json& v, const S& n) { o.ema = v.as_double(n); }},
    {"label_smoothing", Kind::number, "[0]",
     [](O& o, const Json& v, const S& n) { o.label_smoothing = v.as_double(n); }},
    {"augment", Kind::word,
     "changes each network anew in each epoch: a list of permute, sign, phase, scale=S, noise=S, dropout=P, "
     "rotate=DEGREES, translate=T, zoom=Z, reflect; see dws augment --help; of pictures: flip, crop=PIXELS "
     "[none]",
     [](O& o, const Json& v, const S& n) {
       o.augmentation = weights::parse_augmentation(v.as_string(n), n);
     }},
    {"mixup", Kind::word, "mixes each network with another one: none, direct or permuted [none]",
     [](O& o, const Json& v, const S& n) { o.mixup.kind = weights::parse_mixup(v.as_string(n), n); }},
    {"alpha", Kind::number, "of --mixup: how much of each, Beta(alpha, alpha); 1 is uniform [1]",
     [](O& o, const Json& v, const S& n) { o.mixup.alpha = v.as_double(n); }},
    {"seed", Kind::integer, "of the split, the start and the order [0]",
     [](O& o, const Json& v, const S& n) { o.seed = v.as_u64(n); }},
    {"checkpoint_every", Kind::number, "seconds between checkpoints, 0 after every step [30]",
     [](O& o, const Json& v, const S& n) { o.checkpoint_every = v.as_double(n); }},
};

struct Shortcut {
  const char* key;
  const char* help;
};
const Shortcut kShortcuts[] = {{"hidden", "width of the model"},
                               {"layers", "layers of the model"},
                               {"dropout", "share of activations dropped in training"},
                               {"norm", "batch, layer or none"},
                               {"reduction", "how dws pools over neurons: max, mean or sum"}};

std::string flag_of(std::string key) {
  for (char& c : key)
    if (c == '_') c = '-';
  return "--" + key;
}

// What stands on a command line as JSON: a number, true, a list, or else a word.
Json value_of(const std::string& word) {
  try {
    return Json::parse(word, "value");
  } catch (const Error&) {
    return word;
  }
}

Json parse_as(Kind kind, const std::string& word, const std::string& name) {
  if (kind == Kind::integer) return static_cast<int64_t>(parse_int(word, name));
  if (kind == Kind::number) return parse_double(word, name);
  return word;
}

[[noreturn]] void unknown_key(const std::string& file, const std::string& key,
                              const std::vector<std::string>& known) {
  const std::string near = nearest(key, known);
  throw Error(ErrorKind::usage, text("{}: unknown key '{}'", file, escaped(key)),
              near.empty() ? "known: " + join(known, ", ") : text("did you mean '{}'?", near));
}

}  // namespace

void TrainSettings::add_options(Options& app) {
  app.add_option("--model", model_flag_, "what reads the networks: dws, mlp or stats [dws]")->group("Model");
  app.add_option("--config", config_file, "JSON file with the keys model, options and train")->group("Model");
  app.add_option("--set", assignments_, "KEY=VALUE, an option of the model; may be repeated")
      ->group("Model")
      ->allow_extra_args(false);
  for (const Shortcut& s : kShortcuts)
    app.add_option(flag_of(s.key), shortcuts_[s.key], s.help)->group("Model");
  for (const Setting& s : kSettings)
    app.add_option(flag_of(s.key), words_[s.key], s.help)
        ->group("Training")
        ->type_name(s.kind == Kind::integer  ? "INT"
                    : s.kind == Kind::number ? "NUMBER"
                                             : "WORD");
  app.add_flag("--amsgrad", flags_["amsgrad"], "AdamW with the largest second moment so far")
      ->group("Training");
}

void TrainSettings::read_file() {
  const Json file = Json::parse(read_text(config_file), config_file);
  for (const auto& [key, value] : file.as_object(config_file)) {
    const std::string where = config_file + ": " + key;
    if (key == "model") {
      model = value.as_string(where);
    } else if (key == "options") {
      for (const auto& [option, setting] : value.as_object(where)) options.set(option, setting);
    } else if (key == "train") {
      std::vector<std::string> known{"amsgrad"};
      for (const Setting& s : kSettings) known.push_back(s.key);
      for (const auto& [name, setting] : value.as_object(where)) {
        bool found = name == "amsgrad";
        if (found) training.adamw.amsgrad = setting.as_bool(where + ".amsgrad");
        for (const Setting& s : kSettings)
          if (name == s.key) {
            s.set(training, setting, where + "." + name);
            found = true;
          }
        if (!found) unknown_key(config_file, name, known);
      }
    } else {
      unknown_key(config_file, key, {"model", "options", "train"});
    }
  }
}

std::string TrainSettings::take(const std::string& key) {
  for (auto* words : {&words_, &shortcuts_})
    if (const auto at = words->find(key); at != words->end() && !at->second.empty())
      return std::exchange(at->second, {});
  return {};
}

void TrainSettings::require_no_model(const char* task) const {
  const auto refuse = [&](const std::string& option) {
    throw Error(ErrorKind::usage, text("{} is for models that read networks, not for {}", option, task),
                "--arch, --norm and --activation say what is trained");
  };
  if (!model_flag_.empty()) refuse("--model");
  if (!config_file.empty()) refuse("--config");
  if (!assignments_.empty()) refuse("--set");
  for (const auto& [key, word] : shortcuts_)
    if (!word.empty()) refuse(flag_of(key));
  for (const char* key : {"mixup", "alpha"})
    if (const auto at = words_.find(key); at != words_.end() && !at->second.empty()) refuse(flag_of(key));
}

bool check_train_outputs(const std::string& out, bool resume, bool force) {
  require_writable(out, force);
  const std::string checkpoint = out + ".ckpt";
  const bool unfinished = std::filesystem::exists(checkpoint);
  if (unfinished && !resume && !force)
    throw Error(ErrorKind::exists, text("{}: the checkpoint of an unfinished run is there", checkpoint),
                "continue it with --resume, or start over with --force");
  if (resume && !unfinished)
    log_info(text("{}: no checkpoint to resume: starting from the beginning", checkpoint));
  return resume && unfinished;
}

void TrainSettings::resolve() {
  if (!config_file.empty()) read_file();
  if (!model_flag_.empty()) model = model_flag_;
  for (const Setting& s : kSettings)
    if (const std::string& word = words_[s.key]; !word.empty())
      s.set(training, parse_as(s.kind, word, flag_of(s.key)), flag_of(s.key));
  if (flags_["amsgrad"]) training.adamw.amsgrad = true;
  for (const auto& [key, word] : shortcuts_)
    if (!word.empty()) options.set(key, value_of(word));
  for (const std::string& assignment : assignments_) {
    const size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0)
      throw Error(ErrorKind::usage, text("--set {}: expected KEY=VALUE", escaped(assignment)));
    options.set(assignment.substr(0, equals), value_of(assignment.substr(equals + 1)));
  }
  training.check();
}

Json training_identity(const Json& recipe) {
  Json identity = Json::object();
  identity.set("version", version());
  identity.set("isa", kernels::to_string(kernels::isa()));
  identity.set("precision", kernels::precision_name());
  Json hashes = Json::array();
  for (const auto& [path, hash] : recipe.at("inputs").as_object()) hashes.push_back(hash);
  identity.set("data", hashes);
  return identity;
}

}  // namespace dws::tools
