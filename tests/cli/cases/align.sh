# Networks move into another's basis and go on drawing what they drew.
small_zoo zoo.safetensors 40
"$dws" align --ref zoo.safetensors zoo.safetensors -o aligned.safetensors --json -q >align.json
grep -q '"schema":"dws.align/1","output":"aligned.safetensors","networks":40,"groups":\["perm","sign"\]' align.json
grep -q '"command":"dws align --ref zoo.safetensors zoo.safetensors -o aligned.safetensors"' align.json
# Nearer than before, and network 0 is the reference itself.
before=$(sed 's/.*"cosine_before":\([^,]*\),.*/\1/' align.json)
after=$(sed 's/.*"cosine_after":\([^,]*\),.*/\1/' align.json)
awk "BEGIN { exit !($after > $before + 0.1) }" || die "cosine $before, then $after"
for zoo in zoo aligned; do
  "$dws" convert $zoo.safetensors --range 0:1 --single -o $zoo.first -q
done
tail -c 4740 zoo.first/network_000000.safetensors >a
tail -c 4740 aligned.first/network_000000.safetensors | cmp a -
"$dws" inspect aligned.safetensors --json >inspect.json
grep -q '"networks":40' inspect.json
head -c "$(data_start aligned.safetensors)" aligned.safetensors >header
# How the networks were fitted, what they were aligned to, and both recipes.
for words in '\"steps\":12' '\"align\":{\"file\":\"zoo.safetensors\"' '\"index\":0,\"method\":\"weights\"' 'dws align' '\"before\":{\"command\":\"dws fit'; do
  grep -qF -- "$words" header || die "$words is not in the header"
done
# The same bytes on one thread and on two; another template, permutations only.
"$dws" --threads 1 align --ref zoo.safetensors zoo.safetensors -o one.safetensors -q >line.txt
grep -q "^one.safetensors: 40 networks, cosine to zoo.safetensors#0" line.txt
cmp <(tail -c 100000 one.safetensors) <(tail -c 100000 aligned.safetensors)
"$dws" --threads 1 align --ref zoo.safetensors zoo.safetensors -o aligned.safetensors --force -q >/dev/null
mkdir t2
(cd t2 && cp ../zoo.safetensors . && "$dws" --threads 2 align --ref zoo.safetensors zoo.safetensors -o aligned.safetensors -q >/dev/null)
cmp aligned.safetensors t2/aligned.safetensors
"$dws" align --ref zoo.safetensors --ref-index 7 zoo.safetensors --groups perm -o perm.safetensors --json -q | grep -q '"groups":\["perm"\]'
# Aligned again to the same template nothing moves.
"$dws" align --ref zoo.safetensors aligned.safetensors -o still.safetensors -q >/dev/null
cmp <(tail -c +$((1 + $(data_start aligned.safetensors))) aligned.safetensors) <(tail -c +$((1 + $(data_start still.safetensors))) still.safetensors)

# Two networks, each in a file of its own; a folder.
"$dws" convert zoo.safetensors --range 0:4 --single -o nets -q
"$dws" align nets/network_000000.safetensors nets/network_000001.safetensors -o b.safetensors -q >/dev/null
"$dws" inspect b.safetensors --json | grep -q '"kind":"network"'
"$dws" align --ref nets/network_000000.safetensors nets -o folder.safetensors -q >/dev/null
"$dws" inspect folder.safetensors --json | grep -q '"networks":4'

# ReLU has no signs; an odd activation may do without.
"$dws" fit "$images" --labels "$labels" --limit 6 --steps 4 --activation relu --fourier-features 4 --fourier-scale 1 --arch 8-8-8-1 -q -o relu.safetensors >/dev/null
"$dws" align --ref relu.safetensors relu.safetensors -o relu_aligned.safetensors --json -q | grep -q '"groups":\["perm"\]'
fails 2 "relu have no sign" "$dws" align --ref relu.safetensors relu.safetensors --groups perm,sign -o none.safetensors
grep -q "use --groups perm" fails.err

# Bad input: one line, nothing written.
none() { fails 2 "$@" -o none.safetensors; }
none "expected two files" "$dws" align zoo.safetensors
none "expected two files" "$dws" align zoo.safetensors zoo.safetensors zoo.safetensors
none "expected one file besides --ref" "$dws" align --ref zoo.safetensors zoo.safetensors zoo.safetensors
none "holds 40 networks" "$dws" align --ref zoo.safetensors --ref-index 40 zoo.safetensors
none "ref-index" "$dws" align --ref zoo.safetensors --ref-index -1 zoo.safetensors
none "unknown group 'scale'" "$dws" align --ref zoo.safetensors zoo.safetensors --groups perm,scale
none "cannot be matched without perm" "$dws" align --ref zoo.safetensors zoo.safetensors --groups sign
none "relu.safetensors: another architecture than zoo.safetensors" "$dws" align --ref zoo.safetensors relu.safetensors
none "missing.safetensors" "$dws" align --ref missing.safetensors zoo.safetensors
none "missing.safetensors" "$dws" align --ref zoo.safetensors missing.safetensors
cp zoo.safetensors nan.safetensors
patch nan.safetensors $(($(tensor_start nan.safetensors layers.0.bias) + 7 * 32 * 4)) '\000\000\300\177'
none "network 7" "$dws" align --ref zoo.safetensors nan.safetensors
none "network 7" "$dws" align --ref nan.safetensors --ref-index 7 zoo.safetensors
head -c 30000 zoo.safetensors >cut.safetensors
none "the file ends inside" "$dws" align --ref zoo.safetensors cut.safetensors
echo precious >there.safetensors
fails 2 "exists already" "$dws" align --ref zoo.safetensors zoo.safetensors -o there.safetensors
test "$(cat there.safetensors)" = precious
(ulimit -f 8; none "none.safetensors" "$dws" align --ref zoo.safetensors zoo.safetensors)
test ! -e none.safetensors
no_leftovers
[ -z "$(find . -name '.dws-*')" ] || die "left over: $(find . -name '.dws-*')"
