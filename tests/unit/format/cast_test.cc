// Numbers in another type, as they are written: rounded once, counted where they do not fit.
#include "format/cast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/interrupt.h"
#include "core/rng.h"
#include "testing.h"

namespace dws {
namespace {

template <class To, class From>
std::vector<To> through(Dtype from, Dtype to, const std::vector<From>& values,
                        int64_t* overflowed = nullptr) {
  const auto count = std::make_shared<CastCount>();
  const TensorSource source =
      cast("t", from, {static_cast<int64_t>(values.size())}, std::as_bytes(std::span(values)), to, count);
  EXPECT_EQ(source.dtype, to);
  std::vector<To> out;
  source.fill([&](const void* data, size_t size) {
    const size_t at = out.size();
    out.resize(at + size / sizeof(To));
    std::memcpy(out.data() + at, data, size);
  });
  if (overflowed) *overflowed = count->overflowed;
  return out;
}

TEST(Cast, FloatsAsTheTypeRoundsThem) {
  Rng rng(1);
  std::vector<float> values(200'000);  // more than one piece
  for (float& x : values) x = static_cast<float>(rng.normal());
  const auto half = through<uint16_t>(Dtype::f32, Dtype::f16, values);
  const auto brain = through<uint16_t>(Dtype::f32, Dtype::bf16, values);
  ASSERT_EQ(half.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(half[i], float_to_f16(values[i]));
    ASSERT_EQ(brain[i], float_to_bf16(values[i]));
  }
  const auto wide = through<double>(Dtype::bf16, Dtype::f64, brain);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(wide[i], static_cast<double>(bf16_to_float(brain[i])));
}

TEST(Cast, DoublesAreRoundedOnce) {
  // Just above the middle of two halves, by less than a float can say: rounded twice it would go to even, down.
  const double middle = 1 + std::ldexp(1.0, -11), above = middle + std::ldexp(1.0, -40);
  EXPECT_EQ(through<uint16_t>(Dtype::f64, Dtype::f16, std::vector<double>{middle, above, -above}),
            (std::vector<uint16_t>{0x3C00, 0x3C01, 0xBC01}));
  const double b_middle = 1 + std::ldexp(1.0, -8), b_above = b_middle + std::ldexp(1.0, -40);
  EXPECT_EQ(through<uint16_t>(Dtype::f64, Dtype::bf16, std::vector<double>{b_middle, b_above}),
            (std::vector<uint16_t>{0x3F80, 0x3F81}));
  EXPECT_EQ(through<float>(Dtype::f64, Dtype::f32, std::vector<double>{0.1})[0], 0.1f);
}

TEST(Cast, WhatDoesNotFitIsCounted) {
  int64_t overflowed = 0;
  const float inf = std::numeric_limits<float>::infinity();
  const auto out =
      through<uint16_t>(Dtype::f32, Dtype::f16, std::vector<float>{1e6f, -1e6f, inf, 1, NAN}, &overflowed);
  EXPECT_EQ(overflowed, 2);
  EXPECT_TRUE(std::isinf(f16_to_float(out[0])) && std::isnan(f16_to_float(out[4])));
  (void)through<uint16_t>(Dtype::f64, Dtype::bf16, std::vector<double>{1e300, 1e38}, &overflowed);
  EXPECT_EQ(overflowed, 1);
}

TEST(Cast, OtherTypesStay) {
  const std::vector<int64_t> values = {1, 2};
  const auto count = std::make_shared<CastCount>();
  EXPECT_EQ(cast("t", Dtype::i64, {2}, std::as_bytes(std::span(values)), Dtype::f16, count).dtype,
            Dtype::i64);
}

// Of large files this is most of the time: an interrupt is not to wait for the end.
TEST(Cast, StopsWhenInterrupted) {
  const std::vector<float> values(8);
  const auto stopped = [&](Dtype to) {
    const TensorSource source =
        cast("t", Dtype::f32, {8}, std::as_bytes(std::span(values)), to, std::make_shared<CastCount>());
    return testing::throws_error(ErrorKind::interrupted, [&] { source.fill([](const void*, size_t) {}); });
  };
  set_interrupted(true);
  EXPECT_TRUE(stopped(Dtype::f32));
  EXPECT_TRUE(stopped(Dtype::f16));
  EXPECT_TRUE(stopped(Dtype::f64));
  set_interrupted(false);
  EXPECT_FALSE(stopped(Dtype::f32));
}

}  // namespace
}  // namespace dws
