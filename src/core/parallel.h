// Parallel loops and reductions (oneTBB inside). Results never depend on the number of threads: every index
// writes its own output, and sums go over a fixed tree.
#pragma once

#include <cstdint>
#include <functional>

namespace dws {

// Worker threads for everything that follows; 0 means one a core of this process's CPU set (or of its
// cgroup's CPU quota, where that is less). Call at start, while no loop runs. Throws Error{usage} outside
// [0, 4096].
void set_threads(int threads);
int threads() noexcept;

// body(i) for i in [0, count), each once, in any order, on any thread. The first exception is rethrown after
// the loop has stopped. Serial when count < 2, with one thread, or inside another parallel loop.
void parallel_for(int64_t count, const std::function<void(int64_t)>& body);

// body(begin, end) on blocks of `grain` indices (the last may be shorter); where blocks begin depends on
// `grain` alone.
void parallel_blocks(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body);

// A small integer in [0, threads()) naming the calling worker inside a loop, for scratch memory that does not
// influence results. Unique among bodies running at the same time.
int worker_index() noexcept;

// target[i] = sum over s of parts[s][i], for i in [0, size): pairwise over a fixed binary tree of the parts,
// so the bits depend on `count` alone. parts[] are overwritten (they serve as scratch); `target` may be
// parts[0].
void tree_sum(float* const* parts, int count, int64_t size, float* target);
void tree_sum(double* const* parts, int count, int64_t size, double* target);

}  // namespace dws
