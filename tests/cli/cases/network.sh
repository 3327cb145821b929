# Any network: its symmetry, the proof, another network of the same function, and back.
models=$data/../models

"$dws" symmetry "$models/decoder.onnx" > table
grep -q '^9 groups move 99.0 % of 13505 parameters$' table
grep -q 'a table of angles' table
"$dws" symmetry "$models/decoder.onnx" --json > decoder.json
grep -q '"schema":"dws.symmetry/1"' decoder.json
"$dws" symmetry "$models/decoder.onnx" -o spec.json > nothing
[ ! -s nothing ]
"$dws" verify "$models/decoder.onnx" --spec spec.json --json | grep -q '"holds":true.*"control":true'
"$dws" verify "$models/mlp_tanh.onnx" --precision f32 > /dev/null
for t in 1 2; do "$dws" verify "$models/vit.onnx" --threads $t --json > verify.$t; done
cmp verify.1 verify.2

# There and back: the bytes.
for net in vit resnet mlp_sine lstm; do
  "$dws" permute "$models/$net.onnx" -o moved.onnx --seed 3 --groups perm,sign --emit g.json --force -q
  if cmp -s moved.onnx "$models/$net.onnx"; then die "$net: nothing has moved"; fi
  "$dws" verify "$models/$net.onnx" moved.onnx > /dev/null
  "$dws" permute moved.onnx -o back.onnx --apply g.json --inverse --force -q
  cmp back.onnx "$models/$net.onnx"
done
"$dws" permute "$models/mlp_sine.onnx" -o other.onnx --groups perm,sign,phase -q
"$dws" verify "$models/mlp_sine.onnx" other.onnx --tol 1e-4 > /dev/null
"$dws" permute "$models/mlp_relu.onnx" -o scaled.onnx --groups scale -q
"$dws" verify "$models/mlp_relu.onnx" scaled.onnx --tol 1e-5 > /dev/null

# No is 1, and names the guilty.
code=0
"$dws" verify "$models/mlp_tanh.onnx" "$models/mlp_gelu.onnx" > answer || code=$?
[ $code = 1 ]
grep -q 'NOT the same function' answer
"$dws" symmetry "$models/mlp_relu.onnx" -o false.json
sed 's/"signs": \[\]/"signs": [[{"member": 0, "exponent": 1}]]/' false.json > claim.json
code=0
"$dws" verify "$models/mlp_relu.onnx" --spec claim.json > answer || code=$?
[ $code = 1 ]
grep -q "guilty: group '0.weight'" answer

# What it is, and copies.
"$dws" inspect "$models/cnn_batch_norm.onnx" > about
grep -q 'Conv: 2' about
grep -q 'inputs: input: FLOAT (batch, 3, 8, 8)' about
grep -q 'groups: 3' about
"$dws" inspect "$models/cnn_batch_norm.onnx" --json | grep -q '"parameters":3833'
"$dws" convert "$models/decoder.onnx" -o copy.onnx
cmp copy.onnx "$models/decoder.onnx"
"$dws" convert "$models/mlp_relu.onnx" -o tensors.safetensors
grep -q '"0.weight":{"dtype":"F32","shape":\[24,7\]' tensors.safetensors
# Numbers without a graph borrow one.
fails 2 "tensor '0.bias' is F32 (24,), but FLOAT (32,) in" "$dws" symmetry tensors.safetensors --graph "$models/mlp_sine.onnx"
"$dws" verify tensors.safetensors --graph "$models/mlp_relu.onnx" > /dev/null
"$dws" permute tensors.safetensors --graph "$models/mlp_relu.onnx" -o moved.safetensors --emit t.json -q
if cmp -s moved.safetensors tensors.safetensors; then die "nothing has moved"; fi
"$dws" permute moved.safetensors --graph "$models/mlp_relu.onnx" -o back.safetensors --apply t.json --inverse -q
cmp back.safetensors tensors.safetensors
fails 2 "a network is converted alone" "$dws" convert "$models/mlp_relu.onnx" "$models/cnn.onnx" -o new.onnx
fails 2 "expected NAME.onnx, NAME.safetensors" "$dws" convert "$models/mlp_relu.onnx" -o new.bin

# What is wrong, in one line.
fails 2 "expected NAME=SIZE" "$dws" symmetry "$models/mlp_relu.onnx" --dim batch
fails 2 "no input has a free dimension 'width'" "$dws" symmetry "$models/mlp_relu.onnx" --dim width=3
fails 2 "has 7 items along axis 1, not 8" "$dws" symmetry "$models/mlp_relu.onnx" --shape input=3x8
fails 2 "no input 'x'" "$dws" verify "$models/mlp_relu.onnx" --set x=1
fails 2 "expected perm, sign, scale and phase" "$dws" permute "$models/mlp_relu.onnx" -o new.onnx --groups order
fails 2 "take different inputs" "$dws" verify "$models/mlp_relu.onnx" "$models/cnn.onnx"
fails 2 "has no tensor" "$dws" permute "$models/mlp_tanh.onnx" -o new.onnx --spec spec.json
fails 2 "not an ONNX file" "$dws" symmetry "$data/README.md"
head -c 2000 "$models/mlp_relu.onnx" > cut.onnx
fails 2 "cut.onnx" "$dws" symmetry cut.onnx
"$dws" permute "$models/mlp_relu.onnx" -o p.onnx --emit p.json -q
sed -E 's/"indices":\[[0-9]+,[0-9]+,/"indices":[0,0,/' p.json > twice.json
fails 2 "are no permutation" "$dws" permute "$models/mlp_relu.onnx" -o new.onnx --apply twice.json
fails 2 "exists" "$dws" permute "$models/mlp_relu.onnx" -o p.onnx
[ ! -e new.onnx ]
no_leftovers

# External data may stand behind links, as caches of models have it, when that is said.
mkdir -p cache/blobs cache/snapshot out
hex() { printf "$(sed 's/../\\x&/g' <<<"$1")"; }
hex 08081204746573743a9e010a210a01780a01570a0162120168220447656d6d2a0d0a067472616e73421801a001020a0c0a0168120179220452656c751201672a210802080310014201576a140a086c6f636174696f6e12086e65742e6461746170012a11080210014201624a080000e040000000415a180a017812130a110801120d0a07120562617463680a02080362180a017912130a110801120d0a07120562617463680a0208024202100d > cache/blobs/model
hex 0000803f0000004000004040000080400000a0400000c040 > cache/blobs/data
ln -s ../blobs/model cache/snapshot/net.onnx
ln -s ../blobs/data cache/snapshot/net.data
fails 2 "net.data: a symbolic link" "$dws" symmetry cache/snapshot/net.onnx
grep -q -- '--follow-symlinks' fails.err
"$dws" symmetry cache/snapshot/net.onnx --follow-symlinks > /dev/null
"$dws" verify cache/snapshot/net.onnx --follow-symlinks > /dev/null
"$dws" permute cache/snapshot/net.onnx -o out/net.onnx --follow-symlinks -q
cmp out/net.data cache/blobs/data
"$dws" verify out/net.onnx cache/snapshot/net.onnx --follow-symlinks > /dev/null

# An attribute of another type (transB is a float), and an operator that nobody knows.
hex 08081204746573743aa3010a240a01780a01570a0162120168220447656d6d2a100a067472616e7342150000803fa001010a0c0a0168120179220452656c751201672a230802080310014201574a180000803f0000004000004040000080400000a0400000c0402a11080210014201624a080000e040000000415a180a017812130a110801120d0a07120562617463680a02080362180a017912130a110801120d0a07120562617463680a0208024202100d > float.onnx
fails 2 "float.onnx: the node that makes 'h' (Gemm): attribute 'transB': expected INT, got FLOAT" "$dws" symmetry float.onnx
fails 2 "attribute 'transB': expected INT, got FLOAT" "$dws" verify float.onnx
sed 's/Relu/Rule/g' "$models/mlp_relu.onnx" > odd.onnx
fails 2 "operator Rule of domain 'ai.onnx', version 13, cannot be run" "$dws" verify odd.onnx
"$dws" symmetry odd.onnx | grep -q "(Rule): an operator that is not known (domain 'ai.onnx', version 13)"
no_leftovers
