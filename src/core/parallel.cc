#include "core/parallel.h"

#include <sched.h>
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/error.h"
#include "core/text.h"

namespace dws {
namespace {

constexpr int kMaxThreads = 4096;

// The CPU quota of one cgroup (version 2) folder in cores, or a huge number: "200000 100000" is 2.
double cgroup_quota(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return kMaxThreads;
  try {
    return parse_double(quota, "cpu.max") / period;
  } catch (const Error&) {
    return kMaxThreads;
  }
}

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  double cores = kMaxThreads;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    cores = CPU_COUNT(&set);
  else if (const unsigned all = std::thread::hardware_concurrency(); all > 0)  // more CPUs than `set` holds
    cores = all;
  // The limit of any ancestor binds. In a container the own cgroup is often shown as the root.
  std::ifstream self("/proc/self/cgroup");
  for (std::string line; std::getline(self, line);) {
    if (line.rfind("0::/", 0) != 0) continue;
    for (std::string path = line.substr(3); !path.empty(); path.resize(path.rfind('/'))) {
      cores = std::min(cores, cgroup_quota("/sys/fs/cgroup" + path));
    }
  }
  cores = std::min(cores, cgroup_quota("/sys/fs/cgroup"));
  return std::max(1, static_cast<int>(std::ceil(cores)));
}

// Workers that stay for the life of the setting. The global limit lets TBB start more threads than cores
// where that is asked for.
struct Pool {
  explicit Pool(int count)
      : size(count),
        limit(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(std::max(count, 2))),
        arena(count, 1) {}
  int size;
  tbb::global_control limit;
  tbb::task_arena arena;
  std::mutex single;  // held by the loop that runs when there is one worker
};

std::mutex pool_mutex;
std::shared_ptr<Pool> pool;

std::shared_ptr<Pool> current_pool() {
  const std::lock_guard lock(pool_mutex);
  if (!pool) pool = std::make_shared<Pool>(available_cores());
  return pool;
}

thread_local int current_worker = -1;  // -1 outside of loop bodies

// Marks the calling thread as running loop bodies. Loops met meanwhile run serially under the same index: the
// thread never waits inside a body, so it cannot pick up a second one.
class InBody {
 public:
  explicit InBody(int worker) { current_worker = worker; }
  InBody(const InBody&) = delete;
  InBody& operator=(const InBody&) = delete;
  ~InBody() { current_worker = -1; }
};

}  // namespace

void set_threads(int threads) {
  if (threads < 0 || threads > kMaxThreads) {
    throw Error(ErrorKind::usage, text("threads: expected 0 to {}, got {}", kMaxThreads, threads));
  }
  auto fresh = std::make_shared<Pool>(threads ? threads : available_cores());
  const std::lock_guard lock(pool_mutex);
  pool.swap(fresh);
}

int threads() noexcept {
  return current_pool()->size;
}

void parallel_for(int64_t count, const std::function<void(int64_t)>& body) {
  if (count <= 0) return;
  if (current_worker >= 0) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  const auto workers = current_pool();
  const auto run = [&](const tbb::blocked_range<int64_t>& range) {
    const InBody mark(workers->size == 1 ? 0 : tbb::this_task_arena::current_thread_index());
    for (int64_t i = range.begin(); i < range.end(); ++i) body(i);
  };
  const tbb::blocked_range<int64_t> all(0, count);
  // Several threads of the program may run loops at the same time, and worker_index() stays unique: one
  // worker means one loop at a time, and short loops take a slot of the arena too.
  if (workers->size == 1) {
    const std::lock_guard lock(workers->single);
    run(all);
  } else if (count == 1) {
    workers->arena.execute([&] { run(all); });
  } else {
    workers->arena.execute([&] { tbb::parallel_for(all, run); });
  }
}

void parallel_blocks(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  if (count <= 0) return;
  if (grain < 1) throw Error(ErrorKind::internal, text("parallel_blocks: grain {}", grain));
  const int64_t blocks = count / grain + (count % grain != 0);
  parallel_for(blocks, [&](int64_t block) {
    const int64_t begin = block * grain;
    body(begin, begin + std::min(grain, count - begin));
  });
}

int worker_index() noexcept {
  return std::max(0, current_worker);
}

namespace {

template <class T>
void add_to(T* __restrict target, const T* __restrict source, int64_t size) {
  for (int64_t i = 0; i < size; ++i) target[i] += source[i];
}

template <class T>
void tree_sum_of(T* const* parts, int count, int64_t size, T* target) {
  const auto sum_block = [=](int64_t begin, int64_t end) {
    const int64_t length = end - begin;
    if (count <= 0) {
      std::fill_n(target + begin, length, T{0});
      return;
    }
    for (int64_t stride = 1; stride < count; stride *= 2) {
      for (int64_t s = 0; s + stride < count; s += 2 * stride) {
        add_to(parts[s] + begin, parts[s + stride] + begin, length);
      }
    }
    if (target != parts[0]) std::copy_n(parts[0] + begin, length, target + begin);
  };
  // 8 KiB a part: the blocks of 32 parts stay in the second-level cache through all levels of the tree.
  constexpr int64_t kGrain = 8192 / sizeof(T);
  if (size <= 2 * kGrain) {
    sum_block(0, std::max<int64_t>(size, 0));
  } else {
    parallel_blocks(size, kGrain, sum_block);
  }
}

}  // namespace

void tree_sum(float* const* parts, int count, int64_t size, float* target) {
  tree_sum_of(parts, count, size, target);
}

void tree_sum(double* const* parts, int count, int64_t size, double* target) {
  tree_sum_of(parts, count, size, target);
}

}  // namespace dws
