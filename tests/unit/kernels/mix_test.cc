#include "kernels/mix.h"

#include <cstring>

#include "core/text.h"
#include "harness.h"
#include "kernels/ref/mix.h"

namespace dws::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Every 16-bit pattern, from an odd address: what each instruction set makes of it is what core/dtype.h makes of it.
TEST(Mix, EveryHalfWidensAndNarrowsAsTheTwinDoes) {
  std::vector<std::byte> bytes(2 * 65536 + 1);
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto half = static_cast<uint16_t>(i);
    std::memcpy(bytes.data() + 1 + 2 * i, &half, 2);
  }
  const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  };
  std::vector<float> want(65536), got(65536);
  std::vector<std::byte> back(bytes.size());
  for (Isa isa : available_isas()) {
    set_isa(isa);
    widen_bf16(65536, bytes.data() + 1, got.data());
    ref::widen(65536, bf16_to_float, bytes.data() + 1, want.data());
    EXPECT_TRUE(same(got, want)) << to_string(isa);
    widen_f16(65536, bytes.data() + 1, got.data());
    ref::widen(65536, f16_to_float, bytes.data() + 1, want.data());
    EXPECT_TRUE(same(got, want)) << to_string(isa);
    narrow_f16(65536, want.data(), back.data() + 1);
    std::vector<std::byte> twin(back.size());
    ref::narrow(65536, float_to_f16, want.data(), twin.data() + 1);
    EXPECT_EQ(back, twin) << to_string(isa);
  }
  set_isa(best_isa());
}

TEST(Mix, NarrowRoundsAsTheTwinDoes) {
  Rng rng(3, 1);
  for (int64_t n : kSizes) {
    std::vector<float> x(static_cast<size_t>(n));
    for (int round = 0; round < 200; ++round) {
      for (float& v : x) {
        const uint32_t bits = rng.next_u32();
        std::memcpy(&v, &bits, 4);
        if (round % 2) v = std::ldexp(1 + rng.uniform_float(), static_cast<int>(rng.below(44)) - 27);
      }
      std::vector<std::byte> want(2 * x.size() + 2), got(2 * x.size() + 2);
      for (Isa isa : available_isas()) {
        set_isa(isa);
        narrow_f16(n, x.data(), got.data() + 1);
        ref::narrow(n, float_to_f16, x.data(), want.data() + 1);
        ASSERT_EQ(got, want) << to_string(isa);
        narrow_bf16(n, x.data(), got.data() + 1);
        ref::narrow(n, float_to_bf16, x.data(), want.data() + 1);
        ASSERT_EQ(got, want) << to_string(isa);
      }
    }
  }
  set_isa(best_isa());
}

TEST(Mix, SumsMatchTheTwin) {
  for (int64_t n : kSizes) {
    const std::vector<std::vector<double>> in{random_values(n, 1), random_values(n, 2), random_values(n, 3)};
    for (int K : {1, 2, 3}) {
      const auto mix = [&](auto in_, auto out, auto, bool sum, bool normalize) {
        using T = Element<decltype(out[0])>;
        const T w[3] = {T(0.5), T(-0.25), T(1.5)};
        const T* x[3] = {in_[0], in_[1], in_[2]};
        if constexpr (std::is_same_v<T, float>) {
          if (sum)
            weighted_sum(n, K, x, w, out[0]);
          else
            agree(n, K, x, w, normalize, out[0]);
        } else {
          if (sum)
            ref::weighted_sum(n, K, x, w, out[0]);
          else
            ref::agree(n, K, x, w, normalize, out[0]);
        }
      };
      check_against_twin({text("weighted_sum {} {}", n, K), in, {in[0]}},
                         [&](auto i, auto o, auto x) { mix(i, o, x, true, false); });
      for (const bool normalize : {false, true})
        check_against_twin({text("agree {} {}", n, K), in, {in[0]}},
                           [&](auto i, auto o, auto x) { mix(i, o, x, false, normalize); });
    }
  }
}

TEST(Mix, ReductionsMatchTheTwin) {
  for (int64_t n : {0, 1, 15, 64, 1023, 1024, 1025, 70001}) {
    const std::vector<double> wide = random_values(n, 4), other = random_values(n, 5);
    const std::vector<float> a(wide.begin(), wide.end()), b(other.begin(), other.end());
    for (Isa isa : available_isas()) {
      set_isa(isa);
      const double scale = 1e-7 + 1e-8 * static_cast<double>(n);  // of the norms' product
      EXPECT_NEAR(dot(n, a.data(), b.data()), ref::dot(n, a.data(), b.data()), scale) << n;
      EXPECT_NEAR(sum_abs(n, a.data()), ref::sum_abs(n, a.data()), 1e-7 * static_cast<double>(n)) << n;
    }
  }
  set_isa(best_isa());
}

TEST(Mix, FirstNonfiniteIsTheFirst) {
  for (Isa isa : available_isas()) {
    set_isa(isa);
    for (int64_t n : {1, 17, 5000}) {
      std::vector<float> x(static_cast<size_t>(n), 3e38f);
      EXPECT_EQ(first_beyond(n, x.data(), kInf), -1);
      for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
        x.back() = std::numeric_limits<float>::quiet_NaN();
        x[static_cast<size_t>(at)] = -std::numeric_limits<float>::infinity();
        EXPECT_EQ(first_beyond(n, x.data(), kInf), at) << to_string(isa);
        x[static_cast<size_t>(at)] = 1;
      }
      x.assign(x.size(), 1.0f);
      x.back() = -2;
      EXPECT_EQ(first_beyond(n, x.data(), 2.0f), n - 1) << to_string(isa);
      EXPECT_EQ(first_beyond(n, x.data(), 2.1f), -1) << to_string(isa);
    }
  }
  set_isa(best_isa());
}

TEST(Mix, RandomWordsAreThoseOfTheStream) {
  for (Isa isa : available_isas()) {
    set_isa(isa);
    for (int64_t n : {1, 4, 63, 64, 65, 200})
      for (uint64_t first : {0, 4, 1000}) {
        std::vector<uint32_t> want(static_cast<size_t>(n)), got(want.size());
        random_words(n, 5, 7, first, got.data());
        ref::random_words(n, 5, 7, first, want.data());
        EXPECT_EQ(got, want) << to_string(isa) << " " << n << " " << first;
      }
  }
  set_isa(best_isa());
}

}  // namespace
}  // namespace dws::kernels
