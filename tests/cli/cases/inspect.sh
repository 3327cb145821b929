# What inspect says of zoos, models, and files with a remark.
small_zoo zoo.safetensors 40
"$dws" inspect zoo.safetensors --json >zoo.json
grep -q '"statistics_of":40' zoo.json
"$dws" inspect zoo.safetensors >zoo.txt
if grep -q statistics zoo.txt; then die "all networks are read"; fi
# A zoo of which only a part is read.
"$dws" fit "$images" --limit 500 --arch 2-2-1 --steps 1 -q -o some.safetensors >/dev/null
"$dws" convert $(for i in $(seq 21); do echo some.safetensors; done) -o many.safetensors -q
"$dws" inspect many.safetensors | grep -q "^  statistics of the first 10000 networks$"
"$dws" inspect many.safetensors --json | grep -q '"statistics_of":10000'
# Fields of a header that nobody knows are remarked on, one line a file.
header=$(head -c "$(data_start zoo.safetensors)" zoo.safetensors | tail -c +9)
header=$(printf %s "$header" | sed 's/"dtype":"F32",/"colour":1,&/g')
size=${#header}
{
  printf "\\x$(printf %02x $((size % 256)))\\x$(printf %02x $((size / 256)))\0\0\0\0\0\0"
  printf %s "$header"
  tail -c +$(($(data_start zoo.safetensors) + 1)) zoo.safetensors
} >remark.safetensors
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 4 --layers 1 -q >/dev/null
for command in "inspect" "classify -m model.safetensors -q" "train --epochs 1 --hidden 4 --layers 1 -q -o out.safetensors --data"; do
  # shellcheck disable=SC2086
  "$dws" $command remark.safetensors >/dev/null 2>err.txt
  test "$(grep -c "remark.safetensors: unknown field 'colour'" err.txt)" = 1 || die "$command: $(cat err.txt)"
  test "$(wc -l <err.txt)" = 1
done
