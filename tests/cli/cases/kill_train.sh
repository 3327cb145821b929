# SIGKILL in the middle: no output, and --resume gives the bytes of a run that was not killed.
small_zoo zoo.safetensors 60
options=(train --data zoo.safetensors -o model.safetensors --epochs 40 --batch 8 --hidden 8 --layers 2 --dropout 0.1 -q)
mkdir whole cut
cp zoo.safetensors whole
cp zoo.safetensors cut
(cd whole && "$dws" "${options[@]}" --log log.jsonl >/dev/null)
cd cut
for lines in 2 5; do
  "$dws" "${options[@]}" --checkpoint-every 0 --log log.jsonl --resume >/dev/null 2>&1 &
  process=$!
  wait_for_lines log.jsonl $lines
  kill -KILL $process
  wait $process 2>/dev/null || true
  test ! -e model.safetensors
  test -e model.safetensors.ckpt
done
"$dws" "${options[@]}" --log log.jsonl --resume >/dev/null
cmp model.safetensors ../whole/model.safetensors
times='s/"(networks_per_second|seconds)":[^,}]*//g'
diff <(sed -E "$times" log.jsonl) <(sed -E "$times" ../whole/log.jsonl)
# A damaged checkpoint is refused.
"$dws" "${options[@]}" --force --log other.jsonl >/dev/null 2>&1 &
process=$!
wait_for_lines other.jsonl 2
kill -INT $process
wait $process || true
size=$(stat -c %s model.safetensors.ckpt)
patch model.safetensors.ckpt $((size - 2)) '\101'
fails 2 "damaged" "$dws" "${options[@]}" --force --resume
