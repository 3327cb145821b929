# --log never takes the place of a file that is not this run's unfinished log.
small_zoo zoo.safetensors 30
options=(train --data zoo.safetensors --hidden 8 --layers 2 -q --log log.jsonl)
"$dws" "${options[@]}" -o first.safetensors --epochs 3 >/dev/null
test "$(wc -l <log.jsonl)" = 4
cp log.jsonl finished.jsonl
fails 2 "log.jsonl: exists already" "$dws" "${options[@]}" -o second.safetensors --epochs 3
# A finished run's log, also one of the same settings.
fails 2 "log.jsonl: line 4 is not an epoch of the run to resume" \
  "$dws" "${options[@]}" -o second.safetensors --epochs 3 --resume
cmp log.jsonl finished.jsonl
# Another run's epochs.
head -n 3 finished.jsonl >log.jsonl
cp log.jsonl others.jsonl
fails 2 "log.jsonl: line 1 is not" "$dws" "${options[@]}" -o second.safetensors --epochs 4 --resume
cmp log.jsonl others.jsonl
# Anything else.
printf 'a diary\nof many days' >log.jsonl
cp log.jsonl diary.txt
fails 2 "log.jsonl: line 1 is not" "$dws" "${options[@]}" -o second.safetensors --epochs 4 --resume
grep -q -- --force fails.err
cmp log.jsonl diary.txt
printf 'a diary' >log.jsonl
fails 2 "log.jsonl: line 1 is not" "$dws" "${options[@]}" -o second.safetensors --epochs 4 --resume
test "$(cat log.jsonl)" = "a diary"
test ! -e second.safetensors
# This run's own epochs of before its first checkpoint, the last line cut by a kill, are dropped.
head -n 2 finished.jsonl >log.jsonl
sed -n 3p finished.jsonl | head -c 40 >>log.jsonl
"$dws" "${options[@]}" -o second.safetensors --epochs 3 --resume >/dev/null
test "$(wc -l <log.jsonl)" = 4
# --force overwrites.
cp diary.txt log.jsonl
"$dws" "${options[@]}" -o third.safetensors --epochs 3 --resume --force >/dev/null
test "$(wc -l <log.jsonl)" = 4
no_leftovers
