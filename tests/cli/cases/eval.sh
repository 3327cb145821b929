# dws eval, lmc and diff on networks that were trained on digits for a moment.
for seed in 1 2; do
  "$dws" train --task network --arch mlp:16 --data "$images" --labels "$labels" --epochs 10 --seed $seed -q -o net$seed.safetensors >/dev/null
done

# Accuracy is that of a classifier, and the pixels' normalisation comes from the network's own metadata.
"$dws" eval net1.safetensors --data "$images" --labels "$labels" --json -q >eval.json
grep -q '"schema":"dws.eval/1"' eval.json
grep -q '"samples":600' eval.json
accuracy=$(sed 's/.*"accuracy":\([0-9.]*\).*/\1/' eval.json)
awk "BEGIN { exit !($accuracy > 0.5) }" || die "accuracy $accuracy"
"$dws" eval net1.safetensors --data "$images" --labels "$labels" --mean 0 --std 1 --json -q >raw.json
[ "$(sed 's/.*"loss":\([0-9.]*\).*/\1/' raw.json)" != "$(sed 's/.*"loss":\([0-9.]*\).*/\1/' eval.json)" ] ||
  die "dws.input made no difference"
# The labels beside the images are found, and any number of threads gives the same.
cp "$images" some-images-idx3-ubyte
cp "$labels" some-labels-idx1-ubyte
strip() { sed 's/"seconds".*//; s/"data":[^]]*]//' "$1"; }
for threads in 1 3; do
  "$dws" eval net1.safetensors --data some-images-idx3-ubyte --threads $threads --json -q >t$threads.json
  [ "$(strip t$threads.json)" = "$(strip eval.json)" ] || die "other numbers with $threads threads"
done
"$dws" eval net1.safetensors net2.safetensors --data some-images-idx3-ubyte --limit 7 -q | grep -c ' 7 samples' | grep -qx 2

# The ends of a curve are the networks themselves.
"$dws" lmc net1.safetensors net2.safetensors --data some-images-idx3-ubyte --points 5 --plot c.svg -q >curve.tsv
[ "$(grep -c '^[01]\.' curve.tsv)" = 5 ] || die "not 5 points"
grep -q '^# barrier' curve.tsv
loss=$(sed 's/.*"loss":\([0-9.]*\).*/\1/' eval.json)
awk -v l="$loss" 'NR == 2 { d = $2 - l; exit !(d < 1e-5 && d > -1e-5) }' curve.tsv || die "lambda 0 is not A"
grep -q '</svg>' c.svg
fails 2 "c.svg" "$dws" lmc net1.safetensors net2.safetensors --data some-images-idx3-ubyte --plot c.svg -q
"$dws" lmc net1.safetensors net2.safetensors net1.safetensors --names other,self --data some-images-idx3-ubyte --points 3 --json -q >curves.json
[ "$(grep -c '"schema":"dws.lmc/1"' curves.json)" = 2 ]
grep '"name":"self"' curves.json | grep -q '"barrier":0\(\.0\)\?,'

# A row a tensor; 0 for equal, 1 for different.
"$dws" diff net1.safetensors net1.safetensors >same.tsv
awk -F'\t' '$1 == "total" && $4 == 0 && $8 == 1 { found = 1 } END { exit !found }' same.tsv
code=0
"$dws" diff net1.safetensors net2.safetensors --sort relative --json >diff.json || code=$?
[ $code = 1 ] || die "code $code for different networks"
[ "$(grep -c '"schema":"dws.diff/1"' diff.json)" -ge 5 ]
tail -1 diff.json | grep -q '"tensor":null'

# What does not fit is one line.
{ printf '\0\0\010\001\0\0\0\144'; tail -c 100 "$labels"; } >100-labels
fails 2 "100 labels for the 600 pictures" "$dws" eval net1.safetensors --data "$images" --labels 100-labels -q
cp "$images" pictures
fails 2 "no labels are known" "$dws" eval net1.safetensors --data pictures -q
fails 2 "--mean" "$dws" eval net1.safetensors --data some-images-idx3-ubyte --mean x -q
fails 2 "a std of" "$dws" eval net1.safetensors --data some-images-idx3-ubyte --std=-1 -q
"$dws" train --task network --arch mlp:8 --data some-images-idx3-ubyte --epochs 1 -q -o small.safetensors >/dev/null
fails 2 "expected shape" "$dws" lmc net1.safetensors small.safetensors --data some-images-idx3-ubyte -q
