# Networks larger than the memory that is allowed; a run that is killed leaves nothing with the output's name and goes on where it
# was.
if grep -q __asan_init "$dws" || grep -q __tsan_init "$dws"; then
  echo "a sanitizer's own memory hides the program's"
  exit 0
fi
python3 "$data/../../scripts/make_large_checkpoints.py" . 0.25 >/dev/null
test "$(stat -c %s base.safetensors)" -gt 250000000

for method in linear "ties --base base.safetensors" "karcher"; do
  got=$(peak "$dws" merge --method $method a.safetensors b.safetensors -o m.safetensors --max-memory 100MB --force -q)
  echo "$method: $got MiB"
  [ "$got" -le 160 ] || die "$method takes $got MiB"
done

fusion="merge --method arcee_fusion --base base.safetensors a.safetensors"
"$dws" $fusion -o whole.safetensors -q
"$dws" $fusion -o cut.safetensors -q --threads 1 &
child=$!
wait_for_lines .cut.safetensors.dws-merge-journal.tmp 2
kill -9 $child
wait $child || true
test ! -e cut.safetensors
test -e .cut.safetensors.dws-merge.tmp
fails 2 "other inputs or options" "$dws" merge a.safetensors b.safetensors -o cut.safetensors --resume
"$dws" $fusion -o cut.safetensors --resume --threads 2 2>log
grep -q "tensors are made already" log
# All but the recipe's command, which has the output's name.
cmp <(tail -c 200000000 cut.safetensors) <(tail -c 200000000 whole.safetensors)
test "$(stat -c %s cut.safetensors)" -ge 250000000
no_leftovers

# cut OUT COMMAND...: kills the command once two tensors are on the disk; nothing has the output's name.
cut_short() {
  local out=$1
  shift
  "$dws" "$@" -o "$out" -q --threads 1 &
  child=$!
  wait_for_lines ".$out.dws-merge-journal.tmp" 2
  kill -9 $child
  wait $child || true
  test ! -e "$out"
}

# A mean over clients goes on too,
printf '1\n2\n3\n4\n5\n6\n' >weights
mean="merge --weights weights a.safetensors b.safetensors a.safetensors b.safetensors a.safetensors b.safetensors --max-memory 100MB"
"$dws" $mean -o mean.safetensors -q
cut_short cut2.safetensors $mean
"$dws" $mean -o cut2.safetensors --resume 2>log
grep -q "tensors are made already" log
cmp <(tail -c 200000000 cut2.safetensors) <(tail -c 200000000 mean.safetensors)
no_leftovers

# and so does a graph: 16 products with matrices of 2,000 x 2,000.
rm -f ./*.safetensors
python3 - <<'END'
import array, random

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])

def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data

def info(name):
    dims = b"".join(field(1, field(1, d)) for d in (1, SIZE))
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))

SIZE, COUNT = 2000, 16
rng = random.Random(1)
for file in ("p.onnx", "q.onnx"):
    row = array.array("f", [rng.gauss(0, 0.02) for _ in range(SIZE + COUNT)])
    graph = b""
    for i in range(COUNT):
        names = [f"x{i}" if i else "x", f"w{i}"]
        graph += field(1, b"".join(field(1, n) for n in names) + field(2, f"x{i + 1}") + field(4, "MatMul"))
    graph += field(2, "g")
    for i in range(COUNT):
        numbers = row[i:i + SIZE].tobytes() * SIZE
        graph += field(5, field(1, SIZE) + field(1, SIZE) + field(2, 1) + field(8, f"w{i}") + field(9, numbers))
    graph += field(11, info("x")) + field(12, info(f"x{COUNT}"))
    with open(file, "wb") as f:
        f.write(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17)))
END
fusion="merge --method arcee_fusion --base p.onnx q.onnx"
"$dws" $fusion -o whole.onnx -q
cut_short cut.onnx $fusion
"$dws" $fusion -o cut.onnx --resume 2>log
grep -q "tensors are made already" log
"$dws" diff whole.onnx cut.onnx >rows || die "$(cat rows)"
no_leftovers
