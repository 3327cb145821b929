# The memory of every verb that reads a zoo, mapped pages included, does not grow with the zoo: ten times as many
# networks take no more than a window of the shuffle (64 MiB of them, and what the system maps around it).
if grep -q __asan_init "$dws" || grep -q __tsan_init "$dws"; then
  echo "a sanitizer's own memory hides the program's"
  exit 0
fi
"$dws" fit "$images" --labels "$labels" --limit 35 --steps 1 --arch 2-128-128-1 -q -o piece.safetensors >/dev/null
"$dws" convert $(for i in $(seq 10); do echo piece.safetensors; done) -o small.safetensors -q
"$dws" convert $(for i in $(seq 10); do echo small.safetensors; done) -o large.safetensors -q
test "$(stat -c %s large.safetensors)" -gt $((220 << 20))

grows() { # NAME MIB SMALL LARGE
  echo "$1: $3 MiB for the small zoo, $4 MiB for the large one"
  [ "$4" -le $(($3 + $2)) ] || die "$1: grows by more than $2 MiB"
}
train() { peak "$dws" train --data $1.safetensors --model mlp --hidden 2 --epochs 1 -o $1.model --split 0.9,0.1 -q; }
grows train 112 "$(train small)" "$(train large)"
classify() { peak "$dws" classify -m small.model $1.safetensors -q; }
grows classify 16 "$(classify small)" "$(classify large)"
inspect() { peak "$dws" inspect $1.safetensors; }
grows inspect 16 "$(inspect small)" "$(inspect large)"
convert() { peak "$dws" convert $1.safetensors -o $1.copy -q; }
grows convert 16 "$(convert small)" "$(convert large)"
