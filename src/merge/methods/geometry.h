// Results in the span of the inputs: everything that is asked of vectors v_k is in their Gram matrix G_jk = v_j . v_k, so that
// K x K numbers decide, however long the vectors are.
#pragma once

#include <vector>

#include "merge/plan.h"

namespace dws::merge {

// G, symmetric, row-major.
struct Gram {
  int size = 0;
  std::vector<double> g;
  double operator()(int j, int k) const { return g[static_cast<size_t>(j * size + k)]; }
};

// The factors c_k of the result, sum of c_k v_k.
//
// slerp: Omega the angle between v_0 and v_1; c = sin((1-t) Omega) / sin Omega, sin(t Omega) / sin Omega; 1 - t and t where
// |cos Omega| > 0.9995.
std::vector<double> slerp(const Gram& g, double t);
// nuslerp: the same with t = w_1 / (w_0 + w_1), 1 - t and t where sin Omega < 1e-8.
std::vector<double> nuslerp(const Gram& g, double t);
// multislerp: u_k = v_k / |v_k|, m = sum w_k u_k made a unit vector, the tangents u_k - (u_k . m) m summed with w_k to T;
// (cos |T| m + sin |T| T / |T|) sum w_k |v_k|. The plain sum of w_k v_k where the directions cancel.
std::vector<double> multislerp(const Gram& g, std::vector<double> w, bool normalize);
// Karcher mean of the u_k on the unit sphere: from m as above, m <- exp_m(sum w_k log_m u_k), until the step is below
// `tolerance`; times sum w_k |v_k|. w are made to add up to 1; zero vectors are left out.
std::vector<double> karcher(const Gram& g, const std::vector<double>& w, const Parameters& parameters);
// Model stock (Jang, Yun, Han, ECCV 2024): c the mean cosine of pairs; each factor is t / K, t = K c / (1 + (K - 1) c), not below
// 0. `compat`: products of norms are taken for 1e-6 at least, and t may be negative.
std::vector<double> model_stock(const Gram& g, bool compat);

}  // namespace dws::merge
