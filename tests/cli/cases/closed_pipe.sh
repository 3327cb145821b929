# Nobody reads the output any more: quiet, code 0.
small_zoo zoo.safetensors 30
"$dws" train --data zoo.safetensors -o model.safetensors --epochs 1 --hidden 8 --layers 2 -q >/dev/null
for verb in "classify -m model.safetensors zoo.safetensors -q" "inspect zoo.safetensors" "--help"; do
  {
    sleep 0.3
    code=0
    # shellcheck disable=SC2086
    "$dws" $verb 2>err.txt || code=$?
    echo $code >code.txt
  } | true
  test "$(cat code.txt)" = 0 || die "$verb: code $(cat code.txt)"
  test ! -s err.txt || die "$verb: $(cat err.txt)"
done
