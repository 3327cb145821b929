// Everything a table_*.cc compiles: all bodies, and the table of their functions. A new kernel is a field in
// table_fields.h, a *_body.h included here, and a line below.
#pragma once

#include "kernels/elementwise_body.h"
#include "kernels/matmul_body.h"
#include "kernels/simd.h"
#include "kernels/table_fields.h"

namespace dws::kernels::DWS_ISA {

static constexpr Table kTable = {
    .add = add,
    .matmul = matmul,
    .matrix_update = matrix_update,
};

}  // namespace dws::kernels::DWS_ISA
