#!/usr/bin/env python3
"""tests/data/tied_head.onnx: a language model of one block whose head is its embedding, RMSNorm in parts, random weights.

Written byte by byte (protobuf.dev/programming-guides/encoding, onnx.proto), so that nothing but Python is needed.

usage: make_tied_model.py OUT.onnx
"""
import random
import struct
import sys

TOKENS, WIDTH, HIDDEN = 13, 10, 14
FLOAT, INT64 = 1, 7


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n)


def part(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name, dims, values):
    return b"".join(number(1, d) for d in dims) + number(2, FLOAT) + part(8, name) + part(9, struct.pack(f"<{len(values)}f", *values))


def weight(name, *dims, mean=0.0):
    count = 1
    for d in dims:
        count *= d
    return tensor(name, dims, [random.gauss(mean, 0.4) for _ in range(count)])


def node(op, inputs, output, *attributes):
    return b"".join(part(1, i) for i in inputs) + part(2, output) + part(3, output) + part(4, op) + b"".join(part(5, a) for a in attributes)


def ints(name, *values):
    return part(1, name) + b"".join(number(8, v) for v in values) + number(20, 7)


def value(name, kind, *dims):
    shape = b"".join(part(1, number(1, d)) for d in dims)
    return part(1, name) + part(2, part(1, number(1, kind) + part(2, shape)))


def norm(x, scale, out):
    last = ints("axes", 2)
    return [node("Mul", [x, x], out + "_squares"), node("ReduceMean", [out + "_squares"], out + "_mean", last),
            node("Add", [out + "_mean", "epsilon"], out + "_sum"), node("Sqrt", [out + "_sum"], out + "_root"),
            node("Div", [x, out + "_root"], out + "_unit"), node("Mul", [out + "_unit", scale], out)]


def main():
    random.seed(1)
    nodes = [node("Gather", ["embedding", "ids"], "x")]
    nodes += norm("x", "block.norm", "n") + [node("MatMul", ["n", "up"], "u"), node("Relu", ["u"], "h"), node("MatMul", ["h", "down"], "d"), node("Add", ["x", "d"], "y")]
    nodes += norm("y", "norm", "z") + [node("Transpose", ["embedding"], "turned"), node("MatMul", ["z", "turned"], "logits")]
    tensors = [weight("embedding", TOKENS, WIDTH), weight("block.norm", WIDTH, mean=1.0), weight("up", WIDTH, HIDDEN),
               weight("down", HIDDEN, WIDTH), weight("norm", WIDTH, mean=1.0), tensor("epsilon", [], [1e-5])]
    graph = b"".join(part(1, n) for n in nodes) + part(2, "tied_head") + b"".join(part(5, t) for t in tensors)
    graph += part(11, value("ids", INT64, 2, 4)) + part(12, value("logits", FLOAT, 2, 4, TOKENS))
    with open(sys.argv[1], "wb") as file:
        file.write(number(1, 8) + part(2, "make_tied_model") + part(7, graph) + part(8, number(2, 13)))


main()
