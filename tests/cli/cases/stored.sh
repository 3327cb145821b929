# Networks that are stored as tensors alone: their graph is found, borrowed or described; shards are read and written as one.
models=$data/../models
stored=$models/stored

# A chain is recognised, and what was assumed is said.
"$dws" symmetry "$stored/chain.safetensors" >table 2>said
grep -q 'taken for a chain of linear layers 7-16-12-5, 1 batch norms .* an activation that is not known' said
grep -q '^2 groups move' table
if grep -q scale table; then die "an activation that is not known allows no scales"; fi
"$dws" symmetry "$stored/chain.safetensors" --activation relu -q | grep -q '16  scale'
fails 2 "the activation 'wave' is none of" "$dws" symmetry "$stored/chain.safetensors" --activation wave

# Recipes, found or named; each is proved by running it.
for net in gpt2 bert_words bert_classes vit vit_timm vit_hf; do
  "$dws" verify "$stored/$net.safetensors" --size heads=3 -q --trials 1 >verdict
  grep -q 'the same function' verdict
done
for net in llama llama_tied; do "$dws" verify "$stored/$net.safetensors" --size heads=6 --size kv_heads=2 -q --trials 1 >verdict; done
"$dws" verify "$stored/resnet18.safetensors" -q --trials 1 --json | grep -q '"coverage":0.99'
"$dws" verify "$stored/cnn.safetensors" --recipe cnn -q --trials 1 | grep -q '3 groups'
"$dws" verify "$stored/mlp.safetensors" --recipe mlp --activation tanh -q --trials 1 | grep -q 'the same function'
"$dws" symmetry "$stored/mlp.safetensors" --recipe mlp --activation tanh -q | grep -q '16  sign'
fails 2 "needs the size 'heads'" "$dws" symmetry "$stored/llama.safetensors"
grep -q -- '--size heads=N' fails.err
fails 2 "no recipe 'lama'" "$dws" symmetry "$stored/llama.safetensors" --recipe lama
fails 2 "tensor 'transformer.h.0.attn.c_attn.weight' is missing" "$dws" symmetry "$stored/mlp.safetensors" --recipe gpt2
fails 2 "gpt2.json" "$dws" symmetry "$stored/gpt2.safetensors" --recipe gpt2.json
fails 2 "has no size 'size'" "$dws" verify "$stored/vit.safetensors" --size heads=3 --size size=3
fails 2 "are for safetensors files" "$dws" symmetry "$models/vit.onnx" --recipe vit

# A recipe of one's own.
cat >mine.json <<'R'
{"schema": "dws.recipe/1", "name": "mine", "anchor": "fc1.weight", "graph": [
  {"op": "input", "out": "x", "dims": ["batch", 7], "channels": 1},
  {"op": "linear", "in": "x", "weight": "fc1.weight", "bias": "fc1.bias", "out": "x"},
  {"op": "activation", "in": "x", "kind": "sin", "out": "x"},
  {"op": "linear", "in": "x", "weight": "fc2.weight", "bias": "fc2.bias", "out": "x"},
  {"op": "output", "in": "x", "out": "y"}]}
R
fails 2 "recipe 'mine': tensor 'fc3.weight' (5, 12) has no place in it" "$dws" symmetry "$stored/mlp.safetensors" --recipe mine.json

# In shards: the same network; config.json says what shapes do not.
"$dws" convert "$stored/llama.safetensors" -o shards --shard-size 15kB -q 2>fails.err && die "15kB is no size"
"$dws" convert "$stored/llama.safetensors" -o shards --shard-size 15KB -q
[ "$(ls shards | wc -l)" = 4 ]
fails 2 "needs the size 'heads'" "$dws" verify shards
echo '{"num_attention_heads": 6, "num_key_value_heads": 2}' >shards/config.json
"$dws" verify shards --trials 1 -q | grep -q '9 groups'
"$dws" verify shards "$stored/llama.safetensors" --size heads=6 --size kv_heads=2 -q --trials 1 >verdict
"$dws" convert shards -o joined.safetensors -q
"$dws" convert "$stored/llama.safetensors" -o canonical.safetensors -q
cmp joined.safetensors canonical.safetensors
"$dws" permute shards -o moved --emit g.json -q --groups perm,sign
if cmp -s moved/model-00001-of-00003.safetensors shards/model-00001-of-00003.safetensors; then die "nothing has moved"; fi
"$dws" verify shards moved -q --trials 1 >verdict
"$dws" permute moved/model.safetensors.index.json -o back --apply g.json --inverse -q
diff -r back shards
fails 2 "is there already" "$dws" permute shards -o moved --force -q
fails 2 "expected NAME.onnx" "$dws" convert shards -o shards.bin
fails 2 "--shard-size writes many files" "$dws" convert shards -o one.safetensors --shard-size 1MB
"$dws" inspect shards >about
grep -q 'shards: 3' about
grep -q "taken_for: recipe 'llama' (heads 6, kv_heads 2)" about
grep -q 'outputs: logits: FLOAT (2, 8, 40) at the sizes tried' about
grep -q 'groups: 9' about
"$dws" inspect "$stored/gpt2.safetensors" --json | grep -q '"graph":"not known: .*needs the size .heads'
# A cache of models: links to files elsewhere.
mkdir blobs cache
for f in shards/*; do cp "$f" "blobs/$(basename "$f").blob"; ln -s "../blobs/$(basename "$f").blob" "cache/$(basename "$f")"; done
fails 2 "symbolic link" "$dws" verify cache
for verb in verify inspect symmetry; do "$dws" $verb cache --follow-symlinks -q >about; done
"$dws" convert cache -o out.safetensors --follow-symlinks -q
cmp out.safetensors canonical.safetensors
sed -i 's/model-00003/..\/model-00003/' shards/model.safetensors.index.json
fails 2 "names a folder" "$dws" inspect shards

# Other number formats, and into a graph.
"$dws" convert "$stored/mlp.safetensors" -o half.safetensors --dtype bf16 -q
grep -q '"dtype":"BF16"' half.safetensors
grep -q 'dws.recipe' half.safetensors
"$dws" verify half.safetensors -q --trials 1 >verdict
code=0
"$dws" verify half.safetensors "$stored/mlp.safetensors" --activation tanh -q --tol 1e-9 >verdict || code=$?
[ $code = 1 ] || die "rounding makes a difference"
fails 2 "expected f16, bf16, f32 or f64" "$dws" convert "$stored/mlp.safetensors" -o x.safetensors --dtype int8
fails 2 "tensors alone make no ONNX file" "$dws" convert "$stored/mlp.safetensors" -o x.onnx
"$dws" convert "$models/mlp_relu.onnx" -o tensors.safetensors -q
"$dws" permute tensors.safetensors --graph "$models/mlp_relu.onnx" -o moved.safetensors -q
"$dws" convert moved.safetensors --graph "$models/mlp_relu.onnx" -o moved.onnx -q
"$dws" verify moved.onnx "$models/mlp_relu.onnx" -q | grep -q 'the same function'
if cmp -s moved.onnx "$models/mlp_relu.onnx"; then die "the numbers have not come"; fi

# What cannot be run here is not tried: 4 TB of holes.
header='{"weight":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'
printf '\x'"$(printf %02x ${#header})"'\0\0\0\0\0\0\0%s' "$header" >large.safetensors
if truncate -s $((8 + ${#header} + 4000000000000)) large.safetensors; then
  "$dws" symmetry large.safetensors -q | grep -q '^0 groups'
  fails 2 "of memory at least" "$dws" verify large.safetensors -q
fi
rm large.safetensors

# An INR says its activation itself.
"$dws" fit "$images" --labels "$labels" --limit 2 --steps 5 --arch 2-8-8-1 -q -o zoo.safetensors >/dev/null
fails 2 "holds 2 networks" "$dws" symmetry zoo.safetensors
"$dws" convert zoo.safetensors --range 0:1 --single -o inr -q
"$dws" symmetry inr/network_000000.safetensors 2>said | grep -q 'sign, phase'
grep -q 'activation sin of 30' said
"$dws" verify inr/network_000000.safetensors -q >verdict
no_leftovers
