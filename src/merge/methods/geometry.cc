#include "merge/methods/geometry.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace dws::merge {
namespace {

double norm(const Gram& g, int k) {
  return std::sqrt(std::max(0.0, g(k, k)));
}

double unit_dot(double dot, double a, double b) {
  return a > 0 && b > 0 ? std::clamp(dot / a / b, -1.0, 1.0) : 0.0;
}

double cosine(const Gram& g, int j, int k) {
  return unit_dot(g(j, k), norm(g, j), norm(g, k));
}

// a . b of two vectors given by their factors.
double inner(const Gram& g, const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (int j = 0; j < g.size; ++j)
    for (int k = 0; k < g.size; ++k) sum += a[static_cast<size_t>(j)] * g(j, k) * b[static_cast<size_t>(k)];
  return sum;
}

double length(const Gram& g, const std::vector<double>& a) {
  return std::sqrt(std::max(0.0, inner(g, a, a)));
}

void add(std::vector<double>& to, double factor, const std::vector<double>& a) {
  for (size_t k = 0; k < to.size(); ++k) to[k] += factor * a[k];
}

void scale(std::vector<double>& a, double factor) {
  for (double& x : a) x *= factor;
}

double sum(const std::vector<double>& a) {
  return std::accumulate(a.begin(), a.end(), 0.0);
}

}  // namespace

std::vector<double> slerp(const Gram& g, double t) {
  const double dot = cosine(g, 0, 1);
  if (std::abs(dot) > 0.9995) return {1 - t, t};
  const double angle = std::acos(dot), all = std::sin(angle);
  return {std::sin((1 - t) * angle) / all, std::sin(t * angle) / all};
}

std::vector<double> nuslerp(const Gram& g, double t) {
  const double angle = std::acos(cosine(g, 0, 1)), all = std::sin(angle);
  if (std::abs(all) < 1e-8) return {1 - t, t};
  return {std::sin((1 - t) * angle) / all, std::sin(t * angle) / all};
}

std::vector<double> multislerp(const Gram& g, std::vector<double> w, bool normalize) {
  constexpr double kTiny = 1e-8;
  const auto K = static_cast<size_t>(g.size);
  if (K == 1) return {1.0};
  if (const double all = sum(w); normalize && all != 0) scale(w, 1 / all);
  std::vector<double> m(K);
  double mean_norm = 0;
  for (size_t k = 0; k < K; ++k) {
    const double n = norm(g, static_cast<int>(k));
    if (n > 0) m[k] = w[k] / n;
    mean_norm += w[k] * n;
  }
  const double size = length(g, m);
  if (size < kTiny) return w;
  const std::vector<double> together = m;  // sum w_k u_k
  scale(m, 1 / size);
  std::vector<double> tangent = together;
  add(tangent, -inner(g, together, m), m);
  const double step = length(g, tangent);
  std::vector<double> result(K);
  add(result, std::cos(step) * mean_norm, m);
  if (step > 0) add(result, std::sin(step) / step * mean_norm, tangent);
  return result;
}

std::vector<double> karcher(const Gram& g, const std::vector<double>& given, const Parameters& parameters) {
  const auto K = static_cast<size_t>(g.size);
  std::vector<double> w = given, units(K);
  for (size_t k = 0; k < K; ++k) {
    const double n = norm(g, static_cast<int>(k));
    if (n > 0)
      units[k] = 1 / n;
    else
      w[k] = 0;
  }
  const double all = sum(w);
  if (all == 0) return std::vector<double>(K);
  scale(w, 1 / all);
  double mean_norm = 0;
  std::vector<double> m(K);
  for (size_t k = 0; k < K; ++k) {
    mean_norm += w[k] * norm(g, static_cast<int>(k));
    m[k] = w[k] * units[k];
  }
  const double size = length(g, m);
  if (size < parameters.tolerance) {  // they cancel: start from one of them
    const size_t first =
        static_cast<size_t>(std::ranges::find_if(w, [](double x) { return x != 0; }) - w.begin());
    m.assign(K, 0.0);
    m[first] = units[first];
  } else {
    scale(m, 1 / size);
  }
  for (int round = 0; round < parameters.max_iterations; ++round) {
    std::vector<double> step(K);
    for (size_t k = 0; k < K; ++k) {
      if (w[k] == 0) continue;
      double dot = 0;
      for (size_t j = 0; j < K; ++j) dot += m[j] * g(static_cast<int>(j), static_cast<int>(k)) * units[k];
      dot = std::clamp(dot, -1.0, 1.0);
      const double angle = std::acos(dot), s = std::sin(angle);
      if (angle < parameters.tolerance || s == 0) continue;
      const double factor = w[k] * angle / s;
      step[k] += factor * units[k];
      add(step, -factor * dot, m);
    }
    const double far = length(g, step);
    if (far < parameters.tolerance) break;
    scale(m, std::cos(far));
    add(m, std::sin(far) / far, step);
    if (const double n = length(g, m); n > 0) scale(m, 1 / n);
  }
  scale(m, mean_norm);
  return m;
}

std::vector<double> model_stock(const Gram& g, bool compat) {
  const int K = g.size;
  double total = 0;
  int pairs = 0;
  for (int j = 0; j < K; ++j)
    for (int k = j + 1; k < K; ++k, ++pairs)
      total +=
          compat ? std::clamp(g(j, k) / std::max(norm(g, j) * norm(g, k), 1e-6), -1.0, 1.0) : cosine(g, j, k);
  const double c = total / pairs, divisor = 1 + (K - 1) * c;
  double t = K * c / divisor;
  if (!compat) t = c > 0 ? t : 0;
  return std::vector<double>(static_cast<size_t>(K), t / K);
}

}  // namespace dws::merge
