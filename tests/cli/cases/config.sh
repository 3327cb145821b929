# A configuration file gives the model and its training; the command line goes before it.
small_zoo zoo.safetensors 30
echo '{"model": "mlp", "options": {"hidden": 8, "layers": 1}, "train": {"epochs": 2, "lr": 0.5, "augment": "permute"}}' >config.json
"$dws" train --data zoo.safetensors -o a.safetensors --config config.json --lr 0.001 --set layers=2 -q >/dev/null
"$dws" inspect a.safetensors --json >a.json
grep -q '"model":"mlp"' a.json
grep -q '"hidden":8,"layers":2' a.json
grep -q '"epochs":2,' a.json
grep -q '"lr":0.001,' a.json
grep -q '"augment":"permute"' a.json
# Separate files for validation and test.
small_zoo more.safetensors 50
"$dws" convert more.safetensors --range 30:40 -o other.safetensors -q
"$dws" convert more.safetensors --range 40:50 -o last.safetensors -q
"$dws" train --data zoo.safetensors --val other.safetensors --test last.safetensors -o b.safetensors --config config.json \
  --json -q >b.json 2>err.txt
grep -q '"networks":\[30,10,10\]' b.json
test ! -s err.txt
fails 2 "--val gives already" "$dws" train --data zoo.safetensors --val other.safetensors --split 0.8,0.2 -o c.safetensors
