# Damaged and mismatched input: one clear line, code 2, nothing written.
small_zoo zoo.safetensors 30
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 8 --layers 2 -q >/dev/null
train() { "$dws" train --epochs 1 --hidden 8 --layers 2 -q -o out.safetensors "$@"; }

# Truncated: in the numbers, in the header, in the length.
size=$(stat -c %s zoo.safetensors)
for keep in $((size - 1)) 200 5 0; do
  head -c $keep zoo.safetensors >cut.safetensors
  fails 2 "cut.safetensors" train --data cut.safetensors
  fails 2 "cut.safetensors" "$dws" classify -m model.safetensors cut.safetensors
  fails 2 "cut.safetensors" "$dws" inspect cut.safetensors
done
head -c 3000 model.safetensors >cut.safetensors
fails 2 "cut.safetensors" "$dws" classify -m cut.safetensors zoo.safetensors

# A corrupted header.
cp zoo.safetensors bad.safetensors
patch bad.safetensors 8 'x'
fails 2 "bad.safetensors" train --data bad.safetensors
cp zoo.safetensors bad.safetensors
patch bad.safetensors 0 '\377\377\377\377\377\377\377\377'
fails 2 "bad.safetensors" "$dws" inspect bad.safetensors

# A NaN: the network is named, and before training starts.
cp zoo.safetensors nan.safetensors
at=$(tensor_start nan.safetensors layers.0.bias)
patch nan.safetensors $((at + 7 * 32 * 4)) '\000\000\300\177'
fails 2 "network 7" train --data nan.safetensors
grep -q "layers.0.bias" fails.err
fails 2 "network 7" "$dws" classify -m model.safetensors nan.safetensors
test "$(wc -l <fails.out)" = 7   # what came before is answered

# Labels: another number of them, none, out of range.
printf '\000\000\010\001\000\000\002\127' >few.idx
tail -c +9 "$labels" | head -c 599 >>few.idx
fails 2 "599" "$dws" fit "$images" --labels few.idx --limit 3 --steps 2 -o out.safetensors
"$dws" fit "$images" --limit 12 --steps 2 -q -o plain.safetensors >/dev/null
fails 2 "no labels" train --data plain.safetensors
fails 2 "label" train --data zoo.safetensors --classes 3
cp zoo.safetensors label.safetensors
patch label.safetensors $(($(tensor_start label.safetensors label) + 8)) '\377\377\377\377\377\377\377\377'
fails 2 "label -1" train --data label.safetensors

# Another network.
"$dws" fit "$images" --labels "$labels" --limit 12 --steps 2 --arch 2-16-16-1 -q -o other.safetensors >/dev/null
fails 2 "other.safetensors" "$dws" classify -m model.safetensors other.safetensors
fails 2 "other.safetensors" train --data zoo.safetensors --data other.safetensors
fails 2 "other.safetensors" train --data zoo.safetensors --test other.safetensors
# A model where a zoo is expected and the other way round.
fails 2 "model" train --data model.safetensors
fails 2 "not a model" "$dws" classify -m zoo.safetensors zoo.safetensors

# Nothing there.
mkdir empty
fails 2 "empty" train --data empty
fails 2 "missing.safetensors" train --data missing.safetensors
printf '\000\000\010\003\000\000\000\000\000\000\000\034\000\000\000\034' >none.idx
fails 2 "none.idx" "$dws" fit none.idx -o out.safetensors
fails 2 "leaves no networks" train --data zoo.safetensors --limit 3 --classes 10

# Configurations.
echo '{"train": {"epoch": 3}}' >config.json
fails 2 "unknown key 'epoch'" train --data zoo.safetensors --config config.json
grep -q "did you mean 'epochs'?" fails.err
fails 2 "hiden" train --data zoo.safetensors --set hiden=8
fails 2 "unknown model 'dvs'" train --data zoo.safetensors --model dvs

test ! -e out.safetensors
test ! -e out.safetensors.ckpt
no_leftovers
