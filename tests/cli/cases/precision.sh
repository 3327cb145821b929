# --precision bf16 is another run than f32, the same on any number of threads, and its model is read with either.
"$dws" fit "$images" --labels "$labels" --limit 40 --steps 12 -q -o zoo.safetensors >/dev/null
# train NAME OPTIONS...
train() {
  local name=$1
  shift
  "$dws" train --data zoo.safetensors -o $name.safetensors --epochs 2 --batch 32 --shards 2 --hidden 16 --layers 2 -q "$@" >/dev/null
}
train f32 --precision f32
train bf16 --precision bf16 --threads 1
for model in f32 bf16; do
  for precision in f32 bf16; do
    "$dws" classify -m $model.safetensors zoo.safetensors --precision $precision -q > $model.$precision.tsv
  done
  ! cmp -s $model.f32.tsv $model.bf16.tsv || die "bf16 rounds nothing"
done
! cmp -s f32.f32.tsv bf16.f32.tsv || die "bf16 trains as f32 does"
train again --precision bf16 --threads 2
"$dws" classify -m again.safetensors zoo.safetensors -q > again.tsv
cmp bf16.f32.tsv again.tsv
fails 2 "precision" "$dws" classify -m f32.safetensors zoo.safetensors --precision f16

# Elsewhere than on AMX it is said that nothing is won.
DWS_ISA=portable "$dws" classify -m f32.safetensors zoo.safetensors --precision bf16 2>err.txt >/dev/null
grep -q "no AMX" err.txt || die "$(cat err.txt)"
