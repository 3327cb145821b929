# Pictures one by one and on a contact sheet, with captions; wrong classes are red, names of classes never.
small_zoo zoo.safetensors 6

# size FILE: "WIDTH HEIGHT COLOUR-TYPE" from a PNG's header (0 grey, 2 RGB).
size() {
  od -An -t u1 -j 16 -N 10 "$1" | awk '{print $3 * 256 + $4, $7 * 256 + $8, $10}'
}

"$dws" render zoo.safetensors -o pictures --range 2:5
test "$(ls pictures | wc -l)" = 3
first=$(ls pictures | head -n 1)
test "$first" = "000002_$(od -An -t u1 -j 10 -N 1 "$labels" | tr -d ' ').png"
test "$(size "pictures/$first")" = "28 28 0"
fails 2 "exists" "$dws" render zoo.safetensors -o pictures --range 2:5
"$dws" render zoo.safetensors -o pictures --range 2:5 --size 40 --force
test "$(size "pictures/$first")" = "40 40 0"

"$dws" render zoo.safetensors -o sheet.png --grid 2x3
test "$(size sheet.png)" = "$((3 * 56 + 4 * 3)) $((2 * 56 + 3 * 3)) 0"

label=$(od -An -t u1 -j 8 -N 1 "$labels" | tr -d ' ')
printf 'elsewhere/zoo.safetensors#0\t%s\t0.9\n' "$label" > right.tsv
printf 'zoo.safetensors#0\t%s\t0.9\n' "$(((label + 1) % 10))" > wrong.tsv
printf 'zoo.safetensors#0\tcoat\t0.9\n' > named.tsv
printf 'zoo.safetensors#77\t1\t0.9\n' > other.tsv
colour() {
  "$dws" render zoo.safetensors -o captions.png --grid 2x3 --captions "$1" --force
  size captions.png | cut -d ' ' -f 3
}
test "$(colour right.tsv)" = 0
test "$(colour wrong.tsv)" = 2
test "$(colour named.tsv)" = 0
fails 2 "no line names one of the drawn networks" "$dws" render zoo.safetensors -o x.png --grid 2x3 --captions other.tsv
fails 2 "the zoo has networks 0:6" "$dws" render zoo.safetensors -o x --range 3:9
fails 2 "ROWSxCOLUMNS" "$dws" render zoo.safetensors -o x.png --grid 2
fails 2 "--captions needs --grid" "$dws" render zoo.safetensors -o x --captions right.tsv
test ! -e x && test ! -e x.png
no_leftovers
