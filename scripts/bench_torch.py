#!/usr/bin/env python3
"""How much faster dws is than PyTorch at the same work, on this machine, in one run.

usage: bench_torch.py --zoo ZOO [--dws DWS] [--threads N] [--seconds S] [--rounds R] [--batch B...] [--only TASK...]
                      [--peer KIND...] [--blas FOLDER] [--json FILE] [--any-blas]

The peer (torch_peer.py, on Debian's python3-torch) reads a model that `dws train` has just written: five layers, 32
channels, on the zoo's 2-32-32-1 networks. First it must give the same probabilities, loss and gradient. Then its
environment is tuned (memory kept, BLAS threads, instruction set, form of the maximum), and the two are timed in turn,
each round a process of its own; the medians over rounds of each round's best are compared. There are two peers:
  lean  the whole batch at once, all threads on each operation: what a good PyTorch program does;
  best  whatever else helped PyTorch on a CPU: pieces of a batch that stay in the caches, a thread for each piece, in
        inference BatchNorm folded into the weights; for the fit as many networks at once as is fastest, not 128.
BatchNorm takes its statistics from 1/16 of a batch in dws (its shards) and from what the peer works on at a time in
PyTorch.

--only: training_step, forward, fit. PyTorch needs a good BLAS: install libopenblas0-pthread, or name the folder of its
libblas.so.3 with --blas; with the reference BLAS the script refuses to compare.
"""
import argparse
import datetime
import glob
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PEER = ["/usr/bin/python3", os.path.join(HERE, "torch_peer.py")]
LAYERS, CHANNELS = 5, 32
TARGETS = {"training_step": 8, "forward": 12, "fit": 6}

# Networks a second of the published implementation (github.com/AvivNavon/DWSNets) on two threads of a two-core machine
# with Debian's PyTorch 1.13; measured there, not here. "tuned": BLAS on one thread,
# allocator kept from returning memory.
PUBLISHED = {
    "training_step": {64: {"plain": 84, "tuned": 184}, 512: {"plain": 72, "tuned": 173}},
    "forward": {64: {"plain": 170, "tuned": 481}, 512: {"plain": 150, "tuned": 388}},
}
PUBLISHED_SOURCE = ("not measured in this run: the published implementation, DeepSets layers, PyTorch 1.13, "
                    "two threads of another two-core machine")
PUBLISHED_MORE = {"training_step_attention": {"plain": 42, "tuned": 83}, "memory_gb": [1.1, 7.9],
                  "fit_seconds_per_network_and_core": [0.7, 0.8]}

# glibc returns and fetches large arrays again and again unless told otherwise.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 34), "MALLOC_TOP_PAD_": str(64 << 20),
               "MALLOC_ARENA_MAX": "1"}


def fail(message):
    sys.exit(f"bench_torch.py: {message}")


def run(command, env=None):
    """(lines of JSON on stdout, peak memory in MB) of a child process."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out, env={**os.environ, **(env or {})})
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            fail(f"'{' '.join(command)}' ended with code {child.returncode}")
        out.seek(0)
        lines = [json.loads(line) for line in out.read().decode().splitlines() if line.startswith("{")]
    return lines, usage.ru_maxrss / 1024


def say(text):
    print(text, file=sys.stderr, flush=True)


class Peer:
    """The peer's process with one setting of its environment."""

    def __init__(self, blas):
        self.path = {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, [blas, os.environ.get("LD_LIBRARY_PATH")]))}

    def run(self, task, arguments=(), env=None):
        lines, memory = run([*PEER, task, *map(str, arguments)], {**self.path, **(env or {})})
        return lines[0], memory


def find_blas(given):
    if given:
        return given
    found = sorted(glob.glob("/usr/lib/*/openblas-*/libblas.so.3"))
    return os.path.dirname(found[0]) if found else ""


def train_model(dws, zoo, path, arguments):
    run([dws, "train", "-q", "--json", "--data", zoo, "--classes", "10", "--split", "1,0,0", "--epochs", "1",
         "--layers", str(LAYERS), "--hidden", str(CHANNELS), *arguments, "-o", path])


def check_same(dws, peer, zoo, model, folder):
    """The peer is believed when it gives the numbers of dws."""
    count, few = 64, os.path.join(folder, "few.safetensors")
    run([dws, "convert", "-q", zoo, "--range", f"0:{count}", "-o", few])
    lines, _ = run([dws, "classify", "-q", "--json", "--top", "10", "-m", model, few])
    lines = [line for line in lines if "top" in line]
    theirs, _ = peer.run("check", ["--model", model, "--zoo", zoo, "--batch", count])
    worst = max(abs(math.log(top["probability"]) - log_p[int(top["class"])])
                for one in theirs["log_probabilities"] for line, log_p in zip(lines, one, strict=True)
               for top in line["top"])
    # Seven networks are one shard, so that both take the same statistics. A learning rate of nothing leaves the
    # parameters as they were when the loss was taken.
    one, log, seven = os.path.join(folder, "one.safetensors"), os.path.join(folder, "one.jsonl"), 7
    train_model(dws, zoo, one, ["--limit", str(seven), "--lr", "1e-30", "--log", log])
    with open(log) as f:
        mine = json.loads(f.readline())
    theirs, _ = peer.run("check", ["--model", one, "--zoo", zoo, "--batch", seven])
    result = {"log_probability": worst, "loss": abs(theirs["loss"] - mine["loss"]),
              "gradient_norm": max(abs(n / mine["grad_norm"] - 1) for n in theirs["grad_norms"].values())}
    say("largest differences: " + ", ".join(f"{k} {v:.1e}" for k, v in result.items()))
    if not all(v <= 1e-4 for v in result.values()):
        fail("the peer does not compute what dws computes")
    return result


def environments(threads, peer_kind):
    """Settings to try: BLAS threads, instruction set and, for the best peer, how threads share the work."""
    capabilities = [c for c in ("avx2", "avx512") if {"avx2": "avx2", "avx512": "avx512f"}[c] in cpu_flags()]
    settings = [{"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": b, "--threads": threads} for b in {1, threads}]
    if peer_kind == "best" and threads > 1:
        settings.append({"OMP_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1, "--workers": threads})
    for setting, capability in itertools.product(settings, capabilities):
        yield {**setting, "ATEN_CPU_CAPABILITY": capability}
    if not capabilities:
        yield from settings


def cpu_flags():
    try:
        with open("/proc/cpuinfo") as f:
            return next((line for line in f if line.startswith("flags")), "").split()
    except OSError:
        return []


def split_setting(setting):
    """Environment variables and arguments of the peer."""
    env = {k: str(v) for k, v in setting.items() if not k.startswith("--")} | KEEP_MEMORY
    return env, [str(x) for k, v in setting.items() if k.startswith("--") for x in (k, v)]


def tune(peer, model, task, threads, seconds, kind):
    """Environments and the peer's own settings in them, the fastest first, at the smaller batch."""
    trials = []
    pools = ["where", "amax", "index"] if task == "training_step" else ["amax"]
    chunks = [8, 16, 32, 64] if kind == "best" else [64]
    for setting in environments(threads, kind):
        env, arguments = split_setting(setting)
        arguments += ["--model", model, "--seconds", seconds, "--pool", *pools, "--chunk", *chunks, *fold(task, kind)]
        found, _ = peer.run(task, arguments, env)
        say(f"  {kind} {task} {setting}: {found['networks_per_second']:.1f} networks/s, {found['chunk']} at a time, "
            f"{found['pool']}")
        trials.append((setting, found))
    return sorted(trials, key=lambda t: -t[1]["networks_per_second"])


def fold(task, kind):
    return ["--fold"] if task == "forward" and kind == "best" else []


def median(values):
    return statistics.median(values)


def compare(rounds, mine, theirs):
    """Alternates the two; each is a function giving (record, memory)."""
    pairs = []
    for i in range(rounds):
        pairs.append((mine(), theirs()))
        a, b = (p[0]["networks_per_second"] for p in pairs[-1])
        say(f"  round {i + 1}: dws {a:.1f}, torch {b:.1f} networks/s")
    table = {}
    for who, k in (("dws", 0), ("torch", 1)):
        table[who] = {"networks_per_second": median([p[k][0]["networks_per_second"] for p in pairs]),
                      "rounds": [p[k][0]["networks_per_second"] for p in pairs],
                      "memory_mb": max(p[k][1] for p in pairs)}
    table["dws"] |= {k: median([p[0][0][k] for p in pairs]) for k in ("gflops", "share_of_peak")}
    table["ratio"] = table["dws"]["networks_per_second"] / table["torch"]["networks_per_second"]
    return table


def dws_case(a, name, threads):
    def once():
        lines, memory = run([a.dws, "--threads", str(threads), "bench", "--filter", name, "--seconds", str(a.seconds),
                             "--json"])
        return next(line for line in lines if line["name"] == name), memory
    return once


def time_network(a, peer, model, task, kind):
    seconds = min(a.seconds, 0.5)
    trials = tune(peer, model, task, a.threads, seconds, kind)
    for batch in a.batch:
        # The first two once more, as a trial may have been disturbed; a larger batch may like larger pieces.
        again = []
        for setting, found in trials[:2]:
            env, arguments = split_setting(setting)
            arguments += ["--model", model, "--batch", batch, "--pool", found["pool"], *fold(task, kind)]
            chunks = sorted({found["chunk"], 64, batch}) if kind == "best" else [batch]
            tried, _ = peer.run(task, [*arguments, "--chunk", *chunks, "--seconds", seconds], env)
            fixed = [*arguments, "--chunk", tried["chunk"], "--seconds", a.seconds]
            again.append((tried["networks_per_second"], setting, tried, env, fixed))
        _, setting, tried, env, fixed = max(again, key=lambda t: t[0])
        say(f"{task}, batch {batch}, {kind} peer:")
        result = compare(a.rounds, dws_case(a, f"dws.{task}.{CHANNELS}.layers{LAYERS}.batch{batch}", a.threads),
                         lambda: peer.run(task, fixed, env))
        result["torch"]["setting"] = {**setting, "chunk": tried["chunk"], "pool": tried["pool"]}
        published = PUBLISHED[task].get(batch)
        if published and a.threads == 2:  # as it was measured
            result["published"] = published
            result["ratio_published"] = {k: result["dws"]["networks_per_second"] / v for k, v in published.items()}
        yield {"task": task, "batch": batch, "peer": kind, "threads": a.threads, "target": TARGETS[task], **result}


def time_fit(a, peer):
    """One thread each; the peer is extrapolated from some steps to the recipe's 1,500."""
    best = None
    for setting in environments(1, "best"):
        env, arguments = split_setting(setting)
        found, _ = peer.run("fit", [*arguments, "--seconds", min(a.seconds, 1)], env)
        say(f"  fit {setting}: {found['networks_per_second']:.3f} networks/s, {found['chunk']} at a time")
        if best is None or found["networks_per_second"] > best[1]["networks_per_second"]:
            best = (setting, found)
    setting, found = best
    env, arguments = split_setting(setting)
    # 128 networks at once is the usual way; the best number is the harder peer.
    for chunk in sorted({found["chunk"], 128}):
        say(f"fit, {chunk} networks at once:")
        result = compare(a.rounds, dws_case(a, "fit.one_thread", 1),
                         lambda: peer.run("fit", [*arguments, "--chunk", chunk, "--seconds", a.seconds], env))
        result["torch"]["setting"] = {**setting, "chunk": chunk}
        kind = "lean" if chunk == 128 else "best"
        yield {"task": "fit", "peer": kind, "threads": 1, "target": TARGETS["fit"], **result}


def cpu_name():
    with open("/proc/cpuinfo") as f:
        return next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())


def table(results):
    print(f"{'task':<15}{'peer':<5}{'batch':>6}{'threads':>8}{'dws/s':>10}{'torch/s':>9}{'ratio':>7}{'target':>7}"
          f"{'dws MB':>8}{'torch MB':>9}{'% of peak':>10}  times the published (plain, tuned)")
    for r in results:
        dws, torch = r["dws"], r["torch"]
        published = ", ".join(f"{v:.1f}" for v in r.get("ratio_published", {}).values())
        print(f"{r['task']:<15}{r['peer']:<5}{r.get('batch', ''):>6}{r['threads']:>8}"
              f"{dws['networks_per_second']:>10.1f}{torch['networks_per_second']:>9.2f}{r['ratio']:>7.1f}"
              f"{r['target']:>7}{dws['memory_mb']:>8.0f}{torch['memory_mb']:>9.0f}{100 * dws['share_of_peak']:>10.1f}  {published}")


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    p.add_argument("--zoo", required=True, help="labelled networks 2-32-32-1, at least 500")
    p.add_argument("--dws", default=os.path.join(HERE, "..", "build", "release", "bin", "dws"))
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--seconds", type=float, default=2, help="of one measurement")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--batch", type=int, nargs="*", default=[64, 512], choices=[64, 128, 512])
    p.add_argument("--only", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    p.add_argument("--peer", nargs="*", default=["lean", "best"], choices=["lean", "best"])
    p.add_argument("--blas", help="folder of the libblas.so.3 that PyTorch shall use")
    p.add_argument("--any-blas", action="store_true", help="compare with whatever BLAS there is")
    p.add_argument("--json", help="file to write all figures to")
    a = p.parse_args()
    peer = Peer(find_blas(a.blas))
    software, _ = peer.run("about")
    if not any("openblas" in lib or "blis" in lib or "mkl" in lib for lib in software["blas"]) and not a.any_blas:
        fail(f"PyTorch would use {software['blas']}, slow and no fair peer: apt-get install libopenblas0-pthread")
    software["blas"] = [os.path.basename(lib) for lib in software["blas"]]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model.safetensors")
        train_model(a.dws, a.zoo, model, ["--limit", "500"])
        differences = check_same(a.dws, peer, a.zoo, model, folder)
        for task in a.only:
            if task == "fit":
                results += time_fit(a, peer)
                continue
            for kind in a.peer:
                results += time_network(a, peer, model, task, kind)
    record = {"schema": "dws.bench_torch/1", "date": datetime.date.today().isoformat(), "cpu": cpu_name(),
              "cores": len(os.sched_getaffinity(0)), "software": software, "seconds": a.seconds, "rounds": a.rounds,
              "largest_differences": differences, "published_source": PUBLISHED_SOURCE,
              "published_more": PUBLISHED_MORE, "results": results}
    table(results)
    if a.json:
        with open(a.json + ".part", "w") as f:
            json.dump(record, f, indent=1)
            f.write("\n")
        os.replace(a.json + ".part", a.json)


if __name__ == "__main__":
    main()
