#include "metanets/registry.h"

#include "core/error.h"
#include "core/text.h"
#include "metanets/dws_net.h"
#include "metanets/mlp_net.h"
#include "metanets/stats_net.h"

namespace dws {

std::vector<std::string> model_names() {
  return {"dws", "mlp", "stats"};
}

template <class T>
std::unique_ptr<Model<T>> make_model(const std::string& kind, const MlpArch& arch, int64_t outputs,
                                     const Json& config) {
  if (outputs < 1) throw Error(ErrorKind::usage, text("a model of {} outputs", outputs));
  if (kind == "dws")
    return std::make_unique<DwsNet<T>>(weights::WeightSpace::mlp(arch.dims), outputs,
                                       DwsConfig::from_json(config));
  if (kind == "mlp")
    return std::make_unique<MlpNet<T>>(arch.param_count(), outputs, MlpConfig::from_json(config, "mlp", {}));
  if (kind == "stats")
    return std::make_unique<StatsNet<T>>(weights::WeightSpace::mlp(arch.dims), outputs,
                                         MlpConfig::from_json(config, "stats", StatsNet<T>::defaults()));
  const std::string near = nearest(kind, model_names());
  throw Error(ErrorKind::usage, text("unknown model '{}'", escaped(kind)),
              near.empty() ? "models: " + join(model_names(), ", ") : text("did you mean '{}'?", near));
}

template std::unique_ptr<Model<float>> make_model(const std::string&, const MlpArch&, int64_t, const Json&);
template std::unique_ptr<Model<double>> make_model(const std::string&, const MlpArch&, int64_t, const Json&);

}  // namespace dws
