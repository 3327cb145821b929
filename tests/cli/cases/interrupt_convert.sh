# SIGINT and SIGKILL while a large checkpoint is cut: nothing under the output's name, and the next run takes away what was left.
header='{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}'
printf "\\x$(printf %x ${#header})\0\0\0\0\0\0\0%s" "$header" >big.safetensors
truncate -s $((8 + ${#header} + 4000000000)) big.safetensors
header='{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
printf "\\x$(printf %x ${#header})\0\0\0\0\0\0\0%s12345678" "$header" >small.safetensors

# stopped SIGNAL CODE OUTPUT OPTIONS...: dws convert, stopped as soon as it writes.
stopped() {
  local signal=$1 expected=$2 out=$3 code=0 i process
  shift 3
  "$dws" convert big.safetensors -o "$out" "$@" 2>err.txt &
  process=$!
  for ((i = 0; i < 3000; ++i)); do
    [ -z "$(find . -name ".$out.dws-*.tmp")" ] || break
    sleep 0.01
  done
  kill "-$signal" $process || die "$out was written before it could be stopped"
  wait $process 2>/dev/null || code=$?
  test $code = "$expected" || die "code $code: $(cat err.txt)"
  test ! -e "$out"
}
stopped INT 130 shards --shard-size 1GB
grep -q '^dws: interrupted' err.txt
no_leftovers
stopped INT 130 half.safetensors --dtype f16
no_leftovers

stopped KILL 137 shards --shard-size 1GB
stopped KILL 137 half.safetensors --dtype f16
test "$(find . -maxdepth 1 -name '*.tmp' | wc -l)" = 2
"$dws" convert small.safetensors -o shards --shard-size 1GB
"$dws" convert small.safetensors -o half.safetensors --dtype f16
no_leftovers
test -s shards/model.safetensors.index.json
