#!/usr/bin/env bash
# Merges two large bfloat16 checkpoints by every method, and records what it took.
#
# usage: figures_merge.sh DWS FOLDER [GIGABYTES] [RESULT_FOLDER]
# FOLDER gets the checkpoints (three of GIGABYTES, 8 when not given), RESULT_FOLDER (FOLDER when not given) one result at a time.
# Writes tests/bench/results/merge_large.jsonl: a line that says on which machine, then one a method: seconds, GB/s read and written,
# the largest resident size in MB, which must be at most 600. figures_table.py readme makes the README's table of it.
set -euo pipefail
dws=$(realpath "$1")
folder=$2
size=${3:-8}
here=$(dirname "$(realpath "$0")")
results=$(realpath "${4:-$folder}")
out=$(realpath -m "$here/../tests/bench/results/merge_large.jsonl")
[ -f "$folder/b.safetensors" ] || python3 "$here/make_large_checkpoints.py" "$folder" "$size"
cd "$folder"

python3 - "$dws" "$out" "$results" "$("$here/figures_table.py" machine)" <<'END'
import json, os, subprocess, sys, time

dws, out, results, machine = sys.argv[1:]
BAR = 600
ALONE = "linear slerp nuslerp multislerp karcher".split()
ONE = "nearswap arcee_fusion".split()
BASED = ("task_arithmetic ties dare_linear dare_ties breadcrumbs breadcrumbs_ties della della_linear model_stock sce ram "
         "ramplus_tl").split()
failed = []
lines = [machine]
merged = os.path.join(results, "merged.safetensors")
for method in ["passthrough", *ALONE, *BASED, *ONE]:
    inputs = ["a.safetensors"] if method in ONE + ["passthrough"] else ["a.safetensors", "b.safetensors"]
    base = ["--base", "base.safetensors"] if method in BASED + ONE else []
    command = [dws, "merge", "--method", method, *inputs, *base, "-o", merged, "--force", "--json"]
    start = time.time()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    summary = json.loads(child.stdout.read() or "{}")
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.time() - start
    if status != 0:
        sys.exit(f"{method}: status {status}")
    line = {"schema": "dws.figures.merge/1", "method": method, "input_gb": os.path.getsize("a.safetensors") / 1e9,
            "networks": len(inputs) + bool(base), "threads": len(os.sched_getaffinity(0)), "seconds": round(seconds, 2),
            "gb_per_second": round((summary["bytes_read"] + summary["bytes_written"]) / seconds / 1e9, 2),
            "peak_mb": round(usage.ru_maxrss * 1024 / 1e6)}
    lines.append(json.dumps(line))
    print(lines[-1], flush=True)
    if line["peak_mb"] > BAR:
        failed.append(method)
os.remove(merged)
with open(out, "w") as file:
    file.write("\n".join(lines) + "\n")
if failed:
    sys.exit(f"more than {BAR} MB: {', '.join(failed)}")
END
