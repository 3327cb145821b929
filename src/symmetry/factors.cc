#include "symmetry/factors.h"

#include <algorithm>

namespace dws::symmetry {

FactorId Factors::add(Node node) {
  nodes_.push_back(std::move(node));
  return static_cast<FactorId>(nodes_.size()) - 1;
}
FactorId Factors::leaf(int64_t size) {
  return add({.kind = Kind::leaf, .size = size});
}
// A leaf that takes the place of a part of `of`.
FactorId Factors::child_leaf(FactorId of, int64_t size) {
  std::string pinned = nodes_[static_cast<size_t>(of)].pinned;
  return add({.kind = Kind::leaf, .size = size, .parts = {}, .to = -1, .pinned = std::move(pinned)});
}

FactorId Factors::root(FactorId f) const noexcept {
  FactorId r = f;
  while (nodes_[static_cast<size_t>(r)].kind == Kind::joined) r = nodes_[static_cast<size_t>(r)].to;
  while (f != r) {
    Node& node = nodes_[static_cast<size_t>(f)];
    f = node.to;
    node.to = r;
  }
  return r;
}

FactorId Factors::product(const std::vector<FactorId>& parts) {
  std::vector<FactorId> kept;
  int64_t total = 1;
  for (const FactorId part : parts) {
    total *= size(part);
    if (size(part) == 1) continue;
    if (kind(part) == Kind::product) {
      const std::vector<FactorId> inner = this->parts(part);
      kept.insert(kept.end(), inner.begin(), inner.end());
    } else {
      kept.push_back(root(part));
    }
  }
  if (kept.empty()) return parts.empty() ? leaf(1) : root(parts.front());
  if (kept.size() == 1) return kept.front();
  return add({.kind = Kind::product, .size = total, .parts = std::move(kept)});
}

FactorId Factors::sum(const std::vector<FactorId>& parts) {
  std::vector<FactorId> kept;
  int64_t total = 0;
  for (const FactorId part : parts) {
    total += size(part);
    if (size(part) == 0) continue;
    if (kind(part) == Kind::sum) {
      const std::vector<FactorId> inner = this->parts(part);
      kept.insert(kept.end(), inner.begin(), inner.end());
    } else {
      kept.push_back(root(part));
    }
  }
  if (kept.empty()) return leaf(0);
  if (kept.size() == 1) return kept.front();
  return add({.kind = Kind::sum, .size = total, .parts = std::move(kept)});
}

std::vector<FactorId> Factors::leaves(FactorId f) const {
  std::vector<FactorId> found, open = {root(f)};
  while (!open.empty()) {
    const FactorId at = root(open.back());
    open.pop_back();
    const Node& node = nodes_[static_cast<size_t>(at)];
    if (node.kind == Kind::leaf) found.push_back(at);
    for (size_t i = node.parts.size(); i-- > 0;) open.push_back(node.parts[i]);
  }
  return found;
}

void Factors::pin(FactorId f, const std::string& why) {
  for (const FactorId l : leaves(f)) {
    std::string& by = nodes_[static_cast<size_t>(l)].pinned;
    if (by.empty()) by = why;
  }
}

void Factors::join(FactorId leaf, FactorId to) {
  if (const std::string why = nodes_[static_cast<size_t>(leaf)].pinned; !why.empty()) pin(to, why);
  Node& node = nodes_[static_cast<size_t>(leaf)];
  node.kind = Kind::joined;
  node.to = to;
  node.parts.clear();
}

std::optional<std::pair<FactorId, FactorId>> Factors::split(FactorId f, int64_t at) {
  f = root(f);
  const int64_t whole = size(f);
  if (at < 0 || at > whole) return {};
  if (at == 0) return std::pair{leaf(0), f};
  if (at == whole) return std::pair{f, leaf(0)};
  switch (kind(f)) {
    case Kind::leaf: {
      const FactorId first = child_leaf(f, at), second = child_leaf(f, whole - at);
      join(f, add({.kind = Kind::sum, .size = whole, .parts = {first, second}}));
      return std::pair{first, second};
    }
    case Kind::sum: {
      std::vector<FactorId> first, second;
      int64_t begin = 0;
      for (const FactorId part : std::vector<FactorId>(parts(f))) {
        const int64_t end = begin + size(part);
        if (end <= at) {
          first.push_back(part);
        } else if (begin >= at) {
          second.push_back(part);
        } else {
          const auto halves = split(part, at - begin);
          if (!halves) return {};
          first.push_back(halves->first);
          second.push_back(halves->second);
        }
        begin = end;
      }
      return std::pair{sum(first), sum(second)};
    }
    case Kind::product: {
      std::vector<FactorId> inner = parts(f);
      const FactorId outer = inner.front();
      inner.erase(inner.begin());
      const int64_t block = whole / size(outer);
      if (at % block != 0) return {};
      const auto halves = split(outer, at / block);
      if (!halves) return {};
      std::vector<FactorId> first = {halves->first}, second = {halves->second};
      first.insert(first.end(), inner.begin(), inner.end());
      second.insert(second.end(), inner.begin(), inner.end());
      return std::pair{product(first), product(second)};
    }
    default:
      return {};
  }
}

std::optional<std::pair<FactorId, FactorId>> Factors::divide(FactorId f, int64_t outer) {
  f = root(f);
  const int64_t whole = size(f);
  if (outer <= 0 || whole == 0 || whole % outer != 0) return {};
  if (outer == 1) return std::pair{leaf(1), f};
  if (outer == whole) return std::pair{f, leaf(1)};
  switch (kind(f)) {
    case Kind::leaf: {
      const FactorId o = child_leaf(f, outer), i = child_leaf(f, whole / outer);
      join(f, add({.kind = Kind::product, .size = whole, .parts = {o, i}}));
      return std::pair{o, i};
    }
    case Kind::product: {
      std::vector<FactorId> rest = parts(f);
      const FactorId first = rest.front();
      rest.erase(rest.begin());
      const int64_t n = size(first);
      if (n == outer) return std::pair{first, product(rest)};
      if (outer % n == 0) {
        const auto deeper = divide(product(rest), outer / n);
        if (!deeper) return {};
        return std::pair{product({first, deeper->first}), deeper->second};
      }
      if (n % outer == 0) {
        const auto halves = divide(first, outer);
        if (!halves) return {};
        rest.insert(rest.begin(), halves->second);
        return std::pair{halves->first, product(rest)};
      }
      return {};
    }
    case Kind::sum: {
      // Every part is a whole number of blocks, and all blocks are alike.
      const int64_t block = whole / outer;
      const std::vector<FactorId> terms = parts(f);
      if (std::ranges::any_of(terms, [&](FactorId t) { return size(t) % block != 0; })) return {};
      std::vector<FactorId> outside;
      FactorId inside = -1;
      for (const FactorId term : terms) {
        const auto halves = divide(term, size(term) / block);
        if (!halves) return {};
        outside.push_back(halves->first);
        if (inside < 0)
          inside = halves->second;
        else if (!try_unify(inside, halves->second))
          return {};
      }
      return std::pair{sum(outside), inside};
    }
    default:
      return {};
  }
}

bool Factors::try_unify(FactorId a, FactorId b) {
  a = root(a);
  b = root(b);
  if (a == b) return true;
  if (size(a) != size(b)) return false;
  if (size(a) == 0) return true;  // nothing to say, and joining could close a circle
  if (kind(a) == Kind::leaf) {
    join(a, b);
    return true;
  }
  if (kind(b) == Kind::leaf) {
    join(b, a);
    return true;
  }
  if (kind(a) == Kind::product && kind(b) == Kind::product) return unify_products(a, b);
  return unify_sums(a, b);
}

bool Factors::unify_sums(FactorId a, FactorId b) {
  // Cut both where either has a boundary.
  while (true) {
    a = root(a);
    b = root(b);
    const FactorId first_a = kind(a) == Kind::sum ? parts(a).front() : a;
    const FactorId first_b = kind(b) == Kind::sum ? parts(b).front() : b;
    if (first_a == a && first_b == b) return try_unify(a, b);
    const int64_t cut = std::min(size(first_a), size(first_b));
    const auto x = split(a, cut), y = split(b, cut);
    if (!x || !y || !try_unify(x->first, y->first)) return false;
    a = x->second;
    b = y->second;
    if (size(a) == 0) return true;
  }
}

bool Factors::unify_products(FactorId a, FactorId b) {
  while (true) {
    a = root(a);
    b = root(b);
    if (size(a) == 1 || a == b) return true;
    if (kind(a) != Kind::product || kind(b) != Kind::product) return try_unify(a, b);
    const int64_t n = std::min(size(parts(a).front()), size(parts(b).front()));
    const auto x = divide(a, n), y = divide(b, n);
    if (!x || !y || !try_unify(x->first, y->first)) return false;
    a = x->second;
    b = y->second;
  }
}

bool Factors::unify(FactorId a, FactorId b, const std::string& why) {
  if (try_unify(a, b)) return true;
  pin(a, why);
  pin(b, why);
  return false;
}

}  // namespace dws::symmetry
