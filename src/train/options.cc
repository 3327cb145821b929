// Options of a run: what they must satisfy, and what of them results depend on.
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "train/trainer.h"

namespace dws::train {

namespace {

void require(bool ok, const char* option, const std::string& value, const char* expected) {
  if (!ok) throw Error(ErrorKind::usage, text("--{} {}: expected {}", option, value, expected));
}

}  // namespace

void TrainOptions::check() const {
  require(epochs >= 1 && epochs <= 10'000'000, "epochs", text("{}", epochs), "at least 1");
  require(batch >= 2 && batch <= 1'000'000, "batch", text("{}", batch), "2 to 1000000");
  require(shards >= 1 && shards <= 1024, "shards", text("{}", shards), "1 to 1024");
  require(std::isfinite(lr) && lr > 0, "lr", number(lr), "a number above 0");
  require(lr_floor >= 0 && lr_floor <= 1, "lr-floor", number(lr_floor), "0 to 1");
  require(std::isfinite(warmup) && warmup >= 0, "warmup", number(warmup), "0 or more");
  require(std::isfinite(clip) && clip >= 0, "clip", number(clip), "0 (none) or more");
  require(ema >= 0 && ema < 1, "ema", number(ema), "0 (none) to below 1");
  require(label_smoothing >= 0 && label_smoothing < 1, "label-smoothing", number(label_smoothing),
          "0 to below 1");
  require(std::isfinite(adamw.weight_decay) && adamw.weight_decay >= 0, "weight-decay",
          number(adamw.weight_decay), "0 or more");
  require(momentum >= 0 && momentum < 1, "momentum", number(momentum), "0 to below 1");
  mixup.check();
  require(std::isfinite(checkpoint_every) && checkpoint_every >= 0, "checkpoint-every",
          number(checkpoint_every), "0 or more seconds");
}

Json TrainOptions::to_json() const {
  Json json = Json::object();
  json.set("epochs", epochs);
  json.set("batch", batch);
  json.set("shards", shards);
  json.set("lr", lr);
  json.set("lr_floor", lr_floor);
  json.set("warmup", warmup);
  if (optimizer == OptimizerKind::sgd) {
    json.set("optimizer", "sgd");
    json.set("momentum", momentum);
  }
  json.set("weight_decay", adamw.weight_decay);
  json.set("amsgrad", adamw.amsgrad);
  json.set("clip", clip);
  json.set("ema", ema);
  json.set("label_smoothing", label_smoothing);
  json.set("augment", augmentation.str());
  json.set("mixup", weights::to_string(mixup.kind));
  if (mixup.on()) json.set("alpha", mixup.alpha);
  json.set("seed", seed);
  return json;
}

}  // namespace dws::train
