#!/usr/bin/env python3
"""Networks of operators that no exporter here writes, with what ONNX Runtime computes for them: tests/models/fused_*.

usage: make_fused_models.py NODE_MODULES [OUT]

For developers, with Debian's python3-onnx and python3-numpy and, in NODE_MODULES, npm's onnxruntime-node
(npm install --ignore-scripts onnxruntime-node@1.30.0); the tests read what is committed. For each network writes NAME.onnx
and NAME.io.safetensors: the input in.0 and ONNX Runtime's output out.0. Weights are random, from a fixed seed.
"""
import json
import os
import subprocess
import sys
import tempfile
import zlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
MICROSOFT = "com.microsoft"
RUN = """
const ort = require(process.argv[1] + '/onnxruntime-node');
const { data, dims } = JSON.parse(require('fs').readFileSync(process.argv[3]));
ort.InferenceSession.create(process.argv[2], { graphOptimizationLevel: 'disabled' }).then(async s => {
  const y = (await s.run({ x: new ort.Tensor('float32', Float32Array.from(data), dims) })).y;
  console.log(JSON.stringify({ data: Array.from(y.data), dims: y.dims }));
});
"""


class Net:
    """y = f(x), x of a fixed shape; weights are made as they are named."""

    def __init__(self, name, shape, opset=17, ir=8):
        self.name, self.shape, self.opset, self.ir = name, shape, opset, ir
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes, self.initializers, self.count = [], [], 0

    def weight(self, *shape, scale=None):
        scale = scale or 1 / np.sqrt(shape[0] if len(shape) > 1 else 4)
        return self.constant((self.random.standard_normal(shape) * scale).astype(np.float32))

    def constant(self, array):
        self.count += 1
        name = f"w{self.count}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, inputs, domain="", outputs=1, **attributes):
        self.count += 1
        made = [f"v{self.count}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, made, domain=domain, **attributes))
        return made[0] if outputs == 1 else made

    def linear(self, x, inputs, outputs):
        return self.node("Add", [self.node("MatMul", [x, self.weight(inputs, outputs)]), self.weight(outputs)])

    def model(self, y):
        self.nodes.append(helper.make_node("Identity", [y], ["y"]))
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, self.name, [value("x", self.shape)], [value("y", None)], self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset), helper.make_opsetid(MICROSOFT, 1)],
                                 ir_version=self.ir, producer_name="dws tests")


def multi_head():
    n = Net("fused_multi_head", (2, 6, 20))
    q, k, v = (n.linear("x", 20, 24) for _ in range(3))
    return n, n.linear(n.node("MultiHeadAttention", [q, k, v, n.weight(72)], MICROSOFT, num_heads=4), 24, 5)


def packed():
    n = Net("fused_packed_attention", (2, 6, 20))
    return n, n.linear(n.node("Attention", ["x", n.weight(20, 60), n.weight(60)], MICROSOFT, num_heads=4, unidirectional=1), 20, 5)


def grouped(rotary):
    n = Net("fused_grouped_query" + ("_rotary" if rotary else ""), (2, 6, 20))
    heads, kv, size = 6, 2, 16
    q, k, v = n.linear("x", 20, heads * size), n.linear("x", 20, kv * size), n.linear("x", 20, kv * size)
    past = [n.constant(np.zeros((2, kv, 0, size), np.float32)) for _ in range(2)]
    lengths = [n.constant(np.full(2, 5, np.int32)), n.constant(np.int32(6))]
    angles = np.arange(16)[:, None] * 10000 ** (-np.arange(0, size, 2) / size)[None]
    tables = [n.constant(f(angles).astype(np.float32)) for f in (np.cos, np.sin)] if rotary else []
    y = n.node("GroupQueryAttention", [q, k, v, *past, *lengths, *tables], MICROSOFT, 3, num_heads=heads, kv_num_heads=kv,
               **({"do_rotary": 1} if rotary else {}))[0]
    return n, n.linear(y, heads * size, 5)


def rotary():
    n = Net("fused_rotary", (2, 6, 24))
    angles = np.arange(16)[:, None] * 10000 ** (-np.arange(0, 8, 2) / 8)[None]
    tables = [n.constant(f(angles).astype(np.float32)) for f in (np.cos, np.sin)]
    places = n.constant(np.array([[0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]], np.int64))
    q = n.node("RotaryEmbedding", [n.linear("x", 24, 24), places, *tables], MICROSOFT, num_heads=3)
    return n, n.linear(q, 24, 5)


def bits():
    n = Net("fused_matmul_bits", (3, 64))
    weights = n.constant(n.random.integers(0, 256, (20, 4, 8), np.uint8))
    scales = n.constant((0.05 + 0.1 * n.random.random(80)).astype(np.float32))
    zeros = n.constant(n.random.integers(0, 256, 40, np.uint8))
    h = n.node("MatMulNBits", [n.linear("x", 64, 64), weights, scales, zeros], MICROSOFT, K=64, N=20, bits=4, block_size=16)
    return n, n.linear(n.node("Relu", [h]), 20, 5)


def norms():
    n = Net("fused_norms", (2, 6, 20))
    h = n.node("SkipLayerNormalization", [n.linear("x", 20, 20), n.linear("x", 20, 20), n.weight(20), n.weight(20), n.weight(20)], MICROSOFT)
    g = n.node("SkipSimplifiedLayerNormalization", [h, n.linear(h, 20, 20), n.weight(20)], MICROSOFT)
    a = n.node("BiasGelu", [n.node("MatMul", [g, n.weight(20, 28)]), n.weight(28)], MICROSOFT)
    b = n.node("FastGelu", [n.node("MatMul", [g, n.weight(20, 28)]), n.weight(28)], MICROSOFT)
    c = n.node("QuickGelu", [n.linear(g, 20, 28)], MICROSOFT, alpha=1.702)
    d = n.node("Gelu", [n.linear(g, 20, 28)], MICROSOFT)
    total = n.node("Add", [n.node("Add", [a, b]), n.node("Add", [c, d])])
    return n, n.node("FusedMatMul", [total, n.weight(5, 28)], MICROSOFT, alpha=0.5, transB=1)


def conv():
    n = Net("fused_conv", (2, 3, 8, 8))
    h = n.node("FusedConv", ["x", n.weight(10, 3, 3, 3), n.weight(10)], MICROSOFT, activation="LeakyRelu", activation_params=[0.1], pads=[1, 1, 1, 1])
    h = n.node("FusedConv", [h, n.weight(12, 5, 3, 3), n.weight(12)], MICROSOFT, activation="Relu", group=2)
    h = n.node("Flatten", [n.node("GlobalAveragePool", [h])])
    return n, n.linear(h, 12, 5)


def attention(kind):
    n = Net(f"fused_attention_{kind}", (2, 6, 20), 23, 10)
    heads, kv, size = (6, 2, 8) if kind == "grouped" else (4, 4, 6)
    q, k, v = n.linear("x", 20, heads * size), n.linear("x", 20, kv * size), n.linear("x", 20, kv * size)
    options = {"is_causal": 1} if kind == "causal" else {"softcap": 2.0} if kind == "softcap" else {}
    mask = [n.constant(n.random.random((6, 6)) < 0.7)] if kind == "masked" else []
    y = n.node("Attention", [q, k, v, *mask], q_num_heads=heads, kv_num_heads=kv, **options)
    return n, n.linear(y, heads * size, 5)


def standard_rotary():
    n = Net("fused_standard_rotary", (2, 6, 24), 23, 10)
    angles = np.arange(6)[:, None] * 10000 ** (-np.arange(0, 8, 2) / 8)[None]
    tables = [n.constant(np.stack([f(angles)] * 2).astype(np.float32)) for f in (np.cos, np.sin)]
    q = n.node("RotaryEmbedding", [n.linear("x", 24, 24), *tables], num_heads=3)
    return n, n.linear(n.node("RMSNormalization", [q, n.weight(24)], axis=-1), 24, 5)


MODELS = [multi_head, packed, lambda: grouped(False), lambda: grouped(True), rotary, bits, norms, conv, standard_rotary,
          *(lambda kind=kind: attention(kind) for kind in ("plain", "causal", "masked", "grouped", "softcap"))]


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    modules, out = os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else os.path.join(HERE, "..", "tests", "models")
    for make in MODELS:
        net, y = make()
        path = os.path.join(out, f"{net.name}.onnx")
        with open(path, "wb") as f:
            f.write(net.model(y).SerializeToString())
        x = net.random.standard_normal(net.shape).astype(np.float32)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as given:
            json.dump({"data": x.ravel().tolist(), "dims": list(net.shape)}, given)
            given.flush()
            ran = subprocess.run(["node", "-e", RUN, modules, path, given.name], capture_output=True, text=True)
        if ran.returncode or not ran.stdout:
            print(f"{net.name}: ONNX Runtime does not run it: {[l for l in ran.stderr.splitlines() if 'Error' in l][:1]}")
            os.remove(path)
            continue
        made = json.loads(ran.stdout)
        write_safetensors(path.replace(".onnx", ".io.safetensors"), {"in.0": x, "out.0": np.array(made["data"], np.float32).reshape(made["dims"])})
        print(f"{net.name}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
