#!/usr/bin/env bash
# The figures of the README: 10,000 digits become networks (each from its own random start), and models learn to read
# them: 8,000 to train on, 2,000 to test on.
#
# usage: figures_inr.sh [WORK_DIR]     WORK_DIR: build/figures unless given; the data set is fetched into it
#
# About ten minutes on two idle cores. Stop it whenever you like and run it again: finished steps are skipped,
# unfinished ones go on from where they were. Writes tests/bench/results/mnist_inr_10k.json, from which the README's table is made.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/figures_common.sh"
begin "${1:-$root/build/figures}"
"$root/scripts/get_data.sh" mnist "$work"

make_zoo fit mnist_inr_10k.safetensors \
  "$dws" fit train-images-idx3-ubyte --labels train-labels-idx1-ubyte --limit 10000 --seed 0

common=(--data mnist_inr_10k.safetensors --split 8000,0,2000 --seed 0 --weight-decay 0.1 --label-smoothing 0.1 --ema 0.995)
train_model mlp "MLP on the flat weights" "${common[@]}" --model mlp --epochs 60
train_model mlp_permute "the same, neurons in a new random order each epoch" "${common[@]}" --model mlp \
  --augment permute --epochs 120
train_model dws "DWS" "${common[@]}" --model dws --epochs 60

write_figures mnist_inr_10k
