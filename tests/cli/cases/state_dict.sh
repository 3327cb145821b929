# A single network that does not say how to evaluate it is read all the same, and the verbs say what it is taken for.
small_zoo zoo.safetensors 12
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 8 --layers 2 -q >/dev/null
"$dws" convert zoo.safetensors --range 0:3 --single -o dicts -q
"$dws" classify -m model.safetensors dicts/*.safetensors -q >stated.tsv
LC_ALL=C sed -i 's/"dws\.zoo"/"dws_zoo"/' dicts/*.safetensors

# says N COMMAND...: N lines of stderr tell what was assumed.
says() {
  local lines=$1
  shift
  "$@" >says.out 2>says.err
  test "$(grep -c 'taken for siren with omega 30' says.err)" = "$lines" || die "not $lines lines: $(cat says.err)"
}
says 1 "$dws" classify -m model.safetensors dicts/*.safetensors
cmp says.out stated.tsv
first=$(ls dicts/*.safetensors | head -n 1)
says 1 "$dws" inspect "$first"
says 1 "$dws" render "$first" --size 20 -o pictures
says 1 "$dws" render dicts --size 20 -o more
says 0 "$dws" inspect zoo.safetensors
says 0 "$dws" render zoo.safetensors -o none
