#!/usr/bin/env bash
# The main job on real digits: installs what is missing, builds, turns digits into small networks, trains a model that
# reads networks, and lets it say which digit each held-out network draws. Results are in build/quickstart.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
out=build/quickstart
say() { printf '\n== %s\n' "$*"; }

say "Installing what is missing"
./scripts/install_deps.sh build

say "Building"
# Without the tests, whose packages need not be here; a folder that was configured with them stays as it is.
# The configure is quick, and an interrupted one leaves a cache that says nothing.
tests=OFF
grep -qs '^DWS_TESTS:BOOL=ON' build/release/CMakeCache.txt && tests=ON
cmake --preset release -DDWS_TESTS=$tests > /dev/null
cmake --build --preset release --target dws
dws=$root/build/release/bin/dws

rm -rf "$out"
mkdir -p "$out"
cd "$out"
data=$root/tests/data

say "Turning 600 digits into networks of 1,185 numbers each: three a digit, every one from its own random start"
"$dws" fit "$data/mnist-600-images-idx3-ubyte" --labels "$data/mnist-600-labels-idx1-ubyte" --views 3 \
  -o networks.safetensors
# The networks of the last 100 digits are held out.
"$dws" convert networks.safetensors --range 0:1500 -o train.safetensors
"$dws" convert networks.safetensors --range 1500:1800 -o held-out.safetensors

say "Training a model to read networks, by their weights alone"
"$dws" train --data train.safetensors --test held-out.safetensors --split 1,0,0 --epochs 50 --log metrics.jsonl \
  -o model.safetensors

say "Which digit does each held-out network draw? (guessing: 0.10)"
"$dws" classify -m model.safetensors held-out.safetensors > classes.tsv
head -n 5 classes.tsv
"$dws" render held-out.safetensors --grid 15x20 --captions classes.tsv -o digits.png

say "Done"
echo "$out/digits.png shows the held-out networks with the digits that were read off their weights (wrong ones in red)."
