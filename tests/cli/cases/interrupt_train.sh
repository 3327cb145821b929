# SIGINT: a checkpoint, code 130; --resume then gives the bytes of a run that was not interrupted.
small_zoo zoo.safetensors 60
options=(train --data zoo.safetensors -o model.safetensors --epochs 300 --batch 8 --hidden 8 --layers 2 --dropout 0.1
         --augment permute --ema 0.95)
mkdir whole cut
cp zoo.safetensors whole
cp zoo.safetensors cut
(cd whole && "$dws" "${options[@]}" --log log.jsonl -q >/dev/null)
cd cut
"$dws" "${options[@]}" --log log.jsonl -q --threads 1 >/dev/null 2>err.txt &
process=$!
wait_for_lines log.jsonl 3
kill -INT $process
code=0
wait $process || code=$?
test $code = 130 || die "code $code: $(cat err.txt)"
grep -q "^dws: interrupted at epoch" err.txt
grep -q -- "--resume" err.txt
test ! -e model.safetensors
test -e model.safetensors.ckpt
no_leftovers
"$dws" inspect model.safetensors.ckpt | grep -q checkpoint
fails 2 "unfinished run" "$dws" "${options[@]}" -q
fails 2 "'train.lr'" "$dws" "${options[@]}" --lr 0.5 --resume -q
# Another instruction set gives other bits: they are not mixed.
if ! "$dws" bench --filter machine.memory --seconds 0.01 --json | grep -q portable; then
  fails 2 "'isa'" env DWS_ISA=portable "$dws" "${options[@]}" --resume -q
fi
"$dws" "${options[@]}" --log log.jsonl --resume --threads 2 >/dev/null 2>err.txt
epoch=$(sed -n 's/.*resuming after \([0-9]*\) of 300 epochs.*/\1/p' err.txt)
test "$epoch" -ge 3 || die "began again: $(head -n 3 err.txt)"
test "$epoch" -lt 300
cmp model.safetensors ../whole/model.safetensors
test ! -e model.safetensors.ckpt
times='s/"(networks_per_second|seconds)":[^,}]*//g'
diff <(sed -E "$times" log.jsonl) <(sed -E "$times" ../whole/log.jsonl)
