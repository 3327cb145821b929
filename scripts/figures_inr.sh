#!/usr/bin/env bash
# The figures of the README: 10,000 digits become networks (each from its own random start), and models learn to read
# them: 8,000 to train on, 2,000 to test on.
#
# usage: figures_inr.sh [WORK_DIR]     WORK_DIR: build/figures unless given; the data set is fetched into it
#
# About ten minutes on two idle cores. Stop it whenever you like and run it again: finished steps are skipped,
# unfinished ones go on from where they were. Writes tests/bench/results/mnist_inr_10k.json, from which the README's table is made.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=${1:-$root/build/figures}
mkdir -p "$work"
work=$(cd "$work" && pwd)

cd "$root"
./scripts/install_deps.sh test
cmake --preset release > /dev/null
cmake --build --preset release --target dws
./scripts/get_data.sh mnist "$work"
dws="$root/build/release/bin/dws"

# Names without folders, so that the recipes in the results say the same on every machine.
cd "$work"

# once NAME COMMAND...: runs the command unless NAME.json is there; what it prints becomes NAME.json when it is done.
once() {
  local name=$1
  shift
  [ -s "$name.json" ] && return
  echo "figures_inr.sh: $*" >&2
  "$@" > "$name.json.part"
  mv "$name.json.part" "$name.json"
}

# fit goes on by itself; a zoo whose summary was lost is fitted again.
[ -s fit.json ] || rm -f mnist_inr_10k.safetensors
once fit "$dws" fit train-images-idx3-ubyte --labels train-labels-idx1-ubyte --limit 10000 --seed 0 --json \
  -o mnist_inr_10k.safetensors

# model NAME LABEL OPTIONS...
: > models.txt.part
model() {
  local name=$1 label=$2
  shift 2
  [ -s "$name.json" ] || rm -f "$name.safetensors"
  # A finished run's log is not gone on with.
  [ -s "$name.json" ] || [ -e "$name.safetensors.ckpt" ] || rm -f "$name.jsonl"
  once "$name" "$dws" train --data mnist_inr_10k.safetensors --split 8000,0,2000 --seed 0 \
    --weight-decay 0.1 --label-smoothing 0.1 --ema 0.995 "$@" --resume --json \
    --log "$name.jsonl" -o "$name.safetensors"
  printf '%s\t%s\n' "$name" "$label" >> models.txt.part
}
model mlp "MLP on the flat weights" --model mlp --epochs 60
model mlp_permute "the same, neurons in a new random order each epoch" --model mlp --augment permute --epochs 120
model dws "DWS" --model dws --epochs 60
mv models.txt.part models.txt

cd "$root"
./scripts/figures_table.py collect "$work" -o tests/bench/results/mnist_inr_10k.json
./scripts/figures_table.py readme
echo "figures_inr.sh: tests/bench/results/mnist_inr_10k.json and the README's table are up to date" >&2
