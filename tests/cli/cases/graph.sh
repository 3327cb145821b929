# The weight graph: a summary, files of every kind, and back to the network.
models=$data/../models

"$dws" graph "$models/encoder_pre_norm.onnx" > table
grep -q '^390 nodes, 8079 edges for 7561 parameters, 61 layers$' table
grep -q '^  head  *6$' table
grep -q '^  query  *960$' table
"$dws" graph "$models/cnn_batch_norm.onnx" --json > summary
grep -q '"schema":"dws.graph.summary/1"' summary
grep -q '"parameters":3833' summary
grep -q '"mean":32,"variance":32' summary

# Files, by the ending of their names; nothing on stdout.
for ending in json dot graphml safetensors svg; do
  "$dws" graph "$models/lstm.onnx" -o "lstm.$ending" -q > nothing
  [ -s "lstm.$ending" ] && [ ! -s nothing ]
done
grep -q '"schema": "dws.graph/1"' lstm.json
grep -q '"command": "dws graph' lstm.json
grep -q '^digraph' lstm.dot
grep -q '<graphml' lstm.graphml
grep -q '^<svg xmlns' lstm.svg
# The picture in the README.
"$dws" graph "$models/encoder_library.onnx" -o picture.svg -q
cmp picture.svg "$data/../../docs/weight_graph.svg"
fails 2 "expected a name in .json, .dot, .graphml, .safetensors or .svg" "$dws" graph "$models/lstm.onnx" -o lstm.png
fails 2 "lstm.dot: exists" "$dws" graph "$models/lstm.onnx" -o lstm.dot
"$dws" graph "$models/lstm.onnx" -o lstm.dot --force -q
for t in 1 2; do "$dws" graph "$models/vit.onnx" -o same.safetensors --force -q --threads 2; cp same.safetensors same.$t; done
cmp same.1 same.2

# There and back: the bytes. Then one number, and only its bytes.
for net in "$models"/*.onnx; do
  for ending in json safetensors; do
    "$dws" graph "$net" -o "g.$ending" --force -q
    "$dws" graph "g.$ending" --into "$net" -o back.onnx --force -q
    cmp back.onnx "$net"
  done
done
"$dws" graph "$models/mlp_relu.onnx" -o m.json -q
sed 's/"weight": \[[^,]*,/"weight": [0.75,/' m.json > changed.json
"$dws" graph changed.json --into "$models/mlp_relu.onnx" -o changed.onnx
[ "$({ cmp -l changed.onnx "$models/mlp_relu.onnx" || true; } | wc -l)" -le 4 ]
if cmp -s changed.onnx "$models/mlp_relu.onnx"; then die "nothing has changed"; fi
code=0
"$dws" verify "$models/mlp_relu.onnx" changed.onnx > answer || code=$?
[ $code = 1 ]

# A network without a graph of its own borrows one, there and back.
"$dws" convert "$models/mlp_relu.onnx" -o tensors.safetensors -q
"$dws" graph tensors.safetensors --graph "$models/mlp_relu.onnx" -o t.safetensors -q
"$dws" graph t.safetensors --into tensors.safetensors --graph "$models/mlp_relu.onnx" -o back.safetensors -q
cmp back.safetensors tensors.safetensors
"$dws" graph changed.json --into tensors.safetensors --graph "$models/mlp_relu.onnx" -o moved.safetensors -q
[ "$({ cmp -l moved.safetensors tensors.safetensors || true; } | wc -l)" -le 4 ]

# What does not fit, or is no graph.
fails 2 "--into needs -o" "$dws" graph m.json --into "$models/mlp_relu.onnx"
fails 2 "tensor 0: '0.weight' FLOAT (24, 7), but '0.weight' FLOAT (32, 2) in" \
  "$dws" graph m.json --into "$models/mlp_sine.onnx" -o no.onnx
fails 2 "no metadata 'dws.graph': not a weight graph" "$dws" graph tensors.safetensors --into "$models/mlp_relu.onnx" -o no.onnx
fails 2 "a graph is read from .safetensors or .json" "$dws" graph lstm.svg --into "$models/lstm.onnx" -o no.onnx
sed 's/"index": \[0,/"index": [1,/' m.json > twice.json
fails 2 "two edges for number" "$dws" graph twice.json --into "$models/mlp_relu.onnx" -o no.onnx
sed 's/"target": \[[0-9]*,/"target": [4000000,/' m.json > far.json
fails 2 "target 4000000 of edge 0: expected 0 to 58" "$dws" graph far.json --into "$models/mlp_relu.onnx" -o no.onnx
cp t.safetensors cut.safetensors
truncate -s -5 cut.safetensors
fails 2 "cut.safetensors: " "$dws" graph cut.safetensors --into "$models/mlp_relu.onnx" -o no.onnx
patch t.safetensors "$(tensor_start t.safetensors col)" '\377\377\377\177'
fails 2 "tensor 'col': 2147483647 at 0: expected 0 to 58" "$dws" graph t.safetensors --into "$models/mlp_relu.onnx" -o no.onnx
[ ! -e no.onnx ]
no_leftovers
