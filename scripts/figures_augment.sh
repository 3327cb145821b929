#!/usr/bin/env bash
# What each augmentation brings: one DWS model for each, trained on the first COUNT networks of a zoo, tested on another.
#
# usage: figures_augment.sh DWS TRAIN_ZOO TEST_ZOO COUNT EPOCHS OUT.jsonl
#
# Writes what `dws train --json` prints, a line a model, with the augmentation in its recipe, and before them a line that says
# on which machine. No model is chosen by the test: the parameters are those of the last epoch. Models that OUT has already
# are not trained again. The README's table takes the set of images from the names of the zoos: they begin with mnist_ or with
# fashion_. In the folder where figures_mnist_inr.sh left the zoos, build/figures_mnist:
#
#   ../../scripts/figures_augment.sh ../release/bin/dws mnist_inr_train.safetensors mnist_inr_test.safetensors 5000 30 \
#     ../../tests/bench/results/augment_mnist_5k.jsonl
set -euo pipefail

[ $# -eq 6 ] || { sed -n '4s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
dws=$1 train=$2 test=$3 count=$4 epochs=$5 out=$6
case "$(basename "$train") $(basename "$test")" in
  mnist_*" "mnist_* | fashion_*" "fashion_*) ;;
  *) echo "figures_augment.sh: the names of both zoos begin with mnist_, or both with fashion_" >&2; exit 2 ;;
esac
machine=$("$(dirname "${BASH_SOURCE[0]}")/figures_table.py" machine)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# model OPTIONS...: an augmentation and a mixup
model() {
  grep -qsF -- "$* -o" "$out" && return
  grep -qsxF -- "$machine" "$out" || printf '%s\n' "$machine" >> "$out"
  "$dws" train --data "$train" --limit "$count" --split 1,0,0 --test "$test" --seed 0 --epochs "$epochs" \
    --weight-decay 0.1 --label-smoothing 0.1 --ema 0.995 "$@" -o "$folder/model.safetensors" --force --json -q |
    sed "s|$folder/||g" >> "$out"
}
model --augment none
model --augment sign
model --augment sign,phase
model --augment noise=0.1
model --augment dropout=0.01
model --augment rotate=15,translate=0.1,zoom=0.1
model --mixup direct
model --mixup permuted
