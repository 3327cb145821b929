# dws merge: graphs, files, shards, stdin; what is wrong is said in a line.
models=$data/../models
a=$models/mlp_relu.onnx
"$dws" permute "$a" -o b.onnx --groups perm,scale --seed 3 -q

# The middle of two networks is what their numbers say; half of itself and half of itself is itself, byte for byte but the recipe.
"$dws" merge "$a" "$a" -o same.onnx -q
"$dws" verify "$a" same.onnx -q >/dev/null
"$dws" convert "$a" -o a.safetensors -q
"$dws" convert b.onnx -o b.safetensors -q
"$dws" merge a.safetensors b.safetensors --weight 1,3 -o m.safetensors -q
"$dws" merge "$a" b.onnx --weight 1 --weight 3 -o m.onnx -q
"$dws" convert m.onnx -o m2.safetensors -q
python3 - <<'END'
import json, struct
import array
def read(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    meta = head.pop("__metadata__", {})
    return {k: array.array("f", raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]])
            for k, v in head.items() if v["dtype"] == "F32"}, meta
a, b, m, m2 = (read(f"{name}.safetensors") for name in ("a", "b", "m", "m2"))
assert a[0].keys() == m[0].keys() and a[0]
for k in a[0]:
    assert m[0][k] == m2[0][k]
    for x, y, z in zip(a[0][k], b[0][k], m[0][k]):
        assert abs(0.25 * x + 0.75 * y - z) <= 1e-6 * max(1, abs(z)), k
recipe = json.loads(m[1]["dws.recipe"])
assert recipe["method"] == "linear" and recipe["weight"] == [1.0, 3.0] and len(recipe["inputs"]) == 2, recipe
assert recipe["command"].startswith("dws merge a.safetensors"), recipe
END
grep -q dws.recipe m.onnx

# From stdin, and to stdout.
"$dws" merge "$a" - --weight 1,3 -o piped.onnx -q <b.onnx
cmp <("$dws" convert piped.onnx -o p.safetensors -q; tail -c +3000 p.safetensors) <(tail -c +3000 m2.safetensors)
"$dws" merge a.safetensors - --weight 1,3 -o - -q <b.safetensors >out.safetensors
"$dws" merge a.safetensors b.safetensors --weight 1,3 -o - -q | "$dws" merge - a.safetensors --weight 0,1 -o back.safetensors -q
"$dws" inspect out.safetensors >/dev/null
fails 2 "stdin is named twice" "$dws" merge - - -o x.safetensors
fails 2 "stdin: no network came" "$dws" merge a.safetensors - -o x.safetensors </dev/null

# Methods by name, with a base, and the summary.
"$dws" merge --method ties --base a.safetensors b.safetensors m.safetensors --density 0.5 -o t.safetensors --json >t.json
grep -q '"schema":"dws.merge/1"' t.json
grep -q '"method":"ties"' t.json
fails 2 "unknown method 'tie'" "$dws" merge --method tie a.safetensors b.safetensors -o x.safetensors
fails 2 "needs --base" "$dws" merge --method ties a.safetensors b.safetensors -o x.safetensors
fails 2 "slerp takes 2 networks" "$dws" merge --method slerp a.safetensors -o x.safetensors
fails 2 "--density: method linear has no such parameter" "$dws" merge a.safetensors b.safetensors --density .2 -o x.safetensors
fails 2 "--weight: 3 numbers for 2 networks" "$dws" merge a.safetensors b.safetensors --weight 1,2,3 -o x.safetensors
fails 2 "exists already" "$dws" merge a.safetensors b.safetensors -o t.safetensors
fails 2 "tensors alone make no ONNX file" "$dws" merge a.safetensors b.safetensors -o x.onnx
fails 2 "half of --max-memory" "$dws" merge a.safetensors b.safetensors -o x.safetensors --max-memory 1000

# Shards come back as they were, with what lies beside them.
"$dws" convert a.safetensors -o sa --shard-size 20KB -q
"$dws" convert b.safetensors -o sb --shard-size 20KB -q
echo '{"model_type": "none"}' >sa/config.json
"$dws" merge sa sb --weight 1,3 -o sm -q
diff <(ls sa) <(ls sm)
cmp sa/config.json sm/config.json
cmp <(grep -v total_size sa/model.safetensors.index.json) <(grep -v total_size sm/model.safetensors.index.json)
"$dws" merge sa sb --weight 1,3 -o one.safetensors -q
"$dws" merge a.safetensors b.safetensors --weight 1,3 -o cut --shard-size 10KB -q
test "$(ls cut | wc -l)" -gt 3
"$dws" merge sa sb --weight 1,3 --dtype bf16 -o half.safetensors -q
test "$(stat -c %s half.safetensors)" -lt "$(($(stat -c %s one.safetensors) * 6 / 10))"

# FedAvg: any number of clients, weights from a file, from stdin, with names.
for i in $(seq 100); do echo $((i % 2 ? 1 : 3)); done >w.txt
clients=$(for i in $(seq 50); do echo a.safetensors b.safetensors; done)
"$dws" merge --weights w.txt $clients -o f.safetensors -q
"$dws" merge --weights - $clients -o f2.safetensors -q <w.txt
printf 'a.safetensors 1\nb.safetensors 3\n' >named.txt
"$dws" merge --weights named.txt -o f3.safetensors -q
for f in f2 f3 m; do
  cmp <(tail -c +3000 f.safetensors | head -c 400) <(tail -c +3000 f.safetensors | head -c 400)
  "$dws" merge f.safetensors $f.safetensors --weight 1,-1 --no-normalize -o d.safetensors --force -q
  python3 - <<'END'
import json, struct, array
raw = open("d.safetensors", "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
x = array.array("f", raw[8 + n:])
assert max(map(abs, x)) < 1e-6, max(map(abs, x))
END
done
fails 2 "2 numbers for 1 networks" "$dws" merge --weights <(printf '1\n2\n') a.safetensors -o x.safetensors
test ! -e x.safetensors
test ! -e x.onnx
no_leftovers
