// One maker a family of methods; each file says its formulas.
#pragma once

#include "merge/block.h"

namespace dws::merge {

std::unique_ptr<TensorMerge> make_linear(const OutputTensor&, const Cut&, const MergeContext&);
std::unique_ptr<TensorMerge> make_passthrough(const OutputTensor&, const Cut&, const MergeContext&);
std::unique_ptr<TensorMerge> make_nearswap(const OutputTensor&, const Cut&, const MergeContext&);
// slerp, nuslerp, multislerp, karcher, model_stock: a result in the span of the inputs.
std::unique_ptr<TensorMerge> make_span(const OutputTensor&, const Cut&, const MergeContext&);
// task_arithmetic, ties, dare, breadcrumbs, della: deltas thinned out, then mixed.
std::unique_ptr<TensorMerge> make_task(const OutputTensor&, const Cut&, const MergeContext&);
std::unique_ptr<TensorMerge> make_sce(const OutputTensor&, const Cut&, const MergeContext&);
std::unique_ptr<TensorMerge> make_fusion(const OutputTensor&, const Cut&, const MergeContext&);
std::unique_ptr<TensorMerge> make_ram(const OutputTensor&, const Cut&, const MergeContext&);

}  // namespace dws::merge
