# Every case runs and gives numbers; a share of the peak is a share.
"$dws" bench --seconds 0.01 --json > bench.jsonl
grep -q '"schema":"dws.bench/1"' bench.jsonl
for name in machine.peak machine.memory matmul.forward dws.forward.32 dws.training_step.64 fit.one_thread fit.all_threads fit.split; do
  grep -q "\"name\":\"$name\"" bench.jsonl || die "no case $name"
done
! grep -qiE '"(gflops|networks_per_second|share_of_peak)":(null|0[,}]|-)' bench.jsonl || die "$(cat bench.jsonl)"
"$dws" bench --seconds 0.01 --filter fit.split > split.txt
test "$(wc -l < split.txt)" = 1
fails 2 "no such case" "$dws" bench --seconds 0.01 --filter nonsense
