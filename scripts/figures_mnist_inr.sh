#!/usr/bin/env bash
# The field's figure, from nothing: 70,000 images become networks, each from its own random start, and models learn to read
# them by their weights alone. 60,000 networks for training, 3,000 of them to choose the epoch by; 10,000 for testing, of
# other images, at which nothing looks before the end.
#
# usage: figures_mnist_inr.sh [mnist|fashion] [WORK_DIR]     WORK_DIR: build/figures_mnist or _fashion unless given
#
# About an hour and a half on two idle cores, most of it fitting. Stop it whenever you like and run it again: finished steps
# are skipped, unfinished ones go on from where they were. Zoos that are there already are used when their summaries are
# (DATA_inr_train.safetensors with DATA_inr_train.json, what `dws fit --json` printed, and the same for test). Writes
# tests/bench/results/DATA_inr_70k.json, from which the README's table is made.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/figures_common.sh"
data=${1:-mnist}
case "$data" in
  mnist | fashion) ;;
  *) sed -n '6s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
begin "${2:-$root/build/figures_$data}"

# What to tune, all of it. The baselines get the same care: the epoch is chosen for each by the same 3,000 networks.
split=57000,3000,0
regular=(--weight-decay 0.1 --label-smoothing 0.1 --ema 0.995)
mlp=(--model mlp --epochs 60 "${regular[@]}")
mlp_permute=(--model mlp --epochs 120 --augment permute "${regular[@]}")
mlp_aligned=("${mlp[@]}")
dws_net=(--model dws --epochs 30 "${regular[@]}" --augment sign)

train=${data}_inr_train test=${data}_inr_test
[ -s "$train.json" ] && [ -s "$test.json" ] || "$root/scripts/get_data.sh" "$data" "$work"
make_zoo "$train" "$train.safetensors" \
  "$dws" fit train-images-idx3-ubyte --labels train-labels-idx1-ubyte --seed 0
make_zoo "$test" "$test.safetensors" "$dws" fit t10k-images-idx3-ubyte --labels t10k-labels-idx1-ubyte --seed 0

# Both zoos in the basis of the first training network: order and sign of the neurons.
for zoo in "$train" "$test"; do
  make_zoo "${zoo}_aligned" "${zoo}_aligned.safetensors" "$dws" align --ref "$train.safetensors" "$zoo.safetensors"
done

plain=(--data "$train.safetensors" --test "$test.safetensors" --split "$split" --seed 0)
aligned=(--data "${train}_aligned.safetensors" --test "${test}_aligned.safetensors" --split "$split" --seed 0)
train_model mlp "MLP on the flat weights" "${plain[@]}" "${mlp[@]}"
train_model mlp_permute "the same, neurons in a new random order each epoch" "${plain[@]}" "${mlp_permute[@]}"
train_model mlp_aligned "MLP, networks aligned to a template" "${aligned[@]}" "${mlp_aligned[@]}"
train_model dws "DWS" "${plain[@]}" "${dws_net[@]}"

write_figures "${data}_inr_70k" --set "$data"
