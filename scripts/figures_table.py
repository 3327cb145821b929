#!/usr/bin/env python3
"""Figures of the README: collected from a run's files into JSON, and from JSON into the README's tables.

usage: figures_table.py collect WORK -o JSON                      WORK: what scripts/figures_inr.sh left
       figures_table.py collect WORK -o JSON --set mnist|fashion  WORK: what scripts/figures_mnist_inr.sh left
       figures_table.py pair WORK NAME            prints JSON Lines: what WORK/NAME_*.json of scripts/figures_align.sh say
       figures_table.py machine                   prints one line of JSON: the first line of results in JSON Lines
       figures_table.py readme [--check] [ROOT]   rewrites the tables of ROOT/README.md, or only says whether they are right

`collect` refuses a run in which DWS is not at least 25 points of test accuracy above both baselines; with --set, one in which
it does not reach 87 % (mnist) or 69 % (fashion). `readme --check` refuses results that no table shows.
"""
# A table stands between `<!-- figures:NAME begin -->` and `<!-- figures:NAME end -->` and is made from
# tests/bench/results/NAME.json alone, or from the JSON Lines there that OF_LINES names. Until that is there the block says so,
# in the words of PENDING.
import json
import os
import re
import sys

import figures_align_markdown as align_markdown
import figures_markdown as markdown

SCHEMA = "dws.figures.inr/1"
SCHEMA_70K = "dws.figures.inr_70k/1"
SCHEMA_TORCH = "dws.bench_torch/1"  # of scripts/bench_torch.py
BAR = 0.25  # test accuracy of DWS above that of every baseline
BARS_70K = {"mnist": 0.87, "fashion": 0.69}
# Test accuracy in % of A. Navon et al., Equivariant Architectures for Learning in Deep Weight Spaces, ICML 2023, by the names
# that scripts/figures_mnist_inr.sh gives its rows.
PUBLISHED = {"mnist": {"mlp": 17.55, "mlp_permute": 29.26, "mlp_aligned": 58.98, "dws": 85.71},
             "fashion": {"mlp": 19.91, "mlp_permute": 22.76, "mlp_aligned": 47.79, "dws": 67.06}}
PENDING = "*Not measured yet.*\n"
RESULTS = os.path.join("tests", "bench", "results")
MARKED = re.compile(r"<!-- figures:(\w+) begin -->\n(.*?)<!-- figures:\1 end -->", re.DOTALL)


class Failure(Exception):
    """Said in one line by main."""


def read_json(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError) as e:
        raise Failure(f"{path}: {e}") from None


def write_whole(path, text):
    """The file appears whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".part", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".part", path)


def processor():
    """The machine's processor as Linux names it, and how many of its cores this process may use."""
    name = "unknown processor"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            name = re.search(r"^model name\s*:\s*(.*)$", f.read(), re.MULTILINE).group(1)
    except (OSError, AttributeError):
        pass
    return name, len(os.sched_getaffinity(0))


def json_lines(path):
    """The records of a JSON Lines file: one at least."""
    try:
        with open(path, encoding="utf-8") as f:
            records = [json.loads(line) for line in f if line.strip()]
    except (OSError, ValueError) as e:
        raise Failure(f"{path}: {e}") from None
    if not records:
        raise Failure(f"{path}: holds no record")
    return records


def last_json_line(path):
    return json_lines(path)[-1]


def require_bar(rows):
    """The claim that the table is there to show: DWS is BAR above both baselines."""
    try:
        dws = [r["recipe"]["test_accuracy"] for r in rows if r["recipe"]["model"] == "dws"]
        baselines = [r for r in rows if r["recipe"]["model"] != "dws"]
        if len(dws) != 1 or len(baselines) < 2:
            raise Failure(f"expected one DWS model and two baselines, got {len(dws)} and {len(baselines)}")
        for row in baselines:
            accuracy = row["recipe"]["test_accuracy"]
            if not round(dws[0] - accuracy, 9) >= BAR:
                raise Failure(f"DWS at {100 * dws[0]:.1f} % is not {100 * BAR:.0f} points above {100 * accuracy:.1f} % "
                              f"({row['model']})")
    except (KeyError, TypeError) as e:
        raise Failure(f"a model's summary is not whole: {type(e).__name__} {e}") from None


def require_bar_70k(data, rows):
    """All four rows of one split are there, and DWS reaches the bar."""
    try:
        if [r["name"] for r in rows] != list(PUBLISHED[data]):
            raise Failure(f"expected the models {', '.join(PUBLISHED[data])}, got {', '.join(r['name'] for r in rows)}")
        for row in rows:
            if row["recipe"]["networks"] != rows[0]["recipe"]["networks"]:
                raise Failure(f"{row['name']} was trained and tested on other numbers of networks than {rows[0]['name']}")
        accuracy = rows[-1]["recipe"]["test_accuracy"]
        if not accuracy >= BARS_70K[data]:
            raise Failure(f"DWS at {100 * accuracy:.2f} % does not reach {100 * BARS_70K[data]:.0f} % ({data})")
    except (KeyError, TypeError) as e:
        raise Failure(f"a model's summary is not whole: {type(e).__name__} {e}") from None


def without_folders(summary):
    """A step's summary as if it had been run beside its files: where they lay is nobody's business."""
    recipe = summary["recipe"]
    words = recipe["command"].split(" ")
    recipe["command"] = " ".join(os.path.basename(word) for word in words)
    recipe["inputs"] = {os.path.basename(name): checksum for name, checksum in recipe["inputs"].items()}
    summary["output"] = os.path.basename(summary["output"])
    return summary


def read_rows(work):
    """For each NAME of models.txt ("NAME<tab>label") NAME.json, the summary that dws train printed."""
    rows = []
    try:
        with open(os.path.join(work, "models.txt"), encoding="utf-8") as f:
            names = [line.rstrip("\n").split("\t") for line in f if line.strip()]
    except OSError as e:
        raise Failure(e) from None
    for name, label in names:
        rows.append({"name": name, "model": label, **last_json_line(os.path.join(work, f"{name}.json"))})
    return rows


def machine(schema):
    """The start of every record of figures."""
    name, cores = processor()
    return {"schema": schema, "processor": name, "cores": cores}


def write_figures(out, schema, fields):
    figures = {**machine(schema), **fields}
    write_whole(out, json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


def collect(work, out):
    """fit.json and the models' summaries."""
    rows = read_rows(work)
    require_bar(rows)
    write_figures(out, SCHEMA, {"fit": last_json_line(os.path.join(work, "fit.json")), "models": rows})


def collect_70k(work, out, data):
    """The summaries of the fits and alignments of both zoos, and of the models, beside the published figures."""
    if data not in PUBLISHED:
        raise Failure(f"no data set {data!r}: expected {' or '.join(PUBLISHED)}")
    try:
        summary = {part: {step: without_folders(last_json_line(os.path.join(work, f"{data}_inr_{part}{suffix}.json")))
                          for step, suffix in (("fit", ""), ("align", "_aligned"))} for part in ("train", "test")}
    except (KeyError, TypeError, AttributeError) as e:
        raise Failure(f"the summary of a zoo is not whole: {type(e).__name__} {e}") from None
    rows = read_rows(work)
    require_bar_70k(data, rows)
    for row in rows:
        row["published"] = PUBLISHED[data][row["name"]]
    write_figures(out, SCHEMA_70K, {"data": data, "zoos": summary, "models": rows})


def pair(work, name):
    """A record a way to align: what both networks reach, what `dws align` said, the curve between them."""
    def summary(file):
        return last_json_line(os.path.join(work, f"{file}.json"))

    trained = [without_folders(summary(f"{name}_{half}")) for half in "ab"]
    for method in ("none", "weights", "activations", "frank-wolfe"):
        for ending in ("", "_repair"):
            path = os.path.join(work, f"{name}_{method}{ending}.json")
            if not os.path.exists(path):
                continue
            record = {"schema": "dws.figures.align/1", "pair": name, "method": method, "repair": bool(ending),
                      "accuracies": [t["recipe"]["test_accuracy"] for t in trained], "arch": trained[0]["recipe"]["model"]["arch"],
                      "commands": [t["recipe"]["command"] for t in trained], "lmc": last_json_line(path)}
            if method != "none":
                said = summary(f"{name}_{method}_align")
                record["align"] = {key: said[key] for key in ("cosine_before", "cosine_after", "sweeps", "seconds") if key in said}
            print(json.dumps(record, ensure_ascii=False))


TABLES = {SCHEMA: markdown.table_10k, SCHEMA_70K: markdown.table_70k, SCHEMA_TORCH: markdown.table_torch}
# Tables of JSON Lines, by the names of their blocks: what makes them, and of which files; of several those that are there.
OF_LINES = {"bench": (markdown.bench, ["bench"]), "bench_split": (markdown.bench_split, ["bench"]),
            "bench_threads": (markdown.bench_threads, ["bench"]), "bench_growth": (markdown.bench_growth, ["bench"]),
            "large": (markdown.large, ["large"]), "real_models": (markdown.real_models, ["real_models"]),
            "align_pairs": (align_markdown.align_pairs, ["align_pairs"]), "align_recovery": (align_markdown.align_recovery, ["align_recovery"]),
            "align_bench": (align_markdown.align_bench, ["align_bench"]), "merge_large": (align_markdown.merge_large, ["merge_large"]),
            "augment": (markdown.augment, ["augment_mnist_5k", "augment_fashion_5k", "augment_fashion_60k"])}


def table(figures):
    """The README's table of one JSON file."""
    if figures["schema"] not in TABLES:
        raise Failure(f"schema is {figures['schema']!r}, expected one of {', '.join(TABLES)}")
    return TABLES[figures["schema"]](figures)


def made_table(root, name):
    """The table of a block; None while nothing has been measured."""
    def path(file):
        return os.path.join(root, RESULTS, file)

    make, files = OF_LINES.get(name, (None, [name]))
    sources = [path(f"{file}.jsonl" if make else f"{file}.json") for file in files]
    there = [source for source in sources if os.path.exists(source)]
    if not there:
        return None
    try:
        return make(*map(json_lines, there)) if make else table(read_json(there[0]))
    except (KeyError, IndexError, TypeError, ValueError) as e:
        raise Failure(f"{', '.join(there)}: {type(e).__name__} {e}") from None


def require_used(root, used):
    """Every file of results of these schemas, and every table of lines, is shown."""
    folder = os.path.join(root, RESULTS)
    for name, (_, files) in OF_LINES.items():
        for file in files:
            if name not in used and os.path.exists(os.path.join(folder, f"{file}.jsonl")):
                raise Failure(f"{os.path.join(folder, file)}.jsonl: README.md does not show its table {name}")
    for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        name, extension = os.path.splitext(file)
        if extension != ".json" or name in used:
            continue
        results = read_json(os.path.join(folder, file))
        if isinstance(results, dict) and results.get("schema") in TABLES:
            raise Failure(f"{os.path.join(folder, file)}: no table of README.md shows it: add its marks "
                          f"<!-- figures:{name} begin --> and <!-- figures:{name} end -->")


def readme(root, check):
    path = os.path.join(root, "README.md")
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
    except OSError as e:
        raise Failure(e) from None
    used = set()

    def replace(match):
        name = match.group(1)
        used.add(name)
        made = made_table(root, name)
        if made is None:
            if match.group(2) == PENDING:
                return match.group(0)
            raise Failure(f"{path}: no results for the table {name}")
        return f"<!-- figures:{name} begin -->\n{made}<!-- figures:{name} end -->"

    made = MARKED.sub(replace, text)
    if made.count("<!-- figures:") != 2 * len(used):
        raise Failure(f"{path}: a mark of a table is alone, or a table stands twice")
    if check:
        require_used(root, used)
    if made == text:
        return 0
    if check:
        raise Failure(f"{path}: a table is not what its figures say: run scripts/figures_table.py readme")
    write_whole(path, made)
    return 0


def main():
    args = sys.argv[1:]
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    try:
        if len(args) == 4 and args[0] == "collect" and args[2] == "-o":
            collect(args[1], args[3])
        elif len(args) == 6 and args[0] == "collect" and args[2] == "-o" and args[4] == "--set":
            collect_70k(args[1], args[3], args[5])
        elif len(args) == 3 and args[0] == "pair":
            pair(*args[1:])
        elif args == ["machine"]:
            print(json.dumps(machine(markdown.MACHINE), ensure_ascii=False))
        elif args[:1] == ["readme"] and len(args) <= 3:
            rest = [a for a in args[1:] if a != "--check"]
            readme(rest[0] if rest else root, "--check" in args)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except Failure as e:
        print(f"figures_table.py: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
