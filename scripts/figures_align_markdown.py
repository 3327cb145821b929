"""The README's tables of alignment, from the records of scripts/figures_align.sh."""
from figures_markdown import MACHINE, machine_of, percent

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
    whole = [r for r in plain if all(r[k]["found"] == r[k]["drawn"] for k in kinds)]
    short = [r for r in plain if r not in whole]
    lines.append(f"| {len(plain)} exported networks of `tests/models` | none | " + " | ".join(share(plain, k) for k in kinds) + " |")
    for r in noisy:
        lines.append(f"| MLP 784-512-512-512-10 trained on MNIST | {r['noise']:g} | " + " | ".join(share([r], k) for k in kinds) + " |")
    lines += ["", "Three random elements a network, of all kinds its symmetry has, as in `dws permute --groups perm,sign,scale,phase`. "
                  "Noise: normal, so many times the root mean square of each tensor, added before it is aligned; the scales of noisy "
                  "neurons are no longer those that were drawn."]
    if short:
        lines.append("Not all scales are found in " + ", ".join(f"`{r['network']}`" for r in short) + ", where a scale of a whole group of "
                     "channels and the scales of its channels do the same, so that there is more than one answer; the numbers come back.")
    return "\n".join(lines) + "\n"
