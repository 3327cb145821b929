#include "train/predict.h"

#include <algorithm>

#include "core/parallel.h"

namespace dws::train {

namespace {
// Networks a forward pass. Where blocks begin depends on how a caller cuts its stream; results do not, since
// no kernel mixes networks outside training.
constexpr int64_t kBlock = 16;
}  // namespace

Predictor::Predictor(const Model<float>& model, const weights::Normaliser& normaliser)
    : model_(model), normaliser_(normaliser) {
  const auto params = static_cast<size_t>(model.input_size());
  for (int i = 0; i < std::max(1, threads()); ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->raw = Buffer<float>(params);
    workers_.back()->x = Buffer<float>(params * kBlock);
  }
}

void Predictor::run(int64_t count, const std::function<void(int64_t, std::span<float>)>& read,
                    std::span<float> logits) {
  const int64_t params = model_.input_size(), outputs = model_.output_size();
  parallel_blocks(count, kBlock, [&](int64_t begin, int64_t end) {
    Worker& worker = *workers_[static_cast<size_t>(worker_index())];
    for (int64_t i = begin; i < end; ++i) {
      read(i, worker.raw.span());
      normaliser_.apply(worker.raw.span(), worker.x.span().subspan(static_cast<size_t>((i - begin) * params),
                                                                   static_cast<size_t>(params)));
    }
    worker.tape.reset();
    worker.tape.set_recording(false);
    worker.tape.set_training(false);
    const Var<float> y = model_.forward(worker.tape, {worker.x.data(), Shape{end - begin, params}}, nullptr);
    std::copy_n(y.data(), (end - begin) * outputs, logits.data() + begin * outputs);
  });
}

Tally Predictor::evaluate(const Part& part) {
  const int64_t outputs = model_.output_size();
  // Piece by piece: neither logits nor the networks' pages are more than a piece's.
  const int64_t piece = std::max(part.data ? part.data->block() : 1, kBlock * std::max(1, threads()));
  std::vector<float> logits(static_cast<size_t>(std::min(piece, part.size()) * outputs));
  Tally tally;
  for (int64_t begin = 0; begin < part.size(); begin += piece) {
    const int64_t count = std::min(piece, part.size() - begin);
    const auto sample = [&](int64_t i) { return part.samples[static_cast<size_t>(begin + i)]; };
    run(
        count, [&](int64_t i, std::span<float> out) { part.data->read(sample(i), out); }, logits);
    part.data->release(sample(0), sample(count - 1) + 1);
    for (int64_t i = 0; i < count; ++i) {
      const std::span<const float> row{logits.data() + i * outputs, static_cast<size_t>(outputs)};
      const int64_t label = part.data->labels()[static_cast<size_t>(sample(i))];
      require_finite(row, part.data->name(sample(i)));
      tally.loss += cross_entropy(row, label);
      tally.correct += argmax(row) == label;
      ++tally.count;
    }
  }
  return tally;
}

}  // namespace dws::train
