#include "autograd/fallback.h"

#include <atomic>

namespace dws {
namespace {
std::atomic<bool> g_use_fallbacks{false};
}

void set_use_fallbacks(bool on) noexcept {
  g_use_fallbacks.store(on, std::memory_order_relaxed);
}
bool use_fallbacks() noexcept {
  return g_use_fallbacks.load(std::memory_order_relaxed);
}

}  // namespace dws
