# dws merge --config: mergekit's configurations, carried out; what is not done is named.
stored=$data/../models/stored
cat >tensors.py <<'END'
import array, json, struct, sys
def read(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    meta = head.pop("__metadata__", {})
    return {k: array.array("f", raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]])
            for k, v in head.items()}, meta
def near(got, expected, name):
    assert len(got) == len(expected), name
    for x, y in zip(got, expected):
        assert abs(x - y) <= 1e-6 * max(1, abs(y)), (name, x, y)
END
mkdir -p base cache/hub/models--org--tuned/snapshots/abc cache/hub/models--org--tuned/refs blobs
cp "$stored/llama.safetensors" base/model.safetensors
echo '{"num_hidden_layers": 2, "layer_types": ["one", "two"], "torch_dtype": "bfloat16", "hidden_size": 24}' >base/config.json
echo '{"version": "1.0"}' >base/tokenizer.json
"$dws" merge --method passthrough --scale 1.5 "$stored/llama.safetensors" -o tuned.safetensors -q
mv tuned.safetensors blobs/tuned
# A cache of downloads, which is made of links.
ln -s ../../../../../blobs/tuned cache/hub/models--org--tuned/snapshots/abc/model.safetensors
printf abc >cache/hub/models--org--tuned/refs/main
export HF_HOME=$PWD/cache

# Layers stacked: four of two; the folder has what belongs to it.
cat >stack.yml <<'END'
slices:
  - sources:
      - {model: base, layer_range: [0, 2]}
  - sources:
      - {model: org/tuned, layer_range: [0, 1]}
  - sources:
      - {model: base, layer_range: [1, 2]}
merge_method: passthrough
END
"$dws" merge --config stack.yml -o stacked -q
test "$(ls stacked | tr '\n' ' ')" = "config.json mergekit_config.yml model-00001-of-00001.safetensors model.safetensors.index.json tokenizer.json "
cmp stack.yml stacked/mergekit_config.yml
cmp base/tokenizer.json stacked/tokenizer.json
"$dws" inspect stacked >/dev/null
cp stacked/model-00001-of-00001.safetensors stacked.safetensors
python3 - <<'END'
import json
from tensors import *
base, tuned, got = read("base/model.safetensors")[0], read("blobs/tuned")[0], read("stacked.safetensors")[0]
for name, x in got.items():
    source = base
    if name.startswith("model.layers."):
        part = name.split(".", 3)
        source, layer = [(base, 0), (base, 1), (tuned, 0), (base, 1)][int(part[2])]
        name = f"model.layers.{layer}.{part[3]}"
    assert x == source[name], name
assert len(got) == len(base) + 2 * 12, len(got)
config = json.load(open("stacked/config.json"))
assert config == {"num_hidden_layers": 4, "layer_types": ["one", "two", "one", "two"], "torch_dtype": "bfloat16",
                  "hidden_size": 24}, config
END

# A gradient over four layers, with filters, against numbers.
cat >gradient.yml <<'END'
models:
  - model: stacked.safetensors
    parameters:
      weight:
        - filter: self_attn
          value: [0, 0.5, 1]
        - filter: mlp
          value: [1, 0]
        - value: 0.25
  - model: other.safetensors
    parameters:
      weight: 1.0
merge_method: linear
parameters:
  normalize: false
  int8_mask: true
END
"$dws" merge --method passthrough --scale 0.5 stacked.safetensors -o other.safetensors -q
"$dws" merge --config gradient.yml -o gradient.safetensors -q 2>gradient.err
test ! -s gradient.err || die "$(cat gradient.err)"
python3 - <<'END'
from tensors import *
a, b, (got, meta) = read("stacked.safetensors")[0], read("other.safetensors")[0], read("gradient.safetensors")
for name, x in got.items():
    w, layer = 0.25, int(name.split(".")[2]) if ".layers." in name else 0
    if "self_attn" in name: w = layer / 3
    if "mlp" in name: w = 1 - layer / 3
    near(x, [w * p + q for p, q in zip(a[name], b[name])], name)
recipe = json.loads(meta["dws.recipe"])
assert recipe["config"] == open("gradient.yml").read() and list(recipe["inputs"]) == ["stacked.safetensors", "other.safetensors"]
END
# The same on one thread, from stdin, and with the summary.
"$dws" merge --config - -o one.safetensors --threads 1 --json <gradient.yml >one.json
cmp <(tail -c 1000 one.safetensors) <(tail -c 1000 gradient.safetensors)
grep -q '"method":"linear","networks":2' one.json

# Types: the folder's configuration says so too.
printf 'merge_method: linear\nmodels: [{model: base}, {model: org/tuned}]\ndtype: float16\n' >half.yml
"$dws" merge --config half.yml -o half -q
grep -q '"torch_dtype": "float16"' half/config.json
grep -aq '"dtype":"F16"' half/model-00001-of-00001.safetensors

# In stages: the second document makes what the first one merges, once.
cat >stages.yml <<'END'
merge_method: linear
models: [{model: both, parameters: {weight: 1}}, {model: base, parameters: {weight: 1}}]
---
name: both
merge_method: linear
models: [{model: base, parameters: {weight: 1}}, {model: org/tuned, parameters: {weight: 1}}]
END
"$dws" merge --config stages.yml --intermediate-dir between -o staged.safetensors -q
test "$(ls between)" = both
python3 - <<'END'
from tensors import *
a, b, got = read("base/model.safetensors")[0], read("blobs/tuned")[0], read("staged.safetensors")[0]
for name, x in got.items():
    near(x, [0.75 * p + 0.25 * q for p, q in zip(a[name], b[name])], name)
END
"$dws" merge --config stages.yml --intermediate-dir between -o staged.safetensors --force 2>again.err
grep -q 'between/both: is there already and is kept' again.err

# What is not done is named, with its line; nothing is written.
{ cat half.yml; echo 'tokenizer_source: union'; } >bad.yml
fails 2 "bad.yml: line 4: a tokenizer of all networks ('union') is not supported" "$dws" merge --config bad.yml -o bad
{ cat half.yml; echo 'residual: 1'; } >bad.yml
fails 2 "bad.yml: line 4: unknown key 'residual'" "$dws" merge --config bad.yml -o bad
sed 's/tuned/absent/' half.yml >bad.yml
fails 2 "bad.yml: line 2: org/absent: no such file or folder" "$dws" merge --config bad.yml -o bad
grep -q 'hf download org/absent' fails.err
mkdir -p roots/absent && cp blobs/tuned roots/absent/model.safetensors
"$dws" merge --config bad.yml --model-root roots -o rooted -q
sed 's/tuned/tuned+lora/' half.yml >bad.yml
fails 2 "adapters (NETWORK+ADAPTER) are not supported" "$dws" merge --config bad.yml -o bad
mkdir pickled && touch pickled/pytorch_model.bin
sed 's/org.tuned/pickled/' half.yml >bad.yml
fails 2 "pickled weights are not read" "$dws" merge --config bad.yml -o bad
{ cat half.yml; echo ---; cat half.yml; } >bad.yml
fails 2 "bad.yml: 2 documents" "$dws" merge --config bad.yml -o bad
fails 2 "two documents without a name" "$dws" merge --config bad.yml --intermediate-dir between -o bad
fails 2 "--weight and --config" "$dws" merge --config half.yml --weight 1 -o bad
fails 2 "the configuration names the networks" "$dws" merge base --config half.yml -o bad
fails 2 "is there already" "$dws" merge --config half.yml -o half
printf 'merge_method: a\nmerge_method: b\n' >bad.yml
fails 2 "bad.yml: line 2: the key 'merge_method' stands twice" "$dws" merge --config bad.yml -o bad
test ! -e bad
no_leftovers
