// Merging at the speed of memory: the mean of two bfloat16 files in the page cache beside copying a file, and TIES beside what it
// is without the two counting passes: a full sort of each delta's indices.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "bench.h"
#include "core/error.h"
#include "core/file.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "core/temporary_name.h"
#include "core/text.h"
#include "format/safetensors.h"
#include "kernels/mix.h"
#include "merge/compose.h"
#include "merge/execute.h"
#include "merge/partial_output.h"
#include "temp_folder.h"

namespace dws::tools {
namespace {

// In a memory file system where there is one: a disk's writing back is not what is measured.
TempFolder cached_folder() {
  try {
    return TempFolder("/dev/shm");
  } catch (const Error&) {
    return {};
  }
}

std::string write_bf16(const TempFolder& folder, const std::string& name, int64_t elements, uint64_t seed,
                       float spread) {
  constexpr int64_t kPeriod = 1 << 20;
  Rng rng(7), noise(seed);
  std::vector<float> x(kPeriod);
  for (float& v : x) v = static_cast<float>(rng.normal() + static_cast<double>(spread) * noise.normal());
  std::vector<std::byte> bytes(2 * x.size());
  kernels::narrow_bf16(kPeriod, x.data(), bytes.data());
  TensorSource source{
      "w", Dtype::bf16, {elements}, [&](const std::function<void(const void*, size_t)>& sink) {
        for (int64_t at = 0; at < elements; at += kPeriod)
          sink(bytes.data(), static_cast<size_t>(2 * std::min(kPeriod, elements - at)));
      }};
  const std::string path = folder.file(name);
  write_safetensors(path, {std::move(source)}, {}, true);
  return path;
}

// All threads copy a file piece by piece into a new one of its size.
void copy_file(const std::string& from, const std::string& to) {
  constexpr int64_t kPiece = 128 << 10;
  const Descriptor in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor out(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const auto size = static_cast<int64_t>(std::filesystem::file_size(from));
  if (in.fd < 0 || out.fd < 0 || ::ftruncate(out.fd, size) != 0) throw_errno(to, "cannot write");
  parallel_blocks(size, kPiece, [&](int64_t begin, int64_t end) {
    std::vector<char> piece(static_cast<size_t>(end - begin));
    if (::pread(in.fd, piece.data(), piece.size(), begin) != end - begin ||
        ::pwrite(out.fd, piece.data(), piece.size(), begin) != end - begin)
      throw_errno(to, "cannot copy");
  });
}

merge::Plan plan_of(merge::Method method, const std::vector<merge::Input>& inputs) {
  merge::Choices c;
  c.method = method;
  c.parameters = merge::default_parameters(method, false);
  for (int i = 0; i < static_cast<int>(inputs.size()); ++i) c.models.push_back(i);
  if (merge::traits(method).needs_base) {
    c.models.pop_back();
    c.base = static_cast<int>(c.models.size());
  }
  std::vector<std::string> warnings;
  return merge::compose(inputs, c, warnings);
}

// Both in bytes read and written a second, best of the same number of runs in turn.
Json linear(const BenchContext& context) {
  const int64_t elements = int64_t{context.seconds < 0.5 ? 4 : 128} << 20;  // 256 MiB a file
  const TempFolder folder = cached_folder();
  const std::string a = write_bf16(folder, "a.safetensors", elements, 1, 0.1f);
  std::vector<merge::Input> inputs;
  inputs.push_back(merge::Input::open(a));
  inputs.push_back(merge::Input::open(write_bf16(folder, "b.safetensors", elements, 2, 0.1f)));
  merge::Plan plan = plan_of(merge::Method::linear, inputs);
  const std::string out = folder.file("out.safetensors"), copied = folder.file("copy");
  const auto merge_once = [&] {
    merge::PartialOutput partial(out, merge::single_file(plan, out, {}), "bench", false, true);
    merge::execute(plan, inputs, {}, partial);
    partial.commit();
  };
  double merging = INFINITY, copying = INFINITY;
  const int rounds = std::clamp(static_cast<int>(context.seconds * 4), 2, 8);
  for (int i = 0; i < rounds; ++i) {
    std::filesystem::remove(copied);
    copying = std::min(copying, timed([&] { copy_file(a, copied); }));
    std::filesystem::remove(out);
    merging = std::min(merging, timed(merge_once));
  }
  const double bytes = 2.0 * static_cast<double>(elements), rate = 3 * bytes / merging,
               copy_rate = 2 * bytes / copying;
  Json result = Json::object();
  result.set("seconds", merging);
  result.set("gb_per_second", rate * 1e-9);
  result.set("copy_gb_per_second", copy_rate * 1e-9);
  result.set("share_of_copy", rate / copy_rate);
  result.set("threads", threads());
  return result;
}

// The density * n largest, by sorting all indices by magnitude; one thread, as a sort in one call is.
void trim_by_sort(std::vector<float>& delta, double density) {
  std::vector<uint32_t> order(delta.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) { return std::abs(delta[a]) > std::abs(delta[b]); });
  for (size_t i = static_cast<size_t>(density * static_cast<double>(delta.size())); i < order.size(); ++i)
    delta[order[i]] = 0;
}

// Discards what is made: both sides compute in memory.
class Nowhere : public merge::Writer {
  void write(size_t, uint64_t, const void*, size_t) override {}
};

Json ties(int64_t elements) {
  const TempFolder folder = cached_folder();
  std::vector<merge::Input> inputs;
  std::vector<std::vector<float>> x;
  for (const uint64_t i : {1, 2, 3}) {
    Rng rng(9), noise(i);
    std::vector<float> values(static_cast<size_t>(elements));
    for (float& v : values)
      v = 0.02f * (rng.uniform_float() - 0.5f) + (i < 3 ? 1e-3f * (noise.uniform_float() - 0.5f) : 0.0f);
    const std::string path = folder.file(text("{}.safetensors", i));
    write_safetensors(path, {TensorSource::of("w", {elements}, values)}, {}, true);
    inputs.push_back(merge::Input::open(path));
    x.push_back(std::move(values));
  }
  const merge::Plan plan = plan_of(merge::Method::ties, inputs);
  Nowhere nowhere;
  double fast = INFINITY;
  for (int i = 0; i < 3; ++i)
    fast = std::min(fast, timed([&] { merge::execute(plan, inputs, {}, nowhere); }));
  const double sorted = timed([&] {
    const std::vector<float>& base = x.back();
    std::vector<std::vector<float>> deltas(2, std::vector<float>(base.size()));
    const float* d[2];
    for (size_t k = 0; k < 2; ++k) {
      kernels::subtract(elements, x[k].data(), base.data(), deltas[k].data());
      trim_by_sort(deltas[k], 0.2);
      d[k] = deltas[k].data();
    }
    const float w[2] = {1, 1};
    kernels::agree(elements, 2, d, w, true, deltas[0].data());
    kernels::weighted_sum(elements, 2, std::array{base.data(), d[0]}.data(), w, deltas[0].data());
  });
  Json result = Json::object();
  result.set("seconds", fast);
  result.set("elements", elements);
  result.set("sort_seconds", sorted);
  result.set("times_faster_than_sort", sorted / fast);
  result.set("threads", threads());
  return result;
}

}  // namespace

std::vector<BenchCase> bench_merge() {
  return {{"merge.linear_bf16", linear},
          {"merge.ties", [](const BenchContext& context) {
             // 4096 x 14336, a matrix of an 8B language model, where there is time for the sort (--seconds 2).
             return ties(context.seconds >= 2 ? 58'720'256 : context.seconds >= 0.5 ? 8'000'000 : 1'000'000);
           }}};
}

}  // namespace dws::tools
