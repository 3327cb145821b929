# Pieces of a fit join to the whole; parts of a zoo can be taken.
small_zoo zoo.safetensors 21
for i in 0 1 2; do
  "$dws" fit "$images" --labels "$labels" --limit 21 --steps 12 --shard $i/3 -q -o piece$i.safetensors >/dev/null
done
"$dws" convert piece2.safetensors piece0.safetensors piece1.safetensors -o joined.safetensors -q
"$dws" convert zoo.safetensors --single -o a -q
"$dws" convert joined.safetensors --single -o b -q
diff -r a b
"$dws" convert joined.safetensors --range 5:15 --limit 4 -o part.safetensors -q
"$dws" inspect part.safetensors --json | grep -q '"networks":4'
"$dws" convert a -o back.safetensors -q
"$dws" inspect back.safetensors --json | grep -q '"networks":21'
fails 2 "is there already" "$dws" convert zoo.safetensors --single -o a
fails 2 "--range" "$dws" convert zoo.safetensors --range 30:40 -o none.safetensors
"$dws" fit "$images" --labels "$labels" --limit 3 --steps 2 --arch 2-16-16-1 -q -o other.safetensors >/dev/null
fails 2 "16" "$dws" convert zoo.safetensors other.safetensors -o none.safetensors
test ! -e none.safetensors
no_leftovers
