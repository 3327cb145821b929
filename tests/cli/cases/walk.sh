# Images become networks, networks become classes.
small_zoo zoo.safetensors 60
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 2 --hidden 8 --layers 2 --log log.jsonl >line.txt 2>/dev/null
grep -q "test accuracy" line.txt
test "$(wc -l <log.jsonl)" = 3
grep -q '"schema":"dws.train.epoch/1","epoch":2' log.jsonl
"$dws" classify -m model.safetensors zoo.safetensors >classes.tsv 2>err.txt
test "$(wc -l <classes.tsv)" = 60
grep -Eq $'^zoo.safetensors#0\t[0-9]\t[01]\\.[0-9]{6}$' classes.tsv
grep -q "accuracy" err.txt
"$dws" classify -m model.safetensors zoo.safetensors --json --top 3 -q >classes.jsonl
test "$(grep -c '"schema":"dws.classify/1"' classes.jsonl)" = 60
tail -n 1 classes.jsonl | grep -q '"schema":"dws.classify.summary/1","networks":60,"labelled":60,"accuracy":'
"$dws" inspect zoo.safetensors model.safetensors --json >inspect.jsonl
grep -q '"kind":"zoo","networks":60,"architecture":"2-32-32-1","parameters":1185' inspect.jsonl
grep -q '"kind":"model","model":"dws"' inspect.jsonl
for kind in mlp stats; do
  "$dws" train --data zoo.safetensors -o $kind.safetensors --model $kind --augment permute --epochs 1 --json -q | grep -q "\"model\":\"$kind\""
done
no_leftovers
