// --precision, of the verbs that run models.
#include "command.h"
#include "core/log.h"
#include "kernels/bf16.h"

namespace dws::tools {

void add_precision(Options& verb, std::string& name) {
  name = "f32";
  verb.add_option("--precision", name,
                  "of the heavy products: f32, or bf16: factors of 8 bits, sums and weights in float32; fast "
                  "where the "
                  "processor has AMX")
      ->check(one_of({"f32", "bf16"}))
      ->capture_default_str();
}

void use_precision(const std::string& name) {
  using kernels::Bf16Unit, kernels::Precision;
  kernels::set_precision(name == "bf16" ? Precision::bf16 : Precision::f32);
  if (name == "bf16" && kernels::best_bf16_unit() != Bf16Unit::amx)
    log_warn("--precision bf16: this processor has no AMX: no faster than f32");
}

}  // namespace dws::tools
