#!/usr/bin/env python3
"""The model in models/: put there from a finished run, and checked.

usage: ship_model.py make DWS WORK [ROOT]   WORK: what scripts/figures_mnist_inr.sh mnist left
       ship_model.py check DWS [ROOT]       DWS: the built program; ROOT: this repository

`make` copies the model, writes samples (single networks of test digits, the first four of each class), their checksums, and
the figures into the card, from ROOT/tests/bench/results/mnist_inr_70k.json. `check` refuses: a checksum that differs, a file
without one, a model that is not the one of the results, a figure in the card that is not theirs, and fewer samples read
right than the card says.
"""
import csv
import glob
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

from figures_markdown import minutes
from figures_table import Failure, read_json, write_whole

NAME = "mnist-inr-dws"
A_CLASS = 4  # samples
SCANNED = 400  # test networks among which they are found
BLOCK = re.compile(r"(<!-- card begin -->\n)(.*?)(<!-- card end -->)", re.DOTALL)
SAMPLES_READ = re.compile(r"^\| samples read right \| (\d+) of \d+ \|$", re.MULTILINE)


def read_bytes(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        raise Failure(e) from None


def metadata(path):
    """The metadata of a safetensors file, its JSON entries parsed."""
    data = read_bytes(path)
    try:
        (size,) = struct.unpack("<Q", data[:8])
        entries = json.loads(data[8 : 8 + size])["__metadata__"]
        return {key: json.loads(value) for key, value in entries.items()}
    except (ValueError, KeyError, struct.error) as e:
        raise Failure(f"{path}: {type(e).__name__} {e}") from None


def run_dws(dws, *args):
    done = subprocess.run([dws, *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"dws {args[0]}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Place:
    """Where things are below ROOT."""

    def __init__(self, root):
        self.models = os.path.join(root, "models")
        self.model = os.path.join(self.models, NAME + ".safetensors")
        self.card = os.path.join(self.models, NAME + ".card.md")
        self.samples = os.path.join(self.models, "samples")
        self.sums = os.path.join(self.models, "SHA256SUMS")
        self.results = os.path.join(root, "tests", "bench", "results", "mnist_inr_70k.json")

    def files(self):
        """What has a checksum, relative to models/."""
        found = [self.model] + glob.glob(os.path.join(self.samples, "*"))
        return sorted(os.path.relpath(f, self.models) for f in found)

    def sample_files(self):
        return sorted(glob.glob(os.path.join(self.samples, "*.safetensors")))


def results_row(place, model):
    """(figures, the row of DWS), which must be about this model."""
    figures = read_json(place.results)
    rows = [r for r in figures["models"] if r["name"] == "dws"]
    if len(rows) != 1:
        raise Failure(f"{place.results}: expected one row 'dws', got {len(rows)}")
    if metadata(model).get("dws.recipe") != rows[0]["recipe"]:
        raise Failure(f"{model}: not the model whose figures are in {place.results}")
    return figures, rows[0]


def make_samples(dws, zoo, folder):
    """The first A_CLASS test networks of each class, named by label and number of the image."""
    with tempfile.TemporaryDirectory() as work:
        nets = os.path.join(work, "nets")
        run_dws(dws, "convert", zoo, "--limit", str(SCANNED), "--single", "-o", nets, "-q")
        with open(os.path.join(nets, "labels.csv"), encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f))
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for label in range(10):
            chosen = [r for r in rows if r["label"] == str(label)][:A_CLASS]
            if len(chosen) != A_CLASS:
                raise Failure(f"{zoo}: only {len(chosen)} of class {label} among the first {SCANNED} networks")
            for row in chosen:
                name = f"digit{label}_test{int(row['image_id']):05}.safetensors"
                shutil.copyfile(os.path.join(nets, row["file"]), os.path.join(folder, name))


def read_samples(dws, place):
    """How many of the samples the model reads right."""
    samples = place.sample_files()
    if not samples:
        raise Failure(f"{place.samples}: no samples")
    for path in samples:
        label = metadata(path)["dws.zoo"]["summary"].get("label")
        if not os.path.basename(path).startswith(f"digit{label}_"):
            raise Failure(f"{path}: its label is {label}")
    lines = run_dws(dws, "classify", "-m", place.model, *samples, "--json", "-q").splitlines()
    summary = json.loads(lines[-1])
    if summary["labelled"] != len(samples):
        raise Failure(f"{summary['labelled']} of {len(samples)} samples have a label")
    return round(summary["accuracy"] * len(samples)), len(samples)


def card_block(figures, row, checksum, right, samples):
    recipe = row["recipe"]
    train, val, test = recipe["networks"]
    lines = ["| | |", "|---|---|",
             f"| test accuracy | {100 * recipe['test_accuracy']:.2f} %, {test:,} networks of MNIST's test images |",
             f"| validation, training accuracy | {100 * recipe['val_accuracy']:.2f} % ({val:,} networks), "
             f"{100 * recipe['train_accuracy']:.2f} % ({train:,}) |",
             f"| samples read right | {right} of {samples} |",
             f"| parameters | {row['parameters']:,} |",
             f"| training | {minutes(row['seconds'])}, {figures['cores']} cores ({figures['processor']}), epoch "
             f"{recipe['epoch']} of {recipe['train']['epochs']} |",
             f"| recipe | `{recipe['command']}` |",
             f"| SHA-256 | `{checksum}` |"]
    return "\n".join(lines) + "\n"


def filled(text, place, block):
    made, count = BLOCK.subn(lambda m: m.group(1) + block + m.group(3), text)
    if count != 1:
        raise Failure(f"{place.card}: expected one block between <!-- card begin --> and <!-- card end -->, got {count}")
    return made


def sha256(path):
    return hashlib.sha256(read_bytes(path)).hexdigest()


def card_text(place):
    return read_bytes(place.card).decode("utf-8")


def make(dws, work, place):
    model = os.path.join(work, "dws.safetensors")
    figures, row = results_row(place, model)
    make_samples(dws, os.path.join(work, "mnist_inr_test.safetensors"), place.samples)
    shutil.copyfile(model, place.model)
    block = card_block(figures, row, sha256(place.model), *read_samples(dws, place))
    write_whole(place.card, filled(card_text(place), place, block))
    write_whole(place.sums, "".join(f"{sha256(os.path.join(place.models, f))}  {f}\n" for f in place.files()))


def check(dws, place):
    listed = {}
    for line in read_bytes(place.sums).decode("utf-8").splitlines():
        checksum, _, name = line.partition("  ")
        listed[name] = checksum
    if sorted(listed) != place.files():
        odd = sorted(set(listed) ^ set(place.files()))
        raise Failure(f"{place.sums}: {odd[0]} is listed or there, not both")
    for name, checksum in listed.items():
        if sha256(os.path.join(place.models, name)) != checksum:
            raise Failure(f"{place.sums}: {name} is not the file it was")
    figures, row = results_row(place, place.model)
    text = card_text(place)
    stated = SAMPLES_READ.search(text)
    if not stated:
        raise Failure(f"{place.card}: does not say how many samples are read right")
    right, samples = read_samples(dws, place)
    if not right >= int(stated.group(1)):
        raise Failure(f"{right} of {samples} samples are read right, the card says {stated.group(1)}")
    block = card_block(figures, row, sha256(place.model), int(stated.group(1)), samples)
    if filled(text, place, block) != text:
        raise Failure(f"{place.card}: its figures are not those of {place.results}: run scripts/ship_model.py make")


def main():
    args = sys.argv[1:]
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    try:
        if args[:1] == ["make"] and len(args) in (3, 4):
            make(args[1], args[2], Place(args[3] if len(args) == 4 else root))
        elif args[:1] == ["check"] and len(args) in (2, 3):
            check(args[1], Place(args[2] if len(args) == 3 else root))
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except (KeyError, TypeError, OSError) as e:
        print(f"ship_model.py: {type(e).__name__} {e}", file=sys.stderr)
        return 2
    except Failure as e:
        print(f"ship_model.py: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
