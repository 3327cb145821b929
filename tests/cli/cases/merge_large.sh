# Networks larger than the memory that is allowed; a run that is killed leaves nothing with the output's name and goes on where it
# was.
if grep -q __asan_init "$dws" || grep -q __tsan_init "$dws"; then
  echo "a sanitizer's own memory hides the program's"
  exit 0
fi
python3 "$data/../../scripts/make_large_checkpoints.py" . 0.25 >/dev/null
test "$(stat -c %s base.safetensors)" -gt 250000000

peak() { # MiB of the largest resident size
  python3 - "$@" <<'END'
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
if status != 0:
    sys.exit(f"{sys.argv[1:]}: status {status}")
print(usage.ru_maxrss // 1024)
END
}
for method in linear "ties --base base.safetensors" "karcher"; do
  got=$(peak "$dws" merge --method $method a.safetensors b.safetensors -o m.safetensors --max-memory 100MB --force -q)
  echo "$method: $got MiB"
  [ "$got" -le 160 ] || die "$method takes $got MiB"
done

merge() {
  "$dws" merge --method arcee_fusion --base base.safetensors a.safetensors -o "$1" "${@:2}" -q --threads 1
}
merge whole.safetensors
merge cut.safetensors &
child=$!
wait_for_lines .cut.safetensors.dws-merge-journal.tmp 2
kill -9 $child
wait $child || true
test ! -e cut.safetensors
test -e .cut.safetensors.dws-merge.tmp
fails 2 "other inputs or options" "$dws" merge a.safetensors b.safetensors -o cut.safetensors --resume
"$dws" merge --method arcee_fusion --base base.safetensors a.safetensors -o cut.safetensors --resume --threads 2 2>log
grep -q "tensors are made already" log
# All but the recipe's command, which has the output's name.
cmp <(tail -c 200000000 cut.safetensors) <(tail -c 200000000 whole.safetensors)
test "$(stat -c %s cut.safetensors)" -ge 250000000
no_leftovers
