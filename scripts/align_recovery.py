#!/usr/bin/env python3
"""How much of a random element of a network's symmetry `dws align` finds again: JSON Lines on stdout.

usage: align_recovery.py DWS NETWORK...                   one line a network: 3 random elements, of all kinds
       align_recovery.py DWS --noise N,N,... NETWORK      one line a level: float32 safetensors, with noise of N times each
                                                          tensor's root mean square added before it is aligned

An entry counts as found where the element that `align` names is the inverse of the one that was drawn: every index, sign and half
turn exactly, every scale to one part in a thousand.
"""
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

SEEDS = (1, 2, 3)
KINDS = (("indices", lambda x, y: x == y), ("signs", lambda x, y: x == y), ("turns", lambda x, y: x == y),
         ("scales", lambda x, y: abs(x / y - 1) < 1e-3))


def read(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def entries(group):
    """The element's numbers of one group, by kind."""
    yield "indices", [] if group.get("fixed") else group["indices"]
    for kind, key in (("signs", "sign_values"), ("turns", "turns"), ("scales", "scale_values")):
        yield kind, [x for values in group[key] for x in values]


def compare(expected, found):
    """By kind how many there are and how many are right."""
    counts = {kind: [0, 0] for kind, _ in KINDS}
    same = dict(KINDS)
    for a, b in zip(expected["groups"], found["groups"], strict=True):
        for (kind, x), (_, y) in zip(entries(a), entries(b), strict=True):
            counts[kind][0] += len(x)
            counts[kind][1] += sum(map(same[kind], x, y))
    return counts


def add_noise(path, level, seed):
    """Adds to every float32 tensor of a safetensors file, in place."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    start = 8 + struct.unpack("<Q", data[:8])[0]
    rng = random.Random(seed)
    for name, tensor in sorted(json.loads(data[8:start]).items()):
        if name == "__metadata__" or tensor["dtype"] != "F32":
            continue
        begin, end = (start + x for x in tensor["data_offsets"])
        numbers = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
        scale = level * math.sqrt(sum(x * x for x in numbers) / max(1, len(numbers)))
        data[begin:end] = struct.pack(f"<{len(numbers)}f", *(x + scale * rng.gauss(0, 1) for x in numbers))
    with open(path, "wb") as f:
        f.write(data)


def recover(dws, network, noise=0.0):
    kind = os.path.splitext(network)[1]
    total = {name: [0, 0] for name, _ in KINDS}
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        def path(name):
            return os.path.join(folder, name)

        def run(*words):
            subprocess.run([dws, "-q", *words, "--force"], check=True, stdout=subprocess.DEVNULL)

        for seed in SEEDS:
            moved, back = path("moved" + kind), path("back" + kind)
            run("permute", network, "-o", moved, "--groups", "perm,sign,scale,phase", "--seed", str(seed), "--emit",
                path("drawn.json"))
            run("permute", moved, "-o", back, "--apply", path("drawn.json"), "--inverse", "--emit", path("inverse.json"))
            if noise:
                add_noise(moved, noise, seed)
            start = time.monotonic()
            run("align", network, moved, "-o", back, "--emit", path("found.json"))
            seconds += time.monotonic() - start
            for name, (there, right) in compare(read(path("inverse.json")), read(path("found.json"))).items():
                total[name][0] += there
                total[name][1] += right
    line = {"network": os.path.splitext(os.path.basename(network))[0], "elements": len(SEEDS)}
    if noise:
        line["noise"] = noise
    for name, (there, right) in total.items():
        line[name] = {"drawn": there, "found": right}
    line["seconds"] = round(seconds / len(SEEDS), 4)
    return line


def main():
    words = sys.argv[1:]
    levels = []
    if len(words) == 4 and words[1] == "--noise":
        levels = [float(x) for x in words[2].split(",")]
        del words[1:3]
    if len(words) < 2 or words[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    dws, networks = os.path.abspath(words[0]), words[1:]
    for network in networks:
        for level in levels or [0.0]:
            print(json.dumps({"schema": "dws.figures.recovery/1", **recover(dws, network, level)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
