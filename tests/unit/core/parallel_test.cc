#include "core/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/rng.h"
#include "testing.h"

namespace dws {
namespace {

// Leaves the default behind, whatever a test sets.
class Parallel : public ::testing::Test {
 protected:
  void TearDown() override { set_threads(0); }
};

TEST_F(Parallel, EveryIndexOnce) {
  for (int workers : {1, 2, 8}) {
    set_threads(workers);
    EXPECT_EQ(threads(), workers);
    for (int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      parallel_for(count, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
      for (const auto& times : seen) EXPECT_EQ(times, 1);
    }
  }
}

TEST_F(Parallel, ZeroThreadsMeansTheCpuSet) {
  set_threads(0);
  EXPECT_GE(threads(), 1);
  EXPECT_LE(threads(), static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  testing::expect_error(
      ErrorKind::usage, [] { set_threads(-1); }, "-1");
}

TEST_F(Parallel, SeveralThreadsReallyWork) {
  set_threads(4);
  // Each body waits until another one runs at the same time: one thread alone never gets through.
  std::atomic<int> inside{0};
  std::atomic<bool> met{false};
  parallel_for(4, [&](int64_t) {
    ++inside;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!met && std::chrono::steady_clock::now() < end) {
      if (inside > 1) met = true;
      std::this_thread::yield();
    }
    --inside;
  });
  EXPECT_TRUE(met);
}

TEST_F(Parallel, BlocksDependOnGrainAlone) {
  for (int workers : {1, 3}) {
    set_threads(workers);
    std::mutex mutex;
    std::vector<std::pair<int64_t, int64_t>> blocks;
    parallel_blocks(10, 4, [&](int64_t begin, int64_t end) {
      const std::lock_guard lock(mutex);
      blocks.emplace_back(begin, end);
    });
    std::sort(blocks.begin(), blocks.end());
    EXPECT_EQ(blocks, (std::vector<std::pair<int64_t, int64_t>>{{0, 4}, {4, 8}, {8, 10}}));
  }
}

TEST_F(Parallel, TheFirstExceptionComesOut) {
  for (int workers : {1, 4}) {
    set_threads(workers);
    testing::expect_error(
        ErrorKind::bad_value,
        [] {
          parallel_for(100, [](int64_t i) {
            if (i == 37) throw Error(ErrorKind::bad_value, "item 37");
          });
        },
        "item 37");
    // And the next loop works.
    std::atomic<int> ran{0};
    parallel_for(10, [&](int64_t) { ++ran; });
    EXPECT_EQ(ran, 10);
    EXPECT_EQ(worker_index(), 0);
  }
}

// Counts how often two bodies hold one worker index at the same time.
class Holders {
 public:
  explicit Holders(int workers) : held_(static_cast<size_t>(workers)) {}
  void hold(const std::function<void()>& work) {
    const int worker = worker_index();
    if (worker < 0 || worker >= static_cast<int>(held_.size())) {
      ++wrong;
      return;
    }
    if (held_[static_cast<size_t>(worker)]++) ++wrong;
    work();
    if (worker_index() != worker) ++wrong;
    --held_[static_cast<size_t>(worker)];
  }
  std::atomic<int> wrong{0};

 private:
  std::vector<std::atomic<int>> held_;
};

TEST_F(Parallel, WorkerIndexIsUniqueWhileABodyRuns) {
  for (int workers : {1, 2, 5}) {
    set_threads(workers);
    Holders holders(workers);
    parallel_for(200, [&](int64_t) {
      holders.hold([] { std::this_thread::sleep_for(std::chrono::microseconds(50)); });
    });
    EXPECT_EQ(holders.wrong, 0);
  }
}

TEST_F(Parallel, NestedLoopsKeepTheWorkerIndex) {
  set_threads(4);
  Holders holders(4);
  std::atomic<int> ran{0};
  parallel_for(64, [&](int64_t) {
    holders.hold([&] {
      const int outer = worker_index();
      parallel_for(16, [&](int64_t) {
        if (worker_index() != outer) ++holders.wrong;
        parallel_blocks(8, 4, [&](int64_t begin, int64_t end) { ran += static_cast<int>(end - begin); });
        std::this_thread::yield();
      });
    });
  });
  EXPECT_EQ(ran, 64 * 16 * 8);
  EXPECT_EQ(holders.wrong, 0);
}

TEST_F(Parallel, LoopsFromSeveralThreadsOfTheProgram) {
  for (int workers : {1, 2}) {
    set_threads(workers);
    Holders holders(workers);
    std::atomic<int> ran{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        for (int loop = 0; loop < 20; ++loop) {
          parallel_for(loop % 3, [&](int64_t) {
            holders.hold([&] {
              ++ran;
              std::this_thread::sleep_for(std::chrono::microseconds(100));
            });
          });
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(ran, 4 * 19);
    EXPECT_EQ(holders.wrong, 0);
  }
}

template <class T>
std::vector<T> summed(int workers, int count, int64_t size, bool into_first) {
  set_threads(workers);
  Rng rng(11);
  std::vector<std::vector<T>> parts(static_cast<size_t>(count));
  std::vector<T*> pointers;
  for (auto& part : parts) {
    for (int64_t i = 0; i < size; ++i) part.push_back(static_cast<T>(rng.normal()));
    pointers.push_back(part.data());
  }
  std::vector<T> target(static_cast<size_t>(size), T{5});
  tree_sum(pointers.data(), count, size, into_first && count ? pointers[0] : target.data());
  return into_first && count ? parts[0] : target;
}

// The fixed tree, written recursively: blocks of a power of two, left plus right.
template <class T>
T tree(const std::vector<T>& x, size_t begin, size_t width) {
  if (width == 1) return x[begin];
  const T left = tree(x, begin, width / 2);
  return begin + width / 2 < x.size() ? left + tree(x, begin + width / 2, width / 2) : left;
}

template <class T>
void check_tree_sum() {
  for (int count : {1, 2, 3, 7, 16, 33}) {
    for (int64_t size : {0, 1, 5, 1023, 40000}) {
      const auto one = summed<T>(1, count, size, false);
      EXPECT_EQ(one, summed<T>(4, count, size, false)) << count << " parts of " << size;
      EXPECT_EQ(one, summed<T>(3, count, size, true)) << count << " parts of " << size;
      Rng rng(11);
      std::vector<std::vector<T>> columns(static_cast<size_t>(size));
      for (int s = 0; s < count; ++s) {
        for (auto& column : columns) column.push_back(static_cast<T>(rng.normal()));
      }
      size_t width = 1;
      while (width < static_cast<size_t>(count)) width *= 2;
      for (size_t i = 0; i < columns.size(); ++i) ASSERT_EQ(one[i], tree(columns[i], 0, width));
    }
  }
}

TEST_F(Parallel, TreeSumFloat) {
  check_tree_sum<float>();
}
TEST_F(Parallel, TreeSumDouble) {
  check_tree_sum<double>();
}

TEST_F(Parallel, TreeSumOfNothingIsZero) {
  EXPECT_EQ(summed<float>(2, 0, 3, false), std::vector<float>(3, 0.0f));
}

}  // namespace
}  // namespace dws
