#include "kernels/peak.h"

#include <algorithm>
#include <chrono>

#include "core/buffer.h"
#include "kernels/table_fields.h"

namespace dws::kernels {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The shortest time of a call of f: at least `least` calls, more until `seconds` are over.
template <class F>
double shortest(double seconds, int least, F f) {
  const double start = now();
  double best = 1e30;
  for (int i = 0; i < least || now() - start < seconds; ++i) {
    const double begin = now();
    f();
    best = std::min(best, std::max(now() - begin, 1e-9));
  }
  return best;
}

}  // namespace

double measure_fma_gflops(double seconds) {
  double operations = 0;
  const double time = shortest(seconds, 3, [&] { operations = table().fma_chains(200000); });
  return operations / time * 1e-9;
}

double measure_memory_gbs(double seconds) {
  const size_t count = (size_t{256} << 20) / 3 / sizeof(float);
  Buffer<float> a(count), b(count), c(count);
  std::fill(b.begin(), b.end(), 1.0f);
  std::fill(c.begin(), c.end(), 2.0f);
  // Piece by piece, so that one undisturbed piece is enough on a busy machine; a piece comes again only after
  // all the others have passed through the caches.
  const size_t pieces = 16, piece = count / pieces;
  size_t next = 0;
  const double time = shortest(seconds, 2 * static_cast<int>(pieces), [&] {
    const size_t at = next++ % pieces * piece;
    table().triad(static_cast<int64_t>(piece), 0.5f, b.data() + at, c.data() + at, a.data() + at);
  });
  return 3.0 * static_cast<double>(piece * sizeof(float)) / time * 1e-9;
}

}  // namespace dws::kernels
