#include "align/activations.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <set>

#include "align/assignment.h"
#include "align/pair.h"
#include "align/unit_choice.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/text.h"

namespace dws::align {
namespace {

using symmetry::Member;
using symmetry::NetworkElement;
using symmetry::NetworkGroup;
using symmetry::Spec;

// B's values that are A's, node by node.
std::vector<int> counterparts(const network::Network& a, const network::Network& b,
                              const std::vector<int>& values) {
  std::vector<int> of(a.values.size(), network::kNone);
  for (size_t n = 0; n < a.graph.nodes.size(); ++n) {
    const network::Node& x = a.graph.nodes[n];
    const network::Node* y = n < b.graph.nodes.size() ? &b.graph.nodes[n] : nullptr;
    if (!y || x.op != y->op || x.domain != y->domain || x.outputs.size() != y->outputs.size())
      throw Error(ErrorKind::mismatch,
                  text("{}: {}: {} has {} in its place", one_line(a.file), x.where(a.values),
                       one_line(b.file), y ? y->where(b.values) : std::string("nothing")),
                  "activations are compared value by value: both networks need the same graph");
    for (size_t i = 0; i < x.outputs.size(); ++i)
      if (x.outputs[i] != network::kNone) of[static_cast<size_t>(x.outputs[i])] = y->outputs[i];
  }
  std::vector<int> found;
  for (const int value : values) found.push_back(of[static_cast<size_t>(value)]);
  return found;
}

// A site while the data goes by.
struct Stream {
  Site site;
  size_t watched = 0;  // its value, in the list of those watched
  int64_t items = 0, places = 0;
  std::vector<int64_t> at_a, at_b;   // (items, places): where they lie in a sample
  std::vector<float> factor, shift;  // of B's numbers; empty: 1 and 0
  CrossSums sums;
  std::vector<float> a, b;

  void pack(const std::vector<float>& numbers, int64_t count, bool of_b, std::vector<float>& out) const {
    const std::vector<int64_t>& at = of_b ? at_b : at_a;
    const auto size = static_cast<int64_t>(numbers.size()) / count;
    out.resize(static_cast<size_t>(count * places * items));
    parallel_for(count, [&](int64_t s) {
      const float* from = numbers.data() + s * size;
      float* to = out.data() + s * places * items;
      for (int64_t i = 0; i < items; ++i)
        for (int64_t p = 0; p < places; ++p) {
          const auto k = static_cast<size_t>(i * places + p);
          const float x = from[at[k]];
          to[p * items + i] = of_b && !factor.empty() ? factor[k] * x + shift[k] : x;
        }
    });
  }
};

class Matcher {
 public:
  Matcher(const network::Network& a, const network::Network& b, const std::vector<network::ArrayPtr>& inputs,
          const Data& data, const ActivationOptions& options)
      : a_(a),
        b_(b),
        inputs_(inputs),
        data_(data),
        options_(options),
        flow_(symmetry::discover_flow(a, inputs)) {
    int64_t batch = 1;
    for (const network::ArrayPtr& input : inputs)
      if (!input->dims.empty()) batch = std::max<int64_t>(input->dims.front(), 1);
    sites_ = find_sites(flow_, a, batch);
    for (symmetry::SpecTensor& t : flow_.tensors)
      if (t.value != network::kNone && !t.dims.empty() && t.dims.front() % batch == 0)
        t.dims.front() /= batch;
    element_ = symmetry::identity_element(flow_);
    for (const NetworkGroup& g : flow_.groups) {
      evidence_.emplace_back(g, options.kinds);
      solved_.push_back(g.fixed);
    }
  }

  void run() {
    for (;;) {
      std::vector<Site> ready;
      std::vector<int> roots;
      for (size_t g = 0; g < flow_.groups.size(); ++g)
        if (!solved_[g] && is_root(g))
          if (const std::vector<Site> found = ready_below(static_cast<int>(g)); !found.empty()) {
            roots.push_back(static_cast<int>(g));
            ready.insert(ready.end(), found.begin(), found.end());
          }
      if (roots.empty()) return;
      read(ready);
      // What the next layer sees of some items may be nothing at all.
      std::vector<Site> again;
      std::set<int> seen;
      for (const Site& site : ready)
        if (seen.insert(site.group).second && evidence_[static_cast<size_t>(site.group)].dead())
          for (const Site& first : ready_of(site.group, sites_[static_cast<size_t>(site.group)].first))
            again.push_back(first);
      read(again);
      for (const int root : roots) solve(root);
    }
  }

  const Spec& flow() const noexcept { return flow_; }
  const NetworkElement& element() const noexcept { return element_; }
  bool solved(size_t g) const noexcept { return solved_[g]; }
  int passes() const noexcept { return passes_; }
  double before() const noexcept { return items_ > 0 ? before_ / static_cast<double>(items_) : 0; }
  double after() const noexcept { return items_ > 0 ? after_ / static_cast<double>(items_) : 0; }

 private:
  const NetworkGroup& group(int g) const { return flow_.groups[static_cast<size_t>(g)]; }
  // Not matched within another's items.
  bool is_root(size_t g) const {
    const int by = flow_.groups[g].by;
    return by < 0 || solved_[static_cast<size_t>(by)];
  }
  // Those on whose values all else that moves is known.
  std::vector<Site> ready_of(int g, const std::vector<Site>& sites) const {
    std::vector<Site> found;
    for (const Site& site : sites)
      if (std::ranges::all_of(site.others, [&](int other) {
            return solved_[static_cast<size_t>(other)] || other == group(g).by;
          }))
        found.push_back(site);
    return found;
  }
  std::vector<Site> ready_below(int root) const {
    std::vector<Site> found = ready_of(root, sites_[static_cast<size_t>(root)].best);
    for (size_t g = 0; g < flow_.groups.size(); ++g)
      if (flow_.groups[g].by == root && !solved_[g])
        for (Site& site : ready_of(static_cast<int>(g), sites_[g].best)) found.push_back(std::move(site));
    return found;
  }

  Stream stream(const Site& site) const {
    const NetworkGroup& g = group(site.group);
    Stream s{.site = site,
             .items = g.blocks * g.size,
             .at_a = {},
             .at_b = {},
             .factor = {},
             .shift = {},
             .sums = CrossSums(g.blocks * g.size),
             .a = {},
             .b = {}};
    for (int64_t block = 0; block < g.blocks; ++block) {
      const Slices slices = slices_of(flow_, site.group, site.member, block);
      s.places = slices.per_item;
      s.at_a.insert(s.at_a.end(), slices.at.begin(), slices.at.end());
    }
    s.at_b = s.at_a;
    // What else moves on the value is moved in B's first.
    NetworkElement known = symmetry::identity_element(flow_);
    bool moved = false;
    for (const int other : site.others)
      if (solved_[static_cast<size_t>(other)]) {
        known[static_cast<size_t>(other)] = element_[static_cast<size_t>(other)];
        moved = true;
      }
    if (!moved) return s;
    network::Array number{.type = OnnxType::f64,
                          .dims = flow_.tensors[static_cast<size_t>(site.tensor)].dims};
    const auto acted = [&](const auto& numbers) {
      number.reals.resize(static_cast<size_t>(network::elements(number.dims)));
      numbers(number.reals);
      return symmetry::act(flow_, known, site.tensor, number).reals;
    };
    const auto zero = acted([](std::vector<double>& x) { std::ranges::fill(x, 0.); });
    const auto one = acted([](std::vector<double>& x) { std::ranges::fill(x, 1.); });
    NetworkElement orders = known;
    for (size_t n = 0; n < orders.size(); ++n) {
      orders[n] = symmetry::identity_element(flow_)[n];
      orders[n].order = known[n].order;
    }
    std::swap(known, orders);
    const auto from = acted([](std::vector<double>& x) { std::iota(x.begin(), x.end(), 0.); });
    for (int64_t& at : s.at_b) {
      const auto k = static_cast<size_t>(at);
      s.factor.push_back(static_cast<float>(one[k] - zero[k]));
      s.shift.push_back(static_cast<float>(zero[k]));
      at = static_cast<int64_t>(from[k]);
    }
    return s;
  }

  // One pass for as many sites as fit, until all have been seen.
  void read(const std::vector<Site>& sites) {
    const uint64_t limit = options_.max_memory - options_.max_memory / kActivations;
    for (size_t done = 0; done < sites.size();) {
      std::vector<Stream> streams;
      uint64_t bytes = 0;
      for (; done < sites.size(); ++done) {
        const NetworkGroup& g = group(sites[done].group);
        const uint64_t more = CrossSums::bytes(g.blocks * g.size);
        if (!streams.empty() && bytes + more > limit) break;
        bytes += more;
        streams.push_back(stream(sites[done]));
      }
      pass(streams);
    }
  }

  void pass(std::vector<Stream>& streams) {
    ++passes_;
    std::vector<int> values;
    for (Stream& s : streams) {
      const int value = flow_.tensors[static_cast<size_t>(s.site.tensor)].value;
      const auto at = std::ranges::find(values, value);
      s.watched = static_cast<size_t>(at - values.begin());
      if (at == values.end()) values.push_back(value);
    }
    Watch watch_a(a_, inputs_, values), watch_b(b_, inputs_, counterparts(a_, b_, values));
    // Numbers of a sample: those watched, and twice packed.
    int64_t numbers = 1;
    for (const int value : values)
      for (const symmetry::SpecTensor& t : flow_.tensors)
        if (t.value == value) numbers += network::elements(t.dims);
    for (const Stream& s : streams) numbers += 2 * s.items * s.places;
    const auto most = static_cast<int64_t>(options_.max_memory / kActivations / sizeof(float));
    const int64_t chunk = std::clamp<int64_t>(most / numbers, 1, kChunk);
    std::vector<std::vector<float>> seen;
    for (int64_t first = 0; first < data_.samples; first += chunk) {
      const int64_t count = std::min(chunk, data_.samples - first);
      watch_a.run(data_, first, count, seen);
      for (Stream& s : streams) s.pack(seen[s.watched], count, false, s.a);
      watch_b.run(data_, first, count, seen);
      for (Stream& s : streams) {
        s.pack(seen[s.watched], count, true, s.b);
        s.sums.add(count * s.places, s.a.data(), s.b.data());
      }
    }
    std::vector<float> scores;
    for (const Stream& s : streams) {
      if (!s.sums.finite())
        throw Error(ErrorKind::bad_value,
                    text("{} or {}: value '{}' is not finite on the data", one_line(a_.file),
                         one_line(b_.file), escaped(flow_.tensors[static_cast<size_t>(s.site.tensor)].name)));
      options_.form == Form::correlation ? s.sums.correlations(scores) : s.sums.products(scores);
      evidence_[static_cast<size_t>(s.site.group)].add(s.site, s.sums, scores);
    }
  }

  // A root, and what is in its items.
  void solve(int root) {
    const NetworkGroup& outer = group(root);
    std::vector<int> inner;
    for (size_t g = 0; g < flow_.groups.size(); ++g)
      if (flow_.groups[g].by == root && !solved_[g] && !evidence_[g].empty())
        inner.push_back(static_cast<int>(g));
    const Evidence& own = evidence_[static_cast<size_t>(root)];
    std::vector<int32_t> blocks(static_cast<size_t>(outer.size));
    std::iota(blocks.begin(), blocks.end(), 0);
    if (inner.empty() || outer.blocks > 1) {
      place(root, [](int64_t block) { return block; });
      return;
    }
    const int64_t n = outer.size;
    if (options_.kinds.order) {
      std::vector<float> gain(static_cast<size_t>(n * n));
      parallel_for(n * n, [&](int64_t k) {
        double worth = own.empty() ? 0 : own.worth(k / n, k % n);
        for (const int g : inner) worth += evidence_[static_cast<size_t>(g)].match(k / n, k % n).worth;
        gain[static_cast<size_t>(k)] = static_cast<float>(worth);
      });
      AssignmentSolver solver;
      blocks = solver.solve(n, gain).column;
    }
    take(root, 0, blocks, [](int64_t block) { return block; });
    solved_[static_cast<size_t>(root)] = true;
    for (const int g : inner)
      place(g, [&](int64_t block) { return int64_t{blocks[static_cast<size_t>(block)]}; });
  }
  template <class BlockOf>
  void place(int g, const BlockOf& block_of) {
    const Evidence& evidence = evidence_[static_cast<size_t>(g)];
    std::vector<Evidence::Partners> found(static_cast<size_t>(group(g).blocks));
    parallel_for(group(g).blocks, [&](int64_t block) {
      found[static_cast<size_t>(block)] = evidence.match(block, block_of(block));
    });
    for (size_t block = 0; block < found.size(); ++block)
      take(g, static_cast<int64_t>(block), found[block].order, block_of);
    solved_[static_cast<size_t>(g)] = true;
  }
  template <class BlockOf>
  void take(int g, int64_t block, const std::vector<int32_t>& order, const BlockOf& block_of) {
    const Evidence& evidence = evidence_[static_cast<size_t>(g)];
    symmetry::GroupElement& e = element_[static_cast<size_t>(g)];
    const int64_t n = group(g).size;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t to = block * n + i, from = block_of(block) * n + order[static_cast<size_t>(i)];
      e.order[static_cast<size_t>(to)] = order[static_cast<size_t>(i)];
      if (evidence.empty()) continue;
      evidence.fill(to, from, e);
      before_ += evidence.plain(to, to) / evidence.sites();
      after_ += evidence.worth(to, from) / evidence.sites();
      ++items_;
    }
  }

  static constexpr int64_t kChunk = 256;       // samples at a time, at most
  static constexpr uint64_t kActivations = 4;  // their share of the memory

  const network::Network &a_, &b_;
  const std::vector<network::ArrayPtr>& inputs_;
  const Data& data_;
  const ActivationOptions& options_;
  Spec flow_;
  std::vector<Sites> sites_;
  NetworkElement element_;
  std::vector<Evidence> evidence_;
  std::vector<bool> solved_;
  int passes_ = 0;
  int64_t items_ = 0;
  double before_ = 0, after_ = 0;
};

// The group of the flow that has the same members on stored tensors; -1: none.
int same_group(const Spec& spec, const NetworkGroup& group, const Spec& flow) {
  const auto same = [&](const NetworkGroup& other) {
    if (other.size != group.size || other.blocks != group.blocks ||
        other.signs.size() != group.signs.size() || other.scales.size() != group.scales.size() ||
        other.phases.size() != group.phases.size())
      return false;
    size_t stored = 0;
    for (const Member& m : other.members) {
      const symmetry::SpecTensor& t = flow.tensors[static_cast<size_t>(m.tensor)];
      if (t.value != network::kNone) continue;
      if (stored == group.members.size()) return false;
      const Member& own = group.members[stored++];
      if (spec.tensors[static_cast<size_t>(own.tensor)].name != t.name || own.axis != m.axis ||
          own.offset != m.offset || own.outer != m.outer || own.stride != m.stride || own.inner != m.inner)
        return false;
    }
    return stored == group.members.size();
  };
  const auto at = std::ranges::find_if(flow.groups, same);
  return at == flow.groups.end() ? -1 : static_cast<int>(at - flow.groups.begin());
}

}  // namespace

ActivationMatch match_activations(const Spec& spec, const network::Network& a, const network::Network& b,
                                  const std::vector<network::ArrayPtr>& inputs, const Data& data,
                                  const ActivationOptions& options) {
  if (data.samples < 1) throw Error(ErrorKind::empty, "activation matching needs samples, got none");
  Matcher matcher(a, b, inputs, data, options);
  matcher.run();
  ActivationMatch match{.element = symmetry::identity_element(spec),
                        .left = {},
                        .passes = matcher.passes(),
                        .samples = data.samples,
                        .before = matcher.before(),
                        .after = matcher.after()};
  for (size_t g = 0; g < spec.groups.size(); ++g) {
    if (spec.groups[g].fixed) continue;
    const int at = same_group(spec, spec.groups[g], matcher.flow());
    if (at >= 0 && matcher.solved(static_cast<size_t>(at)))
      match.element[g] = matcher.element()[static_cast<size_t>(at)];
    else
      match.left.push_back(spec.groups[g].name);
  }
  return match;
}

}  // namespace dws::align
