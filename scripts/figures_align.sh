#!/usr/bin/env bash
# The figures of alignment in the README: pairs of networks that were trained apart, what lies between them as they are and after
# each way to align them; and how much of a random element of a network's symmetry is found again.
#
# usage: figures_align.sh [WORK_DIR]     WORK_DIR: build/figures_align unless given; the data sets are fetched into it
#
# About half an hour on two idle cores. Stop it whenever you like and run it again: finished steps are skipped. Writes
# tests/bench/results/align_pairs.jsonl, align_recovery.jsonl and align_bench.jsonl, from which the README's tables are made, and the picture
# docs/barrier.svg.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/figures_common.sh"
begin "${1:-$root/build/figures_align}"
rm models.txt.part
"$root/scripts/get_data.sh" mnist "$work/mnist"
"$root/scripts/get_data.sh" cifar10 "$work/cifar10"

# train NAME OPTIONS...: two networks of the same recipe and other random numbers, NAME_a and NAME_b.
train() {
  local name=$1 half seed=1
  shift
  for half in a b; do
    once "${name}_$half" "$dws" train --task network "$@" --seed $seed --json -o "${name}_$half.safetensors" --force
    seed=2
  done
}
mlp=(--arch mlp:512,512,512 --batch 256 --lr 0.001)
train mnist_mlp "${mlp[@]}" --data mnist/train-images-idx3-ubyte --test mnist/t10k-images-idx3-ubyte --epochs 10
train cifar_mlp "${mlp[@]}" --data cifar10 --test cifar10/test_batch.bin --epochs 15 --weight-decay 0.05 \
  --label-smoothing 0.1 --augment flip
train cifar_cnn --arch cnn:16,32s2,32,64s2,64,128s2,128 --norm batch --lr 0.003 --augment flip,crop --data cifar10 \
  --test cifar10/test_batch.bin --epochs 15

# pair NAME TRAINING_DATA TEST_DATA OPTIONS...: NAME_METHOD.json, what `dws lmc` says of A and of B after METHOD; what `dws align`
# said is NAME_METHOD_align.json. The data that activations are seen on are those of the training. With the word `repair` the same
# once more, statistics set right at each point.
pair() {
  local name=$1 train=$2 test=$3 method repair
  shift 3
  for method in none weights activations frank-wolfe; do
    local other=${name}_$method.safetensors options=()
    case $method in
      none) other=${name}_b.safetensors ;;
      activations) options=(--data "$train" --limit 10000) ;;
    esac
    [ $method = none ] ||
      once "${name}_${method}_align" "$dws" align "${name}_a.safetensors" "${name}_b.safetensors" --method $method \
        "${options[@]}" --json --force -o "$other"
    once "${name}_$method" "$dws" lmc "${name}_a.safetensors" "$other" --data "$test" --points 25 --json
    [ $method = frank-wolfe ] || for repair in "$@"; do
      once "${name}_${method}_$repair" "$dws" lmc "${name}_a.safetensors" "$other" --data "$test" --points 25 --json \
        --repair --repair-data "$train" --repair-limit 2000
    done
  done
}
pair mnist_mlp mnist/train-images-idx3-ubyte mnist/t10k-images-idx3-ubyte
pair cifar_mlp cifar10 cifar10/test_batch.bin
pair cifar_cnn cifar10 cifar10/test_batch.bin repair

once recovery "$root/scripts/align_recovery.py" "$dws" "$root"/tests/models/*.onnx
once ladder "$root/scripts/align_recovery.py" "$dws" --noise 0.1,0.2,0.5,1,2 mnist_mlp_a.safetensors

once bench "$dws" bench --filter align. --seconds 2 --json
once bench_merge "$dws" bench --filter merge. --seconds 2 --json

mkdir -p "$root/docs"
"$dws" lmc mnist_mlp_a.safetensors mnist_mlp_b.safetensors mnist_mlp_weights.safetensors --names "as trained,aligned" \
  --data mnist/t10k-images-idx3-ubyte --points 25 --plot "$root/docs/barrier.svg" --force > /dev/null

cd "$root"
{
  ./scripts/figures_table.py machine
  for name in mnist_mlp cifar_mlp cifar_cnn; do
    ./scripts/figures_table.py pair "$work" $name
  done
} > tests/bench/results/align_pairs.jsonl.part
{
  ./scripts/figures_table.py machine
  cat "$work/recovery.json" "$work/ladder.json"
} > tests/bench/results/align_recovery.jsonl.part
{
  ./scripts/figures_table.py machine
  cat "$work/bench.json" "$work/bench_merge.json"
} > tests/bench/results/align_bench.jsonl.part
for name in align_pairs align_recovery align_bench; do
  mv tests/bench/results/$name.jsonl.part tests/bench/results/$name.jsonl
done
./scripts/figures_table.py readme
echo "$script: the README's tables are up to date" >&2
