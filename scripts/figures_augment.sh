#!/usr/bin/env bash
# What each augmentation brings: one DWS model for each, trained on the first COUNT networks of a zoo, tested on another.
#
# usage: figures_augment.sh DWS TRAIN_ZOO TEST_ZOO COUNT EPOCHS OUT.jsonl
#
# Writes what `dws train --json` prints, a line a model, with the augmentation in its recipe. No model is chosen by the test:
# the parameters are those of the last epoch. Models that OUT has already are not trained again.
set -euo pipefail

[ $# -eq 6 ] || { sed -n '4s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
dws=$1 train=$2 test=$3 count=$4 epochs=$5 out=$6
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# model OPTIONS...: an augmentation and a mixup
model() {
  grep -qsF -- "$* -o" "$out" && return
  "$dws" train --data "$train" --limit "$count" --split 1,0,0 --test "$test" --seed 0 --epochs "$epochs" \
    --weight-decay 0.1 --label-smoothing 0.1 --ema 0.995 "$@" -o "$folder/model.safetensors" --force --json -q >> "$out"
}
model --augment none
model --augment sign
model --augment sign,phase
model --augment noise=0.1
model --augment dropout=0.01
model --augment rotate=15,translate=0.1,zoom=0.1
model --mixup direct
model --mixup permuted
