#include "unit/format/zoo_fixture.h"

namespace dws::testing {
namespace {

ZooInfo from_text(std::string_view json) {
  return ZooInfo::from_json(Json::parse(json, "z"), "z");
}

TEST(ZooInfo, RoundTripOfEveryField) {
  ZooInfo info;
  info.arch = MlpArch::parse("16-8-3");
  info.activation = "relu";
  info.omega = 0.1;
  info.fourier_features = 8;
  info.fourier_scale = 1.0 / 3;
  info.fourier_seed = ~uint64_t{0};
  for (int k = 1; k <= 16; ++k) info.fourier_matrix.push_back(1.0 / k - 0.3);
  info.output_offset = -0.25;
  info.range[0] = 0;
  info.range[1] = 1e-3;
  info.image_height = 32;
  info.image_width = 33;
  info.channels = 3;
  info.source = Json::object({{"file", "x"}});
  info.fit = Json::object({{"steps", 1500}});
  info.summary = Json::array({1.5});
  const ZooInfo back = from_text(info.to_json().dump());
  EXPECT_EQ(back.to_json().dump(), info.to_json().dump());
  EXPECT_EQ(back.arch, info.arch);
  EXPECT_EQ(back.activation, "relu");
  EXPECT_EQ(back.omega, 0.1);
  EXPECT_EQ(back.fourier_features, 8);
  EXPECT_EQ(back.fourier_scale, 1.0 / 3);
  EXPECT_EQ(back.fourier_seed, ~uint64_t{0});
  EXPECT_EQ(back.fourier_matrix, info.fourier_matrix);
  EXPECT_EQ(back.output_offset, -0.25);
  EXPECT_EQ(back.range[0], 0);
  EXPECT_EQ(back.range[1], 1e-3);
  EXPECT_EQ(back.image_height, 32);
  EXPECT_EQ(back.image_width, 33);
  EXPECT_EQ(back.channels, 3);
  EXPECT_EQ(back.fit.at("steps").as_int(), 1500);
  EXPECT_NO_THROW(info.require_same_network(back, "a", "b"));
}

TEST(ZooInfo, OnlyTheArchitectureIsNeeded) {
  const ZooInfo info = from_text(R"({"arch":[2,32,32,1],"something":{"else":[1]}})");
  EXPECT_EQ(info.arch.str(), "2-32-32-1");
  EXPECT_EQ(info.activation, "siren");
  EXPECT_EQ(info.omega, 30);
  EXPECT_EQ(info.output_offset, 0.5);
  EXPECT_EQ(info.range[0], -1);
  EXPECT_EQ(info.range[1], 1);
  EXPECT_EQ(info.channels, 1);
  EXPECT_EQ(info.fourier_features, 0);
  EXPECT_TRUE(info.source.is_null());
}

TEST(ZooInfo, RefusesWhatIsWrong) {
  const std::pair<const char*, const char*> wrong[] = {
      {"[]", "expected an object"},
      {"{}", "missing field 'arch'"},
      {R"({"arch":"2-1"})", "arch"},
      {R"({"arch":[]})", "arch: "},
      {R"({"arch":[2]})", "arch: "},
      {R"({"arch":[2,0]})", "arch: size 0"},
      {R"({"arch":[2,1.5]})", "arch"},
      {R"({"arch":[2,99999999999]})", "arch: size 99999999999"},
      {R"({"arch":[2,1],"schema":"dws.zoo/2"})", "expected 'dws.zoo/1', got 'dws.zoo/2'"},
      {R"({"arch":[2,1],"schema":1})", "schema"},
      {R"({"arch":[2,1],"activation":"gelu"})", "expected siren, relu or tanh, got 'gelu'"},
      {R"({"arch":[2,1],"activation":1})", "activation"},
      {R"({"arch":[2,1],"omega":0})", "omega"},
      {R"({"arch":[2,1],"omega":-1})", "omega"},
      {R"({"arch":[2,1],"omega":"30"})", "omega"},
      {R"({"arch":[2,1],"fourier_features":-1})", "fourier_features"},
      {R"({"arch":[2,1],"fourier_seed":-1})", "fourier_seed"},
      {R"({"arch":[8194,1],"fourier_features":4097,"fourier_scale":1})", "between 0 and 4096"},
      {R"({"arch":[16777216,1],"fourier_features":16777216,"fourier_scale":1})", "fourier_features"},
      {R"({"arch":[4,1],"fourier_features":2})", "fourier_scale: 0 is not above 0"},
      {R"({"arch":[4,1],"fourier_features":2,"fourier_scale":-1})", "fourier_scale"},
      {R"({"arch":[2,1],"fourier_features":2,"fourier_scale":1})", "arch: expected 4 inputs"},
      {R"({"arch":[4,1],"fourier_features":2,"fourier_scale":1,"fourier_matrix":[1,2,3]})",
       "expected 4 numbers, 2 a feature, got 3"},
      {R"({"arch":[4,1],"fourier_features":2,"fourier_scale":1,"fourier_matrix":[]})", "got 0"},
      {R"({"arch":[4,1],"fourier_features":2,"fourier_scale":1,"fourier_matrix":[1,2,3,null]})",
       "fourier_matrix"},
      {R"({"arch":[4,1],"fourier_features":2,"fourier_scale":1,"fourier_matrix":{}})", "fourier_matrix"},
      {R"({"arch":[3,1],"image_height":4,"image_width":4})", "arch: expected 2 inputs"},
      {R"({"arch":[2,1],"range":[1,-1]})", "range"},
      {R"({"arch":[2,1],"range":[0,0]})", "range"},
      {R"({"arch":[2,1],"range":[0]})", "range: expected 2 numbers, got 1"},
      {R"({"arch":[2,1],"range":1})", "range"},
      {R"({"arch":[2,1],"channels":0})", "channels"},
      {R"({"arch":[2,1],"image_height":-1})", "image_height"},
      {R"({"arch":[2,1],"image_width":1.5})", "image_width"},
  };
  for (const auto& [bad, part] : wrong) {
    const char *json = bad, *substring = part;  // clang 14 captures no structured binding
    EXPECT_TRUE(throws_error(
        ErrorKind::bad_schema, [&] { from_text(json); }, substring))
        << json;
    EXPECT_TRUE(throws_error(
        ErrorKind::bad_schema, [&] { from_text(json); }, "z: metadata dws.zoo: "))
        << json;
  }
}

TEST(ZooInfo, SaysWhichSettingDiffers) {
  const auto differs = [](auto change, const std::string& substring) {
    const ZooInfo a = small_info();
    ZooInfo b = small_info();
    change(b);
    expect_error(
        ErrorKind::mismatch, [&] { a.require_same_network(b, "a.st", "b.st"); }, substring);
  };
  differs([](ZooInfo& b) { b.arch = MlpArch::parse("2-4-1"); },
          "b.st: another architecture than a.st: expected 2-3-1, got 2-4-1");
  differs([](ZooInfo& b) { b.activation = "relu"; },
          "another activation than a.st: expected siren, got relu");
  differs([](ZooInfo& b) { b.omega = 20; }, "another omega than a.st: expected 30, got 20");
  differs([](ZooInfo& b) { b.fourier_features = 2; }, "Fourier");
  ZooInfo fourier = small_info();
  fourier.fourier_features = 1;
  ZooInfo other = fourier;
  const auto refused = [&](const std::string& substring) {
    expect_error(
        ErrorKind::mismatch, [&] { fourier.require_same_network(other, "a", "b"); }, substring);
  };
  other.fourier_seed = 1;
  refused("Fourier feature seed");
  fourier.fourier_matrix = {1, 2};
  refused("another Fourier matrix than a: expected stated, got none");
  other.fourier_matrix = {1, 3};
  refused("b: another Fourier matrix than a");
  other.fourier_matrix = {1, 2};  // the same numbers, whatever the seed says
  EXPECT_NO_THROW(fourier.require_same_network(other, "a", "b"));
  differs([](ZooInfo& b) { b.output_offset = 0; }, "another output offset");
  differs([](ZooInfo& b) { b.range[0] = 0; }, "expected [-1, 1], got [0, 1]");
}

TEST(ZooInfo, SettingsThatDoNotMatterMayDiffer) {
  ZooInfo a = small_info(), b = small_info();
  b.image_height = 14;
  b.fit = Json::object({{"steps", 1}});
  a.fourier_seed = 1;  // no features
  EXPECT_NO_THROW(a.require_same_network(b, "a", "b"));
  a.activation = b.activation = "relu";
  b.omega = 1;  // sine layers only
  EXPECT_NO_THROW(a.require_same_network(b, "a", "b"));
}

}  // namespace
}  // namespace dws::testing
