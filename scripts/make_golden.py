#!/usr/bin/env python3
"""Golden values of the engine's ops and of the blocks of the equivariant layer: tests/data/golden/ops.safetensors
and blocks.safetensors, read by tests/golden/ops_golden_test.cc and block_golden_test.cc.

Everything is computed in float64 with a fixed seed from the formulas below, gradients by PyTorch's autograd; where
PyTorch has the same operation, the formula is checked against it before anything is written. Debian's python3-torch
runs it; the tests only read the files. Usage: make_golden.py [FOLDER]
"""
import itertools
import json
import math
import pathlib
import struct
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20260101)
golden = {}


def rand(*shape):
    return torch.randn(*shape).requires_grad_()


def agree(a, b):
    assert torch.allclose(a, b, rtol=1e-12, atol=1e-12), (a - b).abs().max()


def put(prefix, inputs, output):
    """Inputs, output, a random cotangent and the gradients it gives."""
    seed = torch.randn(output.shape)
    wanted = {k: v for k, v in inputs.items() if v.requires_grad}
    grads = torch.autograd.grad((output * seed).sum(), list(wanted.values()))
    for name, value in inputs.items():
        golden[f"{prefix}.{name}"] = value
    golden[f"{prefix}.y"] = output
    golden[f"{prefix}.dy"] = seed
    for name, value in zip(wanted, grads):
        golden[f"{prefix}.d{name}"] = value


def linear():
    p = {"x": rand(2, 5, 7), "w": rand(7, 3), "b": rand(3)}
    y = torch.einsum("bnf,fg->bng", p["x"], p["w"]) + p["b"]
    agree(y, F.linear(p["x"], p["w"].T, p["b"]))
    put("linear", p, y)


def attention_block(heads=2, f_in=5, f_out=6):
    """Set attention block of DWSNets: q, k, v, o with biases, scores over the root of the full width."""
    p = {"x": rand(3, 4, f_in)}
    for name in "qkv":
        p["w" + name], p["b" + name] = rand(f_in, f_out), rand(f_out)
    p["wo"], p["bo"] = rand(f_out, f_out), rand(f_out)
    q, k, v = (p["x"] @ p["w" + n] + p["b" + n] for n in "qkv")
    d = f_out // heads
    parts = []
    for h in range(heads):
        s = slice(h * d, (h + 1) * d)
        scores = q[..., s] @ k[..., s].transpose(1, 2) / math.sqrt(f_out)
        e = torch.exp(scores - scores.max(-1, keepdim=True).values)
        parts.append(q[..., s] + (e / e.sum(-1, keepdim=True)) @ v[..., s])
    o = torch.cat(parts, -1)
    put("sab", p, o + torch.relu(o @ p["wo"] + p["bo"]))


def batch_norm():
    eps, momentum = 1e-5, 0.1
    p = {"x": rand(4, 3, 5), "gamma": rand(5), "beta": rand(5)}
    mean, var = torch.randn(5), torch.rand(5) + 0.5
    golden["batch_norm.mean"], golden["batch_norm.var"] = mean, var

    rows = p["x"].reshape(-1, 5)
    batch_mean = rows.mean(0)
    batch_var = ((rows - batch_mean) ** 2).mean(0)
    y = (p["x"] - batch_mean) / torch.sqrt(batch_var + eps) * p["gamma"] + p["beta"]
    n = rows.shape[0]
    unbiased = batch_var * n / (n - 1)
    new_mean, new_var = mean.clone(), var.clone()
    agree(y.reshape(-1, 5), F.batch_norm(rows, new_mean, new_var, p["gamma"], p["beta"], True, momentum, eps))
    agree(new_mean, (1 - momentum) * mean + momentum * batch_mean)
    agree(new_var, (1 - momentum) * var + momentum * unbiased)
    golden["batch_norm.batch_mean"], golden["batch_norm.batch_var"] = batch_mean, unbiased
    put("batch_norm.train", p, y)

    y = (p["x"] - mean) / torch.sqrt(var + eps) * p["gamma"] + p["beta"]
    agree(y.reshape(-1, 5), F.batch_norm(rows, mean, var, p["gamma"], p["beta"], False, momentum, eps))
    put("batch_norm.eval", p, y)


def layer_norm():
    p = {"x": rand(3, 2, 7), "gamma": rand(7), "beta": rand(7)}
    centred = p["x"] - p["x"].mean(-1, keepdim=True)
    y = centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) * p["gamma"] + p["beta"]
    agree(y, F.layer_norm(p["x"], (7,), p["gamma"], p["beta"], 1e-5))
    put("layer_norm", p, y)


def cross_entropy():
    """Mean over the batch, targets that mix two classes each and are smoothed."""
    logits = rand(6, 10)
    mix = torch.rand(6, 1)
    a, b = (F.one_hot(torch.randint(10, (6,)), 10).double() for _ in range(2))
    targets = 0.9 * (mix * a + (1 - mix) * b) + 0.1 / 10
    log_p = logits - torch.logsumexp(logits, -1, keepdim=True)
    loss = -(targets * log_p).sum(-1).mean()
    agree(loss, F.cross_entropy(logits, targets))
    put("cross_entropy", {"logits": logits, "targets": targets}, loss)


def adamw(amsgrad, steps=3):
    lr, beta1, beta2, eps, decay = 5e-3, 0.9, 0.999, 1e-8, 5e-4
    prefix = "adamw.amsgrad" if amsgrad else "adamw.plain"
    w = torch.randn(11)
    # The second gradient is the largest, so that the running maximum matters in the third step.
    g = torch.randn(steps, 11) * torch.tensor([1.0, 3.0, 0.1])[:, None]
    oracle = torch.nn.Parameter(w.clone())
    optimizer = torch.optim.AdamW([oracle], lr, (beta1, beta2), eps, decay, amsgrad=amsgrad)
    golden["adamw.options"] = torch.tensor([lr, beta1, beta2, eps, decay])
    golden[prefix + ".w"], golden[prefix + ".g"] = w, g
    m, v, top = torch.zeros(11), torch.zeros(11), torch.zeros(11)
    after = []
    for t in range(1, steps + 1):
        grad = g[t - 1]
        w = w * (1 - lr * decay)
        m = beta1 * m + (1 - beta1) * grad
        v = beta2 * v + (1 - beta2) * grad**2
        top = torch.maximum(top, v)
        root = torch.sqrt(top if amsgrad else v) / math.sqrt(1 - beta2**t) + eps
        w = w - lr / (1 - beta1**t) * m / root
        oracle.grad = grad.clone()
        optimizer.step()
        agree(w, oracle.detach())
        after.append(w)
    golden[prefix + ".after"] = torch.stack(after)


# --- blocks of the equivariant layer --------------------------------------------------------------------------------
# Input network d_0 .. d_4, W_i (B, d_i, d_{i+1}, F), b_i (B, d_{i+1}, F). Axes are letters: i and o are the free input
# and output axes, u, v, w the three hidden ones, which are permuted; b is the batch and f a channel.
DIMS = {"i": 2, "u": 5, "v": 4, "w": 3, "o": 3}
AXES = {"W0": "iu", "W1": "uv", "W2": "vw", "W3": "wo", "b0": "u", "b1": "v", "b2": "w", "b3": "o"}
FREE = "io"
BATCH, CHANNELS_IN, CHANNELS_OUT = 2, 2, 3


def hidden(tensor):
    return "".join(a for a in AXES[tensor] if a not in FREE)


def free(tensor):
    return "".join(a for a in AXES[tensor] if a in FREE)


def sizes(axes):
    return [DIMS[a] for a in axes]


def kind_of_block(source, target):
    if source[0] == "b":
        return "bias_to_bias" if target[0] == "b" else "bias_to_weight"
    if target[0] == "b":
        return "weight_to_bias"
    distance = abs(int(source[1]) - int(target[1]))
    return ("weight_self", "weight_neighbour", "weight_other")[min(distance, 2)]


def pool(x, axes, keep, reduction):
    """Reduces the hidden axes that are not in `keep`; returns the array and its axes."""
    gone = [1 + n for n, a in enumerate(axes) if a not in FREE and a not in keep]
    rest = "".join(a for a in axes if a in FREE or a in keep)
    if not gone:
        return x, rest
    return {"max": x.amax, "mean": x.mean, "sum": x.sum}[reduction](gone), rest


def times(x, axes, target, weight, over):
    """x times weight (free axes of the source, F, free axes of the target, G), aligned along the hidden axes `over` and
    repeated along the other axes of the target."""
    # The target's free axes are other indices than the source's, even where both are the output's.
    renamed = free(target).upper()
    taken = "".join(a for a in axes if a in FREE)
    y = torch.einsum(f"b{axes}f,{taken}f{renamed}g->b{renamed}{over}g", x, weight)
    have = renamed.lower() + over
    for a in AXES[target]:
        if a not in have:
            y, have = y.unsqueeze(1), a + have
    order = [0] + [1 + have.index(a) for a in AXES[target]] + [1 + len(have)]
    return y.permute(order).expand([BATCH] + sizes(AXES[target]) + [CHANNELS_OUT])


def block_parameters(block):
    """Per pair: an own map of a matrix with two hidden axes, one map per shared hidden axis, a global map; a bias per
    target."""
    params = {}
    for s, t in itertools.product(AXES, AXES):
        if kind_of_block(s, t) != block:
            continue
        shape = sizes(free(s)) + [CHANNELS_IN] + sizes(free(t)) + [CHANNELS_OUT]
        if s == t and len(hidden(s)) == 2:
            params[f"own.{s}"] = rand(*shape)
        for a in hidden(s):
            if a in hidden(t):
                params[f"axis.{s}.{t}.{'uvw'.index(a)}"] = rand(*shape)
        params[f"global.{s}.{t}"] = rand(*shape)
        params.setdefault(f"bias.{t}", rand(*sizes(free(t)), CHANNELS_OUT))
    return params


def apply_block(x, params, reduction):
    result = {}
    for name, weight in params.items():
        kind, *rest = name.split(".")
        if kind == "bias":
            t = rest[0]
            shape = [d if a in FREE else 1 for a, d in zip(AXES[t], sizes(AXES[t]))]
            y = weight.reshape([1] + shape + [CHANNELS_OUT])
            y = y.expand([BATCH] + sizes(AXES[t]) + [CHANNELS_OUT])
        else:
            s, t = rest[0], rest[-1] if kind != "axis" else rest[1]
            over = hidden(s) if kind == "own" else "uvw"[int(rest[2])] if kind == "axis" else ""
            y = times(*pool(x[s], AXES[s], over, reduction), t, weight, over)
        result[t] = result[t] + y if t in result else y
    return result


def check_blocks(x):
    """Some of the published sub-layers, written out: x Gamma - red(x) Lambda and Hartford's four terms."""
    red = {"max": torch.amax, "mean": torch.mean, "sum": torch.sum}
    for name, r in red.items():
        p = block_parameters("weight_self")
        y = apply_block(x, p, name)
        items = x["W0"].transpose(1, 2).reshape(BATCH, 5, -1)
        gamma, lam = p["axis.W0.W0.0"].reshape(4, 6), -p["global.W0.W0"].reshape(4, 6)
        first = items @ gamma - r(items, 1, keepdim=True) @ lam + p["bias.W0"].reshape(6)
        agree(y["W0"], first.reshape(BATCH, 5, 2, 3).transpose(1, 2))
        m = x["W1"]
        agree(y["W1"], m @ p["own.W1"] + r(m, 2, keepdim=True) @ p["axis.W1.W1.0"]
              + r(m, 1, keepdim=True) @ p["axis.W1.W1.1"] + r(m, (1, 2), keepdim=True) @ p["global.W1.W1"]
              + p["bias.W1"])
        p = block_parameters("weight_neighbour")
        del p["axis.W1.W2.1"], p["global.W1.W2"]  # W2 gets W3's alone
        last = x["W3"].reshape(BATCH, 3, -1)
        items = last @ p["axis.W3.W2.2"].reshape(6, 3) + r(last, 1, keepdim=True) @ p["global.W3.W2"].reshape(6, 3)
        agree(apply_block(x, p, name)["W2"], items[:, None].expand(-1, 4, -1, -1) + p["bias.W2"])


def blocks():
    x = {t: rand(BATCH, *sizes(AXES[t]), CHANNELS_IN) for t in AXES}
    dy = {t: torch.randn(BATCH, *sizes(AXES[t]), CHANNELS_OUT) for t in AXES}
    check_blocks(x)
    for t in AXES:
        golden[f"x.{t}"], golden[f"dy.{t}"] = x[t], dy[t]
    names = {kind_of_block(s, t) for s, t in itertools.product(AXES, AXES)}
    for block in sorted(names):
        params = block_parameters(block)
        for name, value in params.items():
            golden[f"{block}/{name}"] = value
        used = [s for s in AXES if any(kind_of_block(s, t) == block for t in AXES)]
        for reduction in ("max", "mean", "sum"):
            y = apply_block(x, params, reduction)
            wanted = {f"dx.{s}": x[s] for s in used} | {f"d{name}": p for name, p in params.items()}
            projection = sum((y[t] * dy[t]).sum() for t in y)
            grads = torch.autograd.grad(projection, list(wanted.values()))
            for t in y:
                golden[f"{block}/{reduction}/y.{t}"] = y[t]
            for name, value in zip(wanted, grads):
                golden[f"{block}/{reduction}/{name}"] = value


def write(path):
    """safetensors: 8 bytes of header length, JSON padded with spaces, then the tensors in the order of the header."""
    header = {"__metadata__": {"made_by": "scripts/make_golden.py", "torch": torch.__version__}}
    data = b""
    for name in sorted(golden):
        t = golden[name].detach().contiguous()
        raw = struct.pack(f"<{t.numel()}d", *t.reshape(-1).tolist())
        header[name] = {"dtype": "F64", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "tests/data/golden"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    linear()
    attention_block()
    batch_norm()
    layer_norm()
    cross_entropy()
    adamw(False)
    adamw(True)
    write(folder / "ops.safetensors")
    golden.clear()
    blocks()
    write(folder / "blocks.safetensors")


if __name__ == "__main__":
    main()
