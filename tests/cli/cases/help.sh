# Help is on stdout with code 0 for dws and for every verb, with an example.
"$dws" --help >help.txt 2>err.txt
grep -q "Example" help.txt
test ! -s err.txt
for verb in fit render train classify inspect convert bench; do
  grep -q "^  $verb " help.txt || die "$verb is not in the help"
  "$dws" $verb --help >verb.txt
  grep -q "Usage: dws $verb" verb.txt || die "$verb: no usage line"
  grep -q "Example" verb.txt || die "$verb: no example"
done
"$dws" --version | grep -Eq '^dws [0-9]+\.[0-9]+\.[0-9]+$'
