// Rotations of a residual stream: found from the graph, of no effect on the function, undone, and refused where there are none.
#include "align/orthogonal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "align/own_head.h"
#include "core/parallel.h"
#include "found.h"
#include "testing.h"
#include "turned.h"

namespace dws::align {
namespace {

using dws::testing::difference;
using dws::testing::Found;
using dws::testing::found;
using dws::testing::random_numbers;
using dws::testing::random_rotation;
using dws::testing::stream_of;
using dws::testing::with;
using symmetry::NetworkElement;

struct Family {
  std::string file;
  std::map<std::string, int64_t> sizes;
  Json config = {};
  bool untie = false;  // the head gets a tensor of its own
};
Found read(const Family& family) {
  network::StoredTensors tensors = dws::testing::stored_tensors(family.file);
  if (family.untie) {
    const auto of = [&](const std::string& name) {
      return *std::ranges::find(tensors.tensors, name, &network::Constant::name);
    };
    tensors.tensors.push_back(
        of(family.file == "gpt2" ? "transformer.wte.weight" : "model.embed_tokens.weight"));
    tensors.tensors.back().name = "lm_head.weight";
  }
  return found(
      network::from_tensors(std::move(tensors),
                            {.recipe = "", .sizes = {.sizes = family.sizes, .config = family.config}})
          .network);
}
const Family kLlama{"llama", {{"heads", 6}, {"kv_heads", 2}}}, kGpt2{"gpt2", {{"heads", 3}}, {}, true},
    kVit{"vit", {{"heads", 3}}};

TEST(ResidualStream, OfFamilies) {
  const Found llama = read(kLlama);
  const ResidualStream stream = stream_of(llama);
  EXPECT_EQ(stream.width, 24);
  EXPECT_FALSE(stream.fixes_ones);
  EXPECT_EQ(stream.norms.size(), 5u);  // two a block, one before the head
  EXPECT_EQ(stream.norms[0].readers.size(), 3u);
  EXPECT_EQ(stream.norms[1].readers.size(), 2u);
  EXPECT_EQ(stream.norms[4].readers.size(), 1u);
  int reads = 0, writes = 0;
  for (const StreamMember& m : stream.members) reads += m.reads, writes += m.writes;
  EXPECT_EQ(reads, 11);  // q, k, v, gate, up a block; the head
  EXPECT_EQ(writes, 5);  // o, down a block; the embedding
  for (const StreamNorm& norm : stream.norms) EXPECT_EQ(norm.kept_by, "");

  EXPECT_TRUE(stream_of(read(kGpt2)).fixes_ones);
  EXPECT_TRUE(stream_of(read(kVit)).fixes_ones);
  const ResidualStream tied = stream_of(read({"gpt2", {{"heads", 3}}}));
  EXPECT_NE(tied.norms.back().kept_by.find("'transformer.wte.weight' is head and embedding in one"),
            std::string::npos);
}

class Turned : public ::testing::TestWithParam<Family> {
 protected:
  const Found f = read(GetParam());
  const ResidualStream stream = stream_of(f);
  const std::vector<bool> scored = scored_tensors(f.spec, f.network);
  const Numbers numbers = read_numbers(f.spec, f.network);
  const StreamTurn turn{f.spec, stream, "net"};
};

TEST_P(Turned, ARotationIsOfNoEffectOnceNormsAreAbsorbed) {
  const Numbers absorbed = absorb_norms(f.spec, stream, numbers, "net");
  EXPECT_LE(difference(f, numbers, absorbed), 2e-6);
  const std::vector<float> o = random_rotation(stream.width, stream.fixes_ones, 1);
  const Numbers turned = turn.act(o, absorbed);
  EXPECT_LE(difference(f, numbers, turned), 1e-5);
  EXPECT_LT(inner_product(scored, absorbed, turned), 0.7 * inner_product(scored, absorbed, absorbed));
  // The scales matter, and so does the vector of ones beside a layer norm.
  EXPECT_GT(difference(f, numbers, turn.act(o, numbers)), 1e-3);
  if (stream.fixes_ones) {
    EXPECT_GT(difference(f, numbers, turn.act(random_rotation(stream.width, false, 1), absorbed)), 1e-3);
  }
}

TEST_P(Turned, ARandomRotationWithOrdersIsUndone) {
  const Numbers absorbed = absorb_norms(f.spec, stream, numbers, "net");
  Rng rng(2);
  const symmetry::Spec held = without_stream(f.spec, stream);
  EXPECT_LT(held.free_groups(), f.spec.free_groups());
  const NetworkElement g = symmetry::random_element(held, {}, rng);
  const Numbers b = act(held, g, turn.act(random_rotation(stream.width, stream.fixes_ones, 3), absorbed));
  const OrthogonalMatch match = match_orthogonal(f.spec, stream, f.network, with(f, b), {});
  EXPECT_LT(match.cosine_before, 0.9);
  EXPECT_GT(match.cosine_after, 1 - 1e-6) << match.cosine_after - 1;
  EXPECT_LE(difference(f, numbers, match.aligned), 1e-5);
}

// Other weights, with norms like these.
Numbers stranger(const Found& f, const ResidualStream& stream, const Numbers& like) {
  Numbers other = random_numbers(like, 5);
  for (const StreamNorm& norm : stream.norms)
    for (size_t t = 0; t < f.spec.tensors.size(); ++t)
      if (f.spec.tensors[t].constant == norm.scale || f.spec.tensors[t].constant == norm.bias) {
        auto turned =
            std::make_shared<const std::vector<float>>(like.tensors[t].rbegin(), like.tensors[t].rend());
        other.held[t] = turned;
        other.tensors[t] = *turned;
      }
  return other;
}

TEST_P(Turned, StrangersRiseAboveWhatOrdersReach) {
  const Numbers other = stranger(f, stream, numbers);
  const symmetry::Draw kinds{.order = true, .sign = true, .scale = false, .phase = false};
  const OrthogonalMatch match =
      match_orthogonal(f.spec, stream, f.network, with(f, other), {.match = {.kinds = kinds}});
  EXPECT_GT(match.objective.size(), 1u);
  for (size_t i = 1; i < match.objective.size(); ++i) EXPECT_GT(match.objective[i], match.objective[i - 1]);
  const Numbers b = absorb_norms(f.spec, stream, other, "net");
  EXPECT_LE(difference(f, other, match.aligned), 1e-5);
  EXPECT_GT(match.cosine_after,
            match_networks(Pair(f.spec, scored, match.reference, b), {.kinds = kinds}).cosine_after);
  // B' is what element and rotation say.
  const symmetry::Spec held = without_stream(f.spec, stream);
  const Numbers again = act(held, match.element, turn.act(match.rotation, b));
  EXPECT_NEAR(inner_product(scored, again, match.aligned), inner_product(scored, again, again),
              1e-5 * inner_product(scored, again, again));
  int rewritten = 0;
  for (size_t t = 0; t < match.rewritten.size(); ++t) rewritten += match.rewritten[t];
  EXPECT_GE(rewritten, static_cast<int>(stream.members.size()));
}

TEST_P(Turned, TheSameBitsOnOneThreadAndTwo) {
  const Numbers other = stranger(f, stream, numbers);
  std::vector<OrthogonalMatch> matches;
  for (const int count : {1, 2}) {
    set_threads(count);
    matches.push_back(match_orthogonal(f.spec, stream, f.network, with(f, other), {.max_rounds = 2}));
  }
  set_threads(0);
  EXPECT_EQ(matches[0].rotation, matches[1].rotation);
  EXPECT_EQ(matches[0].objective, matches[1].objective);
}
INSTANTIATE_TEST_SUITE_P(Families, Turned, ::testing::Values(kLlama, kGpt2, kVit),
                         [](const auto& test) { return test.param.file; });

TEST(Orthogonal, WhatCannotBeTurnedSaysWhy) {
  const auto refuses = [](const Family& family, const std::string& why) {
    const Found f = read(family);
    testing::expect_error(
        ErrorKind::unsupported,
        [&] {
          const ResidualStream stream = stream_of(f);
          (void)absorb_norms(f.spec, stream, read_numbers(f.spec, f.network), "net");
        },
        why);
  };
  refuses({"gpt2", {{"heads", 3}}},
          "the scale 'transformer.ln_f.weight' cannot be absorbed: 'transformer.wte.weight' is head and "
          "embedding");
  refuses({"llama_tied", {{"heads", 6}, {"kv_heads", 2}}},
          "the scale 'model.norm.weight' cannot be absorbed");
  refuses({"bert_words", {{"heads", 3}}}, "(Gelu) is not linear along the features");
  refuses({"bert_classes", {{"heads", 3}}}, "cannot be absorbed: the node");
  refuses({"resnet18", {}}, "there is no LayerNorm or RMSNorm, neither an operator nor in parts");
}

// Post-norm, by operators, as BERT has it, and in parts.
TEST(Orthogonal, PostNormIsNamed) {
  const auto advice = [](const Found& f) -> std::string {
    try {
      const ResidualStream stream = stream_of(f);
      (void)absorb_norms(f.spec, stream, read_numbers(f.spec, f.network), "net");
    } catch (const Error& e) {
      return e.advice();
    }
    return "";
  };
  for (const char* file : {"bert_words", "bert_classes"})
    EXPECT_EQ(advice(read({file, {{"heads", 3}}})), kPostNormAdvice) << file;
  for (const char* file : {"encoder_post_norm", "encoder_library"})
    EXPECT_EQ(advice(found(file)), kPostNormAdvice) << file;
  EXPECT_EQ(advice(found("mlp_layer_norm")), "without --orthogonal its neurons are reordered");
  EXPECT_EQ(advice(found("encoder_pre_norm")), "");
}

// A head that is its embedding is given a tensor of its own: then the norm before it can be absorbed.
TEST(Orthogonal, AHeadOfItsOwn) {
  for (const auto& [family, shared] :
       {std::pair(Family{"gpt2", {{"heads", 3}}}, "transformer.wte.weight"),
        {Family{"llama_tied", {{"heads", 6}, {"kv_heads", 2}}}, "model.embed_tokens.weight"}}) {
    const Found tied = read(family);
    const ResidualStream stream = stream_of(tied);
    ASSERT_GE(tied_head(stream), 0) << family.file;
    const StreamMember& member = stream.members[static_cast<size_t>(tied_head(stream))];
    const network::Constant& one = tied.network.constants[static_cast<size_t>(member.constant)];
    EXPECT_EQ(one.name, shared);
    EXPECT_FALSE(member.inseparable);
    EXPECT_EQ(member.read_at.size(), 1u);
    EXPECT_TRUE(must_be_untied(tied.network, stream));

    const Found own = found(
        with_own_head(tied.network, stream, "lm_head.weight",
                      std::make_shared<const std::vector<std::byte>>(one.bytes.begin(), one.bytes.end())));
    const ResidualStream two = stream_of(own);
    EXPECT_EQ(tied_head(two), -1);
    EXPECT_EQ(two.members.size(), stream.members.size() + 1);
    const Numbers numbers = read_numbers(own.spec, own.network),
                  absorbed = absorb_norms(own.spec, two, numbers, "net");
    EXPECT_LE(difference(own, numbers, absorbed), 2e-6);
    const Numbers b =
        StreamTurn(own.spec, two, "net").act(random_rotation(two.width, two.fixes_ones, 4), absorbed);
    EXPECT_LE(difference(own, numbers, b), 1e-5);
    EXPECT_GT(match_orthogonal(own.spec, two, own.network, with(own, b), {}).cosine_after, 1 - 1e-6);
  }
  // Where there is nothing to untie.
  EXPECT_EQ(tied_head(stream_of(read(kLlama))), -1);
}

// One number for all features goes through a rotation as it is.
TEST(Orthogonal, AScaleOfOneNumberMayStay) {
  Found f = read({"gpt2", {{"heads", 3}}});
  const ResidualStream stream = stream_of(f);
  Numbers numbers = read_numbers(f.spec, f.network);
  for (size_t t = 0; t < f.spec.tensors.size(); ++t)
    if (f.spec.tensors[t].name == "transformer.ln_f.weight") {
      numbers.held[t] = std::make_shared<const std::vector<float>>(numbers.tensors[t].size(), 0.7f);
      numbers.tensors[t] = *numbers.held[t];
    }
  const Numbers absorbed = absorb_norms(f.spec, stream, numbers, "net");
  const StreamTurn turn(f.spec, stream, "net");
  EXPECT_LE(difference(f, numbers, turn.act(random_rotation(stream.width, true, 1), absorbed)), 1e-5);
  EXPECT_FALSE(must_be_untied(with(f, numbers), stream));
}

TEST(Orthogonal, AScaleOfZeroBesideABias) {
  const Found f = read(kGpt2);
  Numbers numbers = read_numbers(f.spec, f.network);
  for (size_t t = 0; t < f.spec.tensors.size(); ++t)
    if (f.spec.tensors[t].name == "transformer.h.0.ln_1.weight") {
      auto zero = std::make_shared<std::vector<float>>(numbers.tensors[t].begin(), numbers.tensors[t].end());
      (*zero)[3] = 0;
      numbers.held[t] = zero;
      numbers.tensors[t] = *zero;
    }
  testing::expect_error(
      ErrorKind::unsupported, [&] { (void)absorb_norms(f.spec, stream_of(f), numbers, "net"); },
      "number 3 of the scale 'transformer.h.0.ln_1.weight' is 0");
}

}  // namespace
}  // namespace dws::align
