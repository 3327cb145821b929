# An output that is there already stays as it is without --force.
small_zoo zoo.safetensors 30
echo precious >model.safetensors
fails 2 "model.safetensors" "$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 8 --layers 2 -q
grep -q -- --force fails.err
test "$(cat model.safetensors)" = precious
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 8 --layers 2 -q --force >/dev/null
"$dws" inspect model.safetensors >/dev/null
cp zoo.safetensors copy.safetensors
fails 2 "zoo.safetensors" "$dws" fit "$images" --limit 3 --steps 2 -o zoo.safetensors
fails 2 "zoo.safetensors" "$dws" convert copy.safetensors -o zoo.safetensors
cmp zoo.safetensors copy.safetensors
fails 2 "nowhere" "$dws" train --data zoo.safetensors -o nowhere/model.safetensors
no_leftovers
