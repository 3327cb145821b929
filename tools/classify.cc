// dws classify: networks in, one line each out: name, class, probability.
#include <algorithm>
#include <memory>
#include <numeric>

#include "command.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/text.h"
#include "metanets/registry.h"
#include "name_stream.h"
#include "output.h"
#include "train/predict.h"

namespace dws::tools {
namespace {

// Networks held at once: memory does not grow with the input.
constexpr int64_t kChunk = 256;

class Classifier {
 public:
  Classifier(ModelFile file, std::string path, int64_t top, bool json)
      : file_(std::move(file)),
        path_(std::move(path)),
        predictor_(*file_.model, file_.normaliser),
        top_(std::clamp<int64_t>(top, 1, file_.model->output_size())),
        json_(json),
        progress_("classify", "networks", 0),
        raw_(static_cast<size_t>(kChunk * file_.model->input_size())),
        logits_(static_cast<size_t>(kChunk * file_.model->output_size())) {}

  // Every network of one input. What was read before a bad one is printed first.
  void add(const std::string& input) {
    try {
      const Zoo zoo = Zoo::open(input);
      if (!said_assumed_) said_assumed_ = warn_if_assumed(zoo);
      if (!zoo.remark().empty()) log_warn(zoo.remark());
      file_.zoo.require_same_network(zoo.info(), path_, input);
      PagesBehind pages(zoo);
      for (int64_t i = 0; i < zoo.size(); ++i) {
        check_interrupt();
        const auto size = static_cast<size_t>(file_.model->input_size());
        zoo.read(i, {raw_.data() + names_.size() * size, size});
        names_.push_back(zoo.name(i));
        labels_.push_back(zoo.has_labels() ? zoo.label(i) : -1);
        pages.passed(i);
        if (static_cast<int64_t>(names_.size()) == kChunk) flush();
      }
    } catch (const Error&) {
      flush();
      throw;
    }
  }

  void flush() {
    if (names_.empty()) return;
    const auto count = static_cast<int64_t>(names_.size()), size = file_.model->input_size();
    predictor_.run(
        count,
        [&](int64_t i, std::span<float> out) { std::copy_n(raw_.data() + i * size, size, out.data()); },
        std::span<float>(logits_).first(static_cast<size_t>(count * file_.model->output_size())));
    std::string lines;
    for (int64_t i = 0; i < count; ++i) {
      if (i > 0) lines += '\n';
      lines += line(static_cast<size_t>(i));
    }
    total_ += count;
    names_.clear();
    labels_.clear();
    print(lines);
    progress_.update(total_);
  }

  int64_t total() const noexcept { return total_; }
  int64_t labelled() const noexcept { return labelled_; }
  int64_t correct() const noexcept { return correct_; }

 private:
  std::string line(size_t i) {
    const auto classes = static_cast<size_t>(file_.model->output_size());
    const std::span<const float> logits(logits_.data() + i * classes, classes);
    train::require_finite(logits, names_[i]);
    std::vector<double> probability(classes);
    train::softmax(logits, probability);
    std::vector<size_t> order(classes);
    std::iota(order.begin(), order.end(), size_t{0});
    const auto best = order.begin() + top_;
    std::partial_sort(order.begin(), best, order.end(), [&](size_t a, size_t b) {
      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    });
    if (labels_[i] >= 0) {
      ++labelled_;
      correct_ += static_cast<int64_t>(order[0]) == labels_[i];
    }
    if (!json_) {
      std::string text_line = escaped(names_[i], 4096);
      for (auto k = order.begin(); k != best; ++k)
        text_line += text("\t{}\t{:.6f}", escaped(file_.classes[*k]), probability[*k]);
      return text_line;
    }
    Json record = Json::object();
    record.set("schema", "dws.classify/1");
    record.set("name", names_[i]);
    record.set("class", file_.classes[order[0]]);
    record.set("index", static_cast<int64_t>(order[0]));
    record.set("probability", probability[order[0]]);
    if (labels_[i] >= 0) record.set("label", labels_[i]);
    if (top_ > 1) {
      Json list = Json::array();
      for (auto k = order.begin(); k != best; ++k) {
        Json entry = Json::object();
        entry.set("class", file_.classes[*k]);
        entry.set("probability", probability[*k]);
        list.push_back(entry);
      }
      record.set("top", list);
    }
    return record.dump();
  }

  ModelFile file_;
  std::string path_;
  train::Predictor predictor_;
  int64_t top_;
  bool json_;
  bool said_assumed_ = false;  // once a run, however many state dicts there are
  Progress progress_;
  std::vector<std::string> names_;
  std::vector<int64_t> labels_;
  std::vector<float> raw_, logits_;
  int64_t total_ = 0, labelled_ = 0, correct_ = 0;
};

struct Classify {
  explicit Classify(const Globals& g) : globals(g) {}
  const Globals& globals;
  std::string model, labels, precision;
  std::vector<std::string> inputs;
  int64_t top = 1;
  bool json = false;

  int run() const {
    use_precision(precision);
    ModelFile file = load_model(model);
    if (!file.remark.empty()) log_warn(file.remark);
    if (!labels.empty()) file.classes = class_names(labels, file.model->output_size());
    Classifier classifier(std::move(file), model, top, json);
    for (const std::string& input : inputs) {
      if (input != "-") {
        classifier.add(input);
        continue;
      }
      NameStream names;
      while (const std::optional<std::string> name = names.next()) {
        classifier.add(*name);
        if (!names.ready()) classifier.flush();  // whoever writes the names may be waiting for this answer
      }
    }
    classifier.flush();
    if (classifier.total() == 0) throw Error(ErrorKind::empty, "no networks to classify");
    const double accuracy = static_cast<double>(classifier.correct()) /
                            static_cast<double>(std::max<int64_t>(1, classifier.labelled()));
    if (classifier.labelled() > 0)
      log_info(text("accuracy {:.4f}: {} of {} labelled networks", accuracy, classifier.correct(),
                    classifier.labelled()));
    if (json) {
      Json summary = Json::object();
      summary.set("schema", "dws.classify.summary/1");
      summary.set("networks", classifier.total());
      summary.set("labelled", classifier.labelled());
      if (classifier.labelled() > 0) summary.set("accuracy", accuracy);
      std::vector<std::string> hashed{model};
      std::copy_if(inputs.begin(), inputs.end(), std::back_inserter(hashed),
                   [](const std::string& input) { return input != "-"; });
      summary.set("recipe", recipe(globals, hashed));
      print(summary.dump());
    }
    return 0;
  }
};

}  // namespace

void register_classify(Options& app, const Globals& globals, Run& run) {
  auto command = std::make_shared<Classify>(globals);
  Options* verb = app.add_subcommand("classify", "say what class each network is of");
  verb->footer(
      "Prints NAME, CLASS, PROBABILITY separated by tabs.\n"
      "Example:\n  dws classify -m model.safetensors zoo.safetensors > classes.tsv\n"
      "  ls nets/*.safetensors | dws classify -m model.safetensors --top 3 -");
  Classify& c = *command;
  verb->add_option("-m,--model", c.model, "model written by dws train")->required();
  verb->add_option("FILE", c.inputs, "zoos, single networks, folders of them; - reads names from stdin")
      ->required();
  add_precision(*verb, c.precision);
  verb->add_option("--top", c.top, "the K most probable classes")->check(positive_number());
  verb->add_option("--labels", c.labels, "file with the names of the classes, one a line");
  verb->add_flag("--json", c.json, "JSON Lines, a summary at the end");
  verb->callback([command, &run] { run = [command] { return command->run(); }; });
}

}  // namespace dws::tools
