# Outputs that would take the place of what is read, and outputs that cannot be: one line each, and the input as it was.
models=$data/../models
cp "$models/mlp_tanh.onnx" net.onnx
cp net.onnx before.onnx

fails 2 "net.onnx: exists" "$dws" permute net.onnx -o net.onnx
"$dws" permute net.onnx -o net.onnx --force --emit g.json --seed 3 -q
if cmp -s net.onnx before.onnx; then die "nothing has moved"; fi
# The element says of which file it is, not of which it made.
"$dws" permute before.onnx -o other.onnx --emit other.json --seed 3 -q
hash_of() { grep -o "\"$1\":\"[0-9a-f]*\"" "$2" | cut -d'"' -f4; }
[ -n "$(hash_of net.onnx g.json)" ]
[ "$(hash_of net.onnx g.json)" = "$(hash_of before.onnx other.json)" ]
"$dws" permute net.onnx -o ./net.onnx --force --apply g.json --inverse -q
cmp net.onnx before.onnx
"$dws" graph net.onnx -o g.safetensors -q
"$dws" graph g.safetensors --into net.onnx -o net.onnx --force -q
cmp net.onnx before.onnx

# Something else in the network's place, --force or not.
"$dws" convert net.onnx -o t.safetensors -q
cp t.safetensors t.before
fails 2 "would take the place of net.onnx" "$dws" symmetry net.onnx -o ./net.onnx --force
fails 2 "would take the place of t.safetensors" "$dws" graph t.safetensors --graph net.onnx -o t.safetensors --force
fails 2 "would take the place of net.onnx" "$dws" permute net.onnx -o p.onnx --emit net.onnx --force
fails 2 "would take the place of p.onnx" "$dws" permute net.onnx -o p.onnx --emit p.onnx --force
fails 2 "would take the place of g.safetensors" "$dws" graph g.safetensors --into net.onnx -o g.safetensors --force
cmp net.onnx before.onnx
cmp t.safetensors t.before
test ! -e p.onnx

# Folders.
fails 2 "none/shards: cannot create the folder" "$dws" convert t.safetensors -o none/shards --shard-size 1KB
fails 2 "the name of the folder to write is empty" "$dws" convert t.safetensors -o "" --shard-size 1KB
fails 2 "t.before: is there already and is no folder" "$dws" convert t.safetensors -o t.before --shard-size 1KB
"$dws" convert t.safetensors -o shards --shard-size 1KB
fails 2 "shards: is there already and not empty" "$dws" convert shards -o shards --shard-size 2KB
long=$(printf 'n%.0s' {1..250})
"$dws" convert shards -o "$long" --shard-size 2KB
"$dws" convert "$long" -o back.safetensors
# There and back: the bytes.

cmp back.safetensors t.safetensors

# A configuration beside the tensors that is none.
mkdir beside
cp t.safetensors beside/
echo '[1]' >beside/config.json
fails 2 "beside/config.json: expected the settings of a model" "$dws" symmetry beside/t.safetensors --activation tanh
no_leftovers
