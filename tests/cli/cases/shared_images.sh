# A zoo to test on must not be of the images that are trained on.
small_zoo zoo.safetensors 40
"$dws" convert zoo.safetensors --range 0:30 -o first.safetensors -q
"$dws" convert zoo.safetensors --range 30:40 -o last.safetensors -q
"$dws" convert zoo.safetensors --range 28:40 -o overlap.safetensors -q
train() { "$dws" train --data first.safetensors --epochs 1 --hidden 4 --layers 1 -q -o out.safetensors "$@"; }
fails 2 "overlap.safetensors: 2 of 12 networks of --test are of images that --data holds too" train --test overlap.safetensors
fails 2 "2 of 12 networks of --val are of images that --data holds too" train --val overlap.safetensors
fails 2 "10 of 10 networks of --test are of images that --val holds too" train --val last.safetensors --test last.safetensors
# The labels' file does not make other images of them.
"$dws" fit "$images" --limit 35 --steps 2 --seed 9 --labels "$labels" -q -o again.safetensors >/dev/null
cp "$labels" relabelled
"$dws" fit "$images" --limit 35 --steps 2 --labels relabelled -q -o relabelled.safetensors >/dev/null
fails 2 "30 of 35" train --test relabelled.safetensors
# Networks in files of their own know their image.
"$dws" convert overlap.safetensors --single -o nets -q
fails 2 "2 of 12" train --test nets
test ! -e out.safetensors
train --test last.safetensors >/dev/null
# Other images, or nobody knows which: nothing is said.
rm out.safetensors
head -c 16 "$images" >other.idx
dd if="$images" bs=784 iflag=skip_bytes,count_bytes skip=800 count=15680 status=none >>other.idx
patch other.idx 6 '\000\024'
head -c 8 "$labels" >other.lab
dd if="$labels" bs=1 skip=9 count=20 status=none >>other.lab
patch other.lab 6 '\000\024'
"$dws" fit other.idx --labels other.lab --steps 2 -q -o other.safetensors >/dev/null
train --test other.safetensors >/dev/null 2>err.txt
test ! -s err.txt
