# dws align --method activations, and statistics set right: merge --repair, lmc --repair.
cp "$images" some-images-idx3-ubyte
cp "$labels" some-labels-idx1-ubyte
data=some-images-idx3-ubyte
for seed in 1 2; do
  "$dws" train --task network --arch mlp:16 --data $data --epochs 2 --seed $seed -q -o net$seed.safetensors >/dev/null
done

# What was permuted and rescaled is found again from what the network does on the data.
"$dws" permute net1.safetensors -o moved.safetensors --seed 5 --groups perm,scale -q
"$dws" align net1.safetensors moved.safetensors --method activations --data $data --limit 200 -o back.safetensors --verify --json -q >back.json
grep -q '"method":"activations"' back.json
grep -q '"verified":true' back.json
cosine=$(sed 's/.*"cosine_after":\([-0-9.e]*\).*/\1/' back.json)
awk "BEGIN { exit !($cosine > 0.999) }" || die "cosine $cosine"

# Another network: closer in what it does, the same bytes on any number of threads, in either form.
for form in correlation regression; do
  for threads in 1 3; do
    "$dws" align net1.safetensors net2.safetensors --method activations --data $data --form $form --threads $threads -o $form$threads.safetensors -q >/dev/null
  done
  "$dws" diff ${form}1.safetensors ${form}3.safetensors -q >/dev/null || die "$form: threads make a difference"
done
fails 2 "needs --data" "$dws" align net1.safetensors net2.safetensors --method activations -o x.safetensors
fails 2 "--data is for" "$dws" align net1.safetensors net2.safetensors --data $data -o x.safetensors
[ ! -e x.safetensors ] || die "written after an error"

# Repair changes hidden layers alone, and the ends of a curve not at all.
"$dws" merge net1.safetensors correlation1.safetensors -o plain.safetensors -q
"$dws" merge net1.safetensors correlation1.safetensors -o repaired.safetensors --repair $data --limit 300 -q
"$dws" diff plain.safetensors repaired.safetensors --json >diff.json && die "repair changed nothing"
"$dws" lmc net1.safetensors correlation1.safetensors --data $data --points 3 -q >plain.tsv
"$dws" lmc net1.safetensors correlation1.safetensors --data $data --points 3 --repair --repair-data $data --repair-limit 300 -q >repaired.tsv
[ "$(sed -n 2p plain.tsv)" = "$(sed -n 2p repaired.tsv)" ] || die "lambda 0 moved"
[ "$(sed -n 4p plain.tsv)" = "$(sed -n 4p repaired.tsv)" ] || die "lambda 1 moved"
[ "$(sed -n 3p plain.tsv)" != "$(sed -n 3p repaired.tsv)" ] || die "nothing was repaired"
# The same network both ways.
loss=$("$dws" eval repaired.safetensors --data $data --json -q | sed 's/.*"loss":\([0-9.]*\).*/\1/')
awk -v l="$loss" 'NR == 3 { d = $2 - l; exit !(d < 1e-4 && d > -1e-4) }' repaired.tsv || die "merge and lmc repair otherwise"
fails 2 "needs --repair-data" "$dws" lmc net1.safetensors net2.safetensors --data $data --repair
