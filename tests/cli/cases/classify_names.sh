# Zoo, folder, single files and names on stdin give the same answers, however they are cut.
small_zoo zoo.safetensors 40
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 8 --layers 2 -q >/dev/null
"$dws" convert zoo.safetensors --single -o nets -q
test "$(ls nets | wc -l)" = 41
"$dws" classify -m model.safetensors zoo.safetensors -q | cut -f 2- >zoo.tsv
"$dws" classify -m model.safetensors nets 2>accuracy.txt | cut -f 2- >folder.tsv
grep -q "40 labelled" accuracy.txt
"$dws" classify -m model.safetensors nets/network_*.safetensors -q | cut -f 2- >files.tsv
ls nets/*.safetensors | "$dws" classify -m model.safetensors - -q >named.tsv
head -n 1 named.tsv | grep -q "^nets/network_000000.safetensors"
cut -f 2- named.tsv >stdin.tsv
for other in folder files stdin; do
  cmp zoo.tsv $other.tsv
done
test "$(wc -l <zoo.tsv)" = 40
# An answer comes before the next name is asked for.
mkfifo names answers
"$dws" classify -m model.safetensors - -q <names >answers &
exec 3>names 4<answers
echo nets/network_000003.safetensors >&3
read -r -t 60 answer <&4
case "$answer" in nets/network_000003.safetensors*) ;; *) die "got '$answer'" ;; esac
exec 3>&- 4<&-
wait
fails 2 "no networks to classify" "$dws" classify -m model.safetensors - </dev/null
# Names of classes.
printf 'zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n' >names.txt
"$dws" classify -m model.safetensors zoo.safetensors --labels names.txt -q | cut -f 2 | grep -Eq '^(zero|one|two|three|four|five|six|seven|eight|nine)$'
printf 'a\nb\n' >few.txt
fails 2 "2 class names for 10 classes" "$dws" classify -m model.safetensors zoo.safetensors --labels few.txt
