// Specs and elements that describe no bijection are refused, one test a way to be wrong.
#include <gtest/gtest.h>

#include "core/error.h"
#include "symmetry/element.h"

namespace dws::symmetry {
namespace {

// Two groups of two on one axis of four: heads, and what is within a head.
Json good() {
  return Json::parse(R"({"schema": "dws.permutation/1", "file": "net", "parameters": 4, "moved": 4,
    "tensors": [{"name": "w", "shape": [4], "parameter": true}],
    "groups": [
      {"name": "heads", "kind": "permutation", "size": 2, "by": null, "signs": [], "scales": [], "phases": [],
       "members": [{"tensor": "w", "axis": 0, "offset": 0, "outer": 1, "stride": 0, "inner": 2}],
       "indices": [1, 0], "sign_values": [], "scale_values": [], "turns": []},
      {"name": "within", "kind": "permutation", "size": 2, "by": "heads", "scales": [], "phases": [],
       "signs": [[{"member": 0, "exponent": 1}]],
       "members": [{"tensor": "w", "axis": 0, "offset": 0, "outer": 2, "stride": 2, "inner": 1}],
       "indices": [0, 1, 1, 0], "sign_values": [[1, -1, 1, 1]], "scale_values": [], "turns": []}]})",
                     "spec");
}
// The text with `from`, which must be there, replaced.
Json with(const std::string& from, const std::string& to) {
  std::string text = good().dump();
  const size_t at = text.find(from);
  if (at == std::string::npos) throw std::logic_error(from);
  return Json::parse(text.replace(at, from.size(), to), "spec");
}
ErrorKind refused(const Json& json) {
  try {
    const Spec spec = spec_from_json(json, "spec");
    (void)element_from_json(spec, json, "spec");
  } catch (const Error& e) {
    return e.kind();
  }
  return ErrorKind::internal;
}

TEST(SpecRefused, ButNotWhatIsRight) {
  const Json json = good();
  const Spec spec = spec_from_json(json, "spec");
  const NetworkElement g = element_from_json(spec, json, "spec");
  network::Array w{.type = OnnxType::f32, .dims = {4}};
  w.reals = {10, 11, 20, 21};
  // New head 0 is old head 1 in its order, its second number negated; new head 1 is old head 0 turned round.
  EXPECT_EQ(act(spec, g, 0, w).reals, (std::vector<double>{20, -21, 11, 10}));
  EXPECT_EQ(act(spec, inverse(spec, g), 0, act(spec, g, 0, w)).reals, w.reals);
}

TEST(SpecRefused, OfAnotherSchema) {
  EXPECT_EQ(refused(with("dws.permutation/1", "dws.other/1")), ErrorKind::bad_schema);
  EXPECT_EQ(refused(with("\"groups\":", "\"bunches\":")), ErrorKind::bad_schema);
}
TEST(SpecRefused, NamesThatAreNotThere) {
  EXPECT_EQ(refused(with(R"({"tensor":"w")", R"({"tensor":"v")")), ErrorKind::missing_tensor);
  EXPECT_EQ(refused(with(R"("by":"heads")", R"("by":"nobody")")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("by":"heads")", R"("by":"within")")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("name":"within")", R"("name":"heads")")), ErrorKind::duplicate_name);
  EXPECT_EQ(refused(with(R"("member":0)", R"("member":1)")), ErrorKind::bad_value);
}
TEST(SpecRefused, MembersThatDoNotFit) {
  EXPECT_EQ(refused(with(R"("offset":0,"outer":1)", R"("offset":1,"outer":1)")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("stride":2)", R"("stride":1)")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("axis":0)", R"("axis":1)")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("shape":[4])", R"("shape":[3])")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("shape":[4])", R"("shape":[-4])")), ErrorKind::bad_value);
}
TEST(SpecRefused, MembersThatOverlap) {
  // Both groups would move the same numbers.
  EXPECT_EQ(refused(with(R"("outer":2,"stride":2,"inner":1)", R"("outer":1,"stride":0,"inner":2)")),
            ErrorKind::bad_value);
}
// Each number of an axis of 2^40 would be looked at: hours.
TEST(SpecRefused, MembersTooLargeToBeCompared) {
  std::string text = good().dump();
  const auto replace = [&](const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  };
  replace(R"("shape":[4])", R"("shape":[1099511627776])");
  EXPECT_EQ(spec_from_json(Json::parse(text, "spec"), "spec").groups.size(),
            2u);  // only what groups hold counts
  replace(R"("outer":1,"stride":0,"inner":2)", R"("outer":1,"stride":0,"inner":2000000000)");
  replace(R"("outer":2,"stride":2,"inner":1)", R"("outer":2,"stride":2000000000,"inner":1000000000)");
  EXPECT_EQ(refused(Json::parse(text, "spec")), ErrorKind::resource_limit);
}
TEST(SpecRefused, OrdersThatAreNone) {
  EXPECT_EQ(refused(with(R"("indices":[1,0])", R"("indices":[1,1])")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("indices":[1,0])", R"("indices":[1,2])")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("indices":[1,0])", R"("indices":[1])")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("sign_values":[[1,-1,1,1]])", R"("sign_values":[[1,-2,1,1]])")),
            ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("sign_values":[[1,-1,1,1]])", R"("sign_values":[])")), ErrorKind::bad_value);
  EXPECT_EQ(refused(with(R"("exponent":1)", R"("exponent":2)")), ErrorKind::bad_value);
}
TEST(SpecRefused, AGroupOfNothing) {
  std::string text = good().dump();
  const size_t begin = text.find(R"("members":[)"), end = text.find(']', begin);
  EXPECT_EQ(refused(Json::parse(text.replace(begin, end - begin + 1, R"("members":[])"), "spec")),
            ErrorKind::empty);
}

}  // namespace
}  // namespace dws::symmetry
