// The trainer's state as a checkpoint.
#include "core/error.h"
#include "core/text.h"
#include "train/trainer.h"

namespace dws::train {

namespace {

Json to_json(const Tally& tally) {
  Json json = Json::object();
  json.set("loss", tally.loss);
  json.set("correct", tally.correct);
  json.set("count", tally.count);
  return json;
}

Tally tally_from(const Json& json) {
  return {json.at("loss").as_double("loss"), json.at("correct").as_int("correct"),
          json.at("count").as_int("count")};
}

}  // namespace

Json Trainer::settings() const {
  Json json = identity_;
  json.set("train", options_.to_json());
  return json;
}

std::vector<StateArray> Trainer::arrays() {
  ParamSet<float>& params = model_.params();
  std::vector<StateArray> arrays{{"params", params.values().span()},
                                 {"buffers", params.buffer_values().span()},
                                 {"ema", ema_.span()},
                                 {"ema.buffers", ema_buffers_.span()},
                                 {"best.params", best_params_.span()},
                                 {"best.buffers", best_buffers_.span()}};
  for (const StateArray& array : optimizer_->state()) arrays.push_back(array);
  std::erase_if(arrays, [](const StateArray& a) { return a.data.empty(); });
  return arrays;
}

void Trainer::save() {
  Json state = Json::object();
  state.set("epoch", at_.epoch);
  state.set("step", at_.step);
  state.set("step_in_epoch", at_.step_in_epoch);
  state.set("tally", to_json(at_.tally));
  state.set("norm_sum", at_.norm_sum);
  state.set("seconds", at_.seconds);
  state.set("step_seconds", at_.step_seconds);
  state.set("step_networks", at_.step_networks);
  state.set("epoch_seconds", at_.epoch_seconds);
  state.set("lr", lr_);
  state.set("best_epoch", at_.best_epoch);
  state.set("best", to_json(at_.best));
  save_checkpoint(checkpoint_, arrays(), settings(), state);
  saved_ = true;
}

int64_t Trainer::resume() {
  const Json state = load_checkpoint(checkpoint_, arrays(), settings());
  Position at;
  at.epoch = state.at("epoch").as_int("epoch");
  at.step = state.at("step").as_int("step");
  at.step_in_epoch = state.at("step_in_epoch").as_int("step_in_epoch");
  at.tally = tally_from(state.at("tally"));
  at.norm_sum = state.at("norm_sum").as_double("norm_sum");
  at.seconds = state.at("seconds").as_double("seconds");
  at.step_seconds = state.at("step_seconds").as_double("step_seconds");
  at.step_networks = state.at("step_networks").as_double("step_networks");
  at.epoch_seconds = state.at("epoch_seconds").as_double("epoch_seconds");
  at.best_epoch = state.at("best_epoch").as_int("best_epoch");
  at.best = tally_from(state.at("best"));
  if (at.epoch < 0 || at.epoch >= options_.epochs || at.step_in_epoch < 0 ||
      at.step_in_epoch >= steps_per_epoch_ || at.step != at.epoch * steps_per_epoch_ + at.step_in_epoch)
    throw Error(ErrorKind::bad_value,
                text("{}: damaged: stands at epoch {}, step {}, which this run does not have", checkpoint_,
                     at.epoch, at.step),
                "start over with --force");
  lr_ = state.at("lr").as_double("lr");
  at_ = at;
  saved_ = true;
  return at_.epoch;
}

}  // namespace dws::train
