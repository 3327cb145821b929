// dws augment: a larger zoo out of a smaller one.
#include <algorithm>
#include <map>
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/file.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/text.h"
#include "format/zoo.h"
#include "output.h"
#include "weights/augment.h"

namespace dws::tools {
namespace {

constexpr int64_t kBlock = 1024;  // networks in memory at a time

struct Augment {
  explicit Augment(const Globals& g) : globals(g) {}
  const Globals& globals;
  std::string input, out, mixup_word = "none";
  std::map<std::string, std::string> words;  // by step; of a flag without a value "true"
  double alpha = 1;
  int64_t copies = 1, classes = 0;
  uint64_t seed = 0;
  bool without_originals = false, force = false, json = false;

  int run();
  weights::Augmentation augmentation() const;
  weights::Mixup mixup() const;
};

// The networks of the new zoo: round 0 holds the originals, round c the c-th changed copy of each.
class Larger {
 public:
  Larger(const Zoo& zoo, const weights::Augmenter& augmenter, int64_t first_round, int64_t rounds)
      : zoo_(zoo), augmenter_(augmenter), first_round_(first_round), count_(zoo.size() * rounds) {
    block_.resize(static_cast<size_t>(std::min(kBlock, count_) * params()));
    scratch_.resize(static_cast<size_t>(2 * params() * std::max(1, threads())));
  }

  int64_t size() const noexcept { return count_; }
  int64_t round(int64_t i) const noexcept { return first_round_ + i / zoo_.size(); }
  int64_t source(int64_t i) const noexcept { return i % zoo_.size(); }
  std::optional<weights::Augmenter::Partner> partner(int64_t i) const {
    if (round(i) == 0) return {};
    return augmenter_.partner(round(i), source(i), zoo_.size(), source(i));
  }

  // Network i; whole blocks are made at once, in parallel.
  const float* read(int64_t i) {
    if (i < begin_ || i >= end_) make_block(i / kBlock * kBlock);
    return block_.data() + (i - begin_) * params();
  }

 private:
  int64_t params() const noexcept { return zoo_.info().arch.param_count(); }

  void make_block(int64_t begin) {
    check_interrupt();
    begin_ = begin;
    end_ = std::min(begin + kBlock, count_);
    parallel_for(end_ - begin_, [&](int64_t k) {
      const int64_t i = begin_ + k;
      const auto size = static_cast<size_t>(params());
      const std::span<float> x(block_.data() + k * params(), size);
      const std::span<float> scratch(scratch_.data() + 2 * params() * worker_index(), 2 * size);
      zoo_.read(source(i), x);
      if (round(i) == 0) return;
      if (const auto other = partner(i)) {
        zoo_.read(other->place, scratch.first(size));
        augmenter_.mix(round(i), source(i), other->lambda, x, scratch.first(size), scratch.last(size));
      }
      augmenter_.apply(round(i), source(i), x, scratch.first(size));
    });
  }

  const Zoo& zoo_;
  const weights::Augmenter& augmenter_;
  int64_t first_round_, count_, begin_ = 0, end_ = 0;
  std::vector<float> block_, scratch_;
};

// What is known of each network of the new zoo.
struct Known {
  std::vector<int64_t> labels, images, mixed;
  std::vector<float> psnr;
  int64_t soft_classes = 0;

  Known(const Zoo& zoo, const Larger& larger, bool mixes, bool exact, int64_t classes) {
    if (zoo.has_labels() && mixes) soft_classes = classes;
    for (int64_t i = 0; i < larger.size(); ++i) {
      const int64_t from = larger.source(i);
      const auto partner = larger.partner(i);
      // Of a mixture, the label that it holds more of.
      if (zoo.has_labels())
        labels.push_back(zoo.label(partner && partner->lambda < 0.5 ? partner->place : from));
      images.push_back(zoo.image_id(from));
      mixed.push_back(partner ? zoo.image_id(partner->place) : zoo.mixed_image_id(from));
      if (const auto p = zoo.psnr(from); p && (exact || larger.round(i) == 0)) psnr.push_back(*p);
    }
    if (static_cast<int64_t>(psnr.size()) != larger.size()) psnr.clear();
    if (soft_classes == 0) soft_classes = zoo.soft_classes();
  }
};

void soft_label(const Zoo& zoo, const Larger& larger, int64_t i, std::span<float> row) {
  const int64_t from = larger.source(i);
  if (zoo.soft_classes() > 0) return zoo.soft_label(from, row);
  std::fill(row.begin(), row.end(), 0.0f);
  const auto partner = larger.partner(i);
  const double lambda = partner ? partner->lambda : 1;
  row[static_cast<size_t>(zoo.label(from))] += static_cast<float>(lambda);
  if (partner) row[static_cast<size_t>(zoo.label(partner->place))] += static_cast<float>(1 - lambda);
}

weights::Augmentation Augment::augmentation() const {
  weights::Augmentation a;
  for (const weights::AugmentStep& step : weights::augment_steps()) {
    const std::string& word = words.at(step.name);
    if (word.empty()) continue;
    const bool bare = step.flag && word == "true";
    weights::set_step(a, step.name, bare ? "" : word, text("--{}", step.name));
  }
  return a;
}

weights::Mixup Augment::mixup() const {
  return {weights::parse_mixup(mixup_word, "--mixup"), alpha};
}

// Classes of the zoo's labels. Mixing needs the label of every network or of none.
int64_t classes_of(const Zoo& zoo, int64_t wanted) {
  if (!zoo.has_labels()) return 0;
  int64_t classes = wanted;
  for (int64_t i = 0; i < zoo.size(); ++i) {
    const int64_t label = zoo.label(i);
    if (label < 0)
      throw Error(ErrorKind::bad_value, text("{}: has no label to mix, where others have one", zoo.name(i)),
                  "cut it out with dws convert --range");
    if (wanted > 0 && label >= wanted)
      throw Error(ErrorKind::bad_value,
                  text("{}: label {} is not a class: expected 0 to {}", zoo.name(i), label, wanted - 1));
    classes = std::max(classes, label + 1);
  }
  return classes;
}

int Augment::run() {
  const weights::Augmentation steps = augmentation();
  const weights::Mixup mix = mixup();
  if (steps.none() && !mix.on())
    throw Error(ErrorKind::usage, "augment: nothing to do",
                "give at least one of --mixup, --noise, --permute, ...");
  require_writable(out, force);
  const Zoo zoo = Zoo::open(input);
  warn_if_assumed(zoo);
  const weights::Augmenter augmenter(zoo.info(), steps, mix, seed, zoo.path());
  if (mix.on()) {
    for (int64_t i = 0; i < zoo.size(); ++i)
      if (zoo.soft_classes() > 0 || zoo.mixed_image_id(i) != zoo.image_id(i))
        throw Error(ErrorKind::usage,
                    text("{}: holds mixtures already, which cannot be mixed again", zoo.path()),
                    "mix the networks that they were made of");
    if (zoo.size() < 2)
      throw Error(ErrorKind::empty,
                  text("{}: mixing needs at least 2 networks, got {}", zoo.path(), zoo.size()));
  }
  Larger larger(zoo, augmenter, without_originals ? 1 : 0, copies + (without_originals ? 0 : 1));
  const bool exact = !mix.on() && !steps.changes_function();
  const Known known(zoo, larger, mix.on(), exact, mix.on() ? classes_of(zoo, classes) : 0);

  Json made_by = recipe(globals, {input});
  made_by.set("augment", steps.str());
  made_by.set("mixup", weights::to_string(mix.kind));
  if (mix.on()) made_by.set("alpha", mix.alpha);
  made_by.set("copies", copies);
  made_by.set("originals", !without_originals);
  made_by.set("seed", seed);

  ZooContent content;
  content.info = zoo.info();
  content.info.summary = psnr_summary(known.psnr);
  content.count = larger.size();
  content.labels = known.labels;
  content.image_ids = known.images;
  content.psnr = known.psnr;
  if (known.mixed != known.images) content.mixed_image_ids = known.mixed;
  content.soft_classes = known.soft_classes;
  if (known.soft_classes > 0)
    content.soft_label = [&](int64_t i, std::span<float> row) { soft_label(zoo, larger, i, row); };
  // The writer goes through the networks once for each tensor.
  struct Source {
    Larger& larger;
    mutable Progress progress;
    mutable int64_t done = 0;
  } source{larger, Progress("augment", "networks", larger.size() * 2 * zoo.info().arch.layers())};
  content.context = &source;
  content.network = [](const void* context, int64_t i) -> const float* {
    const auto* s = static_cast<const Source*>(context);
    if (s->done % kBlock == 0) s->progress.update(s->done);
    ++s->done;
    return s->larger.read(i);
  };
  content.metadata = {{"dws.recipe", made_by.dump()}};
  write_zoo(out, content, force);

  if (json) {
    Json record = Json::object();
    record.set("schema", "dws.augment/1");
    record.set("output", out);
    record.set("recipe", made_by);
    record.set("originals", without_originals ? int64_t{0} : zoo.size());
    record.set("networks", larger.size());
    print(record.dump());
  } else {
    print(text("{}: {} networks out of {}, {}{}", out, larger.size(), zoo.size(), steps.str(),
               mix.on() ? text(", mixup {}", weights::to_string(mix.kind)) : std::string()));
  }
  return 0;
}

}  // namespace

void register_augment(Options& app, const Globals& globals, Run& run) {
  auto command = std::make_shared<Augment>(globals);
  Options* verb = app.add_subcommand("augment", "a larger zoo out of a smaller one");
  verb->footer(
      "Example:\n  dws augment train.safetensors -o larger.safetensors --copies 3 --permute --noise 0.1 "
      "--rotate 15\n  dws augment train.safetensors -o mixed.safetensors --mixup permuted --alpha 0.4");
  Augment& a = *command;
  verb->add_option("ZOO", a.input, "zoo, or folder of single networks")->required();
  verb->add_option("-o,--output", a.out, "the zoo to write")->required();
  verb->add_option("--copies", a.copies, "changed copies of each network [1]")->check(range(1, 1'000'000));
  verb->add_flag("--no-originals", a.without_originals,
                 "the changed copies alone, without the originals first");
  verb->add_option("--mixup", a.mixup_word,
                   "mix each copy with another network: none, direct or permuted; writes soft labels [none]");
  verb->add_option("--alpha", a.alpha, "how much of each, Beta(alpha, alpha); 1 is uniform [1]");
  verb->add_option("--classes", a.classes, "number of classes of soft labels [largest label + 1]")
      ->check(non_negative_number());
  for (const weights::AugmentStep& step : weights::augment_steps()) {
    const std::string name = std::string("--") + step.name;
    std::string& word = a.words[step.name];
    if (step.flag)
      verb->add_flag(name, word, step.help)->group("Steps")->type_name(step.value ? "[=N]" : "");
    else
      verb->add_option(name, word, step.help)->group("Steps")->type_name("NUMBER");
  }
  verb->add_option("--seed", a.seed, "of everything that is drawn [0]");
  verb->add_flag("--force", a.force, "overwrite the output");
  verb->add_flag("--json", a.json, "print the result as JSON");
  verb->callback([command, &run] { run = [command] { return command->run(); }; });
}

}  // namespace dws::tools
