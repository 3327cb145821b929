#!/usr/bin/env python3
"""scripts/ship_model.py with a small stand-in: what it makes passes its own check, and each kind of damage does not.

usage: ship_model_test.py DWS
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SCRIPT = os.path.join(ROOT, "scripts", "ship_model.py")
DATA = os.path.join(ROOT, "tests", "data")
DWS = None


class ShipModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = os.path.join(cls.folder.name, "work")
        os.makedirs(cls.work)
        cls.dws("fit", os.path.join(DATA, "mnist-600-images-idx3-ubyte"), "--labels",
                os.path.join(DATA, "mnist-600-labels-idx1-ubyte"), "--limit", "120", "--steps", "12", "-o",
                "mnist_inr_test.safetensors")
        cls.row = json.loads(cls.dws("train", "--data", "mnist_inr_test.safetensors", "--split", "80,20,20", "--epochs", "1",
                                     "--hidden", "4", "--layers", "1", "--json", "-o", "dws.safetensors"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def dws(cls, *args):
        return subprocess.run([DWS, *args, "-q"], cwd=cls.work, check=True, capture_output=True, text=True).stdout

    def setUp(self):
        self.root = os.path.join(self.folder.name, "root")
        self.models = os.path.join(self.root, "models")
        shutil.copytree(os.path.join(ROOT, "models"), self.models)
        self.results(self.row)

    def tearDown(self):
        shutil.rmtree(self.root)

    def results(self, row):
        path = os.path.join(self.root, "tests", "bench", "results")
        os.makedirs(path, exist_ok=True)
        figures = {"processor": "a processor", "cores": 2, "models": [{"name": "dws", "model": "DWS", **row}]}
        with open(os.path.join(path, "mnist_inr_70k.json"), "w", encoding="utf-8") as f:
            json.dump(figures, f)

    def script(self, *args):
        done = subprocess.run([sys.executable, SCRIPT, args[0], DWS, *args[1:], self.root], capture_output=True, text=True)
        self.assertEqual(len(done.stderr.splitlines()), 1 if done.returncode else 0, done.stderr)
        return done.returncode

    def make(self):
        self.assertEqual(self.script("make", self.work), 0)

    def edit(self, name, old, new):
        path = os.path.join(self.models, name)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))

    def samples(self):
        return sorted(glob.glob(os.path.join(self.models, "samples", "*")))

    def test_what_is_made_passes(self):
        self.make()
        self.assertEqual(self.script("check"), 0)
        self.assertEqual(len(self.samples()), 40)
        self.assertEqual([os.path.basename(s)[5] for s in self.samples()], [str(d) for d in range(10) for _ in range(4)])
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=self.models, check=True)
        self.make()  # again, over what is there
        self.assertEqual(self.script("check"), 0)

    def test_files_that_differ_from_their_checksums(self):
        self.make()
        with open(self.samples()[3], "r+b") as f:
            f.seek(-1, 2)
            f.write(b"\x01")
        self.assertEqual(self.script("check"), 2)
        os.remove(self.samples()[3])
        self.assertEqual(self.script("check"), 2)
        self.make()
        shutil.copyfile(self.samples()[0], os.path.join(self.models, "samples", "more.safetensors"))
        self.assertEqual(self.script("check"), 2)

    def test_a_name_that_is_not_the_label(self):
        self.make()
        old = os.path.basename(self.samples()[0])
        os.rename(self.samples()[0], self.samples()[0].replace("digit0", "digit1"))
        self.edit("SHA256SUMS", old, old.replace("digit0", "digit1"))
        self.assertEqual(self.script("check"), 2)

    def test_a_card_that_promises_too_much(self):
        self.make()
        with open(os.path.join(self.models, "mnist-inr-dws.card.md"), encoding="utf-8") as f:
            line = next(line for line in f if line.startswith("| samples read right"))
        self.edit("mnist-inr-dws.card.md", line, "| samples read right | 40 of 40 |\n")
        self.assertEqual(self.script("check"), 2)

    def test_a_figure_changed_by_hand(self):
        self.make()
        self.edit("mnist-inr-dws.card.md", "| test accuracy | ", "| test accuracy | 9")
        self.assertEqual(self.script("check"), 2)

    def test_figures_of_another_model(self):
        self.make()
        other = json.loads(json.dumps(self.row))
        other["recipe"]["test_accuracy"] = 0.99
        self.results(other)
        self.assertEqual(self.script("check"), 2)
        self.assertEqual(self.script("make", self.work), 2)

    def test_nothing_there(self):
        for name in ("SHA256SUMS", "mnist-inr-dws.safetensors"):
            self.make()
            os.remove(os.path.join(self.models, name))
            self.assertEqual(self.script("check"), 2, name)


if __name__ == "__main__":
    DWS = os.path.abspath(sys.argv.pop(1))
    unittest.main()
