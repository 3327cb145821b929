#include "merge/average.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <span>

#include "core/buffer.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/shape.h"
#include "core/text.h"
#include "kernels/mix.h"
#include "merge/operand.h"

namespace dws::merge {
namespace {

constexpr int64_t kBlock = 32768;

void require_alike(const Input& first, const Input& other) {
  const auto fail = [&](ErrorKind kind, const std::string& what) {
    throw Error(kind, text("{}: {}", one_line(other.path()), what));
  };
  for (const InputTensor& t : first.tensors()) {
    const InputTensor* same = other.find(t.name);
    if (!same)
      fail(ErrorKind::missing_tensor,
           text("has no tensor '{}', which {} has", escaped(t.name), one_line(first.path())));
    else if (same->dtype != t.dtype || same->shape != t.shape)
      fail(ErrorKind::mismatch, text("tensor '{}': expected {} {} as in {}, got {} {}", escaped(t.name),
                                     dtype_name(t.dtype), shape_text(t.shape), one_line(first.path()),
                                     dtype_name(same->dtype), shape_text(same->shape)));
  }
  if (other.tensors().size() != first.tensors().size())
    for (const InputTensor& t : other.tensors())
      if (!first.find(t.name))
        fail(ErrorKind::mismatch,
             text("has a tensor '{}', which {} has not", escaped(t.name), one_line(first.path())));
}

// Elements [begin, begin + count) of a tensor, and where their sums are.
struct Piece {
  size_t tensor;
  int64_t begin, count, at;
};

class Averager {
 public:
  Averager(const Plan& plan, const std::vector<InputFile>& files, const std::vector<double>& weights,
           const AverageOptions& options, Writer& writer)
      : plan_(plan), files_(files), weights_(weights), options_(options), writer_(writer) {}

  ExecuteReport run() {
    const auto room = static_cast<int64_t>(options_.max_memory / 2 / sizeof(double));
    if (room < kBlock)
      throw Error(ErrorKind::resource_limit, text("--max-memory {} is too little", options_.max_memory));
    int64_t left = 0;
    finished_ = options_.first;
    for (size_t t = options_.first; t < plan_.tensors.size(); ++t)
      if (!plan_.tensors[t].copy) left += elements(plan_.tensors[t]);
    const int64_t size = std::min(left, room);
    rounds_ = size > 0 ? (left + size - 1) / size : 1;
    sums_ = Buffer<double>(static_cast<size_t>(size));
    Progress progress("merge", "networks", rounds_ * static_cast<int64_t>(files_.size()));
    progress_ = &progress;
    std::vector<Piece> group;
    int64_t filled = 0;
    for (size_t t = options_.first; t < plan_.tensors.size(); ++t) {
      const OutputTensor& tensor = plan_.tensors[t];
      for (int64_t at = 0, n = tensor.copy ? 0 : elements(tensor); at < n;) {
        const int64_t count = std::min(n - at, size - filled);
        group.push_back({t, at, count, filled});
        at += count;
        filled += count;
        if (filled == size) flush(group, filled);
      }
    }
    if (!group.empty()) flush(group, filled);
    finish_until(plan_.tensors.size());
    return report_;
  }

 private:
  static int64_t elements(const OutputTensor& t) {
    int64_t n = 1;
    for (const int64_t extent : t.shape) n *= extent;
    return n;
  }

  // Sums all networks' numbers of the group and writes them.
  void flush(std::vector<Piece>& group, int64_t& filled) {
    std::fill_n(sums_.data(), filled, 0.0);
    for (size_t p = 0; p < files_.size(); ++p) {
      check_interrupt();
      const Input input = Input::open(files_[p]);
      for (const Piece& piece : group) add(input, piece, weights_[p]);
      progress_->add(1);
    }
    for (const Piece& piece : group) {
      finish_until(piece.tensor);
      write(piece);
      if (piece.begin + piece.count == elements(plan_.tensors[piece.tensor])) finish_until(piece.tensor + 1);
    }
    group.clear();
    filled = 0;
  }

  void add(const Input& input, const Piece& piece, double weight) {
    const OutputTensor& tensor = plan_.tensors[piece.tensor];
    const InputTensor* t = input.find(tensor.sources.front().tensor);
    if (!t || t->shape != tensor.shape)
      throw Error(ErrorKind::mismatch,
                  text("{}: tensor '{}' has changed", one_line(input.path()), escaped(tensor.name)));
    const Operand operand{&input, t, elements(tensor), nullptr};
    int64_t bad = std::numeric_limits<int64_t>::max();
    std::mutex mutex;
    constexpr int64_t kWindow = 64 * kBlock;
    for (int64_t window = 0; window < piece.count; window += kWindow) {
      const int64_t n = std::min(kWindow, piece.count - window);
      parallel_blocks(n, kBlock, [&](int64_t begin, int64_t end) {
        alignas(kAlignment) float x[kBlock];
        const int64_t at = piece.begin + window + begin, count = end - begin;
        operand.load(at, count, x);
        if (!options_.allow_nonfinite)
          if (const int64_t i = kernels::first_beyond(count, x, std::numeric_limits<float>::infinity());
              i >= 0) {
            const std::lock_guard lock(mutex);
            bad = std::min(bad, at + i);
          }
        double* sum = sums_.data() + piece.at + window + begin;
        for (int64_t i = 0; i < count; ++i) sum[i] += weight * static_cast<double>(x[i]);
      });
      if (bad != std::numeric_limits<int64_t>::max())
        throw Error(ErrorKind::bad_value,
                    text("{}: tensor '{}' holds NaN or infinity at element {}", one_line(input.path()),
                         escaped(tensor.name), bad),
                    "--allow-nonfinite merges it nevertheless");
      const Bytes part = operand.part(piece.begin + window, n);
      report_.bytes_read += static_cast<int64_t>(part.size());
      input.release(part);
    }
  }

  void write(const Piece& piece) {
    const Dtype dtype = plan_.tensors[piece.tensor].dtype;
    const int64_t width = dtype_bits(dtype) / 8;
    std::mutex mutex;
    parallel_blocks(piece.count, kBlock, [&](int64_t begin, int64_t end) {
      std::vector<float> x(sums_.data() + piece.at + begin, sums_.data() + piece.at + end);
      std::vector<std::byte> out(x.size() * static_cast<size_t>(width));
      const int64_t lost = store(dtype, end - begin, x.data(), out.data());
      writer_.write(piece.tensor, static_cast<uint64_t>((piece.begin + begin) * width), out.data(),
                    out.size());
      const std::lock_guard lock(mutex);
      report_.overflowed += lost;
      report_.bytes_written += static_cast<int64_t>(out.size());
    });
    report_.elements += piece.count;
  }

  // Tensors are finished in order; those that are copied come from the first network.
  void finish_until(size_t end) {
    for (; finished_ < end; ++finished_) {
      if (plan_.tensors[finished_].copy) {
        const Input first = Input::open(files_.front());
        const Bytes bytes = first.find(plan_.tensors[finished_].sources.front().tensor)->bytes;
        writer_.write(finished_, 0, bytes.data(), bytes.size());
      }
      writer_.finished(finished_);
      ++report_.tensors;
    }
  }

  const Plan& plan_;
  const std::vector<InputFile>& files_;
  const std::vector<double>& weights_;
  const AverageOptions& options_;
  Writer& writer_;
  ExecuteReport report_;
  Buffer<double> sums_;
  size_t finished_ = 0;
  int64_t rounds_ = 1;
  Progress* progress_ = nullptr;
};

}  // namespace

std::string check_alike(const std::vector<InputFile>& files) {
  const Input first = Input::open(files.front());
  std::string hash;
  for (const InputFile& file : files) {
    check_interrupt();
    const Input input = Input::open(file);
    require_alike(first, input);
    hash += input.fingerprint();
    hash = hash_bytes(std::as_bytes(std::span(hash)));
  }
  return hash;
}

bool all_equal(const Plan& plan, const std::vector<InputFile>& files) {
  if (std::ranges::none_of(plan.tensors, &OutputTensor::copy)) return true;
  const Input first = Input::open(files.front());
  for (const InputFile& file : files) {
    check_interrupt();
    const Input input = Input::open(file);
    for (const OutputTensor& t : plan.tensors)
      if (t.copy) {
        const std::string& name = t.sources.front().tensor;
        const InputTensor* other = input.find(name);
        if (!other || !std::ranges::equal(first.find(name)->bytes, other->bytes)) return false;
      }
  }
  return true;
}

ExecuteReport average(const Plan& plan, const std::vector<InputFile>& files,
                      const std::vector<double>& weights, const AverageOptions& options, Writer& writer) {
  return Averager(plan, files, weights, options, writer).run();
}

}  // namespace dws::merge
