# Many networks in one basis, Frank-Wolfe for two, and transformers whose residual stream is rotated.
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

# A residual stream.
size="--size heads=6 --size kv_heads=2"
cp "$models/stored/llama.safetensors" l.safetensors
"$dws" permute l.safetensors $size --seed 4 --groups perm,sign,scale -o m.safetensors -q
"$dws" align --orthogonal l.safetensors m.safetensors $size -o turned.safetensors --emit-reference l_absorbed.safetensors --emit-rotation rotation.safetensors --emit g.json --verify --json -q >turned.json
near_one "$(field cosine_after turned.json)"
grep -q '"method":"orthogonal","width":24,"norms":5' turned.json
grep -q '"verified":true' turned.json
"$dws" verify m.safetensors turned.safetensors $size --tol 1e-5 -q >/dev/null
"$dws" verify l.safetensors l_absorbed.safetensors $size --tol 1e-5 -q >/dev/null
# What was written is A, once its norms are absorbed.
"$dws" align --orthogonal l_absorbed.safetensors turned.safetensors $size -o again.safetensors --json -q >again.json
near_one "$(field cosine_before again.json)"
"$dws" inspect rotation.safetensors -q | grep -q "parameters: 576"
"$dws" align --orthogonal l.safetensors m.safetensors $size -o - -q 2>line.txt >piped.safetensors
"$dws" verify m.safetensors piped.safetensors $size --tol 1e-5 -q >/dev/null
fails 2 "'transformer.wte.weight' is head and embedding in one" "$dws" align --orthogonal "$models/stored/gpt2.safetensors" "$models/stored/gpt2.safetensors" --size heads=3 -o none.safetensors -q
fails 2 "no residual stream" "$dws" align --orthogonal a.onnx b1.onnx -o none.onnx
fails 2 "cannot be absorbed: node '/layers/layers.0/Add_1' (Add) adds to what it makes" "$dws" align --orthogonal "$models/encoder_post_norm.onnx" "$models/encoder_post_norm.onnx" -o none.onnx
grep -q "post-norm, as in BERT" fails.err
fails 2 "(Relu) is not linear along the features" "$dws" align --orthogonal "$models/mlp_layer_norm.onnx" "$models/mlp_layer_norm.onnx" -o none.onnx

# Norms in parts: RMSNorm and LayerNorm as exporters spell them out.
for name in decoder vit; do
  "$dws" permute "$models/$name.onnx" --seed 4 -o $name.b.onnx -q
  "$dws" align --orthogonal "$models/$name.onnx" $name.b.onnx -o $name.turned.onnx --emit-reference $name.a.onnx --verify --json -q >spelled.json
  near_one "$(field cosine_after spelled.json)"
  grep -q '"norms":5' spelled.json
  grep -q '"verified":true' spelled.json
  "$dws" verify $name.b.onnx $name.turned.onnx --tol 1e-5 -q >/dev/null
  "$dws" align --orthogonal $name.a.onnx $name.turned.onnx -o $name.again.onnx --json -q >again.json
  near_one "$(field cosine_before again.json)"
done
fails 2 "is for --orthogonal" "$dws" align a.onnx b1.onnx -o none.onnx --emit-reference x.onnx
fails 2 "would take the place of" "$dws" align --orthogonal l.safetensors m.safetensors $size -o none.safetensors --emit-reference m.safetensors --force -q
test ! -e none.onnx
test ! -e none.safetensors
no_leftovers
