# Pieces of a fit join to the whole; parts of a zoo can be taken.
small_zoo zoo.safetensors 21
for i in 0 1 2; do
  "$dws" fit "$images" --labels "$labels" --limit 21 --steps 12 --shard $i/3 -q -o piece$i.safetensors >/dev/null
done
"$dws" convert piece2.safetensors piece0.safetensors piece1.safetensors -o joined.safetensors -q
"$dws" convert zoo.safetensors --single -o a -q
"$dws" convert joined.safetensors --single -o b -q
diff -r a b
# Networks as files and back: labels, images and PSNR come with them.
"$dws" convert a -o again.safetensors -q
"$dws" convert again.safetensors --single -o c -q
diff -r a c
"$dws" inspect again.safetensors --json | grep -o '"psnr":{[^}]*}' >again.txt
"$dws" inspect zoo.safetensors --json | grep -o '"psnr":{[^}]*}' | diff again.txt -
# Also without the table: files say which image they are of, and of which class it is.
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 4 --layers 1 -q >/dev/null
"$dws" classify -m model.safetensors a --json -q | tail -n 1 | sed 's/,"recipe".*//' >folder.txt
grep -q '"networks":21,"labelled":21,' folder.txt
"$dws" classify -m model.safetensors a/*.safetensors --json -q | tail -n 1 | sed 's/,"recipe".*//' | diff folder.txt -
"$dws" convert a/network_000003.safetensors a/network_000005.safetensors -o two.safetensors -q
"$dws" inspect two.safetensors --json | grep -q '"images":2'
"$dws" convert joined.safetensors --range 5:15 --limit 4 -o part.safetensors -q
"$dws" inspect part.safetensors --json | grep -q '"networks":4'
"$dws" convert a -o back.safetensors -q
"$dws" inspect back.safetensors --json | grep -q '"networks":21'
# Zoos of different images are joined only with new numbers.
head -c 16 "$images" >other.idx
dd if="$images" bs=784 iflag=skip_bytes,count_bytes skip=800 count=15680 status=none >>other.idx   # the second image is its first, of 20
patch other.idx 7 '\024'
patch other.idx 6 '\000'
"$dws" fit other.idx --steps 2 -q -o foreign.safetensors >/dev/null
fails 2 "made from other images" "$dws" convert zoo.safetensors foreign.safetensors -o none.safetensors
grep -q -- --renumber fails.err
"$dws" convert zoo.safetensors foreign.safetensors --renumber -o both.safetensors -q
"$dws" inspect both.safetensors --json >both.json
grep -q '"networks":41' both.json
grep -q '"images":41' both.json
grep -q '"file":"mnist-600-images-idx3-ubyte".*"file":"other.idx"' both.json
# Of the same images: nothing changes.
"$dws" convert piece0.safetensors piece1.safetensors piece2.safetensors --renumber --single -o d -q
diff -r a d
fails 2 "is there already" "$dws" convert zoo.safetensors --single -o a
fails 2 "--range" "$dws" convert zoo.safetensors --range 30:40 -o none.safetensors
"$dws" fit "$images" --labels "$labels" --limit 3 --steps 2 --arch 2-16-16-1 -q -o other.safetensors >/dev/null
fails 2 "16" "$dws" convert zoo.safetensors other.safetensors -o none.safetensors
test ! -e none.safetensors
no_leftovers
