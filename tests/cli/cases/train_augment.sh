# Training with everything on: the same bytes on any number of threads and when interrupted; each refusal.
small_zoo zoo.safetensors 60
all=permute,sign,phase,noise=0.1,dropout=0.01,rotate=15,translate=0.1,zoom=0.1,reflect
options=(train --data zoo.safetensors -o model.safetensors --epochs 60 --batch 8 --hidden 8 --layers 2
         --augment $all --mixup permuted --alpha 0.4)
mkdir t1 t2
for t in 1 2; do (cd t$t && cp ../zoo.safetensors . && "$dws" "${options[@]}" -q --threads $t >/dev/null); done
cmp t1/model.safetensors t2/model.safetensors
"$dws" "${options[@]}" --log log.jsonl --checkpoint-every 0 -q >/dev/null 2>err.txt &
process=$!
wait_for_lines log.jsonl 2
kill -INT $process
code=0
wait $process || code=$?
test $code = 130 || die "code $code: $(cat err.txt)"
fails 2 "'train.alpha'" "$dws" "${options[@]/0.4/0.5}" --resume -q
"$dws" "${options[@]}" --log log.jsonl --resume -q >/dev/null
cmp model.safetensors t1/model.safetensors
grep -aqF 'mixup\":\"permuted\"' model.safetensors
# From a configuration file.
echo '{"train": {"augment": "permute,noise=0.2", "mixup": "direct", "alpha": 0.3, "epochs": 1}}' >config.json
"$dws" train --data zoo.safetensors -o c.safetensors --config config.json --hidden 8 --layers 2 -q >/dev/null
grep -aqF 'augment\":\"permute,noise=0.2\"' c.safetensors
train=(train --data zoo.safetensors -o x.safetensors -q)
fails 2 "unknown augmentation 'permut'" "$dws" "${train[@]}" --augment permut
grep -q "did you mean 'permute'?" fails.err
fails 2 "noise needs a value" "$dws" "${train[@]}" --augment permute,noise
fails 2 "cannot align" "$dws" "${train[@]}" --mixup aligned
fails 2 "--alpha" "$dws" "${train[@]}" --mixup direct --alpha -2
fails 2 "scale would change siren" "$dws" "${train[@]}" --augment scale=1
no_leftovers
