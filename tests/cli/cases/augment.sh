# A larger zoo: originals first, the same bytes again, and pictures that did or did not change.
"$dws" fit "$images" --labels "$labels" --limit 40 --steps 150 -q -o zoo.safetensors >/dev/null
"$dws" augment zoo.safetensors -o larger.safetensors --copies 2 --permute --sign --phase --noise 0.1 --dropout 0.01 \
  --rotate 15 --translate 0.1 --zoom 0.1 --reflect --json >summary.json
grep -q '"schema":"dws.augment/1"' summary.json
grep -q '"networks":120' summary.json
grep -q '"augment":"permute,sign,phase,noise=0.1,dropout=0.01,rotate=15,translate=0.1,zoom=0.1,reflect"' summary.json
"$dws" inspect larger.safetensors --json >inspect.json
grep -q '"networks":120' inspect.json
grep -q '"images":40' inspect.json
"$dws" convert larger.safetensors --range 0:40 --single -o originals -q
"$dws" convert zoo.safetensors --single -o zoo -q
for i in 000000 000039; do
  "$dws" render zoo/network_$i.safetensors --grid 1x1 -o a.png -q --force
  "$dws" render originals/network_$i.safetensors --grid 1x1 -o b.png -q --force
  cmp a.png b.png
done

# On any number of threads; another seed, another zoo.
for t in 1 2 3; do
  "$dws" --threads $t augment zoo.safetensors -o t.safetensors --copies 2 --permute --sign --phase --noise 0.1 \
    --dropout 0.01 --rotate 15 --mixup permuted --alpha 0.4 --force -q >/dev/null
  sha256sum <t.safetensors >>sums
done
test "$(sort -u sums | wc -l)" = 1
"$dws" augment zoo.safetensors -o a.safetensors --noise 0.1 --seed 1 -q >/dev/null
"$dws" augment zoo.safetensors -o b.safetensors --noise 0.1 --seed 2 -q >/dev/null
"$dws" convert a.safetensors --single -o a -q
"$dws" convert b.safetensors --single -o b -q
cmp a/network_000003.safetensors b/network_000003.safetensors   # an original
! cmp -s a/network_000043.safetensors b/network_000043.safetensors
fails 2 "exists" "$dws" augment zoo.safetensors -o a.safetensors --noise 0.1

# Four quarter turns are the picture again.
sheet() { "$dws" render "$1" --grid 5x8 -o "$2" -q --force; }
sheet zoo.safetensors zoo.png
"$dws" augment zoo.safetensors -o p.safetensors --no-originals --permute -q >/dev/null
"$dws" inspect p.safetensors --json | grep -q '"psnr":{' || die "the PSNR of the same pictures was lost"
"$dws" augment zoo.safetensors -o n.safetensors --no-originals --noise 0.1 -q >/dev/null
! "$dws" inspect n.safetensors --json | grep -q '"psnr":{' || die "a PSNR that is not true any more"
cp zoo.safetensors r0.safetensors
for i in 1 2 3 4; do
  "$dws" augment r$((i - 1)).safetensors -o r$i.safetensors --no-originals --rotate 90:90 -q >/dev/null
  sheet r$i.safetensors r$i.png
done
! cmp -s zoo.png r1.png
! cmp -s zoo.png r2.png
cmp zoo.png r4.png

# Mixtures: soft labels, and never in a part that is judged.
"$dws" augment zoo.safetensors -o mixed.safetensors --copies 3 --mixup permuted -q >/dev/null
head -c 4000 mixed.safetensors | grep -q '"label_soft":{"dtype":"F32","shape":\[160,10\]'
head -c 4000 mixed.safetensors | grep -q '"mixed_image_id":{"dtype":"I64","shape":\[160\]'
train=(train --hidden 8 --layers 2 --epochs 2 -q --json)
"$dws" "${train[@]}" --data mixed.safetensors --split 0.6,0.2,0.2 -o m.safetensors >mixed.json
sed -n 's/.*"networks":\(\[[0-9,]*\]\).*/\1/p' mixed.json | grep -Eq '^\[[0-9]+,8,8\]$' || die "$(cat mixed.json)"
"$dws" convert mixed.safetensors --range 0:100 -o first.safetensors -q
"$dws" convert mixed.safetensors --range 100:160 -o second.safetensors -q
"$dws" convert first.safetensors second.safetensors -o joined.safetensors -q
head -c 4000 joined.safetensors | grep -q '"label_soft":{"dtype":"F32","shape":\[160,10\]'
"$dws" "${train[@]}" --data joined.safetensors --split 1,0,0 -o j.safetensors >/dev/null
fails 2 "--single cannot keep soft labels" "$dws" convert mixed.safetensors --single -o singles
fails 2 "mixtures already" "$dws" augment mixed.safetensors -o none.safetensors --mixup direct
"$dws" augment mixed.safetensors -o again.safetensors --permute -q >/dev/null
head -c 4000 again.safetensors | grep -q '"label_soft":{"dtype":"F32","shape":\[320,10\]'
"$dws" fit "$images" --labels "$labels" --limit 60 --steps 5 -q -o sixty.safetensors >/dev/null
"$dws" convert sixty.safetensors --range 40:60 -o rest.safetensors -q
"$dws" augment rest.safetensors -o rest-mixed.safetensors --mixup direct -q >/dev/null
fails 2 "mixtures of networks" "$dws" train --data zoo.safetensors --test rest-mixed.safetensors -o x.safetensors
"$dws" convert zoo.safetensors --range 0:1 -o one.safetensors -q
fails 2 "at least 2 networks" "$dws" augment one.safetensors -o none.safetensors --mixup direct

# Refusals, one line each.
fails 2 "nothing to do" "$dws" augment zoo.safetensors -o none.safetensors
fails 2 "cannot align" "$dws" augment zoo.safetensors -o none.safetensors --mixup aligned
fails 2 "--mixup" "$dws" augment zoo.safetensors -o none.safetensors --mixup some
fails 2 "--alpha 0" "$dws" augment zoo.safetensors -o none.safetensors --mixup direct --alpha 0
fails 2 "--noise" "$dws" augment zoo.safetensors -o none.safetensors --noise=-1
fails 2 "--zoom" "$dws" augment zoo.safetensors -o none.safetensors --zoom 2
fails 2 "--phase" "$dws" augment zoo.safetensors -o none.safetensors --phase=x
fails 2 "scale would change siren" "$dws" augment zoo.safetensors -o none.safetensors --scale 1
fails 2 "label 9 is not a class" "$dws" augment zoo.safetensors -o none.safetensors --mixup direct --classes 9
fit=(fit "$images" --labels "$labels" --limit 4 --steps 2 -q)
"$dws" "${fit[@]}" --activation relu -o relu.safetensors >/dev/null
"$dws" "${fit[@]}" --activation tanh -o tanh.safetensors >/dev/null
fails 2 "sign would change relu" "$dws" augment relu.safetensors -o none.safetensors --sign
fails 2 "phase would change tanh" "$dws" augment tanh.safetensors -o none.safetensors --phase
"$dws" "${fit[@]}" --activation relu --fourier-features 8 --arch 16-8-8-1 -o fourier.safetensors >/dev/null
fails 2 "Fourier" "$dws" augment fourier.safetensors -o none.safetensors --rotate 10
test ! -e none.safetensors
no_leftovers
