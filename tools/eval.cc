// dws eval: accuracy and loss of networks on labelled data.
#include <memory>

#include "command.h"
#include "core/text.h"
#include "data_input.h"

namespace dws::tools {
namespace {

struct Eval {
  std::vector<std::string> paths;
  NetworkOptions network;
  DataOptions data;
  bool json = false;

  int run() const {
    for (const std::string& path : paths) one(path);
    return 0;
  }
  void one(const std::string& path) const;
};

void Eval::one(const std::string& path) const {
  const NetworkInput input = read_network(path, network);
  const LabelledData samples = read_data(data, input);
  network::Evaluator evaluator(input.network, samples, evaluator_options(data));
  warn_if_slow(evaluator.engine(), path);
  const network::Evaluation e = evaluator.run();
  const double rate = static_cast<double>(e.samples) / e.seconds;
  if (!json) {
    print(text(
        "{}: accuracy {:.4f}, loss {:.4f}, calibration error {:.4f}, {} samples, {:.2f} s, {:.0f} samples/s",
        one_line(path), e.accuracy(), e.loss, e.calibration, e.samples, e.seconds, rate));
    return;
  }
  Json files = Json::array();
  for (const std::string& file : samples.files()) files.push_back(file);
  print(Json::object({{"schema", "dws.eval/1"},
                      {"file", path},
                      {"data", files},
                      {"samples", e.samples},
                      {"classes", evaluator.classes()},
                      {"accuracy", e.accuracy()},
                      {"correct", e.correct},
                      {"loss", e.loss},
                      {"ece", e.calibration},
                      {"output", network::to_string(evaluator.output())},
                      {"seconds", e.seconds},
                      {"samples_per_second", rate}})
            .dump());
}

}  // namespace

void register_eval(Options& app, const Globals&, Run& run) {
  auto verb = std::make_shared<Eval>();
  Options* sub = app.add_subcommand("eval", "accuracy, loss and calibration of networks on labelled data");
  sub->footer("Example:\n  dws eval mlp.safetensors --data t10k-images-idx3-ubyte");
  sub->add_option("FILES", verb->paths, "networks that classify")->required();
  sub->add_flag("--json", verb->json, "JSON on stdout, a line a network");
  add_data_options(*sub, verb->data);
  add_network_options(*sub, verb->network);
  sub->callback([verb, &run] { run = [verb] { return verb->run(); }; });
}

}  // namespace dws::tools
