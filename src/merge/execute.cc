#include "merge/execute.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <optional>
#include <span>

#include "core/buffer.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/shape.h"
#include "core/text.h"
#include "kernels/mix.h"
#include "merge/block.h"
#include "merge/operand.h"
#include "merge/round.h"

namespace dws::merge {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Mapped pages that were read, given back once they are too many.
class Pages {
 public:
  explicit Pages(uint64_t most) : most_(most) {}
  void passed(const Input& input, Bytes part) {
    if (part.empty()) return;
    kept_.emplace_back(&input, part);
    size_ += part.size();
    if (size_ > most_) let_go();
  }
  void let_go() {
    for (const auto& [input, part] : kept_) input->release(part);
    kept_.clear();
    size_ = 0;
  }

 private:
  uint64_t most_, size_ = 0;
  std::vector<std::pair<const Input*, Bytes>> kept_;
};

// The sources of a tensor, and its base behind them.
struct Operands {
  std::vector<Operand> all;
  int sources = 0;
  bool has_base = false;
  const Operand* base() const { return has_base ? &all.back() : nullptr; }
};

// Where NaN or infinity stands: the lowest place counts, of those the first operand.
struct BadPlace {
  int64_t element = std::numeric_limits<int64_t>::max();
  int operand = 0;
};

std::string place_text(int64_t element, const std::vector<int64_t>& shape) {
  std::vector<std::string> parts(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    parts[axis] = text("{}", element % shape[axis]);
    element /= shape[axis];
  }
  return "[" + join(parts, ", ") + "]";
}

class Executor {
 public:
  Executor(const Plan& plan, const std::vector<Input>& inputs, const ExecuteOptions& options, Writer& writer)
      : plan_(plan),
        inputs_(inputs),
        options_(options),
        writer_(writer),
        pages_(options.max_memory / 8),
        window_bytes_(std::clamp<uint64_t>(options.max_memory / 4, 1 << 20, uint64_t{192} << 20)) {}

  ExecuteReport run() {
    int64_t total = 0, done = 0;
    for (size_t t = 0; t < plan_.tensors.size(); ++t)
      (t < options_.first ? done : total) += output_bytes(plan_.tensors[t]);
    total += done;
    Progress progress("merge", "MB", total / 1'000'000, done / 1'000'000);
    progress_ = &progress;
    written_ = done;
    for (size_t t = options_.first; t < plan_.tensors.size(); ++t) {
      check_interrupt();
      tensor(t);
      writer_.finished(t);
      ++report_.tensors;
    }
    pages_.let_go();
    return report_;
  }

 private:
  static int64_t output_bytes(const OutputTensor& t) {
    int64_t elements = 1;
    for (const int64_t extent : t.shape) elements *= extent;
    return elements * dtype_bits(t.dtype) / 8;
  }

  void tensor(size_t t) {
    const OutputTensor& tensor = plan_.tensors[t];
    const Operands operands = find(tensor);
    if (tensor.copy) {
      copy(t, operands.all.front());
    } else if (const Cut cut = cut_for(tensor, plan_.compat); cut.elements > 0) {
      report_.elements += cut.elements;
      const MergeContext context{plan_.seed, plan_.compat, operands.all.front().tensor->dtype};
      const std::unique_ptr<TensorMerge> merge = make_merge(tensor, cut, context);
      for (int pass = 0; merge->begin_pass(pass); ++pass) run_pass(t, operands, cut, *merge, context, false);
      run_pass(t, operands, cut, *merge, context, true);
    }
  }

  Operands find(const OutputTensor& tensor) const {
    Operands found;
    const auto add = [&](const Source& source) {
      if (source.input < 0 || static_cast<size_t>(source.input) >= inputs_.size())
        throw Error(ErrorKind::internal, text("tensor '{}': input {}", escaped(tensor.name), source.input));
      const Input& input = inputs_[static_cast<size_t>(source.input)];
      const InputTensor* of = input.find(source.tensor);
      if (!of)
        throw Error(ErrorKind::missing_tensor,
                    text("{}: has no tensor '{}'", one_line(input.path()), escaped(source.tensor)));
      const bool fewer =
          tensor.pad_rows && of->shape.size() == tensor.shape.size() && !of->shape.empty() &&
          std::ranges::equal(std::span(of->shape).subspan(1), std::span(tensor.shape).subspan(1));
      if ((of->shape != tensor.shape && !fewer) || (!tensor.copy && !merges(of->dtype)) ||
          (tensor.copy && of->dtype != tensor.dtype))
        throw Error(ErrorKind::mismatch,
                    text("{}: tensor '{}': expected {} {}, got {} {}", one_line(input.path()),
                         escaped(source.tensor), dtype_name(tensor.dtype), shape_text(tensor.shape),
                         dtype_name(of->dtype), shape_text(of->shape)));
      int64_t elements = 1;
      for (const int64_t extent : of->shape) elements *= extent;
      found.all.push_back({&input, of, elements, nullptr});
    };
    for (const Source& s : tensor.sources) add(s);
    found.sources = static_cast<int>(found.all.size());
    if (tensor.base && !tensor.copy) {
      add(*tensor.base);
      found.has_base = true;
    }
    donate(tensor, found);
    return found;
  }

  // Rows that one lacks come from the base, or from the first source that has them all.
  static void donate(const OutputTensor& tensor, Operands& found) {
    int64_t elements = 1;
    for (const int64_t extent : tensor.shape) elements *= extent;
    const auto whole = [&](const Operand& o) { return o.elements >= elements; };
    const Operand* donor = found.has_base && whole(found.all.back()) ? &found.all.back() : nullptr;
    for (const Operand& o : found.all)
      if (!donor && whole(o)) donor = &o;
    for (Operand& o : found.all)
      if (!whole(o)) {
        if (!donor)
          throw Error(ErrorKind::mismatch, text("tensor '{}': no input has all of {}", escaped(tensor.name),
                                                shape_text(tensor.shape)));
        o.donor = donor;
      }
  }

  void copy(size_t t, const Operand& from) {
    const Bytes bytes = from.tensor->bytes;
    constexpr size_t kPiece = size_t{1} << 20, kWindow = size_t{32} << 20;
    for (size_t at = 0; at < bytes.size(); at += kWindow) {
      check_interrupt();
      const Bytes window = bytes.subspan(at, std::min(kWindow, bytes.size() - at));
      parallel_for(static_cast<int64_t>((window.size() + kPiece - 1) / kPiece), [&](int64_t i) {
        const size_t begin = static_cast<size_t>(i) * kPiece;
        writer_.write(t, at + begin, window.data() + begin, std::min(kPiece, window.size() - begin));
      });
      pages_.passed(*from.input, window);
      report_.bytes_read += static_cast<int64_t>(window.size());
      wrote(static_cast<int64_t>(window.size()));
    }
  }

  // One worker's arrays.
  struct Worker {
    Buffer<float> arrays;
    Buffer<std::byte> out;
    std::vector<float*> x;
    int64_t overflowed = 0;
  };

  // How many blocks of a window, and by how many workers.
  struct Window {
    int64_t blocks;
    bool by_position;  // fewer workers than threads: each block of the window has arrays of its own
  };
  Window prepare(const Operands& operands, const Cut& cut, const TensorMerge& merge,
                 const OutputTensor& tensor) {
    const int64_t arrays = static_cast<int64_t>(operands.all.size()) + 1 + merge.scratch();
    const int64_t block = std::min(cut.block, std::max<int64_t>(cut.elements, 1));
    const int64_t each = arrays * block * 4 + block * dtype_bits(tensor.dtype) / 8;
    const auto most = static_cast<int64_t>(options_.max_memory / 2);
    if (each > most)
      throw Error(ErrorKind::resource_limit,
                  text("tensor '{}': one block of {} numbers takes {} MB, half of --max-memory is {} MB",
                       escaped(tensor.name), block, (each + 999'999) / 1'000'000, most / 1'000'000),
                  text("give --max-memory {}MB or more", 2 * (each + 999'999) / 1'000'000));
    int64_t bytes = merge.bytes_per_block();
    for (const Operand& o : operands.all) bytes += block * dtype_bits(o.tensor->dtype) / 8;
    Window window{std::max<int64_t>(1, static_cast<int64_t>(window_bytes_) / bytes), false};
    const int64_t workers = most / each;
    if (workers < threads()) {
      window.blocks = std::min(window.blocks, workers);
      window.by_position = true;
    }
    workers_.resize(static_cast<size_t>(window.by_position ? window.blocks : threads()));
    for (Worker& w : workers_) w.x.resize(static_cast<size_t>(operands.sources));
    needed_ = {static_cast<size_t>(arrays * block),
               static_cast<size_t>(block * dtype_bits(tensor.dtype) / 8)};
    return window;
  }

  void run_pass(size_t t, const Operands& operands, const Cut& cut, TensorMerge& merge,
                const MergeContext& context, bool writing) {
    const OutputTensor& tensor = plan_.tensors[t];
    const Window window = prepare(operands, cut, merge, tensor);
    const auto wanted = [&](int i) { return writing || i >= operands.sources || merge.wants(i); };
    const auto each_part = [&](int64_t first, int64_t count, const auto& visit) {
      for (size_t i = 0; i < operands.all.size(); ++i)
        if (wanted(static_cast<int>(i))) {
          const Operand& o = operands.all[i];
          const Bytes part = o.part(first * cut.block, count * cut.block);
          if (!part.empty()) visit(*o.input, part);
        }
    };
    const int64_t blocks = cut.blocks();
    for (int64_t first = 0; first < blocks; first += window.blocks) {
      check_interrupt();
      const int64_t count = std::min(window.blocks, blocks - first);
      if (const int64_t next = first + count; next < blocks)
        each_part(next, std::min(window.blocks, blocks - next),
                  [](const Input& input, Bytes part) { input.prefetch(part); });
      if (!writing) merge.begin_window(first, count);
      bad_ = {};
      parallel_for(count, [&](int64_t i) {
        Worker& worker = workers_[static_cast<size_t>(window.by_position ? i : worker_index())];
        one_block(t, operands, cut, merge, context, first + i, worker, writing);
      });
      if (!writing) merge.end_window();
      if (bad_.element != std::numeric_limits<int64_t>::max()) complain(operands);
      each_part(first, count, [&](const Input& input, Bytes part) {
        report_.bytes_read += static_cast<int64_t>(part.size());
        pages_.passed(input, part);
      });
      if (writing) {
        const int64_t end = std::min(cut.elements, (first + count) * cut.block);
        wrote((end - first * cut.block) * dtype_bits(tensor.dtype) / 8);
      }
    }
    for (Worker& w : workers_) report_.overflowed += std::exchange(w.overflowed, 0);
    if (writing && saw_nonfinite_.exchange(false)) ++report_.nonfinite;
  }

  void one_block(size_t t, const Operands& operands, const Cut& cut, TensorMerge& merge,
                 const MergeContext& context, int64_t index, Worker& worker, bool writing) {
    const OutputTensor& tensor = plan_.tensors[t];
    if (worker.arrays.size() < needed_.first) worker.arrays = Buffer<float>(needed_.first);
    if (writing && worker.out.size() < needed_.second) worker.out = Buffer<std::byte>(needed_.second);
    Block b;
    b.index = index;
    b.begin = index * cut.block;
    b.count = std::min(cut.block, cut.elements - b.begin);
    b.rows = cut.by_rows ? b.count / cut.columns : 0;
    b.sources = operands.sources;
    float* array = worker.arrays.data();
    const auto take = [&] { return std::exchange(array, array + b.count); };
    const auto load = [&](int i) {
      float* to = take();
      operands.all[static_cast<size_t>(i)].load(b.begin, b.count, to);
      if (writing) check(b, i, to);
      return to;
    };
    if (operands.has_base) b.base = load(operands.sources);
    for (int k = 0; k < operands.sources; ++k) {
      worker.x[static_cast<size_t>(k)] = nullptr;
      if (!writing && !merge.wants(k)) continue;
      float* x = worker.x[static_cast<size_t>(k)] = load(k);
      if (!merge.deltas() || !operands.has_base) continue;
      kernels::subtract(b.count, x, b.base, x);
      if (context.compat) round_to(context.dtype, {x, static_cast<size_t>(b.count)});
    }
    b.x = worker.x.data();
    b.out = take();
    b.scratch = array;
    if (!writing) return merge.read(b);
    merge.write(b);
    worker.overflowed += store(tensor.dtype, b.count, b.out, worker.out.data());
    const int64_t width = dtype_bits(tensor.dtype) / 8;
    writer_.write(t, static_cast<uint64_t>(b.begin * width), worker.out.data(),
                  static_cast<size_t>(b.count * width));
  }

  void check(const Block& b, int operand, const float* x) {
    const int64_t at = kernels::first_beyond(b.count, x, kInfinity);
    if (at < 0) return;
    if (options_.allow_nonfinite) {
      saw_nonfinite_ = true;
      return;
    }
    const std::lock_guard lock(bad_mutex_);
    const BadPlace here{b.begin + at, operand};
    if (std::pair(here.element, here.operand) < std::pair(bad_.element, bad_.operand)) bad_ = here;
  }

  [[noreturn]] void complain(const Operands& operands) const {
    const Operand* o = &operands.all[static_cast<size_t>(bad_.operand)];
    if (bad_.element >= o->elements && o->donor) o = o->donor;
    float value = 0;
    o->load(bad_.element, 1, &value);
    throw Error(ErrorKind::bad_value,
                text("{}: tensor '{}' holds {} at {}", one_line(o->input->path()), escaped(o->tensor->name),
                     number(value), place_text(bad_.element, o->tensor->shape)),
                "--allow-nonfinite merges it nevertheless");
  }

  void wrote(int64_t bytes) {
    report_.bytes_written += bytes;
    written_ += bytes;
    progress_->update(written_ / 1'000'000);
  }

  const Plan& plan_;
  const std::vector<Input>& inputs_;
  const ExecuteOptions& options_;
  Writer& writer_;
  Pages pages_;
  uint64_t window_bytes_;
  ExecuteReport report_;
  Progress* progress_ = nullptr;
  int64_t written_ = 0;
  std::vector<Worker> workers_;
  std::pair<size_t, size_t> needed_;
  std::mutex bad_mutex_;
  BadPlace bad_;
  std::atomic<bool> saw_nonfinite_{false};
};

}  // namespace

ExecuteReport execute(const Plan& plan, const std::vector<Input>& inputs, const ExecuteOptions& options,
                      Writer& writer) {
  check_plan(plan);
  return Executor(plan, inputs, options, writer).run();
}

}  // namespace dws::merge
