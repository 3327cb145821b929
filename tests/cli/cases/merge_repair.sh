# dws merge --repair: into files, shards and a pipe, of a configuration, and a run that is killed while it repairs.
cp "$images" d-images-idx3-ubyte
cp "$labels" d-labels-idx1-ubyte
for seed in 1 2; do
  "$dws" train --task network --arch mlp:512,512 --data d-images-idx3-ubyte --limit 100 --epochs 1 --seed $seed -q -o n$seed.safetensors >/dev/null
done
nets="n1.safetensors n2.safetensors"
same() { "$dws" diff "$1" "$2" -q >rows || die "$1 and $2 differ: $(cat rows)"; }

"$dws" merge $nets -o plain.safetensors -q
"$dws" merge $nets --repair d-images-idx3-ubyte --limit 300 -o file.safetensors -q
if "$dws" diff plain.safetensors file.safetensors -q >/dev/null; then die "repair changed nothing"; fi
grep -aqF 'repair\":{\"data\":{\"d-images-idx3-ubyte\":\"' file.safetensors || die "the recipe does not say it"

# The same into shards, with the summary; through a pipe; as a running sum.
"$dws" merge $nets --repair d-images-idx3-ubyte --limit 300 --shard-size 1MB -o shards --json -q >summary.json
grep -q '"repair":{"kind":"repair","layers":2,"passes":2,"samples":300,"skipped":0}' summary.json
test "$(ls shards | grep -c 'model-0000.-of-00005')" = 5
same file.safetensors shards
"$dws" merge $nets --repair d-images-idx3-ubyte --limit 300 -o - -q >piped.safetensors
same file.safetensors piped.safetensors
printf '1\n1\n' | "$dws" merge --weights - $nets --repair d-images-idx3-ubyte --limit 300 -o many.safetensors -q
same file.safetensors many.safetensors
# Unequal parts, by number.
"$dws" merge $nets --weight 0.9,0.1 --repair d-images-idx3-ubyte --limit 300 -o uneven.safetensors -q
printf 'n1.safetensors 9\nn2.safetensors 1\n' >weights
"$dws" merge --weights weights --repair d-images-idx3-ubyte --limit 300 -o many.safetensors --force -q
{ "$dws" diff uneven.safetensors many.safetensors --json -q || true; } | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert rows and all(row["largest"] < 1e-5 for row in rows if "largest" in row), rows'

# Of a configuration the last document's result is repaired.
cat >two.yml <<'YML'
merge_method: linear
models: [{model: n1.safetensors, parameters: {weight: 1}}, {model: between, parameters: {weight: 1}}]
---
name: between
merge_method: linear
models: [{model: n2.safetensors, parameters: {weight: 1}}]
YML
"$dws" merge --config two.yml --intermediate-dir . --repair d-images-idx3-ubyte --limit 300 -o configured.safetensors -q
same n2.safetensors between
same file.safetensors configured.safetensors

# A layer out of a slice gets the statistics that it had where it comes from: of a network that is put together as it was nothing changes,
# of one with a layer twice the second alone.
python3 - <<'PY'
import json, random, struct
rng = random.Random(5)
sizes = [784, 24, 24, 10]
head, body = {}, b""
for i in range(3):
    for name, shape in ((f"layers.{i}.weight", [sizes[i + 1], sizes[i]]), (f"layers.{i}.bias", [sizes[i + 1]])):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        data = struct.pack(f"<{count}f", *(rng.gauss(0, 0.1) for _ in range(count)))
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
head = json.dumps(head).encode()
open("chain.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + body)
PY
slice() { echo "  - sources: [{model: chain.safetensors, layer_range: [$1]}]"; }
{ printf 'merge_method: passthrough\nslices:\n'; slice 0,2; slice 1,2; slice 2,3; } >stack.yml
sed '/1,2/d' stack.yml >whole.yml
"$dws" merge --config whole.yml --repair d-images-idx3-ubyte --activation relu -o whole.safetensors -q
same chain.safetensors whole.safetensors
"$dws" merge --config stack.yml -o stacked.safetensors -q 2>/dev/null
"$dws" merge --config stack.yml --repair d-images-idx3-ubyte --activation relu -o repaired.safetensors -q 2>/dev/null
moved=$({ "$dws" diff stacked.safetensors repaired.safetensors --json -q || true; } | grep '"tensor":".*"same":false' | sed 's/.*"tensor":"\([^"]*\)".*/\1/' | tr '\n' ' ')
[ "$moved" = "layers.2.weight layers.2.bias " ] || die "repaired: $moved"

# Statistics of BatchNorm, in a graph; a passthrough copies, and its statistics change nevertheless.
bn=$data/../models/cnn_batch_norm.onnx
python3 - <<'PY'
import json, random, struct
rng = random.Random(3)
x = struct.pack("<12288f", *(rng.gauss(1, 2) for _ in range(12288)))
y = struct.pack("<64q", *([0] * 64))
head = json.dumps({"inputs": {"dtype": "F32", "shape": [64, 3, 8, 8], "data_offsets": [0, len(x)]},
                   "labels": {"dtype": "I64", "shape": [64], "data_offsets": [len(x), len(x) + len(y)]}}).encode()
head += b" " * (-len(head) % 8)
open("pictures.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + x + y)
PY
printf 'merge_method: passthrough\nmodels: [{model: %s}]\n' "$bn" >copy.yml
"$dws" merge "$bn" "$bn" --repair pictures.safetensors -o mean.onnx -q
"$dws" merge --config copy.yml --repair pictures.safetensors -o copy.onnx -q
for net in mean copy; do
  got=$("$dws" diff "$bn" $net.onnx --json -q | grep '"same":false' | grep -c 'running_' || true)
  [ "$got" = 4 ] || die "$net: $got of 4 statistics changed"
done

# stopped_in_repair SIGNAL CODE OUT TENSORS COMMAND...: ends the command while it repairs, when its journal says that all tensors are made;
# a run that was over too soon is made again. What it wrote to stderr is in `log`.
stopped_in_repair() {
  local signal=$1 expected=$2 out=$3 tensors=$4 journal=.$3.dws-merge-journal.tmp try child code lines
  shift 4
  [ "${out%.*}" != "$out" ] || journal=.$out.dws-merge.tmp/journal
  for ((try = 0; try < 20; ++try)); do
    "$@" --threads 1 >/dev/null 2>log &
    child=$!
    while kill -0 $child 2>/dev/null; do
      lines=("")
      { mapfile -t lines <$journal; } 2>/dev/null || true
      [ "${lines[-1]:-}" != "$tensors" ] || break
      sleep 0.005
    done
    kill -"$signal" $child 2>/dev/null || true
    code=0
    wait $child || code=$?
    if [ $code = "$expected" ] && [ ! -e "$out" ] && [ "$(tail -n 1 $journal)" = "$tensors" ]; then return 0; fi
    rm -rf "$out" .$out.dws-merge*
  done
  die "never stopped while it repairs: exit code $code: $(cat log)"
}

# Killed while it repairs: the merge is whole, nothing has the output's name, and --resume repairs anew. The same bytes in the end; aligned
# copies are the same again.
mkdir one two
again=""
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do again="$again --repair ../d-images-idx3-ubyte"; done
for out in out.safetensors "out --shard-size 1MB"; do
  command="merge ../n1.safetensors ../n2.safetensors --align $again -o $out -q"
  (cd one && "$dws" $command)
  cd two
  stopped_in_repair KILL 137 "${out%% *}" 6 "$dws" $command
  fails 2 "other inputs or options" "$dws" ${command/--align/} --resume
  # What is wrong with the data loses nothing.
  mv ../d-labels-idx1-ubyte ../hidden
  "$dws" $command --resume 2>err && die "resumed without labels"
  mv ../hidden ../d-labels-idx1-ubyte
  "$dws" ${command/ -q/} --resume 2>log
  grep -q "6 of 6 tensors are made already" log
  no_leftovers
  rm -f err fails.* log
  cd ..
  diff -r one two || die "a resumed run writes other bytes"
  rm -rf one/* two/*
done

# So does a graph, interrupted; its numbers lie in a file without a recipe, which is taken up for the same basis alone.
python3 - <<'PY'
import json, struct
raw = open("pictures.safetensors", "rb").read()
x = raw[8 + struct.unpack("<Q", raw[:8])[0]:][:4 * 12288] * 1000
head = json.dumps({"inputs": {"dtype": "F32", "shape": [64000, 3, 8, 8], "data_offsets": [0, len(x)]},
                   "labels": {"dtype": "I64", "shape": [64000], "data_offsets": [len(x), len(x) + 512000]}}).encode()
head += b" " * (-len(head) % 8)
open("many_pictures.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + x + bytes(512000))
PY
"$dws" permute $bn -o moved.onnx --groups perm --seed 3 -q
command="merge $bn ../moved.onnx --align --repair ../many_pictures.safetensors -o out.onnx"
(cd one && "$dws" $command -q)
cd two
stopped_in_repair INT 130 out.onnx 15 "$dws" $command
grep -q "the same command with --resume goes on from here" log
test ! -e out.onnx
fails 2 "other inputs or options" "$dws" ${command/--align/} --resume -q
"$dws" $command --resume -q
no_leftovers
rm -f fails.* log
cd ..
diff -r one two || die "a resumed run writes other bytes"

# What cannot be run is said before anything is merged.
python3 - <<'PY'
import json, struct
head = json.dumps({"strange": {"dtype": "F32", "shape": [2, 2, 2], "data_offsets": [0, 32]}}).encode()
open("odd.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + bytes(32))
PY
fails 2 "--repair: none.safetensors" "$dws" merge odd.safetensors odd.safetensors --repair d-images-idx3-ubyte -o none.safetensors
fails 2 "do not fit input" "$dws" merge $bn $bn --repair d-images-idx3-ubyte -o none.onnx
fails 2 "absent" "$dws" merge $nets --repair absent -o none.safetensors
fails 2 "exists already" "$dws" merge $nets --align --repair d-images-idx3-ubyte -o n1.safetensors
[ -z "$(ls -a | grep none)" ] || die "written after an error"
no_leftovers
