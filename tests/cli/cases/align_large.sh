# Weight matching of checkpoints that are larger than the memory that is allowed: the same networks as in memory, in little of it.
if grep -q __asan_init "$dws" || grep -q __tsan_init "$dws"; then
  echo "a sanitizer's own memory hides the program's"
  exit 0
fi
python3 "$data/../../scripts/make_llama_checkpoint.py" a 0.036 --hidden 256 --wide 704 --heads 8 --kv-heads 4 --words 2000 \
  --shard 0.02 >/dev/null
"$dws" permute a -o b --seed 3 --groups perm,sign -q
"$dws" permute a -o scaled --seed 4 --groups perm,sign,scale -q

got=$(peak "$dws" align a b -o c --max-memory 80MB --threads 2 2>log)
grep -q "matched from the files" log
held=$(peak "$dws" align a b -o d --max-memory 4GB --threads 2 2>log)
grep -q "matched from the files" log && die "not in memory"
echo "from the files $got MiB, in memory $held MiB"
[ "$got" -le 110 ] || die "it takes $got MiB"
[ "$held" -ge 200 ] || die "$held MiB show nothing"
# Orders and signs round nothing: what comes out is A.
for shard in a/*.safetensors; do
  cmp "$shard" "c/${shard#a/}"
  cmp "$shard" "d/${shard#a/}"
done

# Scales: the same bytes from both.
"$dws" align a scaled -o e --max-memory 80MB --json >streamed 2>log
grep -q "matched from the files" log
"$dws" align a scaled -o f --max-memory 4GB --json >held 2>/dev/null
for shard in a/*.safetensors; do cmp "e/${shard#a/}" "f/${shard#a/}"; done
python3 - <<'PYTHON'
import json
streamed, held = json.load(open("streamed")), json.load(open("held"))
assert streamed["cosine_after"] > 1 - 1e-5 > streamed["cosine_before"], streamed
assert streamed["cosine_after"] == held["cosine_after"]
assert streamed["groups"] == held["groups"]
PYTHON

fails 2 "MB of memory at least" "$dws" align a b -o x --max-memory 1MB -q
test ! -e x
no_leftovers

# SIGTERM ends the matching soon, and nothing is written.
"$dws" align a scaled -o y --max-memory 80MB --restarts 1000 >/dev/null 2>log &
process=$!
wait_for_words log "matched from the files"
kill -TERM $process
code=0
wait $process || code=$?
test $code = 130 || die "code $code: $(cat log)"
test ! -e y
