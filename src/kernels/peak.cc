#include "kernels/peak.h"

#include <algorithm>
#include <chrono>
#include <cstring>

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

MemoryRates measure_memory_gbs(double seconds, size_t bytes) {
  // Piece by piece, so that one undisturbed piece is enough on a busy machine; a piece comes again only after
  // all the others have passed through the caches.
  constexpr size_t kPieces = 16;
  const size_t piece = bytes / 3 / sizeof(float) / kPieces, count = piece * kPieces;
  Buffer<float> a(count), b(count), c(count);
  std::fill(a.begin(), a.end(), 0.0f);
  std::fill(b.begin(), b.end(), 1.0f);
  std::fill(c.begin(), c.end(), 2.0f);
  const double piece_bytes = static_cast<double>(piece * sizeof(float));
  const auto rate = [&](int streams, auto work) {
    size_t next = 0;
    const double time =
        shortest(seconds / 3, 2 * static_cast<int>(kPieces), [&] { work(next++ % kPieces * piece); });
    return streams * piece_bytes / time * 1e-9;
  };
  MemoryRates rates;
  volatile float kept = 0;  // the sum is used, so that the loop stays
  // The arrays in turn, so that as much passes through the caches between two visits as in the others.
  const Buffer<float>* const arrays[] = {&a, &b, &c};
  size_t turn = 0;
  rates.read = rate(1, [&](size_t at) {
    kept = kept + table().read_all(static_cast<int64_t>(piece), arrays[turn++ / kPieces % 3]->data() + at);
  });
  rates.copy = rate(2, [&](size_t at) { std::memcpy(a.data() + at, b.data() + at, piece * sizeof(float)); });
  rates.triad = rate(3, [&](size_t at) {
    table().triad(static_cast<int64_t>(piece), 0.5f, b.data() + at, c.data() + at, a.data() + at);
  });
  return rates;
}

}  // namespace dws::kernels
