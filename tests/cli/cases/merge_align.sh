# Networks in different bases, merged as they are and after each was moved into the basis of the first.
models=$data/../models
a=$models/resnet.onnx
"$dws" permute "$a" -o b.onnx --groups perm,sign,scale --seed 1 -q
"$dws" permute "$a" -o c.onnx --groups perm,sign,scale --seed 2 -q

"$dws" merge "$a" b.onnx c.onnx -o naive.onnx -q
if "$dws" verify "$a" naive.onnx --tol 1e-5 > /dev/null; then die "the mean of networks in different bases is A"; fi

"$dws" merge "$a" b.onnx c.onnx --align -o m.onnx -q
"$dws" verify "$a" m.onnx --tol 1e-5 > /dev/null
grep -aq '"align":{"method":"weights"' m.onnx || die "the recipe does not say that networks were aligned"

# By hand, through a pipe.
"$dws" align "$a" b.onnx -o - -q | "$dws" merge "$a" - -o piped.onnx -q
"$dws" verify "$a" piped.onnx --tol 1e-5 > /dev/null
"$dws" merge b.onnx c.onnx --base "$a" --method task_arithmetic --weight 0.5,0.5 --align -o deltas.onnx -q
"$dws" verify "$a" deltas.onnx --tol 1e-5 > /dev/null

# The same bits on one thread and on three.
"$dws" --threads 1 merge "$a" b.onnx c.onnx --align -o one.onnx -q
"$dws" --threads 3 merge "$a" b.onnx c.onnx --align -o one3.onnx -q
"$dws" diff one.onnx one3.onnx > /dev/null || die "threads show"

# Networks that have no common basis.
fails 2 "" "$dws" merge "$a" "$models/cnn.onnx" --align -o none.onnx
grep -q "cnn.onnx" fails.err && grep -q "resnet.onnx" fails.err || die "both are to be named: $(cat fails.err)"
# What else is wrong is said before anything is matched.
fails 2 "3 numbers for 2 networks" "$dws" merge "$a" b.onnx --weight 1,2,3 --align -o none.onnx

# A configuration: every network that it names, once, in the basis of the first.
cat >one.yml <<END
merge_method: linear
models: [{model: $a, parameters: {weight: 1}}, {model: b.onnx, parameters: {weight: 1}}, {model: ./b.onnx, parameters: {weight: 1}}]
END
"$dws" merge --config one.yml --align -o one.onnx --force 2>log
"$dws" verify "$a" one.onnx --tol 1e-5 >/dev/null
[ "$(grep -c 'cosine to' log)" = 1 ] || die "one file is aligned twice: $(cat log)"
grep -aq '"align":{"method":"weights","seed":0,"reference":"[^"]*resnet.onnx","hash":"' one.onnx || die "the recipe says nothing"
grep -aq "\"b.onnx\":\"$("$dws" merge b.onnx --method passthrough -o same.onnx --json -q | sed 's/.*"inputs":{"b.onnx":"\([0-9a-f]*\)".*/\1/')\"" one.onnx || die "an input's hash is not that of the file"
sed "s#./b.onnx#$models/cnn.onnx#" one.yml >bad.yml
fails 2 "cnn.onnx" "$dws" merge --config bad.yml --align -o none.onnx -q
grep -q "resnet.onnx" fails.err || die "both are to be named: $(cat fails.err)"

# Stages: all in the basis of the base that the last one has; what a stage makes is not aligned again.
cat >stages.yml <<END
merge_method: task_arithmetic
base_model: $a
models: [{model: both, parameters: {weight: 0.5}}, {model: c.onnx, parameters: {weight: 0.5}}]
---
name: both
merge_method: linear
models: [{model: b.onnx, parameters: {weight: 1}}, {model: c.onnx, parameters: {weight: 1}}]
END
"$dws" merge --config stages.yml --intermediate-dir between --align -o staged.onnx 2>log
"$dws" verify "$a" staged.onnx --tol 1e-5 >/dev/null
[ "$(grep -c 'cosine to' log)" = 2 ] || die "b and c are aligned once each: $(cat log)"
"$dws" merge "$a" between/both --dtype f32 --graph "$a" -o mean.onnx -q
"$dws" verify "$a" mean.onnx --tol 1e-5 >/dev/null || die "the stage is not in the base's basis"
"$dws" merge --config stages.yml --intermediate-dir between --align -o staged.onnx --force 2>log
grep -q 'between/both: is there already and is kept' log
[ "$(grep -c 'cosine to' log)" = 1 ] || die "only c is needed: $(cat log)"
fails 2 "was made with --align, and this run is without" "$dws" merge --config stages.yml --intermediate-dir between -o none.onnx
fails 2 "another seed or another reference" "$dws" merge --config stages.yml --intermediate-dir between --align --seed 5 -o none.onnx

# A folder's copy has what lies beside the tensors.
mkdir base tuned
cp "$models/stored/llama.safetensors" base/model.safetensors
echo '{"num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 2, "torch_dtype": "float32"}' | tee base/config.json >tuned/config.json
"$dws" permute base/model.safetensors -o tuned/model.safetensors --seed 4 -q
echo '{"version": "of the tuned one"}' >tuned/tokenizer.json
printf 'merge_method: linear\ntokenizer_source: tuned\nmodels: [{model: base, parameters: {weight: 1}}, {model: tuned, parameters: {weight: 1}}]\n' >folders.yml
"$dws" merge --config folders.yml --align -o folders -q
cmp tuned/tokenizer.json folders/tokenizer.json
"$dws" verify base folders --tol 1e-4 >/dev/null

# Copies for which there is no room: one line, before anything is read. A hole of a file takes no room itself.
mkdir scratch
python3 - <<'END'
import json, os, struct
status = os.statvfs(".")
size = status.f_bavail * status.f_frsize * 2 // 8 * 8
head = json.dumps({"w": {"dtype": "F64", "shape": [1, size // 8], "data_offsets": [0, size]}}).encode()
for name in "xy":
    with open(name + ".safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        try:
            file.truncate(8 + len(head) + size)
        except OSError:  # a file system with a lower limit
            os.remove(name + ".safetensors")
END
if [ -e y.safetensors ]; then
  TMPDIR=$PWD/scratch fails 2 "--align: copies of 1 network take" "$dws" merge x.safetensors y.safetensors --align -o none.safetensors
  grep -q "TMPDIR=FOLDER" fails.err
fi
rm -f x.safetensors y.safetensors

# What a killed run leaves in the temporary folder goes with the next run; what a living one has there stays.
mkfifo never ever
exec 8<>never 9<>ever
TMPDIR=$PWD/scratch "$dws" merge "$a" - --align -o none.onnx -q <never 8>&- 9>&- &
killed=$!
TMPDIR=$PWD/scratch "$dws" merge "$a" - --align -o living.onnx -q <ever 8>&- 9>&- &
living=$!
for pid in $killed $living; do
  for ((i = 0; i < 3000; ++i)); do
    [ -e scratch/dws-$pid-0.tmp/stdin ] && break
    sleep 0.02
  done
done
kill -9 $killed
wait $killed 2>/dev/null || true
[ -d scratch/dws-$killed-0.tmp ] || die "nothing was left, so that nothing is shown"
TMPDIR=$PWD/scratch "$dws" merge "$a" b.onnx --align -o next.onnx -q
[ "$(ls scratch)" = dws-$living-0.tmp ] || die "in the temporary folder: $(ls scratch)"
cat b.onnx >ever
exec 9>&-
wait $living
"$dws" verify "$a" living.onnx --tol 1e-5 >/dev/null
[ -z "$(ls scratch)" ] || die "in the temporary folder: $(ls scratch)"
[ -z "$(ls | grep none)" ] || die "something was written"
