# Networks in different bases, merged as they are and after each was moved into the basis of the first.
models=$data/../models
a=$models/resnet.onnx
"$dws" permute "$a" -o b.onnx --groups perm,sign,scale --seed 1 -q
"$dws" permute "$a" -o c.onnx --groups perm,sign,scale --seed 2 -q

"$dws" merge "$a" b.onnx c.onnx -o naive.onnx -q
if "$dws" verify "$a" naive.onnx --tol 1e-5 > /dev/null; then die "the mean of networks in different bases is A"; fi

"$dws" merge "$a" b.onnx c.onnx --align -o m.onnx -q
"$dws" verify "$a" m.onnx --tol 1e-5 > /dev/null
grep -aq '"align":{"method":"weights"' m.onnx || die "the recipe does not say that networks were aligned"

# By hand, through a pipe.
"$dws" align "$a" b.onnx -o - -q | "$dws" merge "$a" - -o piped.onnx -q
"$dws" verify "$a" piped.onnx --tol 1e-5 > /dev/null
"$dws" merge b.onnx c.onnx --base "$a" --method task_arithmetic --weight 0.5,0.5 --align -o deltas.onnx -q
"$dws" verify "$a" deltas.onnx --tol 1e-5 > /dev/null

# The same bits on one thread and on three.
"$dws" --threads 1 merge "$a" b.onnx c.onnx --align -o one.onnx -q
"$dws" --threads 3 merge "$a" b.onnx c.onnx --align -o one3.onnx -q
"$dws" diff one.onnx one3.onnx > /dev/null || die "threads show"

# Networks that have no common basis.
fails 2 "" "$dws" merge "$a" "$models/cnn.onnx" --align -o none.onnx
[ ! -e none.onnx ] || die "something was written"
printf 'merge_method: linear\nmodels:\n  - model: b\ndtype: float32\n' > m.yml
fails 2 "not for --config" "$dws" merge --config m.yml --align -o none
