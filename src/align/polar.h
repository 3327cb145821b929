// The orthogonal matrix that is nearest to a matrix.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dws::align {

// The orthogonal O (n, n) with the largest <O, m>: the polar factor U Vᵀ of m = U S Vᵀ, row-major (the orthogonal Procrustes problem:
// Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 31, 1966). Its determinant may be -1. By
// scaled Newton-Schulz iterations (Björck and Bowie, SIAM J. Numer. Anal. 8, 1971; scaled as by Chen and Chow, 2014), which are
// products of matrices alone, in float32: OᵀO = I to some 1e-7 an entry, <O, m> is the largest to some 1e-7 |m|. Where directions of m
// are lost (singular values below some 1e-7 of the largest), O is completed by what is near the identity there, else by fixed random
// numbers: zero gives the identity. The same bits on any number of threads.
// Throws Error{bad_value} for numbers that are not finite, Error{internal} for a size that does not fit.
std::vector<float> polar_factor(int64_t n, std::span<const float> m);

// The same among the O that leave (1, ..., 1) as it is.
std::vector<float> polar_factor_fixing_ones(int64_t n, std::span<const float> m);

}  // namespace dws::align
