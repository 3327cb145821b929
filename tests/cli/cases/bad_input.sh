# Damaged and mismatched input: one clear line, code 2, nothing written.
small_zoo zoo.safetensors 30
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 8 --layers 2 -q >/dev/null
train() { "$dws" train --epochs 1 --hidden 8 --layers 2 -q -o out.safetensors "$@"; }

# Truncated: in the numbers, in the header, in the length.
size=$(stat -c %s zoo.safetensors)
while read -r keep words; do
  head -c $keep zoo.safetensors >cut.safetensors
  for verb in "train --data" "classify -m model.safetensors" inspect "convert -o out.safetensors" "render -o pictures"; do
    if [ "$verb" = "train --data" ]; then
      fails 2 "cut.safetensors: $words" train --data cut.safetensors
    else
      # shellcheck disable=SC2086
      fails 2 "cut.safetensors: $words" "$dws" $verb cut.safetensors
    fi
    grep -q "the file is incomplete: fetch or make it again" fails.err
  done
done <<END
$((size - 1)) the file ends inside the data at byte $((size - 1))
200 the file ends inside the header at byte 200
5 no room for the length of the header
0 no room for the length of the header
END
head -c 3000 model.safetensors >cut.safetensors
fails 2 "the file ends inside" "$dws" classify -m cut.safetensors zoo.safetensors

# A corrupted header.
cp zoo.safetensors bad.safetensors
patch bad.safetensors 8 'x'
fails 2 "bad.safetensors: header" train --data bad.safetensors
cp zoo.safetensors bad.safetensors
patch bad.safetensors 0 '\377\377\377\377\377\377\377\377'
fails 2 "bad.safetensors: header too long" "$dws" inspect bad.safetensors

# A NaN: the network is named, and before training starts.
cp zoo.safetensors nan.safetensors
at=$(tensor_start nan.safetensors layers.0.bias)
patch nan.safetensors $((at + 7 * 32 * 4)) '\000\000\300\177'
fails 2 "network 7" train --data nan.safetensors
grep -q "layers.0.bias" fails.err
fails 2 "network 7" "$dws" classify -m model.safetensors nan.safetensors
test "$(wc -l <fails.out)" = 7   # what came before is answered
fails 2 "network 7" "$dws" render nan.safetensors --grid 3x4 -o sheet.png
test ! -e sheet.png
fails 2 "network 7" "$dws" render nan.safetensors --range 7:8 -o pictures
fails 2 "network 7" "$dws" convert nan.safetensors -o out.safetensors
fails 2 "network 7" "$dws" convert nan.safetensors --single -o singles
test ! -e singles
# To look at it is not refused.
"$dws" inspect nan.safetensors >about.txt
grep -q "not_finite_networks: 1" about.txt
grep -q "first_not_finite: nan.safetensors#7" about.txt
grep "name: layers.0.bias" about.txt | grep -q "not_finite: 1"
if grep -q "nan[, ]" about.txt; then die "nan in the statistics"; fi

# Images: cut, of another type, of unequal sizes.
image() { fails 2 "$@" -o out.safetensors --steps 2 --limit 3; }
head -c 1000 "$images" >cut.idx
image "cut.idx: the file ends inside the data at byte 1000" "$dws" fit cut.idx
grep -q "the file is incomplete: fetch or make it again" fails.err
head -c 10 "$images" >cut.idx
image "cut.idx: data ends too early at byte 8" "$dws" fit cut.idx
: >cut.idx
image "cut.idx: is empty" "$dws" fit cut.idx
cp "$images" bad.idx
patch bad.idx 2 '\377'
image "bad.idx: IDX element type at byte 2" "$dws" fit bad.idx
head -c 9 "$labels" >cut.idx
image "cut.idx: the file ends inside the data at byte 9" "$dws" fit "$images" --labels cut.idx
"$dws" render zoo.safetensors --range 0:2 -o folder
"$dws" render zoo.safetensors --range 2:3 --size 20 -o other
cp folder/000000_*.png good.png
head -c 60 good.png >cut.png
image "cut.png: not a whole PNG file" "$dws" fit cut.png
cp good.png bad.png
patch bad.png 50 'XXXX'
image "bad.png: not a valid PNG file" "$dws" fit bad.png
cp other/*.png folder
image "folder/000002_0.png: another size than folder/000000_4.png" "$dws" fit folder

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
another="another architecture than"
fails 2 "other.safetensors: $another model.safetensors" "$dws" classify -m model.safetensors other.safetensors
fails 2 "other.safetensors: $another zoo.safetensors" train --data zoo.safetensors --data other.safetensors
fails 2 "other.safetensors: $another zoo.safetensors" train --data zoo.safetensors --test other.safetensors
# A model where a zoo is expected and the other way round.
fails 2 "holds a trained model" train --data model.safetensors
fails 2 "not a model" "$dws" classify -m zoo.safetensors zoo.safetensors

# Nothing there.
mkdir empty
fails 2 "holds neither labels.csv nor a .safetensors file" train --data empty
fails 2 "missing.safetensors: cannot open: No such file" train --data missing.safetensors
printf '\000\000\010\003\000\000\000\000\000\000\000\034\000\000\000\034' >none.idx
fails 2 "holds no items" "$dws" fit none.idx -o out.safetensors
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
