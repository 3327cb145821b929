# What the options of fit do to the zoo: starts, views, stopping, activations, colours, shards.

# fit ZOO OPTION...: the first three digits, 5 steps unless an option says otherwise.
fit() {
  local out=$1
  shift
  case "$*" in *--steps*) ;; *) set -- --steps 5 "$@" ;; esac
  "$dws" fit "$images" --labels "$labels" --limit 3 -q --json -o "$out" "$@" >fit.json
}
# field FILE NAME: a whole number of a JSON line.
field() {
  sed 's/.*"'"$2"'":\(-\{0,1\}[0-9]*\)[^0-9].*/\1/' "$1"
}
# numbers ZOO I: the bytes of network I's parameters.
numbers() {
  rm -rf single
  "$dws" convert "$1" --range "$2:$(($2 + 1))" --single -o single -q
  tail -c +"$(($(data_start single/*.safetensors) + 1))" single/*.safetensors
}
# ids ZOO NAME N: the first N entries of an I64 tensor.
ids() {
  od -An -v -w8 -t d8 -j "$(tensor_start "$1" "$2")" -N $((8 * $3)) "$1" | tr -d ' ' | tr '\n' ' '
}
states() {
  "$dws" inspect "$1" --json >inspect.json
  grep -qF -- "$2" inspect.json || die "$2 is not in: $(cat inspect.json)"
}

# One start for all images, or one each.
fit shared.zoo --init shared --steps 0
fit random.zoo --init random --steps 0
numbers shared.zoo 0 >shared.0
test "$(wc -c <shared.0)" = 4740
numbers shared.zoo 2 | cmp - shared.0
numbers random.zoo 0 >random.0
numbers random.zoo 2 | cmp -s - random.0 && die "two random starts are the same"
fails 2 "expected random or shared" "$dws" fit "$images" --init both -o x

# Views stand side by side, with the id and the label of their image.
fit views.zoo --views 2
test "$(ids views.zoo image_id 6)" = "0 0 1 1 2 2 "
test "$(ids views.zoo label 6 | tr ' ' '\n' | uniq | wc -l)" -le 4
test "$(field fit.json networks)" = 6
numbers views.zoo 0 >view.0
numbers views.zoo 1 | cmp -s - view.0 && die "two views are the same"

# A network stops where the PSNR is reached.
fit stop.zoo --steps 300 --psnr-stop 12
steps=$(field fit.json steps)
test "$steps" -gt 3 && test "$steps" -lt 900
fit never.zoo --steps 20 --psnr-stop 0
test "$(field fit.json steps)" = 60

# Other activations, with their Fourier features in the zoo.
for activation in relu tanh; do
  fit $activation.zoo --activation $activation --fourier-features 8 --fourier-scale 0.5
  states $activation.zoo "\"activation\":\"$activation\""
  states $activation.zoo '"fourier_features":8'
  head -c "$(data_start $activation.zoo)" $activation.zoo | grep -aq fourier_matrix
  "$dws" render $activation.zoo -o $activation
  test "$(ls $activation | wc -l)" = 3
done
fails 2 "siren" "$dws" fit "$images" --fourier-features 8 -o x
fit omega.zoo --omega 20
states omega.zoo '"omega":20'
fails 2 "omega" "$dws" fit "$images" --omega 0 -o x

# CIFAR-10's binary: a label, then the three colours of 32 x 32 pixels.
for i in 1 2 3; do
  printf "\\$i"
  head -c $((16 + 3072 * i)) "$images" | tail -c 3072
done >batch.bin
"$dws" fit batch.bin --labels batch.bin --steps 3 -q -o colour.zoo
states colour.zoo '"networks":3'
test "$(ids colour.zoo label 3)" = "1 2 3 "
"$dws" render colour.zoo -o colour
test "$(od -An -t u1 -j 16 -N 10 colour/000000_1.png | awk '{print $4, $8, $10}')" = "32 32 2" # width, height, RGB
head -c 5000 batch.bin >cut.bin
fails 2 "cut.bin" "$dws" fit cut.bin -o x

# Shards, joined, are the whole.
fit whole.zoo
fit half0.zoo --shard 0/2
fit half1.zoo --shard 1/2
"$dws" convert half1.zoo half0.zoo -o joined.zoo -q
tail -c +"$(($(data_start joined.zoo) + 1))" joined.zoo >joined.data
tail -c +"$(($(data_start whole.zoo) + 1))" whole.zoo | cmp - joined.data
fails 2 "expected I/N" "$dws" fit "$images" --shard 2/2 -o x
test ! -e x
no_leftovers
