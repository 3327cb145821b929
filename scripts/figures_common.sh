# Shared by the figures scripts, which source it: the program, a folder to work in, and steps that are not done twice.
#
# A step is done when its NAME.json is there. Stopped in the middle it goes on from where it was, or starts again. To do one
# again with other options, remove its NAME.json.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
script=$(basename "$0")

# begin WORK_DIR: builds the program, $dws, and goes to WORK_DIR, $work: names without folders say the same in the recipes of
# every machine.
begin() {
  mkdir -p "$1"
  work=$(cd "$1" && pwd)
  cd "$root"
  ./scripts/install_deps.sh test
  cmake --preset release > /dev/null
  cmake --build --preset release --target dws
  dws="$root/build/release/bin/dws"
  cd "$work"
  : > models.txt.part
}

# once NAME COMMAND...: runs the command unless NAME.json is there; what it prints becomes NAME.json when it is done.
once() {
  local name=$1
  shift
  [ -s "$name.json" ] && return
  echo "$script: $*" >&2
  "$@" > "$name.json.part"
  mv "$name.json.part" "$name.json"
}

# make_zoo NAME ZOO COMMAND...: the command is given -o ZOO and prints its summary. A zoo whose summary was lost is made again.
make_zoo() {
  local name=$1 zoo=$2
  shift 2
  [ -s "$name.json" ] || rm -f "$zoo"
  once "$name" "$@" --json -o "$zoo"
}

# train_model NAME LABEL OPTIONS...: NAME.safetensors, NAME.json, NAME.jsonl; LABEL stands in the table.
train_model() {
  local name=$1 label=$2
  shift 2
  [ -s "$name.json" ] || rm -f "$name.safetensors"
  # A finished run's log is not gone on with.
  [ -s "$name.json" ] || [ -e "$name.safetensors.ckpt" ] || rm -f "$name.jsonl"
  once "$name" "$dws" train "$@" --resume --json --log "$name.jsonl" -o "$name.safetensors"
  printf '%s\t%s\n' "$name" "$label" >> models.txt.part
}

# write_figures NAME OPTIONS...: tests/bench/results/NAME.json from what is in $work, and the README's tables.
write_figures() {
  local results=tests/bench/results/$1.json
  shift
  mv models.txt.part models.txt
  cd "$root"
  ./scripts/figures_table.py collect "$work" -o "$results" "$@"
  ./scripts/figures_table.py readme
  echo "$script: $results and the README's table are up to date" >&2
}
