#!/usr/bin/env bash
# Runs every fuzz target for a while, under address and undefined behaviour sanitizers.
#
# usage: fuzz.sh [SECONDS [NAME...]]     60 seconds each, all targets, unless given
#
# Wants clang, libclang-rt-14-dev and libfuzzer-14-dev. What is found stays in build/fuzz/found.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-60}
shift || true
cmake --preset fuzz > /dev/null
cmake --build --preset fuzz
names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(find tests/fuzz -name '*_fuzz.cc' -printf '%f\n' | sed 's/_fuzz.cc//' | sort)
mkdir -p build/fuzz/found
for name in "${names[@]}"; do
  work=build/fuzz/corpus_$name
  mkdir -p "$work"
  dict=()
  [ ! -f "tests/fuzz/$name.dict" ] || dict=(-dict="tests/fuzz/$name.dict")
  echo "fuzz.sh: $name, $seconds s" >&2
  build/fuzz/tests/fuzz/fuzz_"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 "${dict[@]}" \
    -artifact_prefix="build/fuzz/found/$name-" "$work" "tests/fuzz/corpus/$name" 2> "build/fuzz/$name.log" ||
    { tail -30 "build/fuzz/$name.log" >&2; exit 1; }
  grep -E 'stat::number_of_executed_units' "build/fuzz/$name.log" >&2
done
