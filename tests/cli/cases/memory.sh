# The memory of classify, and of align, does not grow with its input: what a small zoo takes and a few MB more is enough
# for a zoo, and for a list of names, that would not fit into those.
if grep -q __asan_init "$dws" || grep -q __tsan_init "$dws"; then
  echo "a sanitizer's own memory hides the program's"
  exit 0
fi
small_zoo zoo.safetensors 300
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 4 --layers 1 -q >/dev/null
"$dws" convert $(for i in $(seq 20); do echo zoo.safetensors; done) -o large.safetensors -q
test "$(stat -c %s large.safetensors)" -gt $((25 << 20))
"$dws" convert zoo.safetensors --range 0:1 --single -o nets -q

# The private memory of a run that has answered for the small zoo and waits for another name.
mkfifo names
"$dws" classify -m model.safetensors - -q --threads 1 <names >answers &
process=$!
exec 3>names
echo zoo.safetensors >&3
wait_for_lines answers 300
small=$(sed -n 's/^VmData:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$process/status)
exec 3>&-
wait $process
test "$small" -gt 0

limited() { (ulimit -d $1 && "$dws" classify -m model.safetensors - -q --threads 1); }
echo large.safetensors | limited $((small + 8192)) | wc -l | grep -qx 6000
for i in $(seq 6000); do echo nets/network_000000.safetensors; done | limited $((small + 8192)) | wc -l | grep -qx 6000
# The limit is felt.
! echo zoo.safetensors | limited $((small / 2)) >/dev/null 2>err.txt

# Nor does that of align: the networks go through a file.
(ulimit -d $((small + 8192)) && "$dws" align --ref zoo.safetensors large.safetensors --max-sweeps 1 -o aligned.safetensors -q --threads 1 >/dev/null)
"$dws" inspect aligned.safetensors --json | grep -q '"networks":6000'
