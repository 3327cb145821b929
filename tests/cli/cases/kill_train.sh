# SIGKILL in the middle: no output, and --resume gives the bytes of a run that was not killed.
small_zoo zoo.safetensors 240
options=(train --data zoo.safetensors -o model.safetensors --epochs 80 --batch 8 --hidden 8 --layers 2 --dropout 0.1)
mkdir whole cut
cp zoo.safetensors whole
cp zoo.safetensors cut
(cd whole && "$dws" "${options[@]}" --log log.jsonl -q >/dev/null)
cd cut
for run in 1 2; do
  # Lines beyond those of the run before: only this process can have written them.
  lines=$(($(lines_in log.jsonl) + 3))
  "$dws" "${options[@]}" --checkpoint-every 0 --log log.jsonl --resume >/dev/null 2>err$run.txt &
  process=$!
  wait_for_lines log.jsonl $lines
  kill -KILL $process
  code=0
  wait $process 2>/dev/null || code=$?
  test $code = 137 || die "code $code"
  # Under the final names: nothing, and a whole checkpoint.
  test ! -e model.safetensors
  "$dws" inspect model.safetensors.ckpt | grep -q checkpoint
done
grep -q "no checkpoint to resume" err1.txt
grep -Eq "resuming after [1-9][0-9]* of 80 epochs" err2.txt || die "began again: $(head -n 3 err2.txt)"
"$dws" "${options[@]}" --log log.jsonl --resume --checkpoint-every 0 >/dev/null 2>err.txt
epoch=$(sed -n 's/.*resuming after \([0-9]*\) of 80 epochs.*/\1/p' err.txt)
test "$epoch" -ge 4 || die "began again: $(head -n 3 err.txt)"
test "$epoch" -lt 80
cmp model.safetensors ../whole/model.safetensors
times='s/"(networks_per_second|seconds)":[^,}]*//g'
diff <(sed -E "$times" log.jsonl) <(sed -E "$times" ../whole/log.jsonl)
no_leftovers   # what the killed ones left went when the checkpoint was written again
# A damaged checkpoint is refused.
"$dws" "${options[@]}" -q --force --log other.jsonl >/dev/null 2>&1 &
process=$!
wait_for_lines other.jsonl 2
kill -INT $process
wait $process || true
size=$(stat -c %s model.safetensors.ckpt)
patch model.safetensors.ckpt $((size - 2)) '\101'
fails 2 "damaged" "$dws" "${options[@]}" -q --force --resume
