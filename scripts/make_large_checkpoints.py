#!/usr/bin/env python3
"""Writes base.safetensors, a.safetensors and b.safetensors of a chosen size, bfloat16, with the tensors of a language model.

usage: make_large_checkpoints.py FOLDER GIGABYTES

a and b are the base and a little noise each, as networks fine-tuned from one are. Numbers repeat after 2^20 of them, from another
place in each tensor, so that gigabytes take seconds.
"""
import array
import json
import math
import os
import random
import struct
import sys

PERIOD = 1 << 20
HIDDEN, WIDE, WORDS = 4096, 14336, 32000


def bf16(numbers):
    bits = array.array("I", array.array("f", numbers).tobytes())
    return array.array("H", ((b + 0x7FFF + (b >> 16 & 1)) >> 16 for b in bits)).tobytes()


def shapes(total):
    """Names and shapes of about `total` bytes: an embedding, and as many tensors of layers as it takes."""
    words = min(WORDS, total // (8 * 2 * HIDDEN) + 1)
    yield "model.embed_tokens.weight", (words, HIDDEN)
    left, layer = total - words * HIDDEN * 2, 0
    while left > 0:
        name = f"model.layers.{layer}."
        for part, shape in (("input_layernorm.weight", (HIDDEN,)), ("self_attn.q_proj.weight", (HIDDEN, HIDDEN)),
                            ("self_attn.k_proj.weight", (1024, HIDDEN)), ("self_attn.v_proj.weight", (1024, HIDDEN)),
                            ("self_attn.o_proj.weight", (HIDDEN, HIDDEN)), ("mlp.gate_proj.weight", (WIDE, HIDDEN)),
                            ("mlp.up_proj.weight", (WIDE, HIDDEN)), ("mlp.down_proj.weight", (HIDDEN, WIDE))):
            if left <= 0:
                break
            yield name + part, shape
            left -= math.prod(shape) * 2
        layer += 1


def main():
    folder, total = sys.argv[1], int(float(sys.argv[2]) * 1e9)
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(1)
    base = [rng.gauss(0, 0.02) for _ in range(PERIOD)]
    for name in ("base", "a", "b"):
        cycle = bf16(base if name == "base" else [x + rng.gauss(0, 0.001) for x in base])
        cycle = memoryview(cycle + cycle)  # any part of a period lies in one piece
        header, at = {}, 0
        for tensor, shape in shapes(total):
            size = math.prod(shape) * 2
            header[tensor] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path = os.path.join(folder, name + ".safetensors")
        with open(path, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for i, (_, shape) in enumerate(shapes(total)):
                left, start = math.prod(shape), i * 7919 % PERIOD
                while left > 0:
                    count = min(left, PERIOD)
                    out.write(cycle[2 * start:2 * (start + count)])
                    left -= count
        print(f"{path}: {os.path.getsize(path) / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
