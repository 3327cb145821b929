#!/usr/bin/env python3
"""Golden values of the engine's ops: tests/data/golden/ops.safetensors, read by tests/golden/ops_golden_test.cc.

Everything is computed in float64 with a fixed seed from the formulas below, gradients by PyTorch's autograd; where
PyTorch has the same operation, the formula is checked against it before anything is written. Debian's python3-torch
runs it; the tests only read the file. Usage: make_golden.py [OUTPUT]
"""
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
    linear()
    attention_block()
    batch_norm()
    layer_norm()
    cross_entropy()
    adamw(False)
    adamw(True)
    default = pathlib.Path(__file__).resolve().parent.parent / "tests/data/golden/ops.safetensors"
    write(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default)


if __name__ == "__main__":
    main()
