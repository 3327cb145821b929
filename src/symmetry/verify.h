// Does a symmetry hold? The network is run before and after, on random inputs, in double precision.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/rng.h"
#include "network/executor.h"
#include "symmetry/element.h"
#include "symmetry/spec.h"

namespace dws::symmetry {

struct VerifyOptions {
  int trials = 3;
  double tolerance = 1e-10;  // 1e-5 is what single precision can keep
  network::Precision precision = network::Precision::f64;
  uint64_t seed = 0;
  Draw draw{};
  std::map<std::string, double> set{};  // inputs, by name, that are this number everywhere
};
struct Verdict {
  double difference = 0;  // the largest, relative to the largest output: max |y - y'| / max |y|
  bool holds = true;
  std::string guilty;  // the group whose element alone makes a difference, where one does
  // With one member of a group left out the outputs must differ, or else the inputs show nothing.
  bool control = false;
  std::string control_group;
  double control_difference = 0;
};

// Random inputs of the shapes given: reals are normal; integers that look rows up are within the table, others 0 or 1; those
// that `set` names are that number. Throws Error{usage} for a name that no input has.
std::vector<network::ArrayPtr> random_inputs(const network::Network& network,
                                             const std::vector<network::ArrayPtr>& shapes,
                                             const std::map<std::string, double>& set, Rng& rng);
// max |a - b| / max |a| over all outputs, infinity where shapes differ or one is not a number and the other is.
double relative_difference(const std::vector<network::ArrayPtr>& a, const std::vector<network::ArrayPtr>& b);

// The network's tensors after g, for the executor.
network::Replacements replaced(const network::Network& network, const Spec& spec, const NetworkElement& g,
                               const LeftOut& left_out = {});

// `shapes` of the inputs. Throws Error as the executor does.
Verdict verify(const network::Network& network, const std::vector<network::ArrayPtr>& shapes,
               const Spec& spec, const VerifyOptions& options);

}  // namespace dws::symmetry
