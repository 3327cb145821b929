// What a profile counts. Times are not looked at, beyond being none below zero.
#include "autograd/profile.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "autograd/ops.h"

namespace dws {
namespace {

std::map<std::string, Profile::Entry> by_name(const Profile& profile) {
  std::map<std::string, Profile::Entry> entries;
  for (const Profile::Entry& e : profile.entries()) entries.emplace(std::string(e.name), e);
  return entries;
}

void step(Tape<double>& tape, const Tensor<double>& x) {
  tape.reset();
  const Var<double> y = ops::relu(ops::scale(ops::scale(tape.input(x.view()), 2.0), 3.0));
  const Var<double> roots[] = {y};
  const View<const double> seeds[] = {x.view()};
  tape.backward(roots, seeds);
}

TEST(Profile, CountsEveryOpAndItsDerivative) {
  Tensor<double> x(Shape{4, 3});
  for (double& v : x.span()) v = 1;
  Tape<double> tape;
  Profile profile, total;
  step(tape, x);  // nobody listens yet
  tape.set_profile(&profile);
  step(tape, x);
  tape.set_profile(nullptr);
  step(tape, x);
  total.add(profile);
  total.add(profile);

  const auto once = by_name(profile), twice = by_name(total);
  ASSERT_EQ(once.size(), 2u);
  EXPECT_EQ(once.at("scale").forward_calls, 2);
  EXPECT_EQ(once.at("scale").backward_calls, 2);
  EXPECT_EQ(once.at("relu").forward_calls, 1);
  EXPECT_EQ(once.at("relu").backward_calls, 1);
  EXPECT_EQ(twice.at("scale").forward_calls, 4);
  EXPECT_EQ(twice.at("relu").backward_calls, 2);
  for (const auto& [name, e] : once) {
    EXPECT_GE(e.forward, 0) << name;
    EXPECT_GE(e.backward, 0) << name;
    EXPECT_DOUBLE_EQ(twice.at(name).forward, 2 * e.forward);
  }
  profile.clear();
  EXPECT_TRUE(profile.entries().empty());
}

TEST(Profile, ForwardWithoutRecordingIsTimedToo) {
  Tensor<double> x(Shape{4, 3});
  Tape<double> tape;
  tape.set_recording(false);
  Profile profile;
  tape.set_profile(&profile);
  ops::relu(tape.constant(x.view()));
  const auto entries = by_name(profile);
  ASSERT_EQ(entries.size(), 1u);  // without a derivative there is no primitive to name
  EXPECT_EQ(entries.at("constant").forward_calls, 1);
}

}  // namespace
}  // namespace dws
