#include "align/align_zoo.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "core/error.h"
#include "core/file.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/scratch.h"
#include "core/text.h"
#include "symmetry/neuron.h"

namespace dws::align {
namespace {

constexpr int64_t kBlock = 16;  // networks a task: few enough to keep all threads busy on small zoos

// What the matching of some networks adds up to. Sums go over fixed blocks, so that they do not depend on
// threads.
struct Tally {
  double before = 0, after = 0;
  int64_t sweeps = 0;
  int sweeps_max = 0;

  void add(const Tally& other) {
    before += other.before;
    after += other.after;
    sweeps += other.sweeps;
    sweeps_max = std::max(sweeps_max, other.sweeps_max);
  }
};

Match match_one(WeightMatcher& matcher, const Zoo& zoo, int64_t i, std::span<const float> network,
                std::span<float> aligned) {
  try {
    return matcher.match(network, static_cast<uint64_t>(i), aligned);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_value) throw;
    throw Error(ErrorKind::bad_value,
                text("{}: weights too large to be matched: {}", zoo.name(i), error.what()));
  }
}

// Every network of the zoo, aligned, to its row of `rows` (N, P).
Tally match_all(const Zoo& zoo, std::span<const float> reference, const MatchOptions& options,
                std::span<float> rows) {
  const symmetry::Layout layout = symmetry::mlp_layout(zoo.info().arch.dims);
  const int64_t count = zoo.size();
  const size_t params = reference.size();
  struct Worker {
    WeightMatcher matcher;
    std::vector<float> network;
  };
  std::vector<std::unique_ptr<Worker>> workers(static_cast<size_t>(threads()));
  std::vector<Tally> tallies(static_cast<size_t>((count + kBlock - 1) / kBlock));
  Progress progress("align", "networks", count);
  parallel_blocks(count, kBlock, [&](int64_t begin, int64_t end) {
    check_interrupt();
    auto& worker = workers[static_cast<size_t>(worker_index())];
    if (!worker)
      worker = std::make_unique<Worker>(
          Worker{WeightMatcher(layout, reference, options), std::vector<float>(params)});
    Tally& tally = tallies[static_cast<size_t>(begin / kBlock)];
    for (int64_t i = begin; i < end; ++i) {
      zoo.read(i, worker->network);
      const Match match = match_one(worker->matcher, zoo, i, worker->network,
                                    rows.subspan(static_cast<size_t>(i) * params, params));
      tally.add({match.cosine_before, match.cosine_after, match.sweeps(), match.sweeps()});
    }
    progress.add(end - begin);
  });
  Tally total;
  for (const Tally& tally : tallies) total.add(tally);
  return total;
}

// What stands beside the numbers of a zoo's networks.
struct Columns {
  explicit Columns(const Zoo& zoo) {
    for (int64_t i = 0; i < zoo.size(); ++i) {
      if (zoo.has_labels()) labels.push_back(zoo.label(i));
      images.push_back(zoo.image_id(i));
      if (const std::optional<float> p = zoo.psnr(i)) psnr.push_back(*p);
    }
    if (static_cast<int64_t>(psnr.size()) != zoo.size()) psnr.clear();
  }
  std::vector<int64_t> labels, images;
  std::vector<float> psnr;
};

bool is_single(const Zoo& zoo) {
  return zoo.size() == 1 && zoo.name(0) == zoo.path();
}

void write(const Zoo& zoo, const ZooInfo& info, std::span<const float> rows, const AlignOutput& output) {
  if (is_single(zoo)) {
    write_network(output.path, info, rows, output.metadata, output.force);
    return;
  }
  const Columns columns(zoo);
  struct Rows {
    std::span<const float> numbers;
    size_t params;
  } context{rows, rows.size() / static_cast<size_t>(zoo.size())};
  ZooContent content;
  content.info = info;
  content.count = zoo.size();
  content.labels = columns.labels;
  content.image_ids = columns.images;
  content.psnr = columns.psnr;
  content.metadata = output.metadata;
  content.context = &context;
  content.network = [](const void* from, int64_t i) {
    check_interrupt();
    const auto& all = *static_cast<const Rows*>(from);
    return all.numbers.data() + static_cast<size_t>(i) * all.params;
  };
  write_zoo(output.path, content, output.force);
}

}  // namespace

bool has_signs(const ZooInfo& info) noexcept {
  return symmetry::neuron_kinds(info.activation).sign;
}

AlignSummary align_zoo(const Zoo& zoo, std::span<const float> reference, const MatchOptions& options,
                       const AlignOutput& output) {
  const auto params = static_cast<size_t>(zoo.info().arch.param_count());
  if (reference.size() != params)
    throw Error(ErrorKind::mismatch, text("{}: networks of {} parameters for a reference of {}", zoo.path(),
                                          params, reference.size()));
  if (options.signs && !has_signs(zoo.info()))
    throw Error(
        ErrorKind::usage,
        text("{}: neurons of activation {} have no sign to choose", zoo.path(), zoo.info().activation),
        "use --groups perm");
  require_writable(output.path, output.force);
  const ScratchFile scratch(output.path, static_cast<size_t>(zoo.size()) * params * sizeof(float));
  const auto start = std::chrono::steady_clock::now();
  const Tally tally = match_all(zoo, reference, options, scratch.floats());
  AlignSummary summary;
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto count = static_cast<double>(zoo.size());
  summary.networks = zoo.size();
  summary.cosine_before = tally.before / count;
  summary.cosine_after = tally.after / count;
  summary.sweeps_mean = static_cast<double>(tally.sweeps) / count;
  summary.sweeps_max = tally.sweeps_max;

  ZooInfo info = zoo.info();
  info.align = output.settings;
  info.align.set("cosine_before", summary.cosine_before);
  info.align.set("cosine_after", summary.cosine_after);
  write(zoo, info, scratch.floats(), output);
  return summary;
}

}  // namespace dws::align
