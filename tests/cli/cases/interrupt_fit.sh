# SIGINT and SIGKILL while fitting: nothing half-written; the same command then goes on to the same bytes.
options=(fit "$images" --labels "$labels" --limit 80 --steps 300 -o zoo.safetensors)
mkdir whole cut
(cd whole && "$dws" "${options[@]}" -q >/dev/null)
cd cut
# A finished network is 4740 bytes of numbers and a little more: `count` of them, of 80.
wait_for_networks() {
  local i
  for ((i = 0; i < 3000; ++i)); do
    [ -f zoo.safetensors.partial ] && [ "$(stat -c %s zoo.safetensors.partial)" -ge $(($1 * 4900)) ] && return 0
    sleep 0.02
  done
  die "$1 networks were never done"
}
"$dws" "${options[@]}" --threads 1 >/dev/null 2>err.txt &
process=$!
wait_for_networks 5
kill -INT $process
code=0
wait $process || code=$?
test $code = 130 || die "code $code: $(cat err.txt)"
grep -q "^dws: .*interrupted, [1-9][0-9]* of 80" err.txt
test ! -e zoo.safetensors
test -s zoo.safetensors.partial

"$dws" "${options[@]}" --threads 1 >/dev/null 2>&1 &
process=$!
wait_for_networks 20
kill -KILL $process
code=0
wait $process 2>/dev/null || code=$?
test $code = 137 || die "code $code"
test ! -e zoo.safetensors
test -s zoo.safetensors.partial

# Another instruction set gives other bits: they are not mixed.
if DWS_ISA=portable "$dws" bench --filter machine.memory --seconds 0.01 --json | grep -q portable &&
  ! "$dws" bench --filter machine.memory --seconds 0.01 --json | grep -q portable; then
  fails 2 "zoo.safetensors.partial" env DWS_ISA=portable "$dws" "${options[@]}"
fi
resumed=$("$dws" "${options[@]}" --json | sed 's/.*"resumed":\([0-9]*\),.*/\1/')
test "$resumed" -ge 20 || die "resumed: $resumed"
test "$resumed" -lt 80
cmp zoo.safetensors ../whole/zoo.safetensors
test ! -e zoo.safetensors.partial
no_leftovers
