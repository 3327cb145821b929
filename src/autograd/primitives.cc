#include "autograd/ops.h"

namespace dws {

std::vector<std::string_view> primitive_names() {
  return {"linear",      "matrix_update", "matmul",      "add",        "scale",
          "relu",        "tanh",          "gelu",        "conv2d",     "max_pool2d",
          "mean_pool2d", "dropout",       "softmax",     "reshape",    "concat",
          "slice",       "transpose",     "add_bias",    "add_global", "add_rows",
          "add_cols",    "reduce",        "pool_matrix", "batch_norm", "norm_relu_dropout",
          "layer_norm",  "cross_entropy"};
}

}  // namespace dws
