// Everything a table_*.cc compiles: all bodies, and the table of their functions. A new kernel is a field in
// table_fields.h, a *_body.h included here, and a line below.
#pragma once

#include "kernels/activation_body.h"
#include "kernels/assignment_body.h"
#include "kernels/bf16_kernels_body.h"
#include "kernels/conv_body.h"
#include "kernels/conv_product_body.h"
#include "kernels/dropout_body.h"
#include "kernels/elementwise_body.h"
#include "kernels/fused_matrix_body.h"
#include "kernels/matmul_body.h"
#include "kernels/mix_body.h"
#include "kernels/norm_body.h"
#include "kernels/optimizer_body.h"
#include "kernels/peak_body.h"
#include "kernels/pool_body.h"
#include "kernels/reduce_body.h"
#include "kernels/simd.h"
#include "kernels/sincos_body.h"
#include "kernels/siren_body.h"
#include "kernels/special_body.h"
#include "kernels/table_fields.h"

namespace dws::kernels::DWS_ISA {

static constexpr Table kTable = {
    .add = add,
    .scale = scale,
    .relu = relu,
    .relu_backward = relu_backward,
    .dropout = dropout,
    .add_row_vector = add_row_vector,
    .column_sums = column_sums,
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .matmul = matmul,
    .matmul_onto_rows = matmul_onto_rows,
    .matrix_update = matrix_update,
    .matrix_update_sums = matrix_update_sums,
    .transpose = transpose,
    .columns_nchw = columns_nchw,
    .conv_product = conv_product,
    .pad_planes = pad_planes,
    .columns_nhwc = columns_nhwc,
    .add_columns_nhwc = add_columns_nhwc,
    .max_pool2d = max_pool2d,
    .max_pool2d_backward = max_pool2d_backward,
    .mean_pool2d = mean_pool2d,
    .mean_pool2d_backward = mean_pool2d_backward,
    .reduce = reduce,
    .reduce_backward = reduce_backward,
    .pool_matrix = pool_matrix,
    .pool_matrix_backward = pool_matrix_backward,
    .column_moments = column_moments,
    .affine = affine,
    .affine_backward_sums = affine_backward_sums,
    .affine_backward = affine_backward,
    .layer_norm = layer_norm,
    .layer_norm_backward = layer_norm_backward,
    .fused_forward = fused_forward,
    .fused_backward = fused_backward,
    .bf16 = kBf16Kernels<EmulatedUnit>,
    .adamw = adamw,
    .sum_squares = sum_squares,
    .sincos = sincos,
    .tanh = tanh,
    .tanh_backward = tanh_backward,
    .gelu = gelu,
    .gelu_backward = gelu_backward,
    .inr_loss = inr_loss,
    .inr_forward = inr_forward,
    .adam = adam,
    .net_gains = net_gains,
    .relax_row = relax_row,
    .soften_row = soften_row,
    .extremes = extremes,
    .widen_bf16 = widen_bf16,
    .widen_f16 = widen_f16,
    .narrow_bf16 = narrow_bf16,
    .narrow_f16 = narrow_f16,
    .weighted_sum = weighted_sum,
    .subtract = subtract,
    .dot = dot,
    .sum_abs = sum_abs,
    .first_beyond = first_beyond,
    .agree = agree,
    .random_words = random_words,
    .fma_chains = fma_chains,
    .triad = triad,
    .read_all = read_all,
    .exp = exp,
    .sigmoid = sigmoid,
    .erf = erf,
    .gelu_erf = gelu_erf,
};

}  // namespace dws::kernels::DWS_ISA
