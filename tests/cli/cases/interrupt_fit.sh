# SIGINT and SIGKILL while fitting: nothing half-written; the same command then goes on to the same bytes.
options=(fit "$images" --labels "$labels" --limit 120 --steps 60 -o zoo.safetensors)
mkdir whole cut
(cd whole && "$dws" "${options[@]}" -q >/dev/null)
cd cut
for signal in INT KILL; do
  "$dws" "${options[@]}" --threads 1 >/dev/null 2>err.txt &
  process=$!
  sleep 0.2
  kill -$signal $process 2>/dev/null || true
  code=0
  wait $process 2>/dev/null || code=$?
  if [ $code = 0 ]; then
    echo "finished before SIG$signal"
  elif [ $signal = INT ]; then
    test $code = 130 || die "code $code: $(cat err.txt)"
    grep -q "^dws: .*interrupted" err.txt
    test ! -e zoo.safetensors
  else
    test ! -e zoo.safetensors
  fi
  [ ! -e zoo.safetensors ] || rm zoo.safetensors
done
"$dws" "${options[@]}" -q >/dev/null
cmp zoo.safetensors ../whole/zoo.safetensors
