#include "merge/methods/methods.h"

#include <algorithm>

namespace dws::merge {
namespace {

constexpr int64_t kBlock =
    32768;  // of float32: 128 KiB an array, so that those of a few sources stay in the cache

bool wants_rows(const OutputTensor& tensor) {
  switch (tensor.method) {
    case Method::della:
    case Method::della_linear:
    case Method::arcee_fusion:
      return true;
    case Method::nuslerp:
    case Method::model_stock:
      return tensor.parameters.over != Over::tensor;
    default:
      return false;
  }
}

}  // namespace

Cut cut_for(const OutputTensor& tensor, bool compat) {
  Cut cut;
  cut.elements = 1;
  for (const int64_t extent : tensor.shape) cut.elements *= extent;
  // The published implementation takes the last axis for a row; a filter, or an output's weights, is what follows the first.
  const bool vector = tensor.shape.size() < 2;
  cut.columns = vector || cut.elements == 0 ? std::max<int64_t>(cut.elements, 1)
                : compat                    ? tensor.shape.back()
                                            : cut.elements / tensor.shape.front();
  cut.rows = cut.elements / cut.columns;
  cut.by_rows = wants_rows(tensor);
  cut.block = cut.by_rows ? std::max<int64_t>(1, kBlock / cut.columns) * cut.columns : kBlock;
  return cut;
}

std::unique_ptr<TensorMerge> make_merge(const OutputTensor& tensor, const Cut& cut,
                                        const MergeContext& context) {
  switch (tensor.method) {
    case Method::linear:
      return make_linear(tensor, cut, context);
    case Method::passthrough:
      return make_passthrough(tensor, cut, context);
    case Method::nearswap:
      return make_nearswap(tensor, cut, context);
    case Method::slerp:
    case Method::nuslerp:
    case Method::multislerp:
    case Method::karcher:
    case Method::model_stock:
      return make_span(tensor, cut, context);
    case Method::task_arithmetic:
    case Method::ties:
    case Method::dare_linear:
    case Method::dare_ties:
    case Method::breadcrumbs:
    case Method::breadcrumbs_ties:
    case Method::della:
    case Method::della_linear:
      return make_task(tensor, cut, context);
    case Method::sce:
      return make_sce(tensor, cut, context);
    case Method::arcee_fusion:
      return make_fusion(tensor, cut, context);
    case Method::ram:
    case Method::ramplus_tl:
      return make_ram(tensor, cut, context);
  }
  return nullptr;
}

}  // namespace dws::merge
