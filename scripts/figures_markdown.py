"""The README's tables as Markdown, each from the figures it shows and from nothing else."""
import os

MACHINE = "dws.figures.machine/1"  # a line that says on which machine the lines of a file were measured

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
    found = [r for r in records if r.get("name") == name]
    if len(found) != 1:
        raise ValueError(f"expected one record {name}, got {len(found)}")
    return found[0]


def percent(share, digits=0):
    return f"{100 * share:.{digits}f} %"


def machine_of(records):
    """What the lines of `figures_table.py machine` among the records say: more than one when a run went on elsewhere."""
    said = dict.fromkeys(f"{r['cores']} cores ({r['processor']})" for r in records if r.get("schema") == MACHINE)
    return " and ".join(said) or "machine not recorded"


def default_dws(records):
    """The model of the cases that name none: the default of `dws train`."""
    r = rows_named(records, "dws.forward.32")
    return f"DWS of {r['layers']} layers, {r['channels']} channels"


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
    lines += ["", f"{peak['threads']} threads, {machine_of(records)}; peak: {peak['gflops']:.0f} GFLOP/s in float32 "
                  f"({one['gflops']:.0f} on one thread), instruction set {peak['isa']}; memory: "
                  f"{memory['gb_per_second']:.0f} GB/s. DWS of five layers, batches of 128 networks 2-32-32-1; the fastest of "
                  "repeated runs. A GFLOP is 10⁹ multiplications and additions of numbers; only those of matrix products count."]
    return "\n".join(lines) + "\n"


def bench_split(records):
    """Where the time of a training step goes, in shares of it."""
    lines = ["| channels | layers forward | layers backward | classifier and loss | rest |", "|---|---|---|---|---|"]
    for channels in (32, 64):
        r = rows_named(records, f"dws.split.training_step.{channels}")
        head = sum(share for way in ("forward", "backward") for part, share in r[way].items() if part != "dws_trunk")
        lines.append(f"| {channels} | {percent(r['forward']['dws_trunk'])} | {percent(r['backward']['dws_trunk'])} "
                     f"| {percent(head, 1)} | {percent(r['rest'], 1)} |")
    fit = rows_named(records, "fit.split")
    lines += ["", "The rest: summing what the threads found, changing the parameters, waiting for the last thread. Of a step of "
                  f"fitting, {percent(fit['share_sine'])} goes to sines, {percent(fit['share_adam'])} to changing the parameters, "
                  f"{percent(fit['share_products_and_rest'])} to matrix products and what is done along with them."]
    return "\n".join(lines) + "\n"


def bench_threads(records):
    """Networks a second on 1, 2, ... threads."""
    work = (("scale.fit", "fitting"), ("scale.forward", "reading"), ("scale.training_step", "training step"))
    counts = rows_named(records, work[0][0])["threads"]
    lines = ["| networks/s | " + " | ".join(f"{n} thread{'s' if n > 1 else ''}" for n in counts) + " | times |",
             "|---|" + "---|" * (len(counts) + 1)]
    for name, label in work:
        r = rows_named(records, name)
        if r["threads"] != counts:
            raise ValueError(f"{name} on other numbers of threads than {work[0][0]}")
        rates = " | ".join(f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" for rate in r["networks_per_second"])
        lines.append(f"| {label} | {rates} | {r['ratio'][-1]:.2f} |")
    lines += ["", f"{default_dws(records)}, as `dws train` makes it unless told otherwise."]
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
    lines.append("Width: neurons in each of two hidden layers. Depth: weight matrices, with 32 neurons between each two. Weights: "
                 f"with the biases. {default_dws(records)}, one thread. Time grows as the number of weights to the power of "
                 f"{width:.2f} (width) and {depth:.2f} (depth).")
    return "\n".join(lines) + "\n"


# (--augment, --mixup) and what they do.
AUGMENTATIONS = {("none", "none"): "nothing",
                 ("sign", "none"): "signs of neurons, at random; the picture stays",
                 ("sign,phase", "none"): "signs, and phases moved by half turns; the picture stays",
                 ("permute", "none"): "order of neurons, at random; the picture stays",
                 ("rotate=15,translate=0.1,zoom=0.1", "none"): "the picture turned, moved and zoomed a little",
                 ("noise=0.1", "none"): "noise added to every number",
                 ("dropout=0.01", "none"): "one number in a hundred set to zero",
                 ("none", "direct"): "mixup: a mixture of two networks, number by number, and of their labels",
                 ("none", "permuted"): "mixup, the second network's neurons in another order"}
DATA_NAMES = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}


def data_name(inputs):
    """The set whose images the networks draw, by the names of their zoos: DATA_inr_train.safetensors."""
    words = sorted({os.path.basename(name).split("_")[0] for name in inputs})
    if len(words) != 1 or words[0] not in DATA_NAMES:
        raise ValueError(f"networks of {', '.join(words)}: expected those of one of {', '.join(DATA_NAMES)}")
    return DATA_NAMES[words[0]]


def by_augmentation(records):
    """{(augment, mixup): recipe}; refuses rows that differ in more than that, or that the table would not show."""
    def common(recipe):
        train = {key: value for key, value in recipe["train"].items() if key not in ("augment", "mixup", "alpha")}
        return recipe["inputs"], recipe["networks"], train

    found = {}
    for recipe in (r["recipe"] for r in records if r.get("schema") != MACHINE):
        key = recipe["train"]["augment"], recipe["train"]["mixup"].split("=")[0]
        if key not in AUGMENTATIONS or key in found:
            raise ValueError(f"augment {key[0]}, mixup {key[1]}: {'there twice' if key in found else 'unknown'}")
        found[key] = recipe
        if common(recipe) != common(next(iter(found.values()))):
            raise ValueError(f"augment {key[0]}, mixup {key[1]}: of another recipe than the row before it")
    if ("none", "none") not in found:
        raise ValueError("no row without augmentation")
    return found


def augment(*runs):
    """Test accuracy with each augmentation, a column for each number of training networks."""
    found = [by_augmentation(records) for records in runs]
    plain = [recipes["none", "none"] for recipes in found]
    names = [f"{p['networks'][0]:,} networks of {data_name(p['inputs'])}" for p in plain]
    lines = ["| changed anew in each epoch | option | " + " | ".join(f"test accuracy, {name}" for name in names) + " |",
             "|---|---|" + "---|" * len(runs)]
    for key, label in AUGMENTATIONS.items():
        if not any(key in recipes for recipes in found):
            continue
        kind, mixup = key
        option = f"`--augment {kind}`" if kind != "none" else f"`--mixup {mixup}`" if mixup != "none" else ""
        cells = []
        for recipes, base in zip(found, plain):
            cell = percent(recipes[key]["test_accuracy"], 1) if key in recipes else "–"
            if key in recipes and recipes[key] is not base:
                cell += f" ({100 * (recipes[key]['test_accuracy'] - base['test_accuracy']):+.1f})"
            cells.append(cell)
        lines.append(f"| {label} | {option} | " + " | ".join(cells) + " |")
    said = [f"{name}: {p['train']['epochs']} epochs, tested on {p['networks'][2]:,} networks of other images, {machine_of(records)}"
            for name, p, records in zip(names, plain, runs)]
    lines += ["", "In brackets the difference to the first row, in points. DWS, one run a row, the parameters of the last epoch. "
                  + "; ".join(said) + "."]
    return "\n".join(lines) + "\n"


# Why a network's coverage is low.
STATES = "The states of its LSTM are inputs and outputs of the network, which fixes the LSTM's units and all that is added to them"
STRUCTURE = {"silero_vad_legacy.onnx": STATES,
             "silero_vad_v5.onnx": STATES + "; and it is two networks in one, for two sampling rates, of which one run shows one"}


def real_models(records):
    """Trained networks from npm: groups, coverage, and what running them showed."""
    lines = ["| network | what it is | MB | groups | of its parameters moved | largest difference | found in |", "|---|---|---|---|---|---|---|"]
    remarks = {}
    for r in records:
        if r.get("schema") == MACHINE:
            continue
        if not (r["holds"] and r["control"]):
            raise ValueError(f"{r['file']}: not verified")
        mark = ""
        if r["coverage"] < 0.95:
            mark = " " + "\\*" * (1 + list(dict.fromkeys([*remarks, STRUCTURE[r["file"]]])).index(STRUCTURE[r["file"]]))
            remarks[STRUCTURE[r["file"]]] = mark.strip()
        lines.append(f"| {r['file']} ({r['package']}) | {r['kind']} | {r['bytes'] / 1e6:.1f} | {r['groups']} | {percent(r['coverage'], 1)}{mark} "
                     f"| {r['difference']:.1e} | {1000 * r['symmetry_seconds']:.0f} ms |")
    lines += ["", "Difference: of the outputs before and after a random element of all groups, relative to the largest, in double "
                  f"precision; a change that must matter did. {machine_of(records)}."]
    lines += [f"{mark} {remark}." for remark, mark in remarks.items()]
    return "\n".join(lines) + "\n"


# Cases of `dws bench` on networks that are large, and what each does.
LARGE = (("symmetry.transformer", "symmetry of a transformer's graph, {nodes:,} nodes"),
         ("open.2gb.inside", "ONNX of {gigabytes:.1f} GB in one file, opened, with its symmetry"),
         ("open.2gb.external", "the same with external data"),
         ("checkpoint.open", "checkpoint of {gigabytes:.1f} GB in shards, {tensors} tensors, opened"),
         ("checkpoint.symmetry", "the same, with its recipe and symmetry, {groups} groups"))


def large(records):
    """What is paid before any number of a large network is looked at."""
    lines = ["| work | milliseconds | memory, MiB |", "|---|---|---|"]
    for name, words in LARGE:
        r = rows_named(records, name)
        memory = f"{r['resident_mib']:.1f}" if "resident_mib" in r else "-"
        lines.append(f"| {words.format(**r)} | {1000 * r['seconds']:.2g} | {memory} |")
    lines += ["", f"One thread, {machine_of(records)}; files with holes in place of numbers; memory: what the process grew by."]
    return "\n".join(lines) + "\n"
