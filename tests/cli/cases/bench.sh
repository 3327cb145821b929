# Every case runs and gives numbers; a share of the peak is a share.
"$dws" bench --seconds 0.01 --json > bench.jsonl
grep -q '"schema":"dws.bench/1"' bench.jsonl
for name in machine.peak machine.peak.all_threads machine.memory machine.memory.all_threads matmul.forward \
  dws.forward.32 dws.training_step.64 dws.forward.64.layers5.batch512 dws.training_step.32.layers5.batch64 \
  dws.split.forward.32 dws.split.training_step.64 fit.one_thread fit.all_threads fit.split \
  scale.fit scale.forward scale.training_step growth.width growth.depth symmetry.transformer open.2gb.inside open.2gb.external checkpoint.open checkpoint.symmetry align.mlp align.vgg16 align.resnet50 \
  merge.linear_bf16 merge.ties; do
  grep -q "\"name\":\"$name\"" bench.jsonl || die "no case $name"
done
! grep -qiE '"(gflops|[a-z_]*_per_second|share_of_peak)":(null|0[,}]|-)' bench.jsonl || die "$(cat bench.jsonl)"
! grep -q null bench.jsonl || die "$(cat bench.jsonl)"

# The rates of a network and the exact count of what it computes: 5 layers, 32 channels, 2-32-32-1.
grep '"name":"dws.training_step.32.layers5.batch64"' bench.jsonl > step.json
for field in '"channels":32' '"layers":5' '"batch":64' '"shards":16' '"mflop_per_network":46.360448' networks_per_second \
  median_networks_per_second gflops share_of_peak; do
  grep -q "$field" step.json || die "no $field in $(cat step.json)"
done
# Where the time goes, both ways; a forward pass has no way back.
grep '"name":"dws.split.training_step.32"' bench.jsonl | grep -q '"forward":{".*"backward":{".*"rest":' || die "no split"
! grep '"name":"dws.split.forward.32"' bench.jsonl | grep -q backward || die "a forward pass with a backward"
# A point for each size, and the line through them.
grep '"name":"growth.width"' bench.jsonl |
  grep -q '"width":\[16,32,64,128,256,512\],"weights":\[337,1185,4417,17025,66817,264705\].*"r_squared":' ||
  die "$(grep growth bench.jsonl)"
grep '"name":"growth.depth"' bench.jsonl | grep -q '"depth":\[3,4,5,6,7,8,9,10,11,12\]' || die "no depths"

# Of each of 40 layers: heads, within queries and keys, within values, hidden units.
grep '"name":"symmetry.transformer"' bench.jsonl | grep -q '"groups":160' || die "$(grep symmetry bench.jsonl)"

# Models of 2 GB are opened without their numbers.
for where in inside external; do
  grep "\"name\":\"open.2gb.$where\"" bench.jsonl | grep -q '"groups":1' || die "$(grep open bench.jsonl)"
  grep "\"name\":\"open.2gb.$where\"" bench.jsonl | grep -q '"resident_mib":[0-9]\{1,2\}[.,]' || die "$(grep open bench.jsonl)"
done

# Weight matching ends where the plain loop ends.
grep '"name":"align.mlp"' bench.jsonl | sed 's/.*"objective":\([^,]*\),"plain_objective":\([^,]*\),.*/\1 \2/' |
  awk '{ d = $1 - $2; exit !(d < 1e-4 * $1 && d > -1e-4 * $1) }' || die "$(grep align bench.jsonl)"

# Scale starts at one thread, and the setting is what it was afterwards.
"$dws" --threads 3 bench --seconds 0.01 --filter scale.forward --json | grep -q '"threads":\[1,2,3\]' || die "threads"

"$dws" bench --seconds 0.01 --filter fit.split > split.txt
test "$(wc -l < split.txt)" = 1
"$dws" bench --seconds 0.01 --filter scale.forward > scale.txt
test "$(wc -l < scale.txt)" = 4
fails 2 "no such case" "$dws" bench --seconds 0.01 --filter nonsense
