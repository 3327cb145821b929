"""The README's tables of alignment and merging, from the records of scripts/figures_align.sh and scripts/figures_merge.sh."""
from figures_markdown import MACHINE, machine_of, percent, rows_named

PAIRS = {"mnist_mlp": "MNIST, MLP 784-512-512-512-10", "cifar_mlp": "CIFAR-10, MLP 3072-512-512-512-10",
         "cifar_cnn": "CIFAR-10, CNN of 16 to 128 channels"}
METHODS = {"none": "as they are", "weights": "`--method weights`", "activations": "`--method activations`",
           "frank-wolfe": "`--method frank-wolfe`"}
# Barrier and area by A. Navon et al., Equivariant Deep Weight Space Alignment, ICML 2024, tables 1 and 2: of other networks (MLPs of
# 128 neurons, CNNs without norms), so no more than a neighbour to look at.
PUBLISHED = {("mnist_mlp", "none"): (2.007, .835), ("mnist_mlp", "weights"): (.047, .011), ("mnist_mlp", "activations"): (.024, .007),
             ("cifar_mlp", "none"): (.927, .493), ("cifar_mlp", "weights"): (.156, .068), ("cifar_mlp", "activations"): (.066, .024),
             ("cifar_cnn", "none"): (1.124, .524), ("cifar_cnn", "weights"): (.661, .178), ("cifar_cnn", "activations"): (.238, .000)}


def align_pairs(records):
    """Barrier, area and accuracy in the middle of pairs that were trained apart."""
    lines = ["| pair (test accuracies) | aligned | barrier | area | accuracy in the middle | seconds | published: barrier, area |",
             "|---|---|---|---|---|---|---|"]
    last = None
    for r in records:
        if r.get("schema") == MACHINE:
            continue
        name = ""
        if r["pair"] != last:
            name = f"{PAIRS[r['pair']]} ({', '.join(percent(a, 1) for a in r['accuracies'])})"
            last = r["pair"]
        lmc = r["lmc"]
        middle = next(p for p in lmc["points"] if p["lambda"] == .5)
        method = METHODS[r["method"]] + (", `--repair`" if r["repair"] else "")
        seconds = f"{r['align']['seconds']:.2g}" if "align" in r and not r["repair"] else ""
        published = PUBLISHED.get((r["pair"], r["method"])) if not r["repair"] else None
        lines.append(f"| {name} | {method} | {lmc['barrier']:.3f} | {lmc['area']:.3f} | {percent(middle['accuracy'], 1)} | {seconds} "
                     f"| {'{:.3f}, {:.3f}'.format(*published) if published else ''} |")
    lines += ["", "Barrier and area are those of the test loss over the straight line between its ends, 25 points, nothing below 0. "
                  f"Seconds: of the matching, {machine_of(records)}. Published: Navon et al. 2024, tables 1 and 2, other networks "
                  "(MLPs of 128 neurons, other CNNs): neighbours, not rivals."]
    return "\n".join(lines) + "\n"


def share(rows, kind):
    drawn, found = (sum(r[kind][key] for r in rows) for key in ("drawn", "found"))
    return f"{percent(found / drawn, 1 if found < drawn else 0)} of {drawn:,}" if drawn else "–"


def align_recovery(records):
    """How much of a random element is found again, of exported networks and under noise."""
    rows = [r for r in records if r.get("schema") != MACHINE]
    plain, noisy = [r for r in rows if "noise" not in r], [r for r in rows if "noise" in r]
    kinds = ("indices", "signs", "turns", "scales")
    lines = ["| networks | noise | indices found | signs | half turns | scales |", "|---|---|---|---|---|---|"]
    lines.append(f"| {len(plain)} exported networks of `tests/models` | none | " + " | ".join(share(plain, k) for k in kinds) + " |")
    for r in noisy:
        lines.append(f"| MLP 784-512-512-512-10 trained on MNIST | {r['noise']:g} | " + " | ".join(share([r], k) for k in kinds[:3]) + " | – |")
    lines += ["", "Three random elements a network, of all kinds its symmetry has, as in `dws permute --groups perm,sign,scale,phase`. "
                  "Noise: normal, so many times the root mean square of each tensor, added before it is aligned; the scale "
                  "that makes a noisy neuron most alike is not the one that was drawn, so scales are not counted there."]
    return "\n".join(lines) + "\n"


# Cases of `dws bench`: what each does, and against what.
AGAINST_LOOP = (("align.mlp", "weight matching, MLP 784-512-512-512-10"), ("align.vgg16", "weight matching, VGG16"),
                ("align.resnet50", "weight matching, ResNet50"))


def align_bench(records):
    """Alignment and merging against the plain way to do the same, each in one run."""
    lines = ["| work | seconds | the plain way | ratio |", "|---|---|---|---|"]
    for name, what in AGAINST_LOOP:
        r = rows_named(records, name)
        if r["channels_divided_by"] != 1:
            raise ValueError(f"{name}: channels divided by {r['channels_divided_by']}")
        lines.append(f"| {what} | {r['seconds']:.3g} | {r['plain_seconds']:.3g} | {r['ratio']:.1f} |")
    ties = rows_named(records, "merge.ties")
    lines.append(f"| TIES of two networks of {ties['elements'] / 1e6:.1f} M numbers | {ties['seconds']:.3g} | {ties['sort_seconds']:.3g} "
                 f"| {ties['times_faster_than_sort']:.0f} |")
    zoo, linear = rows_named(records, "align.zoo"), rows_named(records, "merge.linear_bf16")
    lines += ["", "The plain way: of weight matching the published loop, in which every product is computed anew at every visit and every "
                  "assignment begins from nothing, with the same kernels; of TIES a sort of all magnitudes. A network 2-32-32-1 is matched, "
                  f"with signs, in {zoo['ms_per_pair']:.2f} ms on one core. A mean of two bfloat16 checkpoints in the page cache moves "
                  f"{linear['gb_per_second']:.1f} GB/s, {percent(linear['share_of_copy'], 0)} of what copying a file moves here. "
                  f"{machine_of(records)}, `dws bench`."]
    return "\n".join(lines) + "\n"


def merge_large(records):
    """Every method on large checkpoints: time and memory."""
    rows = [r for r in records if r.get("schema") != MACHINE]
    lines = ["| method | networks | seconds | GB/s read and written | peak memory, MB |", "|---|---|---|---|---|"]
    lines += [f"| `{r['method']}` | {r['networks']} | {r['seconds']:.0f} | {r['gb_per_second']:.2f} | {r['peak_mb']} |" for r in rows]
    lines += ["", f"Each network {rows[0]['input_gb']:.1f} GB in bfloat16, the base counted where there is one; read from disk, which is what "
                  f"most of the time goes to; {machine_of(records)}, `scripts/figures_merge.sh`.{records[0].get('note', '')}"]
    return "\n".join(lines) + "\n"
