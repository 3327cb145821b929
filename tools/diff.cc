// dws diff: how two files of tensors differ, a row a tensor.
#include <algorithm>
#include <cmath>
#include <memory>

#include "command.h"
#include "core/shape.h"
#include "core/text.h"
#include "format/diff.h"
#include "network_input.h"

namespace dws::tools {
namespace {

struct Diff {
  std::string a, b, sort = "file";
  NetworkOptions network;
  bool json = false, changed = false;

  int run() const;
};

std::string what_of(const DiffRow& row) {
  switch (row.kind) {
    case DiffKind::missing_in_a:
      return "only in B";
    case DiffKind::missing_in_b:
      return "only in A";
    case DiffKind::other_shape:
      return text("shape {} in B", shape_text(row.b->shape));
    case DiffKind::other_type:
      return text("{} in B", row.b->type);
    case DiffKind::compared:
      break;
  }
  return "";
}
void add_numbers(Json& line, const DiffSums& s) {
  const Json numbers = Json::object({{"elements", s.count},
                                     {"l2", s.l2()},
                                     {"relative", s.relative()},
                                     {"cosine", s.cosine()},
                                     {"largest", s.largest},
                                     {"largest_index", s.largest_at < 0 ? Json() : Json(s.largest_at)},
                                     {"equal", s.share_equal()},
                                     {"sigma_ratio", s.sigma_ratio()}});
  for (const auto& [key, value] : numbers.as_object()) line.set(key, value);
}
std::string numbers_of(const DiffSums& s) {
  return text("{:.4g}\t{:.4g}\t{:.6f}\t{:.4g}\t{:.4f}\t{:.4f}", s.l2(), s.relative(), s.cosine(), s.largest,
              s.share_equal(), s.sigma_ratio());
}
double key_of(const DiffRow& row, const std::string& sort) {
  if (row.kind != DiffKind::compared) return INFINITY;  // first: nothing differs more
  const DiffSums& s = row.sums;
  const double key = sort == "l2"         ? s.l2()
                     : sort == "relative" ? s.relative()
                     : sort == "cosine"   ? -s.cosine()
                     : sort == "largest"  ? s.largest
                                          : -s.share_equal();
  return std::isnan(key) ? INFINITY : key;
}

int Diff::run() const {
  const DiffFile first = open_for_diff(a, network.external_root, network.follow_symlinks),
                 second = open_for_diff(b, network.external_root, network.follow_symlinks);
  std::vector<DiffRow> rows = diff(first, second);
  DiffSums total;
  bool same = true;
  for (const DiffRow& row : rows) {
    if (row.kind == DiffKind::compared) total.add(row.sums);
    same = same && row.equal();
  }
  total.largest_at = -1;
  if (sort == "name")
    std::ranges::stable_sort(rows, {}, &DiffRow::name);
  else if (sort != "file")
    std::ranges::stable_sort(
        rows, [&](const DiffRow& x, const DiffRow& y) { return key_of(x, sort) > key_of(y, sort); });
  if (!json) print("tensor\ttype\tshape\tl2\trelative\tcosine\tlargest\tequal\tsigma ratio");
  for (const DiffRow& row : rows) {
    if (changed && row.equal()) continue;
    const DiffTensor& t = row.a ? *row.a : *row.b;
    const std::string type =
        row.a && row.b && row.a->type != row.b->type ? row.a->type + "/" + row.b->type : t.type;
    if (!json) {
      print(text("{}\t{}\t{}\t{}", escaped(row.name, 400), type, shape_text(t.shape),
                 row.kind == DiffKind::compared ? numbers_of(row.sums) : what_of(row)));
      continue;
    }
    Json shape = Json::array();
    for (const int64_t d : t.shape) shape.push_back(d);
    Json line = Json::object({{"schema", "dws.diff/1"},
                              {"tensor", row.name},
                              {"type", type},
                              {"shape", shape},
                              {"same", row.equal()}});
    if (row.kind == DiffKind::compared)
      add_numbers(line, row.sums);
    else
      line.set("difference", what_of(row));
    print(line.dump());
  }
  if (json) {
    Json line =
        Json::object({{"schema", "dws.diff/1"}, {"tensor", nullptr}, {"a", a}, {"b", b}, {"same", same}});
    add_numbers(line, total);
    print(line.dump());
  } else {
    print(text("total\t\t{}\t{}", total.count, numbers_of(total)));
  }
  return same ? 0 : 1;
}

}  // namespace

void register_diff(Options& app, const Globals&, Run& run) {
  auto verb = std::make_shared<Diff>();
  Options* sub = app.add_subcommand("diff", "how two networks' tensors differ, a row each");
  sub->footer(
      "Exit code 0: all tensors are equal; 1: they differ. Sigma ratio: standard deviation of B's numbers by "
      "A's.\n"
      "Example:\n  dws diff base.safetensors tuned.safetensors --sort relative");
  sub->add_option("A", verb->a, "safetensors, a zoo, a sharded checkpoint, or ONNX")->required();
  sub->add_option("B", verb->b, "the other one")->required();
  sub->add_option("--sort", verb->sort,
                  "rows by file, name, or what differs most: l2, relative, cosine, largest, equal")
      ->check(one_of({"file", "name", "l2", "relative", "cosine", "largest", "equal"}))
      ->capture_default_str();
  sub->add_flag("--changed", verb->changed, "only tensors that differ");
  sub->add_flag("--json", verb->json, "JSON Lines on stdout, the total last");
  add_source_options(*sub, verb->network);
  sub->callback([verb, &run] { run = [verb] { return verb->run(); }; });
}

}  // namespace dws::tools
