#!/usr/bin/env python3
"""Writes tests/golden/merge.safetensors: inputs, and what every merge method makes of them, in float64 from the formulas.

usage: make_merge_golden.py OUT.safetensors

Independent of the program: numpy, and the counter-based random words of src/core/rng.h written anew.
"""
import json
import struct
import sys

import numpy as np

U64 = (1 << 64) - 1


def splitmix(x):
    x = (x + 0x9E3779B97F4A7C15) & U64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & U64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & U64
    return x ^ (x >> 31)


def stream_id(purpose, a=0, b=0, c=0):
    h = 0xCBF29CE484222325
    for byte in purpose.encode():
        h = ((h ^ byte) * 0x100000001B3) & U64
    return splitmix(splitmix(splitmix(h ^ splitmix(a)) ^ splitmix(b)) ^ splitmix(c))


def words(seed, stream, n):
    out = []
    for block in range((n + 3) // 4):
        c = [block & 0xFFFFFFFF, block >> 32, stream & 0xFFFFFFFF, stream >> 32]
        k = [seed & 0xFFFFFFFF, seed >> 32]
        for _ in range(10):
            p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [q >> 32 ^ c[1] ^ k[0], q & 0xFFFFFFFF, p >> 32 ^ c[3] ^ k[1], p & 0xFFFFFFFF]
            k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
        out += c
    return np.array(out[:n], dtype=np.float64) / 2.0**32


def norm(v):
    return np.sqrt((v * v).sum())


def unit(v):
    return v / norm(v) if norm(v) > 0 else v


def arc(v, w, t, straight):
    angle = np.arccos(np.clip((unit(v) * unit(w)).sum(), -1, 1))
    if straight(angle):
        return (1 - t) * v + t * w
    return (np.sin((1 - t) * angle) * v + np.sin(t * angle) * w) / np.sin(angle)


def slerp(x, b, p):
    return arc(x[0], x[1], p["t"], lambda a: abs(np.cos(a)) > 0.9995)


def nuslerp(x, b, p):
    t = p["weight"][1] / sum(p["weight"])
    x = [v - b for v in x] if b is not None else x
    one = lambda v, w: arc(v, w, t, lambda a: abs(np.sin(a)) < 1e-8)
    over = p.get("over", "tensor")
    if over == "rows":
        out = np.stack([one(v, w) for v, w in zip(*x)])
    elif over == "columns":
        out = np.stack([one(v, w) for v, w in zip(x[0].T, x[1].T)]).T
    else:
        out = one(*x)
    return out if b is None else b + out


def multislerp(x, b, p):
    w = np.array(p["weight"]) / sum(p["weight"])
    x = [v - b for v in x] if b is not None else x
    u = [unit(v) for v in x]
    m = unit(sum(a * v for a, v in zip(w, u)))
    tangent = sum(a * (v - (v * m).sum() * m) for a, v in zip(w, u))
    size = norm(tangent)
    out = np.cos(size) * m + (np.sin(size) / size * tangent if size > 0 else 0)
    out = out * sum(a * norm(v) for a, v in zip(w, x))
    return out if b is None else b + out


def karcher(x, b, p):
    w = np.ones(len(x)) / len(x)
    u = [unit(v) for v in x]
    m = unit(sum(a * v for a, v in zip(w, u)))
    for _ in range(10):
        step = 0
        for a, v in zip(w, u):
            dot = np.clip((m * v).sum(), -1, 1)
            angle = np.arccos(dot)
            if angle >= 1e-5:
                step = step + a * angle / np.sin(angle) * (v - dot * m)
        size = norm(step)
        if size < 1e-5:
            break
        m = unit(np.cos(size) * m + np.sin(size) / size * step)
    return m * sum(a * norm(v) for a, v in zip(w, x))


def model_stock(x, b, p):
    def one(d):
        c = np.mean([(unit(d[j]) * unit(d[k])).sum() for j in range(len(d)) for k in range(j + 1, len(d))])
        return max(0.0, len(d) * c / (1 + (len(d) - 1) * c)) * sum(d) / len(d)

    d = [v - b for v in x]
    if p.get("over") == "rows":
        return b + np.stack([one([v[i] for v in d]) for i in range(len(b))])
    return b + one(d)


def largest_first(d):
    return np.lexsort((np.arange(d.size), -np.abs(d).ravel()))


def by_size(d, top, kept):
    mask = np.zeros(d.size)
    mask[largest_first(d)[top:top + kept]] = 1
    return d * mask.reshape(d.shape)


def thinned(d, k, p):
    method, density, n = p["method"], p["density"][k] if "density" in p else 1, d.size
    if density >= 1:
        return d
    if method == "ties":
        return by_size(d, 0, max(1, int(density * n)))
    if method.startswith("breadcrumbs"):
        kept = max(1, int(density * n))
        return by_size(d, min(int(p["gamma"] * n), n - kept), kept)
    word = words(p["seed"], stream_id("merge.mask " + p["tensor"], k), n).reshape(d.shape)
    chance = np.full(d.shape, float(density))
    if method.startswith("della"):
        for row, c in zip(d, chance):
            order = np.lexsort((np.arange(row.size), np.abs(row)))
            c[order] = density - p["epsilon"] + 2 * p["epsilon"] * np.arange(row.size) / (row.size - 1)
    kept = d * (word < chance)
    if p["rescale"] == "l1":
        return kept * np.abs(d).sum() / np.abs(kept).sum()
    return kept / chance


def task(x, b, p):
    w = p["weight"]
    d = [thinned(v - b, k, p) for k, v in enumerate(x)]
    parts = np.stack([a * v for a, v in zip(w, d)])
    if p["method"] in ("ties", "dare_ties", "breadcrumbs_ties", "della"):
        side = np.where(parts.sum(0) >= 0, 1, -1)
        mask = np.sign(parts) == side
        mixed = (parts * mask).sum(0)
        weight = (np.array(w).reshape(-1, *[1] * b.ndim) * mask).sum(0)
        if p["normalize"]:
            mixed = mixed / np.where(weight == 0, 1, weight)
    else:
        mixed = parts.sum(0) / (sum(w) if p["normalize"] else 1)
    return b + p.get("lambda", 1) * mixed


def sce(x, b, p):
    d = np.stack([v - b for v in x])
    if p["select_topk"] < 1:
        var = d.var(0)
        kept = max(1, int(np.count_nonzero(var) * p["select_topk"]))
        d = d * (by_size(var, 0, kept) > 0)
    w = (d * d).reshape(len(d), -1).mean(1)
    w = (w / w.sum()).reshape(-1, *[1] * b.ndim)
    mask = np.sign(d) == np.where(d.sum(0) >= 0, 1, -1)
    weight = (w * mask).sum(0)
    return b + (w * d * mask).sum(0) / np.where(weight == 0, 1, weight)


def nearswap(x, b, p):
    w = np.clip(p["t"] / np.maximum(np.abs(x[0] - b), 1e-6), 0, 1)
    return w * x[0] + (1 - w) * b


def arcee_fusion(x, b, p):
    def softmax(v):
        e = np.exp(v - v.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True) + 1e-8

    q, r = softmax(x[0]), softmax(b)
    v = np.abs(x[0] - b) * (q * np.log(q / r)).sum(-1, keepdims=True)
    s = np.sort(v.ravel())
    q1, q2, q3 = (s[int(f * (v.size - 1))] for f in (0.25, 0.5, 0.75))
    return np.where(v >= q2 + 1.5 * (q3 - q1), x[0], b)


def ram(x, b, p):
    d = np.stack([v - b for v in x])
    active = np.abs(d) > p["ram_epsilon"]
    count = active.sum(0)
    factor = np.ones(len(d))
    if p["method"] == "ramplus_tl":
        shared, alone = (active & (count > 1)).reshape(len(d), -1).sum(1), (active & (count == 1)).reshape(len(d), -1).sum(1)
        factor = 1 + 0.1 * np.clip(shared / alone, 0, 0.2)
    weight = np.where(count == 1, factor.reshape(-1, *[1] * b.ndim), 1 / np.maximum(count, 1))
    return b + (d * active * weight).sum(0)


def linear(x, b, p):
    total = sum(a * v for a, v in zip(p["weight"], x))
    return total / sum(p["weight"]) if p["normalize"] else total


def passthrough(x, b, p):
    return x[0] * p["scale"]


FORMULAS = dict(linear=linear, slerp=slerp, nuslerp=nuslerp, multislerp=multislerp, karcher=karcher, model_stock=model_stock,
                sce=sce, nearswap=nearswap, arcee_fusion=arcee_fusion, ram=ram, ramplus_tl=ram, passthrough=passthrough)


def cases():
    w3, w2 = [0.3, 0.9, -0.2], [0.3, 0.5]
    for normalize in (True, False):
        yield "linear", 3, False, dict(weight=w3, normalize=normalize)
    yield "linear", 2, False, dict(weight=[0.0, 0.7], normalize=True)
    yield "slerp", 2, False, dict(t=0.3)
    yield "slerp", 2, False, dict(t=0.6, set="near")
    for base in (False, True):
        for over in ("tensor", "rows", "columns"):
            yield "nuslerp", 2, base, dict(weight=w2, over=over)
        yield "multislerp", 3, base, dict(weight=[0.3, 0.9, 0.2], normalize=True)
    yield "karcher", 3, False, {}
    yield "karcher", 2, False, {}
    for over in ("tensor", "rows"):
        yield "model_stock", 3, True, dict(over=over)
    yield "task_arithmetic", 3, True, {"weight": w3, "normalize": False, "lambda": 0.7}
    yield "task_arithmetic", 3, True, {"weight": w3, "normalize": True, "lambda": 1}
    dense = [0.3, 0.5, 1.0]
    for method in ("ties", "breadcrumbs", "breadcrumbs_ties"):
        for s in ("plain", "tied"):
            yield method, 3, True, dict(weight=w3, normalize=method == "ties", density=dense, gamma=0.07, set=s)
    yield "breadcrumbs", 2, True, dict(weight=w2, normalize=False, density=[0.6, 0.6], gamma=0.001)
    for method in ("dare_linear", "dare_ties", "della", "della_linear"):
        for rescale in ("paper", "l1"):
            yield method, 3, True, dict(weight=w3, normalize=method == "della", density=[0.3, 0.5, 0.6], epsilon=0.15,
                                        rescale=rescale, seed=11)
    for top in (1, 0.4):
        yield "sce", 3, True, dict(select_topk=top)
    yield "nearswap", 1, True, dict(t=0.05)
    yield "arcee_fusion", 1, True, {}
    yield "ram", 3, True, dict(ram_epsilon=0.02, set="tied")
    yield "ramplus_tl", 3, True, dict(ram_epsilon=0.02, set="tied")
    yield "passthrough", 1, False, dict(scale=-0.5)


def main():
    rng = np.random.default_rng(5)
    grid = lambda x, step: np.round(x / step) * step  # deltas are exact in float32 then
    shape = (9, 24)
    base = grid(rng.normal(size=shape) * 0.5, 2.0**-14)
    sets = {"plain": [base + grid(rng.normal(size=shape) * 0.1, 2.0**-14) for _ in range(3)],
            "tied": [base + grid(rng.normal(size=shape) * 0.1, 2.0**-4) for _ in range(3)]}
    sets["near"] = [base + grid(rng.normal(size=shape) * 0.001, 2.0**-14) for _ in range(3)]
    tensors = {"base": base.astype("<f4")}
    for name, models in sets.items():
        for k, model in enumerate(models):
            tensors[f"{name}.{k}"] = model.astype("<f4")
            assert (tensors[f"{name}.{k}"] == model).all()
    listed = []
    for i, (method, count, with_base, p) in enumerate(cases()):
        p = {"set": "plain", "method": method, "tensor": "layer.weight", **p}
        x, b = sets[p["set"]][:count], base if with_base else None
        tensors[f"expected.{i:02}"] = FORMULAS.get(method, task)(x, b, p)
        listed.append({**p, "count": count, "base": with_base, "expected": f"expected.{i:02}"})
    header, data = {"__metadata__": {"cases": json.dumps(listed)}}, b""
    for name, array in sorted(tensors.items(), key=lambda t: (t[1].itemsize != 8, t[0])):
        header[name] = {"dtype": "F64" if array.itemsize == 8 else "F32", "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(sys.argv[1], "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)
    print(f"{sys.argv[1]}: {len(listed)} cases")


if __name__ == "__main__":
    main()
