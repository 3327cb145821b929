// What this machine can do at most, measured: the yardsticks of `dws bench`.
#pragma once

namespace dws::kernels {

// Multiply-adds a second on registers alone, one thread, the instruction set in use: 10^9 floating-point
// operations a second (a multiply-add counts two). The best of repeated chunks within about `seconds`.
double measure_fma_gflops(double seconds);

// a = b + s c on three arrays of 85 MiB, one thread: 10^9 bytes a second, counting two reads and one write.
// Best sixteenth of a pass within about `seconds`, two passes at least. Throws std::bad_alloc.
double measure_memory_gbs(double seconds);

}  // namespace dws::kernels
