#include "merge/selection.h"

#include <algorithm>

#include "core/parallel.h"

namespace dws::merge {
namespace {

constexpr int kLowBits = 15;
constexpr size_t kHigh = size_t{1} << 16, kLow = size_t{1} << kLowBits;
constexpr int64_t kCountBytes = int64_t{64} << 20;  // of all workers' bins together, about

// The bin, from the highest down, in which the r-th element lies (r > 0), and how many of it are within; `r` is what is left.
size_t bin_of(const std::vector<uint64_t>& bins, int64_t& r) {
  for (size_t b = bins.size(); b-- > 0;) {
    const auto count = static_cast<int64_t>(bins[b]);
    if (r <= count) return b;
    r -= count;
  }
  return 0;
}

}  // namespace

Selection::Selection(int streams, int64_t blocks) : streams_(static_cast<size_t>(streams)), blocks_(blocks) {
  const int64_t each = int64_t{threads()} * static_cast<int64_t>(kHigh * sizeof(uint32_t));
  group_size_ = static_cast<int>(std::clamp<int64_t>(kCountBytes / each, 1, std::max(streams, 1)));
}

void Selection::set_ranks(int s, const std::vector<int64_t>& ranks) {
  Stream& stream = streams_[static_cast<size_t>(s)];
  stream.cuts.clear();
  for (const int64_t rank : ranks) {
    stream.cuts.emplace_back();
    stream.cuts.back().rank = rank;
  }
}

bool Selection::wants(int s) const noexcept {
  if (stage_ != Stage::ties) return in_group(s);
  return std::ranges::any_of(streams_[static_cast<size_t>(s)].cuts,
                             [&](const OrderCut& cut) { return through_ties(cut); });
}

bool Selection::begin_pass() {
  const auto count = static_cast<int>(streams_.size());
  const auto reset = [&] {
    counts_.assign(static_cast<size_t>(threads()), std::vector<Counts>(static_cast<size_t>(group_size_)));
  };
  const int end = std::min(group_ + group_size_, count);
  switch (stage_) {
    case Stage::start:
      if (count == 0) break;
      for (int s = group_; s < end; ++s) streams_[static_cast<size_t>(s)].high.assign(kHigh, 0);
      reset();
      stage_ = Stage::high;
      return true;
    case Stage::high:
      for (int s = group_; s < end; ++s) find_bins(streams_[static_cast<size_t>(s)]);
      reset();
      stage_ = Stage::low;
      return true;
    case Stage::low:
      for (int s = group_; s < end; ++s) find_keys(streams_[static_cast<size_t>(s)]);
      if (end < count) {
        group_ = end;
        stage_ = Stage::start;
        return begin_pass();
      }
      counts_.clear();
      for (Stream& stream : streams_)
        for (OrderCut& cut : stream.cuts)
          if (through_ties(cut)) {
            cut.before.assign(static_cast<size_t>(blocks_), 0);
            stage_ = Stage::ties;
          }
      if (stage_ == Stage::ties) return true;
      break;
    case Stage::ties:
      sum_ties();
      break;
    case Stage::done:
      break;
  }
  stage_ = Stage::done;
  return false;
}

Selection::Counts& Selection::mine(int s, size_t bins) {
  Counts& counts = counts_[static_cast<size_t>(worker_index())][static_cast<size_t>(s - group_)];
  if (counts.bins.size() != bins) counts.bins.assign(bins, 0);
  return counts;
}

void Selection::count(int s, int64_t block, const float* x, int64_t n) {
  Stream& stream = streams_[static_cast<size_t>(s)];
  if (stage_ == Stage::high) {
    Counts& counts = mine(s, kHigh);
    uint32_t* bins = counts.bins.data();
    int64_t zeros = 0;
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t key = magnitude(x[i]);
      ++bins[key >> kLowBits];
      zeros += key == 0;
    }
    counts.zeros += zeros;
  } else if (stage_ == Stage::low) {
    if (stream.bins.empty()) return;
    Counts& counts = mine(s, stream.bins.size() * kLow);
    for (size_t j = 0; j < stream.bins.size(); ++j) {
      uint32_t* bins = counts.bins.data() + j * kLow;
      const uint32_t bin = stream.bins[j];
      for (int64_t i = 0; i < n; ++i)
        if (const uint32_t key = magnitude(x[i]); key >> kLowBits == bin) ++bins[key & (kLow - 1)];
    }
  } else {
    for (OrderCut& cut : stream.cuts) {
      if (cut.before.empty()) continue;
      int64_t equal = 0;
      for (int64_t i = 0; i < n; ++i) equal += magnitude(x[i]) == cut.key;
      cut.before[static_cast<size_t>(block)] = equal;
    }
  }
}

void Selection::end_window() {
  for (std::vector<Counts>& worker : counts_)
    for (size_t g = 0; g < worker.size(); ++g) {
      Counts& counts = worker[g];
      if (counts.bins.empty()) continue;
      Stream& stream = streams_[static_cast<size_t>(group_) + g];
      stream.zeros += counts.zeros;
      counts.zeros = 0;
      for (size_t i = 0; i < counts.bins.size(); ++i) {
        if (stage_ == Stage::high)
          stream.high[i] += counts.bins[i];
        else
          stream.low[i / kLow][i % kLow] += counts.bins[i];
      }
      std::ranges::fill(counts.bins, 0);
    }
}

void Selection::find_bins(Stream& s) const {
  for (OrderCut& cut : s.cuts) {
    cut.key = 0x7fffffffu;
    if (cut.rank == 0) continue;  // nothing is within
    int64_t left = cut.rank;
    const auto bin = static_cast<uint32_t>(bin_of(s.high, left));
    cut.key = bin << kLowBits;
    cut.equal = left;  // of the bin, for now
    if (!std::ranges::count(s.bins, bin)) s.bins.push_back(bin);
  }
  s.high.clear();
  s.high.shrink_to_fit();
  s.low.assign(s.bins.size(), std::vector<uint64_t>(kLow));
}

void Selection::find_keys(Stream& s) const {
  for (OrderCut& cut : s.cuts) {
    if (cut.rank == 0) continue;
    const auto j = static_cast<size_t>(std::ranges::find(s.bins, cut.key >> kLowBits) - s.bins.begin());
    const size_t low = bin_of(s.low[j], cut.equal);
    cut.key |= static_cast<uint32_t>(low);
    cut.total = static_cast<int64_t>(s.low[j][low]);
  }
  s.low.clear();
}

void Selection::sum_ties() {
  for (Stream& stream : streams_)
    for (OrderCut& cut : stream.cuts) {
      int64_t sum = 0;
      for (int64_t& b : cut.before) {
        const int64_t here = b;
        b = sum;
        sum += here;
      }
    }
}

namespace {

// Whether elements, asked for in order, are within a cut.
class Within {
 public:
  Within(const OrderCut& cut, int64_t block) : cut_(cut), least_(cut.least()) {
    if (!cut.before.empty()) seen_ = cut.before[static_cast<size_t>(block)];
  }
  bool operator()(uint32_t key) noexcept {
    if (cut_.before.empty()) return key >= least_;
    return key > cut_.key || (key == cut_.key && seen_++ < cut_.equal);
  }

 private:
  const OrderCut& cut_;
  uint32_t least_;
  int64_t seen_ = 0;
};

}  // namespace

void keep_within(const OrderCut& outer, int64_t block, float* x, int64_t n) noexcept {
  if (outer.before.empty()) {
    const uint32_t least = outer.least();
    for (int64_t i = 0; i < n; ++i) x[i] = magnitude(x[i]) >= least ? x[i] : 0.0f;
    return;
  }
  Within within(outer, block);
  for (int64_t i = 0; i < n; ++i)
    if (!within(magnitude(x[i]))) x[i] = 0;
}

void keep_between(const OrderCut& outer, const OrderCut& inner, int64_t block, float* x, int64_t n) noexcept {
  if (outer.before.empty() && inner.before.empty()) {
    const uint32_t least = outer.least(), most = inner.least();
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t key = magnitude(x[i]);
      x[i] = key >= least && key < most ? x[i] : 0.0f;
    }
    return;
  }
  Within in_outer(outer, block), in_inner(inner, block);
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t key = magnitude(x[i]);
    const bool a = in_outer(key), b = in_inner(key);
    if (!a || b) x[i] = 0;
  }
}

}  // namespace dws::merge
