# Help is on stdout with code 0 for dws and for every verb, with an example.
"$dws" --help >help.txt 2>err.txt
grep -q "Example" help.txt
test ! -s err.txt
for verb in fit render train classify inspect convert augment align bench eval lmc diff; do
  grep -q "^  $verb " help.txt || die "$verb is not in the help"
  "$dws" $verb --help >verb.txt
  grep -q "Usage: dws $verb" verb.txt || die "$verb: no usage line"
  grep -A 1 "^Example" verb.txt | grep -q "^  dws $verb " || die "$verb: no example of its own"
done
# One name for one thing.
for verb in fit render train convert augment align; do
  "$dws" $verb --help | grep -q -- "-o,--output" || die "$verb: no --output"
done
"$dws" fit "$images" --limit 2 --steps 2 --output zoo.safetensors --json | grep -q '"output":"zoo.safetensors"'
"$dws" --version | grep -Eq '^dws [0-9]+\.[0-9]+\.[0-9]+$'
