// Weight matching of networks that stay in their files gives what it gives of networks in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "align/match_network.h"
#include "align/streamed.h"
#include "core/dtype.h"
#include "core/parallel.h"
#include "models.h"
#include "unit/exported_models.h"

namespace dws::align {
namespace {

using symmetry::Draw;
using symmetry::NetworkElement;

// Numbers in memory as a file would hold them: one byte off, as tensors of a file may be.
StoredNumbers stored(const Numbers& numbers, OnnxType type) {
  auto owner = std::make_shared<std::vector<std::vector<std::byte>>>();
  StoredNumbers all{.tensors = {}, .owner = owner};
  for (const std::span<const float> x : numbers.tensors) {
    const size_t width = static_cast<size_t>(onnx_type_bits(type)) / 8;
    std::vector<std::byte> bytes(1 + x.size() * width);
    for (size_t i = 0; i < x.size(); ++i) {
      const uint16_t half = type == OnnxType::f16 ? float_to_f16(x[i]) : float_to_bf16(x[i]);
      if (type == OnnxType::f32)
        std::memcpy(bytes.data() + 1 + i * width, &x[i], width);
      else
        std::memcpy(bytes.data() + 1 + i * width, &half, width);
    }
    owner->push_back(std::move(bytes));
    all.tensors.push_back({.type = type, .bytes = Bytes(owner->back()).subspan(1)});
  }
  return all;
}

Numbers rounded(const Numbers& numbers, OnnxType type) {
  Numbers out = numbers;
  for (size_t t = 0; t < out.tensors.size(); ++t) {
    auto made = std::make_shared<std::vector<float>>(out.tensors[t].begin(), out.tensors[t].end());
    for (float& x : *made)
      x = type == OnnxType::f16    ? f16_to_float(float_to_f16(x))
          : type == OnnxType::bf16 ? bf16_to_float(float_to_bf16(x))
                                   : x;
    out.held[t] = made;
    out.tensors[t] = *made;
  }
  return out;
}

// Half the model's numbers, half its own: there is something to be found, and more than one step on the way.
Numbers another(const Model& model, uint64_t seed) {
  Rng rng(seed);
  Numbers b = model.numbers;
  for (size_t t = 0; t < b.tensors.size(); ++t) {
    if (!model.spec.tensors[t].parameter) continue;
    auto made = std::make_shared<std::vector<float>>(b.tensors[t].begin(), b.tensors[t].end());
    for (float& x : *made) x = static_cast<float>(0.5 * rng.normal()) + 0.2f * x;
    b.held[t] = made;
    b.tensors[t] = *made;
  }
  return act(model.spec, symmetry::random_element(model.spec, {}, rng), b);
}

std::string text_of(const Model& model, const NetworkElement& g) {
  return symmetry::to_json(model.spec, g).dump();
}

class Streaming : public ::testing::TestWithParam<std::string> {};

TEST_P(Streaming, FindsWhatIsFoundInMemory) {
  const Model model(GetParam());
  for (const OnnxType type : {OnnxType::f32, OnnxType::bf16, OnnxType::f16}) {
    const Pair pair(model.spec, model.scored, rounded(model.numbers, type), rounded(another(model, 3), type));
    const StoredPair files{model.spec, model.scored, stored(pair.a, type), stored(pair.b, type)};
    for (const NetworkMatchOptions& options :
         {NetworkMatchOptions{.restarts = 1}, NetworkMatchOptions{.kinds = {.scale = false}},
          NetworkMatchOptions{.kinds = {.sign = false, .scale = false, .phase = false}}}) {
      const NetworkMatch in_memory = match_networks(pair, options), streamed = match_networks(files, options);
      EXPECT_EQ(text_of(model, in_memory.element), text_of(model, streamed.element));
      EXPECT_EQ(in_memory.starts, streamed.starts);
      EXPECT_EQ(in_memory.cosine_before, streamed.cosine_before);
      EXPECT_EQ(in_memory.cosine_after, streamed.cosine_after);
      ASSERT_EQ(in_memory.objective.size(), streamed.objective.size());
      EXPECT_EQ(in_memory.objective.front(), streamed.objective.front());
      EXPECT_NEAR(in_memory.objective.back(), streamed.objective.back(),
                  1e-5 * std::abs(streamed.objective.back()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Streaming, ::testing::ValuesIn(exported_models()),
                         [](const auto& model) { return model.param; });

TEST(StreamedNumbers, AreThoseThatAnElementMakes) {
  for (const std::string name : {"resnet", "encoder_pre_norm", "mlp_sine", "group_norm", "lstm"}) {
    const Model model(name);
    Rng rng(4);
    const NetworkElement g = symmetry::random_element(model.spec, {}, rng);
    const Numbers expected = act(model.spec, g, model.numbers);
    const StoredNumbers files = stored(model.numbers, OnnxType::f32);
    const symmetry::MembersByTensor members = symmetry::members_by_tensor(model.spec);
    for (size_t t = 0; t < files.tensors.size(); ++t) {
      const MovedTensor tensor(model.spec, files, static_cast<int>(t), &g, members);
      const MovedTensor::Box whole = tensor.whole();
      std::vector<float> all(expected.tensors[t].size());
      tensor.read(whole, all.data());
      EXPECT_TRUE(std::ranges::equal(all, expected.tensors[t])) << name << ' ' << model.spec.tensors[t].name;
      // A part of it.
      const MovedTensor::Box box{.row = whole.rows / 3,
                                 .rows = (whole.rows + 1) / 2,
                                 .column = whole.columns / 4,
                                 .columns = (whole.columns + 1) / 2};
      std::vector<float> part(static_cast<size_t>(box.rows * box.columns));
      tensor.read(box, part.data());
      for (int64_t r = 0; r < box.rows; ++r)
        for (int64_t c = 0; c < box.columns; ++c)
          ASSERT_EQ(part[static_cast<size_t>(r * box.columns + c)],
                    all[static_cast<size_t>((box.row + r) * whole.columns + box.column + c)]);
      std::vector<float> joined;
      each_block(tensor, [&](std::span<const float> x) { joined.insert(joined.end(), x.begin(), x.end()); });
      EXPECT_EQ(joined, all);
    }
  }
}

// Bands give the bits of the whole: numbers by rows, by columns, and a selection of them.
TEST(StreamedNumbers, ProductsByBandsHaveTheSameBits) {
  const int64_t wide = 5000, deep = 4100;  // more than a band
  symmetry::Spec spec;
  spec.tensors = {{.name = "w", .dims = {wide, deep}, .parameter = true}};
  const Problem problem{
      .spec = &spec, .groups = {}, .fields = {{.tensor = 0, .dims = {wide, deep}}}, .units = {}};
  Rng rng(1);
  std::vector<float> x(static_cast<size_t>(wide * deep)), y(x.size());
  for (float& v : x) v = static_cast<float>(rng.uniform());
  for (float& v : y) v = static_cast<float>(rng.uniform());
  const auto files = [&](const std::vector<float>& numbers) {
    return StoredNumbers{.tensors = {{OnnxType::f32, std::as_bytes(std::span(numbers))}}, .owner = nullptr};
  };
  const StoredPair pair{spec, {true}, files(x), files(y)};
  const Streamed streamed(problem, pair, nullptr, nullptr);
  std::vector<int64_t> some;
  for (int64_t i = 0; i < deep; i += 1 + i % 3) some.push_back(i);
  const std::vector<int32_t> order{1, 2, 0};
  const std::vector<int64_t> changed{0, 1, 2};
  const std::vector<float> factor{1, -1, 1};
  for (const int axis : {0, 1}) {
    const int64_t items = axis == 0 ? 25 : 41;
    const Place place{.field = 0, .axis = axis};
    const Walk walk(problem.fields[0], place, items);
    for (const bool all : {true, false}) {
      Selection selection;
      if (!all) (axis == 0 ? selection.run : selection.before) = &some;
      std::vector<float> whole(static_cast<size_t>(items * items), 0.f), bands = whole;
      Packed room, other;
      add_products(walk, selection, x.data(), y.data(), whole, room);
      streamed.add_products(place, items, selection, bands, other);
      EXPECT_EQ(whole, bands) << axis << all;
    }
    EXPECT_EQ(change(walk, x.data(), y.data(), changed, order, factor),
              streamed.change(place, items, changed, order, factor));
  }
}

TEST(StreamedNumbers, TheSameBitsOnAnyNumberOfThreads) {
  const int before = threads();
  const Model model("encoder_pre_norm");
  const StoredPair files{model.spec, model.scored, stored(model.numbers, OnnxType::bf16),
                         stored(another(model, 5), OnnxType::bf16)};
  std::vector<NetworkMatch> found;
  for (const int count : {1, 3}) {
    set_threads(count);
    found.push_back(match_networks(files, {}));
  }
  set_threads(before);
  EXPECT_EQ(found[0].objective, found[1].objective);
  EXPECT_EQ(found[0].cosine_after, found[1].cosine_after);
  EXPECT_EQ(text_of(model, found[0].element), text_of(model, found[1].element));
}

TEST(StreamedNumbers, AreRefusedAsThoseInMemory) {
  Model model("mlp_relu");
  const auto message = [&](const auto& read) -> std::string {
    try {
      read();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  size_t t = 0;
  while (!model.spec.tensors[t].parameter) ++t;
  network::Constant& c = model.net.constants[static_cast<size_t>(model.spec.tensors[t].constant)];
  std::vector<float> numbers(static_cast<size_t>(c.elements()), 1.f);
  numbers[numbers.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  c.bytes = std::as_bytes(std::span(numbers));
  const std::string expected = message([&] { read_numbers(model.spec, model.net); });
  EXPECT_NE(expected, "");
  EXPECT_EQ(message([&] { stored_numbers(model.spec, model.net); }), expected);
  c.dims = {1, 1};
  EXPECT_EQ(message([&] { stored_numbers(model.spec, model.net); }),
            message([&] { read_numbers(model.spec, model.net); }));
}

}  // namespace
}  // namespace dws::align
