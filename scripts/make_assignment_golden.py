#!/usr/bin/env python3
"""Golden answers of the assignment problem, by scipy.optimize.linear_sum_assignment.

The matrices are made of integers from a hash of (seed, index), so that tests/unit/align/assignment_golden_test.cc
makes the same ones to the last bit; what is stored is the best sum, and where no other assignment reaches it, a
hash of the columns. Needs numpy and scipy, takes some minutes:
    python3 scripts/make_assignment_golden.py > tests/data/golden/assignment.json
"""
import json
import sys

import numpy as np
from scipy.optimize import linear_sum_assignment

U = np.uint64


def mixed(seed, index):
    """SplitMix64 of seed and index."""
    z = index.astype(U) + U((seed * 0x9E3779B97F4A7C15) % 2**64)
    z = (z + U(0x9E3779B97F4A7C15)).astype(U)
    z = (z ^ (z >> U(30))) * U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U(27))) * U(0x94D049BB133111EB)
    return z ^ (z >> U(31))


def whole(seed, count, below):
    """`count` integers in [0, below)."""
    return (mixed(seed, np.arange(count, dtype=U)) % U(below)).astype(np.int64)


def structured(n, seed):
    """Inner products under one decaying spectrum, rows of very different norms."""
    inner = 32
    spectrum = np.array([64 // (k + 1) for k in range(inner)], dtype=np.int64)
    a = (whole(seed, n * inner, 17) - 8).reshape(n, inner) * (2 ** whole(seed + 1, n, 4))[:, None]
    b = (whole(seed + 2, n * inner, 17) - 8).reshape(n, inner) * (2 ** whole(seed + 3, n, 4))[:, None]
    # Exact: all sums are integers below 2^53.
    return (a * spectrum).astype(np.float64) @ b.T.astype(np.float64)


def matrix(kind, n, seed):
    i, j = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    if kind == "random":
        g = whole(seed, n * n, 2**24).reshape(n, n)
    elif kind == "negative":
        g = -whole(seed, n * n, 2**24).reshape(n, n)
    elif kind == "tied":
        g = whole(seed, n * n, 4).reshape(n, n)
    elif kind == "equal":
        g = 7 + 0 * i
    elif kind == "blocks":
        g = whole(seed, 64, 16)[(i * 8 // n) * 8 + j * 8 // n]
    elif kind == "product":
        g = (i + 1) * (j + 1)
    elif kind == "rank_one":
        g = (whole(seed, n, 4001) - 2000)[i] * (whole(seed + 1, n, 4001) - 2000)[j]
    elif kind == "sparse":
        h = whole(seed, n * n, 2**12).reshape(n, n)
        g = np.where(h % 8 == 0, h, -(10**6))
    elif kind == "zero_rows":
        g = np.where(i % 3 == 0, 0, whole(seed, n * n, 2**20).reshape(n, n) - 2**19)
    elif kind == "wide":
        h = whole(seed, n * n, 96).reshape(n, n)
        g = np.where(h % 2 == 0, 1.0, -1.0) * 2.0 ** (h // 2 - 24)
    elif kind == "structured":
        g = structured(n, seed)
    else:
        raise ValueError(kind)
    narrow = g.astype(np.float32)
    assert (narrow == g).all(), kind
    return narrow.astype(np.float64)


def fnv(columns):
    h = 0xCBF29CE484222325
    for byte in columns.astype("<i4").tobytes():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return f"{h:016x}"


def unique(g, rows, columns):
    """Gains are integers: with a little off all chosen ones, the same assignment is best only if it is the only one."""
    less = g.copy()
    less[rows, columns] -= 2.0**-13
    return (linear_sum_assignment(less, maximize=True)[1] == columns).all()


def main():
    cases = []
    kinds = "random negative tied equal blocks product rank_one sparse zero_rows wide structured".split()
    for kind in kinds:
        for n in (1, 2, 3, 32, 61, 257, 512, 1021):
            cases.append((kind, n))
    cases += [(kind, 2048) for kind in ("random", "tied", "structured", "zero_rows")]
    cases += [(kind, 4096) for kind in ("random", "structured", "blocks")]
    answers = []
    for seed, (kind, n) in enumerate(cases, 1):
        seed *= 10
        g = matrix(kind, n, seed)
        rows, columns = linear_sum_assignment(g, maximize=True)
        answer = {"kind": kind, "n": n, "seed": seed, "objective": float(g[rows, columns].sum())}
        if n <= 1021 and kind != "wide" and unique(g, rows, columns):
            answer["columns"] = fnv(columns)
        answers.append(answer)
        print(kind, n, file=sys.stderr, flush=True)
    print("[\n" + ",\n".join(json.dumps(a) for a in answers) + "\n]")


main()
