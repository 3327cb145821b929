# The same bytes on one thread and on two: a zoo, a model, predictions.
for t in 1 2; do
  mkdir t$t
  (
    cd t$t
    "$dws" fit "$images" --labels "$labels" --limit 40 --steps 12 -q -o zoo.safetensors --threads $t >/dev/null
    "$dws" train --data zoo.safetensors -o model.safetensors --epochs 2 --batch 16 --shards 3 --hidden 8 --layers 2 \
      --dropout 0.2 --augment permute --ema 0.9 -q --threads $t >/dev/null
    "$dws" --threads $t classify -m model.safetensors zoo.safetensors -q >classes.tsv
  )
done
for file in zoo.safetensors model.safetensors classes.tsv; do
  cmp t1/$file t2/$file
done
cd t1
"$dws" train --data zoo.safetensors -o other.safetensors --epochs 2 --seed 1 --hidden 8 --layers 2 -q >/dev/null
! cmp -s model.safetensors other.safetensors
