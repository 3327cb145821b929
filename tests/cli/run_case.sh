#!/usr/bin/env bash
# Runs one case of the command line in a fresh folder, which is removed at the end.
#
# usage: run_case.sh DWS DATA CASE.sh    the built program, the folder tests/data, the case
# A case is sourced: it has the functions below, $dws, $images, $labels, and stops at the first command that fails.
set -euo pipefail
trap 'echo "FAILED: line $LINENO: $BASH_COMMAND" >&2' ERR
set -E

dws=$(realpath "$1")
data=$(realpath "$2")
case_file=$(realpath "$3")
images=$data/mnist-600-images-idx3-ubyte
labels=$data/mnist-600-labels-idx1-ubyte

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

die() {
  echo "FAILED: $*" >&2
  exit 1
}

# fails CODE TEXT COMMAND...: the command ends with CODE and says one line "dws: ...TEXT..." (and at most one line of
# advice) on stderr.
fails() {
  local code=$1 words=$2 got=0
  shift 2
  "$@" >fails.out 2>fails.err || got=$?
  [ "$got" = "$code" ] || die "exit code $got, expected $code: $* -- $(cat fails.err)"
  grep -qF -- "$words" fails.err || die "'$words' is not in: $(cat fails.err)"
  [ "$(grep -c '^dws: ' fails.err)" = 1 ] || die "not one line 'dws: ...': $(cat fails.err)"
  [ "$(wc -l <fails.err)" -le 2 ] || die "more than two lines: $(cat fails.err)"
}

# small_zoo NAME [COUNT]: a labelled zoo of real digits, barely fitted.
small_zoo() {
  "$dws" fit "$images" --labels "$labels" --limit "${2:-40}" --steps 12 -q -o "$1" >/dev/null
}

# wait_for_lines FILE N: until the file has N lines; gives up after a minute.
wait_for_lines() {
  local i
  for ((i = 0; i < 3000; ++i)); do
    [ -f "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ] && return 0
    sleep 0.02
  done
  die "$1 never had $2 lines"
}

# wait_for_words FILE WORDS: until the file has them; gives up after a minute.
wait_for_words() {
  local i
  for ((i = 0; i < 3000; ++i)); do
    grep -qs -- "$2" "$1" && return 0
    sleep 0.02
  done
  die "$1 never had '$2': $(head -n 3 "$1")"
}

# lines_in FILE: how many lines it has; none if there is no such file.
lines_in() {
  if [ -f "$1" ]; then wc -l <"$1"; else echo 0; fi
}

# peak COMMAND...: the largest resident size of a command in MiB, on stdout; its own output is dropped.
peak() {
  python3 - "$@" <<'END'
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
if status != 0:
    sys.exit(f"{sys.argv[1:]}: status {status}")
print(usage.ru_maxrss // 1024)
END
}

# patch FILE OFFSET BYTES: overwrites bytes, written as for printf.
patch() {
  printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# data_start FILE: where the numbers of a safetensors file begin.
data_start() {
  echo $((8 + $(od -An -t u8 -N 8 "$1")))
}

# tensor_start FILE NAME: where a tensor's numbers begin.
tensor_start() {
  local begin
  begin=$(head -c "$(data_start "$1")" "$1" | tail -c +9 | grep -o "\"$2\":{[^}]*}" | sed 's/.*"data_offsets":\[\([0-9]*\),.*/\1/')
  echo $(($(data_start "$1") + begin))
}

no_leftovers() {
  [ -z "$(find . -name '*.tmp*')" ] || die "left over: $(find . -name '*.tmp*')"
}

# shellcheck source=/dev/null
source "$case_file"
