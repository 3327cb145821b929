#include "inr/fit_zoo.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/text.h"
#include "core/version.h"
#include "inr/journal.h"
#include "kernels/isa.h"

namespace dws {
namespace {

std::vector<int64_t> selected_images(const FitOptions& options, int64_t count) {
  const int64_t end = options.limit > 0 ? std::min(options.limit, count) : count;
  std::vector<int64_t> selected;
  for (int64_t i = options.shard_index; i < end; i += options.shard_count) selected.push_back(i);
  return selected;
}

// Everything the parameters' bits depend on, the program and its instruction set among it, as 32 digits.
std::string settings_hash(const ZooInfo& info, const Images& images, std::span<const int64_t> labels) {
  Json settings = info.to_json();
  settings.set("version", version());
  settings.set("isa", kernels::to_string(kernels::isa()));
  settings.set("images", hash_bytes(std::as_bytes(std::span(images.pixels))));
  settings.set("labels", hash_bytes(std::as_bytes(labels)));
  const std::string line = settings.dump();
  return hash_bytes(std::as_bytes(std::span(line)));
}

// Fits every job that the journal does not have. One fitter a worker: its scratch is reused, its state is
// not.
void run_jobs(const Images& images, const FitOptions& options, const ZooInfo& info,
              const std::vector<int64_t>& selected, Journal& journal,
              const std::function<void(int64_t)>& each) {
  const Field field(info);
  const Buffer<float> inputs = field.grid(images.height, images.width);
  std::vector<int64_t> todo;
  const auto jobs = static_cast<int64_t>(selected.size()) * options.views;
  for (int64_t job = 0; job < jobs; ++job)
    if (!journal.has(job)) todo.push_back(job);
  Progress progress("fit", "networks", jobs, journal.done());
  std::vector<std::unique_ptr<Fitter>> fitters(static_cast<size_t>(threads()));
  std::atomic<int64_t> done = journal.done();
  std::atomic<double> psnr_sum = 0;
  std::atomic<int64_t> fresh = 0;
  parallel_for(static_cast<int64_t>(todo.size()), [&](int64_t i) {
    check_interrupt();
    auto& fitter = fitters[static_cast<size_t>(worker_index())];
    if (!fitter)
      fitter = std::make_unique<Fitter>(options, field, inputs.span(), images.height, images.width);
    const int64_t job = todo[static_cast<size_t>(i)],
                  image = selected[static_cast<size_t>(job / options.views)];
    std::vector<float> params(static_cast<size_t>(field.param_count()));
    const FitResult result = fitter->fit(images.image(image), image, job % options.views, params);
    journal.append({static_cast<uint64_t>(job), static_cast<float>(result.psnr),
                    static_cast<uint32_t>(result.steps), params.data()});
    psnr_sum += result.psnr;
    progress.add(1, text("PSNR {:.1f} dB", psnr_sum.load() / static_cast<double>(++fresh)));
    const int64_t count = ++done;
    if (each) each(count);
  });
}

}  // namespace

FitSummary fit_images(const Images& images, std::span<const int64_t> labels, const FitOptions& options,
                      const FitOutput& output, const std::function<void(int64_t)>& each) {
  ZooInfo info = fit_info(options, images);
  if (!labels.empty() && static_cast<int64_t>(labels.size()) != images.count)
    throw Error(ErrorKind::mismatch, text("{} labels for {} images", labels.size(), images.count));
  const std::vector<int64_t> selected = selected_images(options, images.count);
  if (selected.empty())
    throw Error(ErrorKind::empty, text("shard {}/{} of {} images is empty", options.shard_index,
                                       options.shard_count, images.count));
  require_writable(output.path, output.force);

  const auto count = static_cast<int64_t>(selected.size()) * options.views;
  Journal journal(output.path + ".partial", settings_hash(info, images, labels), count,
                  info.arch.param_count(), output.force);
  FitSummary summary;
  summary.networks = count;
  summary.resumed = journal.done();
  const auto start = std::chrono::steady_clock::now();
  try {
    run_jobs(images, options, info, selected, journal, each);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted) throw;
    throw Error(ErrorKind::interrupted,
                text("{}: interrupted, {} of {} networks are done", output.path, journal.done(), count),
                text("the same command continues from {}", journal.path()));
  }
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  journal.map();
  ZooContent content;
  std::vector<int64_t> zoo_labels, image_ids;
  std::vector<float> psnr;
  for (int64_t job = 0; job < count; ++job) {
    const JournalEntry entry = journal.entry(job);
    const int64_t image = selected[static_cast<size_t>(job / options.views)];
    image_ids.push_back(image);
    if (!labels.empty()) zoo_labels.push_back(labels[static_cast<size_t>(image)]);
    psnr.push_back(entry.psnr);
    summary.steps += entry.steps;
    summary.psnr_mean += entry.psnr / static_cast<double>(count);
  }
  summary.psnr_min = *std::min_element(psnr.begin(), psnr.end());
  summary.psnr_max = *std::max_element(psnr.begin(), psnr.end());
  info.source = output.source;
  info.summary = Json::object();
  info.summary.set("networks", count);
  info.summary.set("psnr_mean", summary.psnr_mean);
  info.summary.set("psnr_min", summary.psnr_min);
  info.summary.set("psnr_max", summary.psnr_max);
  info.summary.set("steps", summary.steps);
  content.info = info;
  content.count = count;
  content.labels = zoo_labels;
  content.image_ids = image_ids;
  content.psnr = psnr;
  content.context = &journal;
  content.network = [](const void* context, int64_t i) {
    return static_cast<const Journal*>(context)->entry(i).params;
  };
  content.metadata = output.metadata;
  write_zoo(output.path, content, output.force);
  journal.remove();
  return summary;
}

}  // namespace dws
