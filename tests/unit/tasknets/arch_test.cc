#include "tasknets/arch.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace dws {
namespace {

using testing::expect_error;
using Kind = Arch::Kind;

TEST(Arch, ReadsTheGrammar) {
  const Arch mlp = parse_arch("mlp:512,16");
  EXPECT_FALSE(mlp.of_pictures);
  EXPECT_EQ(mlp.layers, (std::vector<Arch::Layer>{{Kind::linear, 512}, {Kind::linear, 16}}));
  EXPECT_TRUE(parse_arch("mlp:").layers.empty());
  const Arch cnn = parse_arch("cnn:16,32s2k5,p,8k1,a,f64,f10");
  EXPECT_TRUE(cnn.of_pictures);
  EXPECT_EQ(cnn.layers, (std::vector<Arch::Layer>{{Kind::conv, 16},
                                                  {Kind::conv, 32, 5, 2},
                                                  {Kind::max_pool},
                                                  {Kind::conv, 8, 1, 1},
                                                  {Kind::mean_pool},
                                                  {Kind::linear, 64},
                                                  {Kind::linear, 10}}));
  EXPECT_EQ(parse_arch("vgg:8").layers, parse_arch("cnn:8,8,p,16,16,p,32,32,p").layers);
}

TEST(Arch, NamesWhatIsWrong) {
  const auto refused = [](const std::string& word, const std::string& what) {
    expect_error(
        ErrorKind::usage, [&] { parse_arch(word); }, what);
  };
  refused("", "KIND:LAYERS");
  refused("512,512", "KIND:LAYERS");
  refused("rnn:5", "'rnn' is none of mlp, cnn, vgg");
  refused("cnn:", "''");
  refused("mlp:512,,3", "''");
  refused("mlp:512x", "'512x' is no width");
  refused("mlp:0", "from 1 to 65536");
  refused("mlp:99999999999999999999", "from 1 to 65536");
  refused("mlp:-3", "'-3'");
  refused("cnn:16,p2", "'p2'");
  refused("cnn:16q3", "'16q3'");
  refused("cnn:16k", "behind 'k'");
  refused("cnn:16k4", "even kernel");
  refused("cnn:16,f8,16", "'16' behind a fully connected layer");
  refused("vgg:8,8", "one width");
}

}  // namespace
}  // namespace dws
