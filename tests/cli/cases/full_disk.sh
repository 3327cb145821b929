# A disk that is full: one line, code 2, nothing half-written, the older file untouched.
small_zoo zoo.safetensors 30
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 8 --layers 2 -q >/dev/null
code=0
"$dws" classify -m model.safetensors zoo.safetensors >/dev/full 2>err.txt || code=$?
test $code = 2
grep -q "^dws: stdout: cannot write" err.txt
# A limit on the size of files stands for a disk without room; fails.err is below it.
cp model.safetensors before.safetensors
(
  ulimit -f 8
  fails 2 "cannot write" "$dws" train --data zoo.safetensors -o model.safetensors --force --epochs 1 --hidden 16 --layers 2 -q
  fails 2 "cannot write" "$dws" fit "$images" --limit 30 --steps 2 -o new.safetensors
  fails 2 "m.safetensors.ckpt: cannot write" "$dws" train --data zoo.safetensors -o m.safetensors --epochs 3 --hidden 16 \
    --layers 2 -q --checkpoint-every 0
  test ! -e m.safetensors.ckpt
  fails 2 "log.jsonl: cannot write" "$dws" train --data zoo.safetensors -o m.safetensors --epochs 200 --hidden 4 \
    --layers 1 -q --log log.jsonl
  fails 2 "cannot write" "$dws" convert zoo.safetensors -o new.safetensors
)
cmp model.safetensors before.safetensors
test ! -e new.safetensors
test ! -e m.safetensors
no_leftovers
