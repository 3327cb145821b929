# The point of it all, on little data: a DWS network reads networks it has not met, a flat MLP does not.
"$dws" fit "$images" --labels "$labels" -q -o zoo.safetensors >/dev/null
accuracy() {
  "$dws" train --data zoo.safetensors --split 500,0,100 -q --json -o "$1.safetensors" "${@:2}" |
    sed -n 's/.*"test_accuracy":\([0-9.]*\).*/\1/p'
}
mlp=$(accuracy mlp --model mlp)
permuted=$(accuracy permuted --model mlp --augment permute)
read=$(accuracy dws)
awk -v m="$mlp" -v p="$permuted" -v d="$read" 'BEGIN { exit !(d >= m + 0.15 && d >= p + 0.15 && m > 0 && p > 0) }' ||
  die "test accuracy: MLP $mlp, MLP with permutations $permuted, DWS $read"
