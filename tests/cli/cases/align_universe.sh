# Many networks in one basis, and Frank-Wolfe for two.
models=$data/../models
cp "$models/resnet.onnx" a.onnx
for seed in 1 2 3; do
  "$dws" permute a.onnx --seed $seed --groups perm,sign,scale -o b$seed.onnx -q
done
field() { sed "s/.*\"$1\":\([^,}]*\).*/\1/" "$2"; }
near_one() { awk "BEGIN { exit !($1 > 0.999999) }" || die "cosine $1"; }

# Four of one function meet, by both methods; the first one stays as it is, the others keep their names and functions.
for method in weights frank-wolfe; do
  "$dws" align --universe a.onnx b1.onnx b2.onnx b3.onnx --method $method -o $method --emit $method.elements --verify --json -q >universe.json
  near_one "$(field cosine_after universe.json)"
  grep -q '"schema":"dws.align/1"' universe.json
  grep -q '"fixed_point":true' universe.json
  grep -q '"verified":true' universe.json
  cmp a.onnx $method/a.onnx
  for seed in 1 2 3; do
    "$dws" verify b$seed.onnx $method/b$seed.onnx --tol 1e-4 >/dev/null
  done
  # What was emitted does what was done.
  "$dws" permute b2.onnx --apply $method.elements/b2.onnx.json -o again.onnx --force -q
  cmp again.onnx $method/b2.onnx
done
grep -q '"universe":"c2m3"' universe.json
"$dws" align --universe a.onnx b1.onnx -o plain -q >line.txt
grep -q "^plain: 2 networks by mergemany, mean cosine of two" line.txt
# The same bytes on one thread and on two.
"$dws" --threads 1 align --universe a.onnx b1.onnx b2.onnx --method frank-wolfe -o one -q >/dev/null
"$dws" --threads 2 align --universe a.onnx b1.onnx b2.onnx --method frank-wolfe -o two -q >/dev/null
cmp one/b1.onnx two/b1.onnx

"$dws" align a.onnx b1.onnx --method frank-wolfe -o two.onnx --verify --json -q >fw.json
near_one "$(field cosine_after fw.json)"
grep -q '"method":"frank-wolfe"' fw.json
[ "$(field steps fw.json)" -gt 0 ] || die "no steps"

fails 2 "two networks at least" "$dws" align --universe a.onnx -o none
mkdir other
cp a.onnx other
fails 2 "two networks are named a.onnx" "$dws" align --universe a.onnx other/a.onnx -o none
fails 2 "no tensor" "$dws" align --universe a.onnx "$models/cnn.onnx" -o none
fails 2 "is there already and not empty" "$dws" align --universe a.onnx b1.onnx -o plain
fails 2 "do not go together" "$dws" align --universe a.onnx b1.onnx --apply one.json -o none
fails 2 "cannot go to stdout" "$dws" align --universe a.onnx b1.onnx -o -
test ! -e none

test ! -e none.onnx
no_leftovers
