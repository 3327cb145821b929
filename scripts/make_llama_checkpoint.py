#!/usr/bin/env python3
"""Writes a checkpoint like LLaMA's, bfloat16, of about a chosen size: shards with an index, and config.json.

usage: make_llama_checkpoint.py FOLDER GIGABYTES [--hidden N] [--wide N] [--heads N] [--kv-heads N] [--words N] [--shard GIGABYTES]

There are as many layers as it takes. Numbers repeat after a little more than 2^20 of them, from another place in each row, so that
gigabytes take seconds and no two rows or columns are alike.
"""
import argparse
import array
import json
import math
import os
import random
import struct

PERIOD = (1 << 20) + 7  # prime to the length of every row


def bf16(numbers):
    bits = array.array("I", array.array("f", numbers).tobytes())
    return array.array("H", ((b + 0x7FFF + (b >> 16 & 1)) >> 16 for b in bits)).tobytes()


def layer_shapes(layer, o):
    name, kv = f"model.layers.{layer}.", o.hidden // o.heads * o.kv_heads
    return [(name + part, shape) for part, shape in (
        ("input_layernorm.weight", (o.hidden,)), ("self_attn.q_proj.weight", (o.hidden, o.hidden)),
        ("self_attn.k_proj.weight", (kv, o.hidden)), ("self_attn.v_proj.weight", (kv, o.hidden)),
        ("self_attn.o_proj.weight", (o.hidden, o.hidden)), ("post_attention_layernorm.weight", (o.hidden,)),
        ("mlp.gate_proj.weight", (o.wide, o.hidden)), ("mlp.up_proj.weight", (o.wide, o.hidden)),
        ("mlp.down_proj.weight", (o.hidden, o.wide)))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("gigabytes", type=float)
    for option, default in (("hidden", 4096), ("wide", 14336), ("heads", 32), ("kv-heads", 8), ("words", 32000), ("seed", 1)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--shard", type=float, default=4)
    o = parser.parse_args()
    ends = [("model.embed_tokens.weight", (o.words, o.hidden)), ("model.norm.weight", (o.hidden,)),
            ("lm_head.weight", (o.words, o.hidden))]
    of = lambda shapes: sum(2 * math.prod(shape) for _, shape in shapes)
    layers = max(1, round((o.gigabytes * 1e9 - of(ends)) / of(layer_shapes(0, o))))
    tensors = ends[:1] + [t for i in range(layers) for t in layer_shapes(i, o)] + ends[1:]
    shards, room = [[]], 0
    for name, shape in tensors:
        if shards[-1] and room + 2 * math.prod(shape) > o.shard * 1e9:
            shards.append([])
            room = 0
        shards[-1].append((name, shape))
        room += 2 * math.prod(shape)

    rng = random.Random(o.seed)
    numbers = [rng.gauss(0, 0.02) for _ in range(PERIOD)]
    cycles = {2: memoryview(bf16(numbers) * 2), 1: memoryview(bf16([1 + x for x in numbers]) * 2)}
    os.makedirs(o.folder)
    places, start = {}, 0
    for s, shard in enumerate(shards):
        file = f"model-{s + 1:05}-of-{len(shards):05}.safetensors"
        header, at = {}, 0
        for name, shape in shard:
            places[name] = file
            header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + 2 * math.prod(shape)]}
            at += 2 * math.prod(shape)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(o.folder, file), "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for _, shape in shard:
                left, cycle, start = math.prod(shape), cycles[len(shape)], (start + 7919) % PERIOD
                while left > 0:
                    count = min(left, PERIOD)
                    out.write(cycle[2 * start:2 * (start + count)])
                    start = (start + count) % PERIOD
                    left -= count
    with open(os.path.join(o.folder, "model.safetensors.index.json"), "w") as out:
        json.dump({"metadata": {"total_size": of(tensors)}, "weight_map": places}, out)
    with open(os.path.join(o.folder, "config.json"), "w") as out:
        json.dump({"num_attention_heads": o.heads, "num_key_value_heads": o.kv_heads, "rms_norm_eps": 1e-6,
                   "rope_theta": 10000.0, "hidden_act": "silu"}, out)
    print(f"{o.folder}: {layers} layers, {of(tensors) / 1e9:.2f} GB, {len(shards)} shards")


if __name__ == "__main__":
    main()
