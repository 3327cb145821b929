#!/usr/bin/env python3
"""The DWS network of a model file of `dws train`, and the fit of `dws fit`, in lean PyTorch: what bench_torch.py times.

It holds the same numbers in the same form as src/nn/dws_layer.h: one product for each group of neurons, one for the
pooled terms, one for the matrix's own elements. Networks read have three weight matrices (2-32-32-1), so that there is
one hidden-to-hidden matrix M, whose rows are neurons of the second hidden layer and whose columns those of the first.
Started by bench_torch.py with its environment set; prints one line of JSON a command.
"""
import argparse
import concurrent.futures
import json
import math
import re
import struct
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

EPS = 1e-5  # BatchNorm's


def read_safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    types = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
    meta = header.pop("__metadata__", {})
    return meta, {name: np.frombuffer(data[slice(*t["data_offsets"])], types[t["dtype"]]).reshape(t["shape"])
                  for name, t in header.items()}


def read_zoo(path, count):
    """The first networks as flat vectors W_0, b_0, W_1, b_1, ..."""
    tensors = read_safetensors(path)[1]
    layers = sum(1 for name in tensors if re.fullmatch(r"layers\.\d+\.weight", name))
    parts = [tensors[f"layers.{i}.{kind}"][:count] for i in range(layers) for kind in ("weight", "bias")]
    flat = np.concatenate([p.reshape(len(p), -1) for p in parts], 1)
    return torch.from_numpy(flat), torch.from_numpy(tensors["label"][:count].copy())


class PoolMatrix(torch.autograd.Function):
    """Maxima over columns and over rows without indices. A tie gives the gradient to all of its elements; after a
    rectifier ties are zeros, where no gradient goes any further."""

    @staticmethod
    def forward(ctx, m):
        row, col = m.amax(2), m.amax(1)
        ctx.save_for_backward(m, row, col)
        return row, col

    @staticmethod
    def backward(ctx, d_row, d_col):
        m, row, col = ctx.saved_tensors
        zero = m.new_zeros(())
        d = torch.where(m == row.unsqueeze(2), d_row.unsqueeze(2), zero)
        return d.add_(torch.where(m == col.unsqueeze(1), d_col.unsqueeze(1), zero))


def pool_where(m):
    return PoolMatrix.apply(m)


def pool_amax(m):
    return m.amax(2), m.amax(1)


def pool_index(m):
    return m.max(2)[0], m.max(1)[0]


POOLS = {"where": pool_where, "amax": pool_amax, "index": pool_index}


class DwsNet:
    """Features of a batch are a list [w0 (B, d1 d0, F), b0 (B, d1, F), b1 (B, d2, F), w2 (B, d2, F), m (B, d2, d1, F),
    s (B, F)]: each tensor's own array, so that BatchNorm needs no copies."""

    def __init__(self, path):
        meta, tensors = read_safetensors(path)
        about = json.loads(meta["dws.model"])
        c = about["config"]
        self.dims = about["zoo"]["arch"]
        plain = {"set_layer": "ds", "norm": "batch", "reduction": "max", "dropout": 0, "residual": False, "bias": True,
                 "final_norm": True, "diagonal": False, "layer_skip": False, "input_skip": False}
        if about["kind"] != "dws" or len(self.dims) != 4 or len(c["blocks"]) != 6 or self.dims[3] != 1 or any(
                c[k] != v for k, v in plain.items()):
            sys.exit(f"torch_peer.py: {path}: only the plain DWS network on 2-32-32-1 is written here")
        self.hidden, self.depth, self.heads = c["hidden"], c["layers"], len(c["head"]) + 1
        self.params = {k[7:]: torch.tensor(v).requires_grad_() for k, v in tensors.items() if k.startswith("params/")}
        self.buffers = {k[8:]: torch.tensor(v) for k, v in tensors.items() if k.startswith("buffers/")}
        self.mean, self.scale = (torch.tensor(tensors[f"normaliser/{k}"]) for k in ("mean", "scale"))
        self.pool = pool_where
        self.fold_norms()

    def fold_input(self, x):
        """Flat networks (B, P) to features of one channel."""
        d0, d1, d2, d3 = self.dims
        w0, b0, w1, b1, w2, b2 = x.split([d1 * d0, d1, d2 * d1, d2, d3 * d2, d3], 1)
        return [w0.reshape(-1, d1 * d0, 1), b0.unsqueeze(2), b1.unsqueeze(2), w2.reshape(-1, d2, d3),
                w1.reshape(-1, d2, d1, 1).contiguous(), b2]

    def layer(self, weights, x):
        p0, p1, w_global, bias, own = weights
        w0, b0, b1, w2, m, s = x
        batch, f, g = len(s), m.shape[3], own.shape[1]
        d0, d1, d2, _ = self.dims
        row, col = self.pool(m)
        v0 = w0.view(batch, d1, d0 * f)
        # Every maximum over neurons, without a copy of what is pooled.
        pooled = torch.cat([v0.amax(1), b0.amax(1), b1.amax(1), w2.amax(1), row.amax(1), s], 1)
        z = torch.addmm(bias, pooled, w_global)
        z_axis0, z_axis1, z_s = z.split([(d0 + 1) * g, 3 * g, g], 1)
        y0 = torch.cat([v0, b0, col], 2).view(batch * d1, -1).mm(p0).view(batch, d1, -1)
        y1 = torch.cat([b1, w2, row], 2).view(batch * d2, -1).mm(p1).view(batch, d2, -1).add_(z_axis1.unsqueeze(1))
        v0, col = y0.split([(d0 + 1) * g, g], 2)
        w0, b0 = (v0 + z_axis0.unsqueeze(1)).split([d0 * g, g], 2)
        b1, w2, row = y1.split(g, 2)
        m = m.view(-1, f).mm(own).view(batch, d2, d1, g).add_(row.unsqueeze(2)).add_(col.unsqueeze(1))
        return [w0.reshape(batch, d1 * d0, g), b0.contiguous(), b1.contiguous(), w2.contiguous(), m, z_s.contiguous()]

    def layer_weights(self, i):
        names = ("axis.0.weight", "axis.1.weight", "global.weight", "global.bias", "matrix.0.weight")
        return [self.params[f"layers.{i}.{n}"] for n in names]

    def norm_sets(self, table, i, kind):
        """One vector of `kind` (gamma, beta, mean, var) for each array of features."""
        p = f"norms.{i}."
        return [*table[f"{p}axis.0.{kind}"].split(self.hidden), *table[f"{p}axis.1.{kind}"].split(self.hidden),
                table[f"{p}matrix.0.{kind}"], table[f"{p}scalar.{kind}"]]

    def norm_relu(self, i, x, training):
        """Statistics of this batch in training; channels are the last axis in memory, where PyTorch is fast."""
        result = []
        none = [None] * len(x)
        means, variances = (none if training else self.norm_sets(self.buffers, i, k) for k in ("mean", "var"))
        gammas, betas = (self.norm_sets(self.params, i, k) for k in ("gamma", "beta"))
        for h, mean, var, gamma, beta in zip(x, means, variances, gammas, betas):
            image = h.view(len(h), h[0].numel() // len(gamma), 1, len(gamma)).permute(0, 3, 1, 2)
            y = F.batch_norm(image, mean, var, gamma, beta, training, 0.1, EPS)
            result.append(F.relu_(y).permute(0, 2, 3, 1).reshape(h.shape))
        return result

    def head(self, x):
        w0, b0, b1, w2, m, s = x
        w0 = w0.view(len(s), self.dims[1], -1)
        h = torch.cat([w0.amax(1), b0.amax(1), b1.amax(1), w2.amax(1), m.view(len(s), -1, self.hidden).amax(1), s], 1)
        for i in range(self.heads):
            h = torch.addmm(self.params[f"head.{i}.bias"], F.relu_(h) if i else h, self.params[f"head.{i}.weight"])
        return h

    def logits(self, x, training):
        h = self.fold_input(x)
        for i in range(self.depth):
            h = self.norm_relu(i, self.layer(self.layer_weights(i), h), training)
        return self.head(h)

    def fold_norms(self):
        """In evaluation BatchNorm is an affine map of the products before it, so it goes into their weights."""
        self.folded = []
        with torch.no_grad():
            for i in range(self.depth):
                gamma, beta = (self.norm_sets(self.params, i, k) for k in ("gamma", "beta"))
                mean, var = (self.norm_sets(self.buffers, i, k) for k in ("mean", "var"))
                a = [g / torch.sqrt(v + EPS) for g, v in zip(gamma, var)]
                b = [be - mu * f for be, mu, f in zip(beta, mean, a)]
                join = lambda t: torch.cat([t[0]] * self.dims[0] + [t[1], t[2], t[3], t[4], t[5]])
                p0, p1, w, bias, own = self.layer_weights(i)
                self.folded.append((p0 * torch.cat([a[0]] * self.dims[0] + [a[1], a[4]]), p1 * torch.cat(a[2:5]),
                                    w * join(a), bias * join(a) + join(b), own * a[4]))

    def folded_logits(self, x):
        h = self.fold_input(x)
        for weights in self.folded:
            h = [F.relu_(t) for t in self.layer(weights, h)]
        return self.head(h)


class Work:
    """A training step or a forward pass on a batch of random networks, cut into chunks that stay in the caches; with
    `workers` each thread takes a chunk, otherwise all threads share each operation. Like the shards of `dws train`, a
    chunk has BatchNorm statistics of its own."""

    def __init__(self, net, task, batch, chunk, workers, fold):
        self.net, self.task, self.batch, self.fold = net, task, batch, fold
        g = torch.Generator().manual_seed(2)
        self.x = torch.randn(batch, len(net.mean), generator=g).split(chunk)
        self.y = (torch.arange(batch) % 10).split(chunk)
        self.map = concurrent.futures.ThreadPoolExecutor(workers).map if workers > 1 else map
        self.leaves = list(net.params.values())
        plain = [p for n, p in net.params.items() if n.endswith("weight")]
        rest = [p for n, p in net.params.items() if not n.endswith("weight")]
        self.optimizer = torch.optim.AdamW([{"params": plain}, {"params": rest, "weight_decay": 0}], lr=1e-4,
                                           weight_decay=5e-4, foreach=True)

    def gradients(self, x, y):
        loss = F.cross_entropy(self.net.logits(x, True), y, reduction="sum") / self.batch
        return torch.autograd.grad(loss, self.leaves)

    def infer(self, x):
        with torch.inference_mode():
            return self.net.folded_logits(x) if self.fold else self.net.logits(x, False)

    def run(self):
        if self.task == "forward":
            return torch.cat(list(self.map(self.infer, self.x)))
        total = None
        for grads in self.map(self.gradients, self.x, self.y):
            if total is None:
                total = list(grads)
            else:
                torch._foreach_add_(total, grads)
        for p, grad in zip(self.leaves, total):
            p.grad = grad
        self.optimizer.step()


class Fit:
    """`count` SIRENs 2-32-32-1 at once on 28 x 28 pixels, full batch, Adam with L2; products are batched."""

    def __init__(self, count):
        g = torch.Generator().manual_seed(1)
        uniform = lambda bound, *shape: torch.empty(count, *shape).uniform_(-bound, bound, generator=g).requires_grad_()
        axis = torch.linspace(-1, 1, 28)
        self.x = torch.stack([axis.repeat(28), axis.repeat_interleave(28)]).expand(count, 2, 784)
        self.target = torch.rand(count, 1, 784, generator=g) - 0.5
        self.w = [uniform(math.sqrt(6 / 2) / 30, 32, 2), uniform(math.sqrt(6 / 32) / 30, 32, 32),
                  uniform(1 / math.sqrt(32), 1, 32)]
        self.b = [torch.zeros(count, 32, 1, requires_grad=True), torch.zeros(count, 32, 1, requires_grad=True),
                  uniform(1 / math.sqrt(32), 1, 1)]
        self.optimizer = torch.optim.Adam([*self.w, *self.b], lr=1e-3, weight_decay=1e-4, foreach=True)

    def run(self):
        h = self.x
        for i in range(2):  # omega 30 rides on the product
            h = torch.sin(torch.baddbmm(self.b[i], self.w[i], h, beta=30, alpha=30))
        error = torch.baddbmm(self.b[2], self.w[2], h) - self.target
        # The sum over networks of each one's mean square; the gradient is written down, as autograd starts from it.
        error.backward(error.detach() * (2 / 784))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def seconds_of(run, seconds, least):
    times = []
    run()
    while len(times) < least or sum(times) < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times), sorted(times)[len(times) // 2]


def timing(a, net, chunk, pool):
    net.pool = POOLS[pool]
    work = Work(net, a.task, a.batch, min(chunk, a.batch), a.workers, a.fold)
    best, median = seconds_of(work.run, a.seconds, 3)
    return {"chunk": chunk, "pool": pool, "networks_per_second": a.batch / best,
            "median_networks_per_second": a.batch / median}


def time_dws(a):
    net = DwsNet(a.model)
    chunks = a.chunk or [8, 16, 32, 64]
    trials = [timing(a, net, c, a.pool[0]) for c in chunks]
    best = max(trials, key=lambda t: t["networks_per_second"])
    trials += [timing(a, net, best["chunk"], p) for p in a.pool[1:]]
    return max(trials, key=lambda t: t["networks_per_second"])


def time_fit(a):
    """Steps of a fit extrapolated to the 1,500 of the recipe."""
    trials = []
    for count in a.chunk or [8, 16, 32, 64, 128]:
        best, median = seconds_of(Fit(count).run, a.seconds, 10)
        trials.append({"chunk": count, "networks_per_second": count / (1500 * best),
                       "median_networks_per_second": count / (1500 * median)})
    return max(trials, key=lambda t: t["networks_per_second"])


def check(a):
    """Log-probabilities of the first networks of a zoo in evaluation; loss and norm of the gradient in training."""
    net = DwsNet(a.model)
    x, labels = read_zoo(a.zoo, a.batch)
    x = (x - net.mean) * net.scale
    with torch.inference_mode():
        log_p = [torch.log_softmax(y, 1).tolist() for y in (net.folded_logits(x), net.logits(x, False))]
    norms = {}
    for name, pool in POOLS.items():
        net.pool = pool
        loss = F.cross_entropy(net.logits(x, True), labels)
        norms[name] = math.sqrt(sum((g.double()**2).sum().item()
                                    for g in torch.autograd.grad(loss, list(net.params.values()))))
    return {"log_probabilities": log_p, "loss": loss.item(), "grad_norms": norms}


def about(_):
    with open("/proc/self/maps") as f:
        blas = sorted({line.split()[-1] for line in f if re.search(r"/lib(open)?blas[^/]*\.so", line)})
    return {"torch": torch.__version__, "blas": blas}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("task", choices=["training_step", "forward", "fit", "check", "about"])
    p.add_argument("--model")
    p.add_argument("--zoo")
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--chunk", type=int, nargs="*", help="networks at a time; the best of several")
    p.add_argument("--pool", nargs="*", default=["where"], choices=sorted(POOLS))
    p.add_argument("--fold", action="store_true", help="BatchNorm into the weights, in forward")
    p.add_argument("--threads", type=int, default=1, help="of one operation")
    p.add_argument("--workers", type=int, default=1, help="chunks at a time")
    p.add_argument("--seconds", type=float, default=0.5)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    run = {"training_step": time_dws, "forward": time_dws, "fit": time_fit, "check": check, "about": about}[a.task]
    print(json.dumps(run(a)))


if __name__ == "__main__":
    main()
