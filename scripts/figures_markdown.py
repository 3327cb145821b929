"""The README's tables as Markdown, each from the figures it shows and from nothing else."""
import os

SPLIT_REMARK = {"mnist": "",
                "fashion": " The images are split 6,000 and 1,000 a class, always the same ones: the package they come in has "
                           "lost the official split, so the published rows were tested on other images."}


def minutes(seconds):
    return f"{seconds / 60:.1f} min"


def table_70k(figures):
    """Measured and published rows side by side."""
    lines = ["| model | parameters | test accuracy | published | train accuracy | training time | networks/s |",
             "|---|---|---|---|---|---|---|"]
    for row in figures["models"]:
        recipe = row["recipe"]
        lines.append(f"| {row['model']} | {row['parameters']:,} | {100 * recipe['test_accuracy']:.2f} % "
                     f"| {row['published']:.2f} % | {100 * recipe['train_accuracy']:.1f} % | {minutes(row['seconds'])} "
                     f"| {row['networks_per_second']:,.0f} |")
    train, val, test = figures["models"][0]["recipe"]["networks"]
    zoos = figures["zoos"].values()
    fits, aligned = [z["fit"] for z in zoos], [z["align"] for z in zoos]
    count = sum(f["networks"] for f in fits)
    # A fit that went on after a stop knows the seconds of its last run only: the rate is what all of them say.
    rate = sum(f["networks"] - f["resumed"] for f in fits) / sum(f["seconds"] for f in fits)
    psnr = sum(f["networks"] * f["psnr_mean"] for f in fits) / count
    before, after = (sum(a["networks"] * a[key] for a in aligned) / sum(a["networks"] for a in aligned)
                     for key in ("cosine_before", "cosine_after"))
    lines += ["", f"{train:,} networks to train on, {val:,} to choose the epoch by, {test:,} of other images to test on; "
                  f"{count:,} fits, mean PSNR {psnr:.1f} dB, at {rate:.1f} networks/s ({minutes(count / rate)}); alignment to "
                  f"the first training network {minutes(sum(a['seconds'] for a in aligned))}, mean cosine {round(before, 2) + 0.0:.2f} before "
                  f"and {after:.2f} after; {figures['cores']} cores ({figures['processor']}).",
              "", "Published: Navon et al., ICML 2023, on their own fits of these images."
                  + SPLIT_REMARK[figures["data"]]]
    return "\n".join(lines) + "\n"


TASKS = {"training_step": "training step", "forward": "reading", "fit": "fitting"}


def table_torch(figures):
    """dws and PyTorch at the same work, timed in turn."""
    def rate(side):
        value = side["networks_per_second"]
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"

    lines = ["| work | batch | PyTorch peer | threads | dws, networks/s | PyTorch | ratio | dws memory | PyTorch memory | dws, share of peak |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for r in figures["results"]:
        mine, theirs = r["dws"], r["torch"]
        lines.append(f"| {TASKS[r['task']]} | {r.get('batch', '')} | {r['peer']} | {r['threads']} | {rate(mine)} "
                     f"| {rate(theirs)} | {r['ratio']:.1f} | {mine['memory_mb']:.0f} MB "
                     f"| {theirs['memory_mb']:.0f} MB | {100 * mine['share_of_peak']:.0f} % |")
    published = [f"{TASKS[r['task']]} at batch {r['batch']} {r['ratio_published']['tuned']:.1f}"
                 for r in figures["results"] if "ratio_published" in r and r["peer"] == "lean"]
    lines += ["", f"Medians of {figures['rounds']} rounds in turn; {figures['cores']} cores ({figures['cpu']}), PyTorch "
                  f"{figures['software']['torch']}."]
    if published:
        lines += ["", "Times the published implementation with its environment tuned (measured on another two-core machine): "
                      + ", ".join(published) + "."]
    return "\n".join(lines) + "\n"


def table_10k(figures):
    lines = ["| model | parameters | test accuracy | train accuracy | training time | networks/s |", "|---|---|---|---|---|---|"]
    for row in figures["models"]:
        recipe = row["recipe"]
        lines.append(f"| {row['model']} | {row['parameters']:,} | {100 * recipe['test_accuracy']:.1f} % "
                     f"| {100 * recipe['train_accuracy']:.1f} % | {row['seconds'] / 60:.1f} min "
                     f"| {row['networks_per_second']:,.0f} |")
    train, _, test = figures["models"][0]["recipe"]["networks"]
    fit = figures["fit"]
    lines += ["", f"{train:,} networks to train on and {test:,} to test on; {fit['networks']:,} fits, mean PSNR "
                  f"{fit['psnr_mean']:.1f} dB, in {fit['seconds'] / 60:.1f} min ({fit['networks_per_second']:.1f} networks/s); "
                  f"{figures['cores']} cores ({figures['processor']})."]
    return "\n".join(lines) + "\n"


def rows_named(records, name):
    """The one record of `dws bench` with this name."""
    (record,) = [r for r in records if r["name"] == name]
    return record


def percent(share, digits=0):
    return f"{100 * share:.{digits}f} %"


# What `dws bench` calls the work, and what a person would.
WORK = (("fit.all_threads", "fitting, 2-32-32-1, 1,500 steps a network"),
        ("dws.forward.32.layers5.batch128", "reading, 32 channels"),
        ("dws.training_step.32.layers5.batch128", "training step, 32 channels"),
        ("dws.forward.64.layers5.batch128", "reading, 64 channels"),
        ("dws.training_step.64.layers5.batch128", "training step, 64 channels"))


def bench(records):
    """Rates, and the share of what the machine could do at most."""
    lines = ["| work | networks/s | GFLOP/s | share of peak |", "|---|---|---|---|"]
    for name, label in WORK:
        r = rows_named(records, name)
        lines.append(f"| {label} | {r['networks_per_second']:,.0f} | {r['gflops']:.0f} | {percent(r['share_of_peak'])} |")
    one, peak = rows_named(records, "machine.peak"), rows_named(records, "machine.peak.all_threads")
    memory = rows_named(records, "machine.memory.all_threads")
    lines += ["", f"{peak['threads']} threads; peak: {peak['gflops']:.0f} GFLOP/s of fused multiply-adds in float32 "
                  f"({one['gflops']:.0f} on one thread, {peak['isa']}); memory: {memory['gb_per_second']:.0f} GB/s; DWS of five "
                  "layers, batches of 128."]
    return "\n".join(lines) + "\n"


PARTS = {"dws_trunk": "equivariant layers", "linear": "head", "cross_entropy": "loss", "relu": "head"}


def bench_split(records):
    """Where the time of a training step goes, in shares of it."""
    lines = ["| channels | layers forward | layers backward | head and loss | rest: gradients summed, AdamW, waiting |",
             "|---|---|---|---|---|"]
    for channels in (32, 64):
        r = rows_named(records, f"dws.split.training_step.{channels}")
        head = sum(share for way in ("forward", "backward") for part, share in r[way].items() if part != "dws_trunk")
        lines.append(f"| {channels} | {percent(r['forward']['dws_trunk'])} | {percent(r['backward']['dws_trunk'])} "
                     f"| {percent(head, 1)} | {percent(r['rest'], 1)} |")
    fit = rows_named(records, "fit.split")
    lines += ["", f"Of a fit's step, {percent(fit['share_sine'])} are sines, {percent(fit['share_adam'])} Adam, the rest products."]
    return "\n".join(lines) + "\n"


def bench_threads(records):
    """Networks a second on 1, 2, ... threads."""
    work = (("scale.fit", "fitting"), ("scale.forward", "reading"), ("scale.training_step", "training step"))
    counts = rows_named(records, work[0][0])["threads"]
    lines = ["| work | " + " | ".join(f"{n} thread{'s' if n > 1 else ''}" for n in counts) + " | times |",
             "|---|" + "---|" * (len(counts) + 1)]
    for name, label in work:
        r = rows_named(records, name)
        rates = " | ".join(f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" for rate in r["networks_per_second"])
        lines.append(f"| {label} | {rates} | {r['ratio'][-1]:.2f} |")
    return "\n".join(lines) + "\n"


def bench_growth(records):
    """Time of a forward pass against the size of the networks read."""
    lines = []
    for name, what in (("growth.width", "width"), ("growth.depth", "depth")):
        r = rows_named(records, name)
        lines += ["| " + what + " | " + " | ".join(map(str, r[what])) + " |", "|---|" + "---|" * len(r[what]),
                  "| weights | " + " | ".join(f"{n:,}" for n in r["weights"]) + " |",
                  "| microseconds a network | " + " | ".join(f"{1e6 * s:,.0f}" for s in r["seconds_per_network"]) + " |", ""]
    width, depth = (rows_named(records, name)["exponent"] for name in ("growth.width", "growth.depth"))
    lines.append(f"One thread. Time grows as the number of weights to the power of {width:.2f} (width) and {depth:.2f} (depth).")
    return "\n".join(lines) + "\n"


AUGMENTATIONS = (("none", "none", "nothing"), ("sign", "none", "signs of neurons"),
                 ("sign,phase", "none", "signs and phases of neurons"), ("permute", "none", "order of neurons"),
                 ("rotate=15,translate=0.1,zoom=0.1", "none", "the picture turned, moved, enlarged"),
                 ("noise=0.1", "none", "noise"), ("dropout=0.01", "none", "numbers dropped"),
                 ("none", "direct", "mixup"), ("none", "permuted", "mixup, the second in another order"))
DATA_NAMES = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}


def augment(*runs):
    """Test accuracy with each augmentation, a column for each number of training networks."""
    def of(records, kind, mixup):
        found = [r["recipe"] for r in records if (r["recipe"]["train"]["augment"], r["recipe"]["train"]["mixup"].split("=")[0])
                 == (kind, mixup)]
        return found[0] if found else None

    runs = [records for records in runs if records]
    plain = [of(records, "none", "none") for records in runs]
    lines = ["| changed anew in each epoch | option | " + " | ".join(f"{p['networks'][0]:,} networks" for p in plain) + " |",
             "|---|---|" + "---|" * len(runs)]
    for kind, mixup, label in AUGMENTATIONS:
        recipes = [of(records, kind, mixup) for records in runs]
        if not any(recipes):
            continue
        option = "" if label == "nothing" else f"`--mixup {mixup}`" if kind == "none" else f"`--augment {kind}`"
        cells = []
        for recipe, base in zip(recipes, plain):
            cell = percent(recipe["test_accuracy"], 1) if recipe else "not run"
            if recipe and recipe is not base:
                cell += f" ({100 * (recipe['test_accuracy'] - base['test_accuracy']):+.1f})"
            cells.append(cell)
        lines.append(f"| {label} | {option} | " + " | ".join(cells) + " |")
    said = []
    for p in plain:
        data = DATA_NAMES[os.path.basename(min(p["inputs"])).split("_")[0]]
        said.append(f"{p['networks'][0]:,} networks of {data}, {p['train']['epochs']} epochs")
    lines += ["", "Test accuracy (difference to none) on 10,000 networks of other images: DWS, the parameters of the last epoch; "
                  + "; ".join(said) + "."]
    return "\n".join(lines) + "\n"
