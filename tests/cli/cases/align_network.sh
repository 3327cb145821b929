# One network of any kind in another's basis.
models=$data/../models

# A random element of every kind is undone: what comes out is A, its numbers rounded at most.
for net in mlp_relu mlp_sine cnn_batch_norm resnet group_norm encoder_pre_norm decoder vit lstm; do
  "$dws" permute "$models/$net.onnx" -o b.onnx --groups perm,sign,scale,phase --seed 5 --force -q
  "$dws" align "$models/$net.onnx" b.onnx -o back.onnx --json --verify --force -q >align.json ||
    die "$net: $(cat align.json)"
  grep -q '"schema":"dws.align/1","output":"back.onnx","method":"weights","objective":\[' align.json
  after=$(sed 's/.*"cosine_after":\([^,]*\),.*/\1/' align.json)
  before=$(sed 's/.*"cosine_before":\([^,]*\),.*/\1/' align.json)
  awk "BEGIN { exit !($after > 0.999999 && $before < 0.99) }" || die "$net: cosine $before, then $after"
  grep -q '"verified":true' align.json
  # (As a function: a tensor may be rounded.)
  "$dws" verify "$models/$net.onnx" back.onnx --tol 1e-3 >/dev/null
done
# Orders alone move bytes as they are.
for net in vit resnet lstm; do
  "$dws" permute "$models/$net.onnx" -o b.onnx --seed 6 --force -q
  "$dws" align "$models/$net.onnx" b.onnx -o back.onnx --groups perm --force -q >line
  cmp back.onnx "$models/$net.onnx"
done
grep -q '^back.onnx: cosine to .*lstm.onnx .* 1.0000 after; .* items moved, [0-9]* sweeps, ' line

# The element is kept and applied again, to the same bytes; any number of threads.
"$dws" permute "$models/encoder_pre_norm.onnx" -o b.onnx --groups perm,sign --seed 7 --force -q
a=$models/encoder_pre_norm.onnx
"$dws" align "$a" b.onnx -o one.onnx --emit g.json --threads 1 -q >/dev/null
"$dws" align "$a" b.onnx -o two.onnx --emit g2.json --threads 2 -q >/dev/null
cmp one.onnx two.onnx
cmp <(sed 's/"recipe".*//' g.json) <(sed 's/"recipe".*//' g2.json)
grep -q '"command":"dws align ' g.json
"$dws" align "$a" b.onnx -o three.onnx --apply g.json -q >/dev/null
cmp one.onnx three.onnx
"$dws" permute b.onnx -o four.onnx --apply g.json -q
cmp one.onnx four.onnx
"$dws" align "$a" b.onnx -o - -q >five.onnx
cmp one.onnx five.onnx
"$dws" symmetry "$a" -o spec.json
"$dws" align "$a" b.onnx -o six.onnx --spec spec.json --restarts 2 --seed 1 --max-sweeps 9 -q >/dev/null
cmp one.onnx six.onnx

# Tensors without a graph; shards.
"$dws" convert "$models/mlp_relu.onnx" -o a.safetensors -q
"$dws" permute a.safetensors --graph "$models/mlp_relu.onnx" -o b.safetensors -q
"$dws" align a.safetensors b.safetensors --graph "$models/mlp_relu.onnx" -o back.safetensors --groups perm -q >/dev/null
cmp a.safetensors back.safetensors
"$dws" align a.safetensors b.safetensors --activation relu -o chain.safetensors --groups perm -q >/dev/null
cmp a.safetensors chain.safetensors

# A claim that does not hold is found by running: nothing is written, and the answer is no.
"$dws" symmetry "$models/mlp_relu.onnx" -o false.json
sed 's/"signs": \[\]/"signs": [[{"member": 0, "exponent": 1}]]/' false.json >claim.json
sed -n '/member/p' claim.json | grep -q . || die "no claim"
"$dws" permute "$models/mlp_relu.onnx" --spec claim.json --groups sign --seed 2 -o wrong.onnx -q
code=0
"$dws" align "$models/mlp_relu.onnx" wrong.onnx --spec claim.json -o none.onnx --verify --json -q >answer || code=$?
[ $code = 1 ] || die "exit code $code"
grep -q '"output":null.*"verified":false' answer

# What is wrong, in one line.
none() { fails 2 "$@" -o none.onnx; }
none "no tensor '1.weight', which" "$dws" align "$models/mlp_layer_norm.onnx" "$models/mlp_relu.onnx"
none "tensor '0.weight': expected shape (24, 7) as in" "$dws" align "$models/mlp_relu.onnx" "$models/mlp_sine.onnx"
none "(Tanh), where" "$dws" align "$models/mlp_relu.onnx" "$models/mlp_tanh.onnx"
none "no tensor" "$dws" align "$models/mlp_relu.onnx" "$models/mlp_relu.onnx" --spec spec.json
none "expected perm, sign, scale and phase" "$dws" align "$models/mlp_relu.onnx" "$models/mlp_relu.onnx" --groups order
none "would take the place of" "$dws" align "$models/mlp_relu.onnx" "$models/mlp_relu.onnx" --emit none.onnx
none "--method" "$dws" align "$models/mlp_relu.onnx" "$models/mlp_relu.onnx" --method magic
none "missing.onnx" "$dws" align "$models/mlp_relu.onnx" missing.onnx
none "expected two files" "$dws" align "$models/mlp_relu.onnx"
fails 2 "stdout cannot be both" "$dws" align "$models/mlp_relu.onnx" "$models/mlp_relu.onnx" -o - --json
cp b.safetensors nan.safetensors
patch nan.safetensors $(($(tensor_start nan.safetensors 2.weight) + 4 * 17)) '\000\000\300\177'
fails 2 "nan.safetensors: tensor '2.weight': number 17 is not a number" \
  "$dws" align a.safetensors nan.safetensors --graph "$models/mlp_relu.onnx" -o none.safetensors
echo precious >there.onnx
fails 2 "exists already" "$dws" align "$models/mlp_relu.onnx" "$models/mlp_relu.onnx" -o there.onnx
test "$(cat there.onnx)" = precious
[ ! -e none.onnx ] && [ ! -e none.safetensors ]
no_leftovers
