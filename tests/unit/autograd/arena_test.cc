#include "autograd/arena.h"

#include <gtest/gtest.h>

namespace dws {
namespace {

TEST(Arena, HandsOutAlignedSeparateMemory) {
  Arena arena;
  char* last = nullptr;
  for (size_t n = 0; n < 3000; n += 7) {
    char* p = arena.take<char>(n);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % kAlignment, 0u);
    std::fill_n(p, n, static_cast<char>(n));
    EXPECT_NE(p, last);
    last = p;
  }
}

TEST(Arena, NothingOverlaps) {
  Arena arena;
  std::vector<std::pair<int*, size_t>> blocks;
  for (size_t n = 1; n < 400000; n = n * 3 / 2 + 1) {
    blocks.push_back({arena.take<int>(n), n});
    std::fill_n(blocks.back().first, n, static_cast<int>(n));
  }
  EXPECT_GT(blocks.size(), 10u);
  for (const auto& [p, n] : blocks)
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(p[i], static_cast<int>(n));
}

TEST(Arena, ReturnedMemoryServesTheNextRequestOfItsSize) {
  Arena arena;
  float* a = arena.take<float>(1000);
  float* b = arena.take<float>(1000);
  arena.give_back(a, 1000 * sizeof(float));
  EXPECT_EQ(arena.take<float>(990), a);
  float* c = arena.take<float>(1000);
  EXPECT_NE(c, a);
  EXPECT_NE(c, b);
}

TEST(Arena, ResetForgetsReturnedMemory) {
  Arena arena;
  arena.take<float>(10);
  float* a = arena.take<float>(1000);
  arena.give_back(a, 1000 * sizeof(float));
  arena.reset();
  // Otherwise the same bytes could be handed out twice: from the list and by the bump.
  float* b = arena.take<float>(1000);
  float* c = arena.take<float>(1000);
  EXPECT_GE(std::abs(b - c), 1000);
  EXPECT_NE(b, a);
}

TEST(Arena, KeepsItsMemoryOverSteps) {
  Arena arena;
  for (int step = 0; step < 3; ++step) {
    arena.reset();
    for (size_t n = 1; n < 3000000; n *= 3) arena.take<double>(n);
    static size_t first = arena.capacity();
    EXPECT_EQ(arena.capacity(), first);
  }
}

struct Counted {
  explicit Counted(std::vector<int>& out, int number) : log(out), id(number) {}
  ~Counted() { log.push_back(id); }
  std::vector<int>& log;
  int id;
};

TEST(Arena, RunsDestructorsLastFirst) {
  std::vector<int> log;
  {
    Arena arena;
    arena.make<Counted>(log, 1);
    arena.make<Counted>(log, 2);
    arena.reset();
    EXPECT_EQ(log, (std::vector<int>{2, 1}));
    arena.make<Counted>(log, 3);
  }
  EXPECT_EQ(log, (std::vector<int>{2, 1, 3}));
}

}  // namespace
}  // namespace dws
