// Symmetry specs and elements as JSON.
#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/text.h"
#include "symmetry/element.h"
#include "symmetry/spec.h"

namespace dws::symmetry {
namespace {

constexpr const char* kSpecSchema = "dws.symmetry/1";
constexpr const char* kElementSchema = "dws.permutation/1";
constexpr int64_t kLooks = int64_t{1} << 28;  // from a number of one member to those beside it: seconds

Json part_list(const std::vector<Scaling::Part>& parts) {
  Json list = Json::array();
  for (const Scaling::Part& part : parts)
    list.push_back(Json::object({{"member", part.member}, {"exponent", part.exponent}}));
  return list;
}
Json group_json(const Spec& spec, const NetworkGroup& group) {
  Json members = Json::array();
  for (const Member& m : group.members)
    members.push_back(Json::object({{"tensor", spec.tensors[static_cast<size_t>(m.tensor)].name},
                                    {"axis", m.axis},
                                    {"offset", m.offset},
                                    {"outer", m.outer},
                                    {"stride", m.stride},
                                    {"inner", m.inner}}));
  Json json =
      Json::object({{"name", group.name},
                    {"kind", group.fixed ? "fixed" : "permutation"},
                    {"size", group.size},
                    {"by", group.by < 0 ? Json() : Json(spec.groups[static_cast<size_t>(group.by)].name)},
                    {"members", members}});
  Json signs = Json::array(), scales = Json::array(), phases = Json::array();
  for (const Scaling& s : group.signs) signs.push_back(part_list(s.parts));
  for (const Scaling& s : group.scales) scales.push_back(part_list(s.parts));
  for (const Phase& p : group.phases) {
    Json shifts = Json::array();
    for (const Phase::Shift& s : p.shifts)
      shifts.push_back(Json::object({{"member", s.member}, {"half_turn", s.half_turn}}));
    phases.push_back(Json::object({{"shifts", shifts}, {"negated", part_list(p.negated)}}));
  }
  json.set("signs", signs);
  json.set("scales", scales);
  json.set("phases", phases);
  return json;
}

template <class T>
Json number_list(const std::vector<T>& numbers) {
  Json list = Json::array();
  for (const T x : numbers) list.push_back(x);
  return list;
}
template <class T>
Json number_lists(const std::vector<std::vector<T>>& lists) {
  Json all = Json::array();
  for (const auto& list : lists) all.push_back(number_list(list));
  return all;
}

class Reader {
 public:
  Reader(const Json& json, std::string name) : json_(json), name_(std::move(name)) {}

  Spec read() {
    const std::string& schema = json_.at("schema").as_string("schema");
    if (schema != kSpecSchema && schema != kElementSchema)
      fail(ErrorKind::bad_schema,
           text("schema '{}': expected {} or {}", escaped(schema), kSpecSchema, kElementSchema));
    spec_.file = json_.at("file").as_string("file");
    for (const Json& t : json_.at("tensors").as_array("tensors")) {
      SpecTensor tensor{.name = t.at("name").as_string("name"),
                        .dims = {},
                        .constant = network::kNone,
                        .parameter = t.at("parameter").as_bool("parameter")};
      for (const Json& d : t.at("shape").as_array("shape")) tensor.dims.push_back(at_least(0, d, "shape"));
      (void)network::elements(tensor.dims);
      if (!tensors_.emplace(tensor.name, static_cast<int>(spec_.tensors.size())).second)
        fail(ErrorKind::duplicate_name, text("tensor '{}' twice", escaped(tensor.name)));
      spec_.tensors.push_back(std::move(tensor));
    }
    const auto& groups = json_.at("groups").as_array("groups");
    for (const Json& g : groups) {
      group_names_.emplace(g.at("name").as_string("name"), static_cast<int>(group_names_.size()));
      if (group_names_.size() != spec_.groups.size() + 1)
        fail(ErrorKind::duplicate_name, text("group '{}' twice", escaped(g.at("name").as_string("name"))));
      read_group(g);
    }
    for (size_t i = 0; i < groups.size(); ++i) nest(groups[i], spec_.groups[i]);
    check_bijections();
    spec_.parameters = json_.at("parameters").as_int("parameters");
    spec_.moved = json_.at("moved").as_double("moved");
    return std::move(spec_);
  }

 private:
  [[noreturn]] void fail(ErrorKind kind, const std::string& what) const {
    throw Error(kind, text("{}: {}", one_line(name_), what));
  }
  int64_t at_least(int64_t least, const Json& json, const char* what) const {
    const int64_t n = json.as_int(what);
    if (n < least || n > (int64_t{1} << 40))
      fail(ErrorKind::bad_value, text("{}: expected at least {}, got {}", what, least, n));
    return n;
  }

  void read_group(const Json& g) {
    NetworkGroup group;
    group.name = g.at("name").as_string("name");
    const std::string& kind = g.at("kind").as_string("kind");
    if (kind != "permutation" && kind != "fixed")
      fail(ErrorKind::bad_schema, text("group '{}': unknown kind '{}'", escaped(group.name), escaped(kind)));
    group.fixed = kind == "fixed";
    group.size = at_least(1, g.at("size"), "size");
    for (const Json& m : g.at("members").as_array("members")) {
      const std::string& tensor = m.at("tensor").as_string("tensor");
      const auto at = tensors_.find(tensor);
      if (at == tensors_.end())
        fail(ErrorKind::missing_tensor,
             text("group '{}': no tensor '{}'", escaped(group.name), escaped(tensor)));
      const std::vector<int64_t>& dims = spec_.tensors[static_cast<size_t>(at->second)].dims;
      Member member{.tensor = at->second,
                    .axis = static_cast<int>(at_least(0, m.at("axis"), "axis")),
                    .offset = at_least(0, m.at("offset"), "offset"),
                    .outer = at_least(1, m.at("outer"), "outer"),
                    .stride = at_least(0, m.at("stride"), "stride"),
                    .inner = at_least(1, m.at("inner"), "inner")};
      int64_t block = 0, end = 0;
      const bool fits = member.axis < static_cast<int>(dims.size()) &&
                        !__builtin_mul_overflow(group.size, member.inner, &block) &&
                        (member.outer == 1 || member.stride >= block) &&
                        !__builtin_mul_overflow(member.outer - 1, member.stride, &end) &&
                        member.offset + end + block <= dims[static_cast<size_t>(member.axis)];
      if (!fits)
        fail(ErrorKind::bad_value, text("group '{}': a member does not fit on axis {} of '{}'",
                                        escaped(group.name), member.axis, escaped(tensor)));
      group.members.push_back(member);
    }
    if (group.members.empty()) fail(ErrorKind::empty, text("group '{}' has no members", escaped(group.name)));
    const auto parts = [&](const Json& list) {
      std::vector<Scaling::Part> found;
      for (const Json& p : list.as_array("parts")) {
        const int64_t exponent = p.at("exponent").as_int("exponent");
        if (exponent != 1 && exponent != -1)
          fail(ErrorKind::bad_value, text("exponent: expected 1 or -1, got {}", exponent));
        found.push_back({member_of(group, p.at("member")), static_cast<int>(exponent)});
      }
      return found;
    };
    for (const Json& s : g.at("signs").as_array("signs")) group.signs.push_back({parts(s)});
    for (const Json& s : g.at("scales").as_array("scales")) group.scales.push_back({parts(s)});
    for (const Json& p : g.at("phases").as_array("phases")) {
      Phase phase{.shifts = {}, .negated = parts(p.at("negated"))};
      for (const Json& s : p.at("shifts").as_array("shifts"))
        phase.shifts.push_back({member_of(group, s.at("member")), s.at("half_turn").as_double("half_turn")});
      if (phase.shifts.empty())
        fail(ErrorKind::bad_schema, text("group '{}': a phase without a shift", escaped(group.name)));
      group.phases.push_back(std::move(phase));
    }
    spec_.groups.push_back(std::move(group));
  }
  int member_of(const NetworkGroup& group, const Json& json) const {
    const int64_t m = at_least(0, json, "member");
    if (m >= static_cast<int64_t>(group.members.size()))
      fail(ErrorKind::bad_value, text("group '{}': no member {}", escaped(group.name), m));
    return static_cast<int>(m);
  }
  void nest(const Json& g, NetworkGroup& group) {
    const Json& by = g.at("by");
    if (by.is_null()) return;
    const auto at = group_names_.find(by.as_string("by"));
    if (at == group_names_.end() || &spec_.groups[static_cast<size_t>(at->second)] == &group)
      fail(ErrorKind::bad_value,
           text("group '{}': no group '{}' to be within", escaped(group.name), escaped(by.as_string("by"))));
    group.by = at->second;
    group.blocks = spec_.groups[static_cast<size_t>(at->second)].size;
    if (group.blocks > (int64_t{1} << 31) / group.size)
      fail(ErrorKind::resource_limit, text("group '{}' has too many items", escaped(group.name)));
  }
  // Moving an item one on, in a circle, must leave the axis and the items of all other members as they are: then every
  // order of every group is a bijection, also beside the others.
  void check_bijections() const {
    struct On {
      const Member* member;
      int64_t size;
      const NetworkGroup* group;
    };
    std::map<std::pair<int, int>, std::vector<On>> axes;
    for (const NetworkGroup& group : spec_.groups) {
      if (group.by >= 0 && spec_.groups[static_cast<size_t>(group.by)].by >= 0)
        fail(ErrorKind::bad_value, text("group '{}': nested deeper than once", escaped(group.name)));
      for (const Member& m : group.members) axes[{m.tensor, m.axis}].push_back({&m, group.size, &group});
    }
    int64_t left = kLooks;
    for (const auto& [at, members] : axes) {
      const auto others = static_cast<int64_t>(members.size()) - 1;
      if (others == 0) continue;
      for (const On& on : members) {
        const Member& m = *on.member;
        const int64_t block = on.size * m.inner;  // fits, as read_group() has seen
        if (m.outer > left / others / block)
          fail(ErrorKind::resource_limit, "the members of its groups are too large to be compared");
        left -= m.outer * block * others;
        for (int64_t o = 0; o < m.outer; ++o)
          for (int64_t t = 0; t < block; ++t) {
            const int64_t c = m.offset + o * m.stride + t, item = t / m.inner;
            const int64_t moved = c + ((item + 1) % on.size - item) * m.inner;
            for (const On& other : members)
              if (other.member != on.member &&
                  item_at(*other.member, other.size, c) != item_at(*other.member, other.size, moved))
                fail(ErrorKind::bad_value, text("groups '{}' and '{}' overlap on tensor '{}'",
                                                escaped(on.group->name), escaped(other.group->name),
                                                escaped(spec_.tensors[static_cast<size_t>(at.first)].name)));
          }
      }
    }
  }

  const Json& json_;
  std::string name_;
  Spec spec_;
  std::map<std::string, int> tensors_, group_names_;
};

Json base_json(const Spec& spec, const char* schema) {
  Json tensors = Json::array();
  for (const SpecTensor& t : spec.tensors)
    tensors.push_back(
        Json::object({{"name", t.name}, {"shape", number_list(t.dims)}, {"parameter", t.parameter}}));
  return Json::object({{"schema", schema},
                       {"file", spec.file},
                       {"parameters", spec.parameters},
                       {"moved", spec.moved},
                       {"coverage", spec.coverage()},
                       {"tensors", tensors}});
}

}  // namespace

Json to_json(const Spec& spec) {
  Json json = base_json(spec, kSpecSchema);
  Json groups = Json::array(), pinned = Json::array();
  for (const NetworkGroup& group : spec.groups) groups.push_back(group_json(spec, group));
  for (const PinnedAxis& p : spec.pinned)
    pinned.push_back(Json::object({{"tensor", spec.tensors[static_cast<size_t>(p.tensor)].name},
                                   {"axis", p.axis},
                                   {"items", p.items},
                                   {"by", p.by}}));
  json.set("groups", groups);
  json.set("pinned", pinned);
  return json;
}

Spec spec_from_json(const Json& json, const std::string& name) {
  return Reader(json, name).read();
}

Json to_json(const Spec& spec, const NetworkElement& g) {
  Json json = base_json(spec, kElementSchema);
  Json groups = Json::array();
  for (size_t i = 0; i < g.size(); ++i) {
    Json group = group_json(spec, spec.groups[i]);
    group.set("indices", number_list(g[i].order));
    group.set("sign_values", number_lists(g[i].signs));
    group.set("scale_values", number_lists(g[i].scales));
    group.set("turns", number_lists(g[i].turns));
    groups.push_back(std::move(group));
  }
  json.set("groups", groups);
  return json;
}

NetworkElement element_from_json(const Spec& spec, const Json& json, const std::string& name) {
  const auto& groups = json.at("groups").as_array("groups");
  const auto fail = [&](const std::string& what) -> void {
    throw Error(ErrorKind::bad_value, text("{}: {}", one_line(name), what));
  };
  if (groups.size() != spec.groups.size())
    fail(text("expected {} groups, got {}", spec.groups.size(), groups.size()));
  NetworkElement g = identity_element(spec);
  for (size_t i = 0; i < g.size(); ++i) {
    const NetworkGroup& group = spec.groups[i];
    const auto n = static_cast<size_t>(group.blocks * group.size);
    const auto& indices = groups[i].at("indices").as_array("indices");
    if (indices.size() != n)
      fail(text("group '{}': expected {} indices, got {}", escaped(group.name), n, indices.size()));
    for (int64_t b = 0; b < group.blocks; ++b) {
      std::vector<bool> seen(static_cast<size_t>(group.size));
      for (int64_t k = 0; k < group.size; ++k) {
        const auto at = static_cast<size_t>(b * group.size + k);
        const int64_t index = indices[at].as_int("indices");
        if (index < 0 || index >= group.size || seen[static_cast<size_t>(index)])
          fail(text("group '{}': the indices are no permutation of 0 .. {}", escaped(group.name),
                    group.size - 1));
        seen[static_cast<size_t>(index)] = true;
        g[i].order[at] = static_cast<int32_t>(index);
      }
    }
    const auto numbers = [&](const char* key, auto& lists, auto accept) {
      const auto& given = groups[i].at(key).as_array(key);
      if (given.size() != lists.size())
        fail(text("group '{}': {}: expected {} lists, got {}", escaped(group.name), key, lists.size(),
                  given.size()));
      for (size_t k = 0; k < lists.size(); ++k) {
        const auto& values = given[k].as_array(key);
        if (values.size() != n)
          fail(text("group '{}': {}: expected {} numbers, got {}", escaped(group.name), key, n,
                    values.size()));
        for (size_t v = 0; v < n; ++v) {
          const double x = values[v].as_double(key);
          if (!accept(x)) fail(text("group '{}': {}: {} is not allowed", escaped(group.name), key, x));
          lists[k][v] = static_cast<std::decay_t<decltype(lists[k][v])>>(x);
        }
      }
    };
    numbers("sign_values", g[i].signs, [](double x) { return x == 1 || x == -1; });
    numbers("scale_values", g[i].scales, [](double x) { return x > 0 && x < 1e30; });
    numbers("turns", g[i].turns,
            [](double x) { return x == static_cast<int32_t>(x) && x > -1e6 && x < 1e6; });
  }
  return g;
}

}  // namespace dws::symmetry
