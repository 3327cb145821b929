#!/usr/bin/env python3
"""Makes tests/data/mnist-600-*: 600 digits of the MNIST training set, 60 of each class.

usage: make_test_data.py MNIST_DIR [OUT_DIR]

MNIST_DIR holds train-images-idx3-ubyte and train-labels-idx1-ubyte (scripts/get_data.sh mnist MNIST_DIR).
Taken are the first 60 digits of each class, in rounds of ten: a round holds every class once, so that any prefix
is balanced. The order within a round changes from round to round, so that no stride ("every fifth image") meets
some classes only. The same input gives the same bytes.
"""
import hashlib
import os
import struct
import sys

from convert_data import IDX_IMAGES, IDX_LABELS, idx, round_order

ROUNDS = 60
NAMES = {"images": "mnist-600-images-idx3-ubyte", "labels": "mnist-600-labels-idx1-ubyte"}


def read_idx(path, magic):
    """Returns (dimensions, bytes) of an IDX file of unsigned bytes."""
    with open(path, "rb") as f:
        data = f.read()
    if struct.unpack(">I", data[:4])[0] != magic:
        raise SystemExit(f"{path}: not an IDX file with magic {magic:#010x}")
    rank = magic & 0xFF
    dims = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    body = data[4 + 4 * rank :]
    count = 1
    for d in dims:
        count *= d
    if len(body) != count:
        raise SystemExit(f"{path}: {len(body)} bytes of data, expected {count}")
    return dims, body


def main():
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    source = sys.argv[1]
    out = sys.argv[2] if len(sys.argv) == 3 else os.path.join(os.path.dirname(__file__), "..", "tests", "data")
    (n, rows, cols), pixels = read_idx(os.path.join(source, "train-images-idx3-ubyte"), IDX_IMAGES)
    (m,), labels = read_idx(os.path.join(source, "train-labels-idx1-ubyte"), IDX_LABELS)
    if n != m:
        raise SystemExit(f"{source}: {n} images but {m} labels")

    of_class = [[i for i, label in enumerate(labels) if label == c][:ROUNDS] for c in range(10)]
    chosen = [of_class[c][r] for r in range(ROUNDS) for c in round_order(r)]
    size = rows * cols
    images = b"".join(pixels[i * size : (i + 1) * size] for i in chosen)
    files = {
        "images": idx(IDX_IMAGES, (len(chosen), rows, cols), images),
        "labels": idx(IDX_LABELS, (len(chosen),), bytes(labels[i] for i in chosen)),
    }
    os.makedirs(out, exist_ok=True)
    for kind, data in files.items():
        path = os.path.join(out, NAMES[kind])
        with open(path + ".part", "wb") as f:
            f.write(data)
        os.replace(path + ".part", path)
        print(f"{hashlib.sha256(data).hexdigest()}  {NAMES[kind]}")


if __name__ == "__main__":
    main()
