// Fused ops against their fallbacks, which are built from plain ops.
#include <gtest/gtest.h>

#include "autograd/fallback.h"
#include "harness.h"

namespace dws::test {
namespace {

struct UseFallbacks {
  UseFallbacks() { set_use_fallbacks(true); }
  ~UseFallbacks() { set_use_fallbacks(false); }
};

template <class T>
void compare(double tolerance) {
  int fused = 0;
  for (const Case& c : cases()) {
    SCOPED_TRACE(std::string(c.primitive) + " " + c.label);
    for (const auto& shapes : {c.shapes, c.wide}) {
      const auto x = cast<T>(draw(c, shapes));
      const Result<T> direct = run_case<T>(c, x);
      Result<T> plain;
      {
        const UseFallbacks guard;
        plain = run_case<T>(c, x);
      }
      if (direct.nodes == plain.nodes) continue;
      ++fused;
      // The switch must really have taken the fused primitive away.
      EXPECT_EQ(std::count(plain.nodes.begin(), plain.nodes.end(), c.primitive), 0);
      ASSERT_EQ(direct.outputs.size(), plain.outputs.size());
      for (size_t k = 0; k < direct.outputs.size(); ++k)
        DWS_EXPECT_NEAR(direct.outputs[k], plain.outputs[k], tolerance);
      for (size_t i = 0; i < x.size(); ++i) DWS_EXPECT_NEAR(direct.grads[i], plain.grads[i], tolerance);
    }
  }
  // matrix_update, pool_matrix with three reductions, norm_relu_dropout in four ways; small and wide.
  EXPECT_EQ(fused, 16);
}

TEST(Fused, EqualsItsFallbackInDouble) {
  compare<double>(1e-13);
}
TEST(Fused, EqualsItsFallbackInFloat) {
  compare<float>(100 * 1.2e-7);
}

}  // namespace
}  // namespace dws::test
