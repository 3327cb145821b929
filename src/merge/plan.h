// What a merge does, tensor by tensor: made by who reads options or a configuration, carried out by merge/execute.h. The plan
// knows nothing of files but the names of tensors in them, and the executor nothing of options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"

namespace dws::merge {

// x_k: the sources, b: the base, d_k = x_k - b, w_k: weights. The formulas are beside the code, in merge/methods.
enum class Method : uint8_t {
  linear,      // sum w_k x_k, divided by sum w_k where `normalize`
  slerp,       // two sources on the sphere, t from the first to the second
  nuslerp,     // two sources on the sphere, t = w_2 / (w_1 + w_2); with a base, of their deltas
  multislerp,  // any number, from the tangent space at their mean direction; with a base, of their deltas
  karcher,     // the Karcher (Riemannian) mean of the directions, times the mean norm
  task_arithmetic,   // b + lambda sum w_k d_k
  ties,              // the same of trimmed deltas that agree in sign
  dare_linear,       // of deltas dropped at random
  dare_ties,         //   ... that agree in sign
  breadcrumbs,       // of deltas without their largest and smallest
  breadcrumbs_ties,  //   ... that agree in sign
  della,             // of deltas dropped at random by rank in their row, that agree in sign
  della_linear,      //   ... all of them
  model_stock,       // b + t mean d_k, t from the angles between deltas
  sce,               // deltas where they vary most, weighted by their squares, that agree in sign
  nearswap,          // the base, drawn to the source where they are near
  arcee_fusion,      // the base, with the source's numbers where they matter most
  ram,               // deltas averaged over those that have one
  ramplus_tl,        //   ... that only one has are strengthened
  passthrough        // one source, times `scale`
};
// The names that the command line and configurations use. parse_method throws Error{usage} with the nearest name.
const char* method_name(Method method) noexcept;
Method parse_method(std::string_view name);
const std::vector<Method>& all_methods();

// What a method asks of its inputs, and the defaults that differ between methods.
struct MethodTraits {
  bool needs_base;  // there is no result without
  bool takes_base;  // needs one, or can work on deltas from one
  int least, most;  // sources besides the base; most = 0: any number
  bool normalize;   // default of Parameters::normalize
  bool random;      // the seed counts
};
const MethodTraits& traits(Method method) noexcept;

enum class Rescale : uint8_t {
  none,
  l1,    // what is left has the sum of absolute values that all had
  paper  // divided by the chance to be left, as in the papers
};

// Over which of a tensor's vectors nuslerp and model_stock measure angles.
enum class Over : uint8_t { tensor, rows, columns };

// One input's tensor and its parameters.
struct Source {
  int input = 0;       // number in the list of inputs
  std::string tensor;  // its name there
  double weight = 1;
  double density = 1;     // ties, dare, breadcrumbs, della: the share of a delta that is kept
  double gamma = 0.01;    // breadcrumbs: the share of the largest that is dropped
  double epsilon = 0.15;  // della: chances lie within density - epsilon and density + epsilon
  double scale = 1;       // passthrough
};

struct Parameters {
  bool normalize = true;                // linear, multislerp, task arithmetic and its kin
  double lambda = 1;                    // task arithmetic and its kin: factor of the merged delta
  double t = 0.5;                       // slerp, nearswap
  Rescale rescale = Rescale::paper;     // dare, della
  Over over = Over::tensor;             // nuslerp, model_stock (tensor, rows)
  double select_topk = 1;               // sce: the share of elements, of those that vary at all, that is kept
  double ram_epsilon = 1e-5;            // ram: a delta of more than this counts
  double ram_r = 0.1, ram_alpha = 0.2;  // ramplus_tl
  int max_iterations = 10;              // karcher
  double tolerance = 1e-5;              // karcher
};

// One tensor of the output.
struct OutputTensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> shape;
  Method method = Method::linear;
  std::vector<Source> sources;  // at least one; of one type and shape but where pad_rows
  std::optional<Source> base;
  Parameters parameters;
  // Bytes of sources.front() as they are, type and shape the same: integers, tensors that one input alone has.
  bool copy = false;
  // Sources may have fewer rows along the first axis than `shape`: a missing row is taken from the sources that have it, or from
  // the base where none has.
  bool pad_rows = false;
};

struct Plan {
  std::vector<OutputTensor> tensors;  // in the order in which they are made, file by file of the output
  std::vector<int> file;              // of the output, for each of `tensors`, ascending
  uint64_t seed = 0;
  // Results as the published implementation gives them where they are deterministic: numbers rounded to the tensor's type after
  // each step, and its defects kept; merge/methods says where that makes a difference.
  bool compat = false;
};

// 32 hexadecimal digits of everything that the plan says: a resumed run must have the same.
std::string plan_hash(const Plan& plan);

// Checks each tensor against its method's traits and the ranges of parameters. Throws Error{usage} naming tensor and parameter.
void check_plan(const Plan& plan);

}  // namespace dws::merge
