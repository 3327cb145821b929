#include "train/metrics.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"

namespace dws::train {

int64_t argmax(std::span<const float> logits) noexcept {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

void require_finite(std::span<const float> logits, const std::string& network) {
  for (float z : logits)
    if (!std::isfinite(z))
      throw Error(ErrorKind::bad_value, text("{}: the model's answer is not a finite number", network),
                  "the model or the network holds numbers far out of range");
}

double cross_entropy(std::span<const float> logits, int64_t label) noexcept {
  const double top = logits[static_cast<size_t>(argmax(logits))];
  double sum = 0;
  for (float z : logits) sum += std::exp(static_cast<double>(z) - top);
  return std::log(sum) - (static_cast<double>(logits[static_cast<size_t>(label)]) - top);
}

void softmax(std::span<const float> logits, std::span<double> probabilities) noexcept {
  const double top = logits[static_cast<size_t>(argmax(logits))];
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i)
    sum += probabilities[i] = std::exp(static_cast<double>(logits[i]) - top);
  for (double& p : probabilities) p /= sum;
}

Json EpochRecord::to_json() const {
  Json json = Json::object();
  json.set("schema", "dws.train.epoch/1");
  json.set("epoch", epoch);
  json.set("step", step);
  json.set("lr", lr);
  json.set("loss", train.mean_loss());
  json.set("accuracy", train.accuracy());
  if (val) {
    json.set("val_loss", val->mean_loss());
    json.set("val_accuracy", val->accuracy());
    json.set("best", best);
  }
  json.set("grad_norm", grad_norm);
  json.set(noun + "_per_second", samples_per_second);
  json.set("seconds", seconds);
  return json;
}

}  // namespace dws::train
