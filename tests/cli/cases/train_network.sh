# dws train --task network: pictures in, a network out that the other verbs read without options.
net() {  # net NAME OPTIONS...: trains on the first 400 digits, tests on all 600
  local name=$1
  shift
  "$dws" train --task network --data "$images" --limit 400 --test "$images" --batch 32 -o "$name" "$@" 2>err.txt || die "$(cat err.txt)"
}
accuracy() { sed -n 's/.*test accuracy \([0-9.]*\) (600 images).*/\1/p' "$1"; }
better() { awk -v a="$(accuracy "$1")" -v b="$2" 'BEGIN {exit !(a > b)}' || die "accuracy '$(accuracy "$1")': $(cat "$1")"; }

mkdir one two
net one/mlp.safetensors --arch mlp:32,32 --epochs 6 --lr 0.005 --log log.jsonl --threads 1 >mlp.txt
better mlp.txt 0.8
grep -q "warning: .*images-idx3-ubyte: is trained on and tested on" err.txt
[ "$(grep -c images_per_second log.jsonl)" = 7 ]
net one/cnn.safetensors --arch cnn:8,p,12s2,f16 --norm batch --augment crop=2 --epochs 15 --lr 0.02 --threads 1 >cnn.txt
better cnn.txt 0.5
net sgd.safetensors --arch mlp:32 --optimizer sgd --lr 0.05 --epochs 6 --activation tanh >sgd.txt
better sgd.txt 0.8

# The same bits on two threads (the command line differs, which the recipe says); another seed gives another network.
net two/mlp.safetensors --arch mlp:32,32 --epochs 6 --lr 0.005 --threads 2 -q >two.txt
net two/cnn.safetensors --arch cnn:8,p,12s2,f16 --norm batch --augment crop=2 --epochs 15 --lr 0.02 --threads 2 >/dev/null
for name in mlp cnn; do
  cmp <(tail -c +"$(($(data_start one/$name.safetensors) + 1))" one/$name.safetensors) \
      <(tail -c +"$(($(data_start two/$name.safetensors) + 1))" two/$name.safetensors)
done
net seed.safetensors --arch mlp:32,32 --epochs 1 --seed 1 >/dev/null
! cmp -s seed.safetensors one/mlp.safetensors

# Killed and resumed: the bytes of a run that was not.
options=(train --task network --data "$images" --arch cnn:6,p,f8 --norm batch --epochs 60 --batch 64 -o net.safetensors)
mkdir whole cut
(cd whole && "$dws" "${options[@]}" -q >/dev/null)
cd cut
"$dws" "${options[@]}" -q --checkpoint-every 0 --log log.jsonl >/dev/null 2>&1 &
process=$!
wait_for_lines log.jsonl 2
kill -KILL $process
wait $process 2>/dev/null || true
test ! -e net.safetensors
"$dws" "${options[@]}" --resume --checkpoint-every 0 --log log.jsonl 2>err.txt >/dev/null
grep -Eq "resuming after [1-9][0-9]* of 60 epochs" err.txt || die "began again: $(head -n 3 err.txt)"
data_of() { tail -c +"$(($(data_start "$1") + 1))" "$1"; }
cmp <(data_of net.safetensors) <(data_of ../whole/net.safetensors)
cd ..
no_leftovers

# Read without options: the recipe is inside. Order and scale of ReLU neurons; a move keeps the function.
"$dws" symmetry one/mlp.safetensors >symmetry.txt 2>err.txt
grep -q "taken for recipe 'mlp:32,32'" err.txt
[ "$(grep -c scale symmetry.txt)" = 2 ] || die "$(cat symmetry.txt)"
grep -q "move 100.0 %" symmetry.txt
"$dws" symmetry sgd.safetensors 2>/dev/null | grep -q sign
"$dws" inspect sgd.safetensors 2>/dev/null | grep -q "activations: Tanh"
"$dws" verify one/cnn.safetensors -q >/dev/null
"$dws" permute one/cnn.safetensors -o moved.safetensors -q >/dev/null
"$dws" verify one/cnn.safetensors moved.safetensors -q >verify.txt || die "$(cat verify.txt)"
# A recipe that is wrong is refused in the file's name.
sed 's#dws.recipe/1#dws.recipe/9#' one/mlp.safetensors >wrong.safetensors
fails 2 "wrong.safetensors: the recipe inside: is no recipe" "$dws" symmetry wrong.safetensors
# An option goes before what the file says.
"$dws" symmetry one/mlp.safetensors --activation tanh 2>/dev/null | grep -q sign

# What is wrong is one line.
bad() { fails 2 "$1" "$dws" train --task network --data "$images" -o bad.safetensors -q "${@:2}"; }
bad "needs the layers"
bad "--arch mlp:12,x: 'x'" --arch mlp:12,x
bad "'rnn' is none of" --arch rnn:12
bad "layer 6 halves" --arch cnn:4,p,p,p,p,p
bad "--model is for models that read networks" --arch mlp:4 --model dws
bad "--hidden is for" --arch mlp:4 --hidden 8
bad "--split is not for" --arch mlp:4 --split 0.5,0.5
bad "no 'permute'" --arch mlp:4 --augment permute
bad "expected adamw or sgd" --arch mlp:4 --optimizer adam
bad "expected relu, tanh or gelu" --arch mlp:4 --activation rely
fails 2 "an option of --task network" "$dws" train --data zoo --arch mlp:4 -o bad.safetensors
cp "$images" digits
fails 2 "no labels are known" "$dws" train --task network --data digits --arch mlp:4 -o bad.safetensors
test ! -e bad.safetensors
# Aligned as the network that it says it is, not as a zoo of one picture (siren).
"$dws" align one/mlp.safetensors seed.safetensors -o default.safetensors -q 2>log
"$dws" align one/mlp.safetensors seed.safetensors -o named.safetensors --method weights -q
! grep -q siren log || die "$(cat log)"
cmp <(data_of default.safetensors) <(data_of named.safetensors)
