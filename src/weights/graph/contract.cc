// Sums of products over labelled axes. Numbers of an activation that are summed alike are one neuron.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "core/text.h"
#include "weights/graph/builder.h"

namespace dws::weights {
namespace {

using network::Array;

constexpr int64_t kMostHeads = 1'000'000;

// Places in an array, as a few of its labels run in order.
struct Places {
  std::vector<int64_t> extents, steps;
  int64_t count = 1;
  int64_t at(int64_t i) const {
    int64_t place = 0;
    for (size_t a = extents.size(); a-- > 0; i /= extents[a]) place += i % extents[a] * steps[a];
    return place;
  }
};
// The step of a label in an array: 0 where it is not there or has one item.
int64_t step_of(const Labelled& x, int label) {
  int64_t stride = 1, step = 0;
  for (size_t k = x.labels.size(); k-- > 0; stride *= x.ids->dims[k])
    if (x.labels[k] == label && x.ids->dims[k] > 1) step += stride;
  return step;
}
Places places(const std::vector<int>& labels, const std::map<int, int64_t>& extent, const Labelled& x) {
  Places p;
  for (const int label : labels) {
    p.extents.push_back(extent.at(label));
    p.steps.push_back(step_of(x, label));
    p.count *= p.extents.back();
  }
  return p;
}
std::map<int, int64_t> extents(const Labelled& x, const Labelled& y) {
  std::map<int, int64_t> extent;
  for (const Labelled* o : {&x, &y})
    for (size_t k = 0; k < o->labels.size(); ++k) {
      int64_t& e = extent.emplace(o->labels[k], 1).first->second;
      e = e == 1 ? o->ids->dims[k] : e;
    }
  return extent;
}
bool has(const std::vector<int>& labels, int label) {
  return std::ranges::find(labels, label) != labels.end();
}

// Lists of ids by number, equal ones once.
class Rows {
 public:
  int64_t number(std::vector<int64_t> row) {
    uint64_t hash = 1469598103934665603u;
    for (const int64_t id : row) hash = (hash ^ static_cast<uint64_t>(id)) * 1099511628211u;
    for (const int64_t known : by_hash_[hash])
      if (rows_[static_cast<size_t>(known)] == row) return known;
    by_hash_[hash].push_back(static_cast<int64_t>(rows_.size()));
    rows_.push_back(std::move(row));
    return static_cast<int64_t>(rows_.size()) - 1;
  }
  const std::vector<std::vector<int64_t>>& all() const { return rows_; }

 private:
  std::unordered_map<uint64_t, std::vector<int64_t>> by_hash_;
  std::vector<std::vector<int64_t>> rows_;
};
// The rows of x along `summed`, one for each place of `kept`.
std::vector<int64_t> rows_of(const Labelled& x, const Places& kept, const Places& summed, Rows& rows) {
  std::vector<int64_t> offsets(static_cast<size_t>(summed.count)), number(static_cast<size_t>(kept.count));
  for (int64_t k = 0; k < summed.count; ++k) offsets[static_cast<size_t>(k)] = summed.at(k);
  std::unordered_map<int64_t, int64_t> seen;  // stretched axes lead to one place many times
  for (int64_t r = 0; r < kept.count; ++r) {
    const int64_t base = kept.at(r);
    const auto [at, fresh] = seen.emplace(base, 0);
    if (fresh) {
      std::vector<int64_t> row;
      row.reserve(offsets.size());
      for (const int64_t k : offsets) row.push_back(x.ids->ints[static_cast<size_t>(base + k)]);
      at->second = rows.number(std::move(row));
    }
    number[static_cast<size_t>(r)] = at->second;
  }
  return number;
}
bool constant(const std::vector<int64_t>& row) {
  return std::ranges::all_of(row, [&](int64_t id) { return id == row.front(); });
}
std::shared_ptr<Array> made(const std::vector<int>& out, const std::map<int, int64_t>& extent) {
  std::vector<int64_t> dims;
  for (const int label : out) dims.push_back(extent.at(label));
  return blank(std::move(dims));
}

// The sum over places, alike for all features: nodes are the places, and the features go on.
bool mix_places(Builder& b, const Rows& rows, const Labelled& w, const Places& columns,
                const Places& summed_w, EdgeType type) {
  if (rows.all().size() < 2 || summed_w.count < 2 || !std::ranges::all_of(rows.all(), constant)) return false;
  const int32_t l = b.layer("places");
  const int64_t centre = b.add_node(NodeType::place, l);
  std::vector<int64_t> from, to;
  for (int64_t k = 0; k < summed_w.count; ++k) {
    from.push_back(b.add_node(NodeType::place, l, k));
    b.add_edge(centre, from.back(), EdgeType::gate, l);
  }
  for (int64_t j = 0; j < columns.count; ++j) to.push_back(b.add_node(NodeType::place, l, j));
  for (const std::vector<int64_t>& row : rows.all())
    if (const int64_t n = b.node_of(row.front(), l); n >= 0) b.add_edge(n, centre, EdgeType::gate, l);
  for (int64_t j = 0; j < columns.count; ++j)
    for (int64_t k = 0; k < summed_w.count; ++k)
      b.add_edge(from[static_cast<size_t>(k)], to[static_cast<size_t>(j)], type, l, 0,
                 w.ids->ints[static_cast<size_t>(columns.at(j) + summed_w.at(k))]);
  return true;
}

}  // namespace

Ids contract(Builder& b, const Labelled& x, const Labelled& w, const std::vector<int>& out, EdgeType type,
             const char* kind) {
  const std::map<int, int64_t> extent = extents(x, w);
  // Labels of the output: of both (batch), of the weight alone (column), of the rest (row).
  std::vector<int> batch, column, row, summed;
  for (const int label : out) {
    const bool in_w = step_of(w, label) > 0, in_x = step_of(x, label) > 0;
    (in_w && in_x ? batch : in_w ? column : row).push_back(label);
  }
  for (const auto& [label, n] : extent)
    if (!has(out, label)) summed.push_back(label);
  std::vector<int> kept = batch;
  kept.insert(kept.end(), row.begin(), row.end());
  const Places kept_x = places(kept, extent, x), summed_x = places(summed, extent, x);
  const Places kept_w = places(kept, extent, w), summed_w = places(summed, extent, w);
  const Places columns = places(column, extent, w);
  Rows rows;
  const std::vector<int64_t> row_number = rows_of(x, kept_x, summed_x, rows);
  auto ids = made(out, extent);
  const Labelled y{ids.get(), out};
  const Places kept_y = places(kept, extent, y), columns_y = places(column, extent, y);
  const int32_t l = b.layer(kind);
  // Parameters used by many rows make an edge for each; beyond some, those of the first rows stand for all.
  const int64_t each = columns.count * summed_w.count;
  const int64_t most = std::max<int64_t>(16, each > 0 ? 10'000'000 / each : 16);
  if (batch.empty() && mix_places(b, rows, w, columns, summed_w, type)) {
    for (int64_t r = 0; r < kept_y.count; ++r)
      for (int64_t j = 0; j < columns.count; ++j)
        ids->ints[static_cast<size_t>(kept_y.at(r) + columns_y.at(j))] =
            rows.all()[static_cast<size_t>(row_number[static_cast<size_t>(r)])].front();
    return ids;
  }
  std::vector<int64_t> offsets(static_cast<size_t>(summed_w.count)),
      to_column(static_cast<size_t>(columns.count)), from_column(to_column.size());
  for (int64_t k = 0; k < summed_w.count; ++k) offsets[static_cast<size_t>(k)] = summed_w.at(k);
  for (int64_t j = 0; j < columns.count; ++j) {
    from_column[static_cast<size_t>(j)] = columns.at(j);
    to_column[static_cast<size_t>(j)] = columns_y.at(j);
  }
  std::map<std::pair<int64_t, int64_t>, int64_t> first_neuron;  // by row and place in the weight
  for (int64_t r = 0; r < kept_x.count; ++r) {
    const int64_t number = row_number[static_cast<size_t>(r)], base = kept_w.at(r);
    const auto [at, fresh] = first_neuron.emplace(std::pair(number, base), b.nodes());
    if (fresh) {
      std::vector<int64_t> sources, place;
      std::unordered_map<int64_t, int64_t> seen;
      for (const int64_t id : rows.all()[static_cast<size_t>(number)]) {
        sources.push_back(b.node_of(id, l));
        place.push_back(seen[id]++);
      }
      at->second = b.nodes();
      for (int64_t j = 0; j < columns.count; ++j) b.add_node(NodeType::neuron, l);
      const bool draw = static_cast<int64_t>(first_neuron.size()) <= most;
      if (!draw) b.remark("of parameters that very many neurons share only the first uses are edges");
      // By source: the order of the files, so that a column is written from front to back.
      for (size_t k = 0; draw && k < offsets.size(); ++k)
        for (int64_t j = 0; j < columns.count; ++j) {
          const int64_t ref =
              w.ids->ints[static_cast<size_t>(base + from_column[static_cast<size_t>(j)] + offsets[k])];
          if (ref == 0) continue;
          const int64_t source = sources[k] >= 0 ? sources[k] : b.parameter_node(ref);
          b.add_edge(source, at->second + j, type, l, place[k], ref);
        }
    }
    const int64_t to = kept_y.at(r);
    for (size_t j = 0; j < to_column.size(); ++j)
      ids->ints[static_cast<size_t>(to + to_column[j])] = at->second + static_cast<int64_t>(j) + 1;
  }
  return ids;
}

// A product of two activations. Where one of them is what heads have found out about places, the heads read the other;
// else each pair of rows that meet is a head.
Ids attend(Builder& b, const Labelled& x, const Labelled& y, const std::vector<int>& out) {
  const std::map<int, int64_t> extent = extents(x, y);
  std::vector<int> summed;
  for (const auto& [label, n] : extent)
    if (!has(out, label)) summed.push_back(label);
  Rows rows_x, rows_y;
  const std::vector<int64_t> rx = rows_of(x, places(out, extent, x), places(summed, extent, x), rows_x),
                             ry = rows_of(y, places(out, extent, y), places(summed, extent, y), rows_y);
  const auto places_alone = [](const Rows& rows) { return std::ranges::all_of(rows.all(), constant); };
  const auto heads_alone = [&](const Rows& rows) {
    return std::ranges::all_of(rows.all(), [&](const std::vector<int64_t>& row) {
      return !row.empty() && row[0] > 0 && b.type_of(row[0]) == NodeType::head;
    });
  };
  auto ids = made(out, extent);
  const auto count = ids->ints.size();
  const int32_t l = b.layer("attention");
  std::map<std::pair<int64_t, int64_t>, int64_t> found;
  for (size_t i = 0; i < count; ++i) found.emplace(std::pair(rx[i], ry[i]), 0);
  if (static_cast<int64_t>(found.size()) > kMostHeads) return nullptr;
  const bool alone = places_alone(rows_x) && places_alone(rows_y);
  const bool x_reads = alone && heads_alone(rows_x), y_reads = alone && !x_reads && heads_alone(rows_y);
  if (x_reads || y_reads) {
    std::map<int64_t, int64_t> readers;  // heads of each node that is read
    const auto pair_of = [&](const std::pair<int64_t, int64_t>& p) {
      const int64_t a = rows_x.all()[static_cast<size_t>(p.first)].front(),
                    c = rows_y.all()[static_cast<size_t>(p.second)].front();
      return x_reads ? std::pair(a, c) : std::pair(c, a);
    };
    for (const auto& [p, n] : found) ++readers[pair_of(p).second];
    std::vector<int64_t> read;
    for (auto& [p, id] : found) {
      const auto [head, value] = pair_of(p);
      const int64_t node = b.node_of(value, l);
      if (node < 0) continue;
      id = node + 1;
      if (readers[value] > 1) {  // keys and values that heads share
        id = b.add_node(NodeType::neuron, l) + 1;
        b.add_edge(node, id - 1, EdgeType::head, l);
      }
      b.add_edge(head - 1, id - 1, EdgeType::head, l);
      read.push_back(node + 1);
    }
    const Ids values = std::make_shared<Array>(
        Array{.type = OnnxType::i64, .dims = {static_cast<int64_t>(read.size())}, .ints = read});
    b.mark(values, Builder::Role::value);
  } else {
    for (auto& [p, id] : found) {
      id = b.add_node(NodeType::head, l) + 1;
      for (const auto* row :
           {&rows_x.all()[static_cast<size_t>(p.first)], &rows_y.all()[static_cast<size_t>(p.second)]}) {
        int64_t before = 0, place = 0;
        for (const int64_t from : *row) {
          if (from == before) continue;
          before = from;
          if (const int64_t n = b.node_of(from, l); n >= 0) b.add_edge(n, id - 1, EdgeType::head, l, place);
        }
      }
    }
    const auto marked = [&](const Labelled& o, const Rows& rows, Builder::Role role) {
      if (!heads_alone(rows)) b.mark(std::make_shared<Array>(*o.ids), role);
    };
    marked(x, rows_x, Builder::Role::query);
    marked(y, rows_y, Builder::Role::key);
  }
  for (size_t i = 0; i < count; ++i) ids->ints[i] = found.at(std::pair(rx[i], ry[i]));
  if (x_reads || y_reads) b.mark_context(ids, true);
  return ids;
}

}  // namespace dws::weights
