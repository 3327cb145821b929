// One table of function pointers an instruction set. The bodies (*_body.h) are compiled three times, by
// table_portable.cc, table_avx2.cc and table_avx512.cc, each with its own flags and in its own namespace, so
// that no inline function of one instruction set can be merged with another's at link time. Bodies therefore
// use nothing from the standard library that is not a builtin or a plain type.
#pragma once

#include <cstdint>

namespace dws::kernels {

struct Table;  // fields: one a kernel, declared in table_fields.h next to the signatures

const Table& table() noexcept;  // of isa()

}  // namespace dws::kernels
