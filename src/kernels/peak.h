// What this machine can do at most, measured: the yardsticks of `dws bench`.
#pragma once

#include <cstddef>

namespace dws::kernels {

// Multiply-adds a second on registers alone, one thread, the instruction set in use: 10^9 floating-point
// operations a second (a multiply-add counts two). The best of repeated chunks within about `seconds`.
double measure_fma_gflops(double seconds);

// Bytes a second on one thread, in 10^9: summing an array, copying one to another (a read and a write
// count), and a = b + s c on three (two reads and a write). The arrays take `bytes` together; best sixteenth
// of a pass within about `seconds` for the three, two passes at least. Throws std::bad_alloc.
struct MemoryRates {
  double read = 0, copy = 0, triad = 0;
};
MemoryRates measure_memory_gbs(double seconds, size_t bytes);

}  // namespace dws::kernels
