#include "align/soft.h"

#include <algorithm>
#include <cmath>

#include "align/products.h"
#include "core/error.h"
#include "core/text.h"

namespace dws::align {
namespace {

using symmetry::Member;
using symmetry::NetworkElement;
using symmetry::NetworkGroup;
using symmetry::Spec;

constexpr size_t kMaxSigns = 8;

// How many groups the group lies within: these act first, so that an item's own order is that of where it comes to lie.
int depth(const Spec& spec, int group) {
  int levels = 0;
  for (int g = spec.groups[static_cast<size_t>(group)].by; g >= 0 && levels < 8;
       g = spec.groups[static_cast<size_t>(g)].by)
    ++levels;
  return levels;
}

}  // namespace

SoftAction::SoftAction(const Spec& spec, const std::vector<bool>& scored, bool signs)
    : spec_(&spec), scored_(scored), classes_(spec.groups.size()), by_tensor_(spec.tensors.size()) {
  for (size_t g = 0; g < spec.groups.size(); ++g)
    if (!spec.groups[g].fixed) add_terms(static_cast<int>(g), signs);
  for (std::vector<Term>& terms : by_tensor_)
    std::ranges::stable_sort(terms, {}, [&](const Term& t) { return depth(spec, t.group); });
  find_degree();
}

void SoftAction::add_terms(int number, bool signs) {
  const NetworkGroup& group = spec_->groups[static_cast<size_t>(number)];
  GroupClasses& classes = classes_[static_cast<size_t>(number)];
  if (signs) classes.lists = static_cast<int>(group.signs.size());
  if (group.signs.size() > kMaxSigns)
    throw Error(ErrorKind::unsupported, text("group '{}': {} kinds of signs an item are too many to try",
                                             group.name, group.signs.size()));
  classes.generators = {{}};
  bool anywhere = false;
  for (size_t m = 0; m < group.members.size(); ++m) {
    const Member& member = group.members[m];
    const auto t = static_cast<size_t>(member.tensor);
    if (!scored_[t]) continue;
    std::vector<int> generators;
    for (int k = 0; k < classes.lists; ++k)
      if (std::ranges::any_of(
              group.signs[static_cast<size_t>(k)].parts,
              [&](const symmetry::Scaling::Part& p) { return p.member == static_cast<int>(m); }))
        generators.push_back(k);
    auto at = std::ranges::find(classes.generators, generators);
    if (at == classes.generators.end()) at = classes.generators.insert(at, generators);
    Term term{.group = number,
              .member = static_cast<int>(m),
              .sign_class = static_cast<int>(at - classes.generators.begin()),
              .before = 1,
              .length = spec_->tensors[t].dims[static_cast<size_t>(member.axis)],
              .after = 1,
              .slices = {}};
    for (size_t a = 0; a < spec_->tensors[t].dims.size(); ++a) {
      if (static_cast<int>(a) < member.axis) term.before *= spec_->tensors[t].dims[a];
      if (static_cast<int>(a) > member.axis) term.after *= spec_->tensors[t].dims[a];
    }
    for (int64_t b = 0; group.by >= 0 && b < group.blocks; ++b)
      term.slices.push_back(slices_of(*spec_, number, static_cast<int>(m), b));
    by_tensor_[t].push_back(std::move(term));
    anywhere = true;
  }
  if (!anywhere) classes = {};  // in nothing that counts
}

// The most places that any number of a tensor lies in.
void SoftAction::find_degree() {
  for (size_t t = 0; t < by_tensor_.size(); ++t) {
    int sum = 0;
    const std::vector<int64_t>& dims = spec_->tensors[t].dims;
    for (size_t a = 0; a < dims.size(); ++a) {
      int most = 0;
      for (int64_t c = 0; c < dims[a]; ++c) {
        int here = 0;
        for (const Term& term : by_tensor_[t]) {
          const NetworkGroup& group = spec_->groups[static_cast<size_t>(term.group)];
          const Member& m = group.members[static_cast<size_t>(term.member)];
          here += m.axis == static_cast<int>(a) && symmetry::item_at(m, group.size, c) >= 0;
        }
        most = std::max(most, here);
      }
      sum += most;
    }
    degree_ = std::max(degree_, sum);
  }
}

SoftElement SoftAction::zero() const {
  SoftElement p(classes_.size());
  for (size_t g = 0; g < p.size(); ++g) {
    const NetworkGroup& group = spec_->groups[g];
    p[g].assign(classes_[g].generators.size(),
                Floats(static_cast<size_t>(group.blocks * group.size * group.size), 0.f));
  }
  return p;
}

SoftElement SoftAction::corner(const NetworkElement& g) const {
  SoftElement p = zero();
  for (size_t n = 0; n < p.size(); ++n) {
    const auto size = static_cast<size_t>(spec_->groups[n].size);
    for (size_t c = 0; c < p[n].size(); ++c)
      for (size_t entry = 0; entry < g[n].order.size(); ++entry) {
        double sign = 1;
        for (const int k : classes_[n].generators[c]) sign *= g[n].signs[static_cast<size_t>(k)][entry];
        p[n][c][entry * size + static_cast<size_t>(g[n].order[entry])] = static_cast<float>(sign);
      }
  }
  return p;
}

NetworkElement SoftAction::best_corner(const SoftElement& gradient) const {
  NetworkElement best = symmetry::identity_element(*spec_);
  struct Block {
    size_t group;
    int64_t block;
  };
  std::vector<Block> blocks;
  for (size_t n = 0; n < gradient.size(); ++n)
    for (int64_t b = 0; !gradient[n].empty() && b < spec_->groups[n].blocks; ++b) blocks.push_back({n, b});
  parallel_for(static_cast<int64_t>(blocks.size()), [&](int64_t at) {
    const auto [n, block] = blocks[static_cast<size_t>(at)];
    const auto size = static_cast<size_t>(spec_->groups[n].size),
               start = static_cast<size_t>(block) * size * size;
    const GroupClasses& classes = classes_[n];
    Floats gain(size * size);
    std::vector<uint8_t> flips(gain.size(), 0);
    for (size_t i = 0; i < gain.size(); ++i)
      for (unsigned flip = 0; flip < 1u << classes.lists; ++flip) {
        float sum = 0;
        for (size_t c = 0; c < gradient[n].size(); ++c) {
          bool negative = false;
          for (const int k : classes.generators[c]) negative ^= (flip >> k & 1u) != 0;
          sum += negative ? -gradient[n][c][start + i] : gradient[n][c][start + i];
        }
        if (flip == 0 || sum > gain[i]) gain[i] = sum, flips[i] = static_cast<uint8_t>(flip);
      }
    AssignmentSolver solver;
    const Assignment& solved = solver.solve(static_cast<int64_t>(size), gain);
    for (size_t i = 0; i < size; ++i) {
      const auto j = static_cast<size_t>(solved.column[i]), entry = static_cast<size_t>(block) * size + i;
      best[n].order[entry] = solved.column[i];
      for (int k = 0; k < classes.lists; ++k)
        best[n].signs[static_cast<size_t>(k)][entry] = (flips[i * size + j] >> k & 1) != 0 ? -1 : 1;
    }
  });
  return best;
}

int64_t SoftAction::columns(const Term& term, int64_t block) const {
  if (!term.slices.empty()) return term.slices[static_cast<size_t>(block)].per_item;
  const Member& m = spec_->groups[static_cast<size_t>(term.group)].members[static_cast<size_t>(term.member)];
  return term.before * m.outer * m.inner * term.after;
}

// items (columns, size): the items' numbers along the rows.
void SoftAction::pack(const Term& term, int64_t block, const float* tensor, Floats& items) const {
  const NetworkGroup& group = spec_->groups[static_cast<size_t>(term.group)];
  const Member& m = group.members[static_cast<size_t>(term.member)];
  const int64_t n = group.size, count = columns(term, block);
  items.resize(static_cast<size_t>(n * count));
  if (!term.slices.empty()) {
    const std::vector<int64_t>& at = term.slices[static_cast<size_t>(block)].at;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < count; ++k)
        items[static_cast<size_t>(k * n + i)] = tensor[at[static_cast<size_t>(i * count + k)]];
    return;
  }
  const int64_t run = m.inner * term.after;
  parallel_blocks(term.before, 16, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      for (int64_t o = 0; o < m.outer; ++o)
        for (int64_t i = 0; i < n; ++i) {
          const float* from = tensor + (p * term.length + m.offset + o * m.stride + i * m.inner) * term.after;
          float* to = items.data() + (p * m.outer + o) * run * n + i;
          for (int64_t q = 0; q < run; ++q) to[q * n] = from[q];
        }
  });
}
void SoftAction::unpack(const Term& term, int64_t block, const Floats& items, float* tensor) const {
  const NetworkGroup& group = spec_->groups[static_cast<size_t>(term.group)];
  const Member& m = group.members[static_cast<size_t>(term.member)];
  const int64_t n = group.size, count = columns(term, block);
  if (!term.slices.empty()) {
    const std::vector<int64_t>& at = term.slices[static_cast<size_t>(block)].at;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < count; ++k)
        tensor[at[static_cast<size_t>(i * count + k)]] = items[static_cast<size_t>(k * n + i)];
    return;
  }
  const int64_t run = m.inner * term.after;
  parallel_blocks(term.before, 16, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      for (int64_t o = 0; o < m.outer; ++o)
        for (int64_t i = 0; i < n; ++i) {
          float* to = tensor + (p * term.length + m.offset + o * m.stride + i * m.inner) * term.after;
          const float* from = items.data() + (p * m.outer + o) * run * n + i;
          for (int64_t q = 0; q < run; ++q) to[q] = from[q * n];
        }
  });
}

void SoftAction::apply(const Term& term, const SoftElement& p, bool turned, Floats& tensor) const {
  const NetworkGroup& group = spec_->groups[static_cast<size_t>(term.group)];
  const int64_t n = group.size;
  const Floats& all = p[static_cast<size_t>(term.group)][static_cast<size_t>(term.sign_class)];
  Floats items, mixed, matrix(static_cast<size_t>(n * n));
  for (int64_t b = 0; b < group.blocks; ++b) {
    const float* own = all.data() + b * n * n;
    if (!turned) {
      kernels::transpose(n, n, own, matrix.data());
      own = matrix.data();
    }
    const int64_t count = columns(term, b);
    pack(term, b, tensor.data(), items);
    mixed.resize(items.size());
    product(count, n, n, items.data(), n, 1, own, n, mixed.data(), n);
    unpack(term, b, mixed, tensor.data());
  }
}

// gradient[i][j] += sum over the numbers of an item: left of item i times right of item j.
void SoftAction::add_products(const Term& term, const Floats& left, const Floats& right,
                              SoftElement& gradient) const {
  const NetworkGroup& group = spec_->groups[static_cast<size_t>(term.group)];
  const int64_t n = group.size;
  Floats& all = gradient[static_cast<size_t>(term.group)][static_cast<size_t>(term.sign_class)];
  Floats l, r;
  for (int64_t b = 0; b < group.blocks; ++b) {
    pack(term, b, left.data(), l);
    pack(term, b, right.data(), r);
    product(n, n, columns(term, b), l.data(), 1, n, r.data(), n, all.data() + b * n * n, n, true);
  }
}

// The tensor before the first term, after each of them: (terms + 1).
std::vector<std::vector<float>> SoftAction::steps(int tensor, const SoftElement& p,
                                                  const Numbers& numbers) const {
  const auto t = static_cast<size_t>(tensor);
  std::vector<Floats> all;
  all.emplace_back(numbers.tensors[t].begin(), numbers.tensors[t].end());
  for (const Term& term : by_tensor_[t]) {
    Floats next = all.back();
    apply(term, p, false, next);
    all.push_back(std::move(next));
  }
  return all;
}

Numbers SoftAction::act(const SoftElement& p, const Numbers& numbers) const {
  Numbers out = numbers;
  for (size_t t = 0; t < by_tensor_.size(); ++t) {
    if (by_tensor_[t].empty()) continue;
    Floats tensor(numbers.tensors[t].begin(), numbers.tensors[t].end());
    for (const Term& term : by_tensor_[t]) apply(term, p, false, tensor);
    out.held[t] = std::make_shared<const Floats>(std::move(tensor));
    out.tensors[t] = *out.held[t];
  }
  return out;
}

double SoftAction::add_gradient(const SoftElement& p, const Numbers& target, const Numbers& numbers,
                                SoftElement& gradient) const {
  double value = 0;
  Numbers moved = numbers;
  for (size_t t = 0; t < by_tensor_.size(); ++t) {
    const std::vector<Term>& terms = by_tensor_[t];
    if (terms.empty()) continue;
    std::vector<Floats> forward = steps(static_cast<int>(t), p, numbers);
    moved.held[t] = std::make_shared<const Floats>(forward.back());
    moved.tensors[t] = *moved.held[t];
    Floats back(target.tensors[t].begin(), target.tensors[t].end());
    for (size_t k = terms.size(); k-- > 0;) {
      add_products(terms[k], back, forward[k], gradient);
      if (k > 0) apply(terms[k], p, true, back);
    }
  }
  value = inner_product(scored_, target, moved);
  return value;
}

double inner_product(const SoftElement& x, const SoftElement& y) {
  double sum = 0;
  for (size_t g = 0; g < x.size(); ++g)
    for (size_t c = 0; c < x[g].size(); ++c)
      for (size_t i = 0; i < x[g][c].size(); ++i) sum += double{x[g][c][i]} * y[g][c][i];
  return sum;
}

SoftElement between(const SoftElement& p, const SoftElement& q, double step) {
  SoftElement r = p;
  for (size_t g = 0; g < r.size(); ++g)
    for (size_t c = 0; c < r[g].size(); ++c)
      for (size_t i = 0; i < r[g][c].size(); ++i)
        r[g][c][i] = static_cast<float>((1 - step) * p[g][c][i] + step * q[g][c][i]);
  return r;
}

}  // namespace dws::align
