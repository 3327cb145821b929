# Transformers whose residual stream is rotated: norms as operators and in parts, heads of their own and tied to the embedding.
models=$data/../models
field() { sed "s/.*\"$1\":\([^,}]*\).*/\1/" "$2"; }
near_one() { awk "BEGIN { exit !($1 > 0.999999) }" || die "cosine $1"; }
size="--size heads=6 --size kv_heads=2"
cp "$models/stored/llama.safetensors" l.safetensors
"$dws" permute l.safetensors $size --seed 4 --groups perm,sign,scale -o m.safetensors -q
"$dws" align --orthogonal l.safetensors m.safetensors $size -o turned.safetensors --emit-reference l_absorbed.safetensors --emit-rotation rotation.safetensors --emit g.json --verify --json -q >turned.json
near_one "$(field cosine_after turned.json)"
grep -q '"method":"orthogonal","width":24,"norms":5,"own_head":null' turned.json
grep -q '"verified":true' turned.json
"$dws" verify m.safetensors turned.safetensors $size --tol 1e-5 -q >/dev/null
"$dws" verify l.safetensors l_absorbed.safetensors $size --tol 1e-5 -q >/dev/null
# What was written is A, once its norms are absorbed.
"$dws" align --orthogonal l_absorbed.safetensors turned.safetensors $size -o again.safetensors --json -q >again.json
near_one "$(field cosine_before again.json)"
"$dws" inspect rotation.safetensors -q | grep -q "parameters: 576"
"$dws" align --orthogonal l.safetensors m.safetensors $size -o - -q 2>line.txt >piped.safetensors
"$dws" verify m.safetensors piped.safetensors $size --tol 1e-5 -q >/dev/null

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

# Head and embedding in one tensor, which the norm that the head absorbs makes two. FILE NAME-OF-BOTH ENDING SIZES...
tied() {
  local a=$1 both=$2 end=$3
  shift 3
  "$dws" permute "$a" "$@" --seed 5 --groups perm,sign -o b.$end --force -q
  "$dws" align --orthogonal "$a" b.$end "$@" -o b2.$end --emit-reference a2.$end --verify --json --force 2>line.txt >tied.json
  grep -q "b2.$end: head and embedding, one tensor '$both' in b.$end, are two now: 'lm_head.weight' is the head's, [0-9]* bytes more" line.txt
  grep -q "a2.$end: head and embedding, one tensor '$both' in" line.txt
  near_one "$(field cosine_after tied.json)"
  grep -q '"own_head":"lm_head.weight"' tied.json
  grep -q '"verified":true' tied.json
  "$dws" verify b.$end b2.$end "$@" --tol 1e-5 -q >/dev/null || die "B' is another function"
  "$dws" verify "$a" a2.$end "$@" --tol 1e-5 -q >/dev/null || die "A' is another function"
  # A and its twin in one basis: halfway is the same function.
  "$dws" merge a2.$end b2.$end -o half.$end --force -q >/dev/null
  "$dws" verify "$a" half.$end "$@" --tol 1e-4 -q >/dev/null || die "halfway is another function"
  # One is tied and the other is not, both ways; nothing is to be done where neither is.
  "$dws" align --orthogonal "$a" b2.$end "$@" -o mixed.$end --verify --json --force 2>line.txt >tied.json
  near_one "$(field cosine_after tied.json)"
  grep -q "head and embedding are one tensor, and two in b2.$end" line.txt
  grep -q '"own_head":null' tied.json
  "$dws" align --orthogonal a2.$end b.$end "$@" -o mixed.$end --verify --json --force 2>line.txt >tied.json
  near_one "$(field cosine_after tied.json)"
  grep -q "mixed.$end: head and embedding, one tensor" line.txt
  "$dws" align --orthogonal a2.$end b2.$end "$@" -o mixed.$end --json --force 2>line.txt >tied.json
  near_one "$(field cosine_before tied.json)"
  ! grep -q "head and embedding" line.txt || die "$(cat line.txt)"
}
tied "$models/stored/gpt2.safetensors" transformer.wte.weight safetensors --size heads=3
grep -q 'safetensors.*a config.json beside it must say "tie_word_embeddings": false' <("$dws" align --orthogonal "$models/stored/gpt2.safetensors" b.safetensors --size heads=3 -o c.safetensors 2>&1) || die "no word of config.json"
tied "$models/stored/llama_tied.safetensors" model.embed_tokens.weight safetensors $size
tied "$data/tied_head.onnx" embedding onnx
# The tensor that is new and the embedding, and nothing else: the graph is A's.
[ "$("$dws" inspect a2.onnx --json | sed 's/.*"nodes":\([0-9]*\).*/\1/')" = "$("$dws" inspect "$data/tied_head.onnx" --json | sed 's/.*"nodes":\([0-9]*\).*/\1/')" ]
# A spec is of the network with two tensors.
"$dws" symmetry "$data/tied_head.onnx" -o tied_spec.json -q >/dev/null
fails 2 "no tensor 'lm_head.weight', which the head of" "$dws" align --orthogonal "$data/tied_head.onnx" b.onnx --spec tied_spec.json -o none.onnx -q
"$dws" symmetry a2.onnx -o spec.json -q >/dev/null
"$dws" align --orthogonal "$data/tied_head.onnx" b.onnx --spec spec.json -o with_spec.onnx -q >/dev/null
cmp with_spec.onnx b2.onnx
# To stdout.
"$dws" align --orthogonal "$data/tied_head.onnx" b.onnx -o - -q >piped.onnx
cmp piped.onnx b2.onnx

# In shards, with a configuration.
"$dws" convert "$models/stored/llama_tied.safetensors" -o shards --shard-size 6000 -q >/dev/null
echo '{"num_attention_heads": 6, "num_key_value_heads": 2, "tie_word_embeddings": true}' >shards/config.json
"$dws" permute shards --seed 5 -o shards_b -q
"$dws" align --orthogonal shards shards_b -o shards_b2 --emit-reference shards_a2 --verify >line.txt 2>&1
grep -q "bytes more, and its config.json says so" line.txt
grep -q '"tie_word_embeddings": false' shards_b2/config.json
grep -q '"lm_head.weight"' shards_b2/model.safetensors.index.json
"$dws" verify shards_b shards_b2 --tol 1e-5 -q >/dev/null
"$dws" merge shards_a2 shards_b2 -o shards_half -q >/dev/null
"$dws" verify shards shards_half --tol 1e-4 -q >/dev/null
grep -q '"tie_word_embeddings": false' shards_half/config.json

# A graph that is borrowed stays as it is.
"$dws" convert "$data/tied_head.onnx" -o tensors.safetensors -q >/dev/null
fails 2 "the scale 'norm' cannot be absorbed: 'embedding' is head and embedding in one" "$dws" align --orthogonal tensors.safetensors tensors.safetensors --graph "$data/tied_head.onnx" -o none.safetensors

# What has no rotation.
fails 2 "cannot be absorbed: node '/layers/layers.0/Add_1' (Add) adds to what it makes" "$dws" align --orthogonal "$models/encoder_post_norm.onnx" "$models/encoder_post_norm.onnx" -o none.onnx
grep -q "post-norm, as in BERT" fails.err
fails 2 "post-norm, as in BERT" "$dws" align --orthogonal "$models/stored/bert_words.safetensors" "$models/stored/bert_words.safetensors" --size heads=3 -o none.safetensors -q
fails 2 "(Relu) is not linear along the features" "$dws" align --orthogonal "$models/mlp_layer_norm.onnx" "$models/mlp_layer_norm.onnx" -o none.onnx
fails 2 "no residual stream" "$dws" align --orthogonal "$models/resnet.onnx" "$models/resnet.onnx" -o none.onnx
fails 2 "is for --orthogonal" "$dws" align l.safetensors m.safetensors $size -o none.safetensors --emit-reference x.safetensors
fails 2 "would take the place of" "$dws" align --orthogonal l.safetensors m.safetensors $size -o none.safetensors --emit-reference m.safetensors --force -q
test ! -e none.onnx
test ! -e none.safetensors
no_leftovers
