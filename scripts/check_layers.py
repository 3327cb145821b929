#!/usr/bin/env python3
"""Checks that the rooms of src/ keep to the tables of src/README.md.

usage: check_layers.py [ROOT]        prints one line a finding; exit 1 when there is one
       check_layers.py --self-test   shows on small made-up trees that each rule can fail

Rules: a room includes only the rooms its row allows; a third-party header stands only in its place; every header is
the standard library's, the system's, the project's or in the table; no file over 500 lines.
"""
import fnmatch
import os
import re
import sys
import tempfile

MAX_LINES = 500
SOURCE_DIRS = ("src", "tools", "tests", "scripts")
CODE = (".h", ".cc")
COUNTED = (".h", ".cc", ".py", ".sh", ".cmake")

# Standard headers have no suffix; C and system headers are these.
C_HEADERS = set("assert ctype errno float inttypes limits math setjmp signal stdarg stddef stdint stdio stdlib "
                "string time wchar".split())
SYSTEM = ("unistd.h", "fcntl.h", "poll.h", "pthread.h", "sched.h", "termios.h", "dirent.h", "dlfcn.h", "sys/*")
INTRINSICS = ("immintrin.h", "cpuid.h", "x86intrin.h", "arm_neon.h")

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*(.*)$", re.MULTILINE)
OPERAND = re.compile(r'(<([^>]+)>|"([^"]+)")')


ROOMS_HEADER = ["layer", "folder", "what lives there", "may include"]
THIRD_PARTY_HEADER = ["library", "headers", "included in"]


def read_tables(text):
    """Returns (rooms, third_party): {room: (layer, allowed rooms)} and [(header patterns, file patterns)]."""
    rooms, third_party, header = {}, [], None
    for line in text.splitlines():
        if not line.startswith("|"):
            header = None
            continue
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if header is None:
            header = cells
            continue
        ticked = [re.findall(r"`([^`]+)`", c) for c in cells]
        if header == ROOMS_HEADER and ticked[1]:
            allowed = [] if cells[3] == "itself" else [r.strip() for r in cells[3].split(",")]
            rooms[ticked[1][0].removeprefix("src/")] = (int(cells[0]), allowed)
        elif header == THIRD_PARTY_HEADER and ticked[1]:
            third_party.append((ticked[1], ticked[2]))
    return rooms, third_party


def reachable(rooms, start):
    """Every room that `start` may include, directly or through others."""
    seen, todo = set(), list(rooms[start][1])
    while todo:
        room = todo.pop()
        if room not in seen and room in rooms:
            seen.add(room)
            todo += rooms[room][1]
    return seen


def check_table(rooms):
    """The table itself: known rooms only, never a higher layer, no circle."""
    for room, (layer, allowed) in rooms.items():
        for other in allowed:
            if other not in rooms:
                yield f"src/README.md: room {room} may include {other}, which is no room"
            elif rooms[other][0] > layer:
                yield f"src/README.md: room {room} may include {other}, which is higher"
        if room in reachable(rooms, room):
            yield f"src/README.md: room {room} may include itself in a circle through others"


def room_of(path):
    """src/core/x.h -> core, tools/main.cc -> tools, tests/... -> None."""
    parts = path.split("/")
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return "tools" if parts[0] == "tools" else None


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, p) for p in patterns)


def check_system_header(path, name, third_party):
    """A header in angle brackets; returns a finding or None."""
    for headers, places in third_party:
        if matches(name, headers):
            return None if matches(path, places) else f"includes <{name}>, which belongs in {', '.join(places)}"
    if "/" not in name and "." not in name:
        return None
    if "/" not in name and name.endswith(".h") and name[:-2] in C_HEADERS:
        return None
    room = room_of(path)
    if matches(name, SYSTEM):
        return f"includes <{name}>: kernels make no system calls" if room == "kernels" else None
    if name in INTRINSICS:
        return None if room in ("kernels", None) else f"includes <{name}>: intrinsics belong in src/kernels"
    return f"includes <{name}>, which is not in the table of third-party headers (src/README.md)"


def check_own_header(root, path, name, rooms):
    """A header in quotes: of the same folder, or room/name from src; returns a finding or None."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    room = room_of(path)
    if os.path.exists(os.path.join(root, "src", name)):
        target = name.split("/")[0]
    elif os.path.exists(os.path.join(root, beside)) and not beside.startswith(".."):
        target = room_of(beside)
    elif room is None:
        return None  # tests may be given other include folders by CMake; the compiler finds what is missing
    else:
        return f'includes "{name}", which does not exist'
    if room is None or target == room:
        return None
    if target not in rooms[room][1]:
        return f'includes "{name}": room {room} may not include {target}'
    return None


def strip_comments(text):
    """Blanks comments, keeping lines, so that an include in a comment is none."""
    blank = lambda m: "\n" * m.group().count("\n")
    return re.sub(r"/\*.*?\*/|(?m:^[ \t]*//.*$)", blank, text, flags=re.DOTALL)


def check_includes(root, path, text, rooms, third_party):
    for match in INCLUDE.finditer(strip_comments(text)):
        line = strip_comments(text)[: match.start()].count("\n") + 1
        operand = OPERAND.match(match.group(1))
        if not operand:
            if room_of(path) == "kernels" and re.fullmatch(r"[A-Z_]+", match.group(1).strip()):
                continue  # a body chosen by a macro
            finding = "includes something that is no file name"
        elif operand.group(2):
            finding = check_system_header(path, operand.group(2), third_party)
        else:
            name = operand.group(3)
            third = any(matches(name, headers) for headers, _ in third_party)
            finding = (check_system_header(path, name, third_party) if third
                       else check_own_header(root, path, name, rooms))
        if finding:
            yield f"{path}:{line}: {finding}"


def source_files(root):
    for top in SOURCE_DIRS:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders[:] = sorted(f for f in folders if f not in ("data", "results", "__pycache__"))
            for name in sorted(names):
                if name.endswith(COUNTED) or name == "CMakeLists.txt":
                    yield os.path.relpath(os.path.join(folder, name), root)


def check_tree(root):
    """All findings of a tree, and the number of files looked at."""
    with open(os.path.join(root, "src", "README.md"), encoding="utf-8") as f:
        rooms, third_party = read_tables(f.read())
    findings = list(check_table(rooms))
    if not rooms or not third_party:
        findings.append("src/README.md: the tables of rooms and third-party headers were not found")
    checked = 0
    for path in source_files(root):
        checked += 1
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
            text = f.read()
        lines = len(text.splitlines())
        if lines > MAX_LINES:
            findings.append(f"{path}: {lines} lines, more than {MAX_LINES}: two ideas in two files?")
        if not path.endswith(CODE):
            continue
        room = room_of(path)
        if room is not None and room not in rooms:
            findings.append(f"{path}: room {room} is not in the table of src/README.md")
            continue
        findings += check_includes(root, path, text, rooms, third_party)
    return findings, checked


SELF_TEST_README = """
| layer | folder | what lives there | may include |
|---|---|---|---|
| 0 | `src/core` | x | itself |
| 1 | `src/tensor` | x | core |
| 1 | `src/kernels` | x | core |
| 2 | `src/nn` | x | tensor, core |
| 3 | `tools` | x | nn, core |

| library | headers | included in |
|---|---|---|
| oneTBB | `tbb/*` | `src/core/parallel.cc` |
| CLI11 | `CLI/*` | `tools/*` |
| GoogleTest | `gtest/*` | `tests/*` |

| another | table | of three columns |
|---|---|---|
| an op | `core/*` | `tests/unit` |
"""

CLEAN_TREE = {
    "src/README.md": SELF_TEST_README,
    "src/core/a.h": "#pragma once\n#include <vector>\n#include <stdint.h>\n",
    "src/core/parallel.cc": '#include <tbb/task.h>\n#include <unistd.h>\n#include "core/a.h"\n',
    "src/kernels/k.cc": '#include <immintrin.h>\n#include "core/a.h"\n#include BODY\n',
    "src/tensor/t.h": '// #include "nn/n.h"\n/*\n#include <tbb/x.h>\n*/\n#include "core/a.h"\n',
    "src/nn/n.h": '#include "tensor/t.h"\n#include "core/a.h"\n',
    "tools/main.cc": '#include <CLI/CLI.hpp>\n#include "nn/n.h"\n#include "command.h"\n',
    "tools/command.h": "#pragma once\n",
    "tests/unit/t_test.cc": '#include <gtest/gtest.h>\n#include "nn/n.h"\n',
    "scripts/a.sh": "true\n" * 500,
}

# (what is changed, the finding it must bring)
BROKEN = [
    ({"src/core/b.h": '#include "tensor/t.h"\n'}, "room core may not include tensor"),
    ({"src/tensor/u.h": '#include "nn/n.h"\n'}, "room tensor may not include nn"),
    ({"src/tensor/u.h": '\n  #  include "../nn/n.h"\n'}, "src/tensor/u.h:2: includes \"../nn/n.h\": room tensor"),
    ({"tools/x.cc": '#include "tensor/t.h"\n'}, "room tools may not include tensor"),
    ({"src/nn/m.cc": "#include <tbb/parallel_for.h>\n"}, "<tbb/parallel_for.h>, which belongs in src/core/parallel.cc"),
    ({"src/nn/m.cc": '#include "tbb/parallel_for.h"\n'}, "belongs in src/core/parallel.cc"),
    ({"src/core/parallel.h": "#include <tbb/task.h>\n"}, "belongs in src/core/parallel.cc"),
    ({"src/core/c.cc": "#include <CLI/CLI.hpp>\n"}, "belongs in tools/*"),
    ({"src/core/c.cc": "#include <gtest/gtest.h>\n"}, "belongs in tests/*"),
    ({"src/core/c.cc": "#include <boost/any.hpp>\n"}, "not in the table of third-party headers"),
    ({"src/core/c.cc": "#include <cblas.h>\n"}, "not in the table of third-party headers"),
    ({"tests/unit/u.cc": "#include <Eigen/Dense>\n"}, "not in the table of third-party headers"),
    ({"src/kernels/m.cc": "#include <sys/mman.h>\n"}, "kernels make no system calls"),
    ({"src/nn/m.cc": "#include <immintrin.h>\n"}, "intrinsics belong in src/kernels"),
    ({"src/nn/m.cc": '#include "nn/missing.h"\n'}, "which does not exist"),
    ({"src/nn/m.cc": "#include HEADER\n"}, "no file name"),
    ({"src/attic/x.cc": "int x;\n"}, "room attic is not in the table"),
    ({"src/nn/long.cc": "\n" * 501}, "src/nn/long.cc: 501 lines"),
    ({"tests/unit/long.cc": "\n" * 501}, "tests/unit/long.cc: 501 lines"),
    ({"tools/long.cc": "\n" * 501}, "tools/long.cc: 501 lines"),
    ({"scripts/long.py": "\n" * 501}, "scripts/long.py: 501 lines"),
    ({"src/README.md": SELF_TEST_README.replace("x | core |", "x | nn, core |")}, "may include nn, which is higher"),
    ({"src/README.md": SELF_TEST_README.replace("x | nn, core |", "x | cellar |")}, "cellar, which is no room"),
    ({"src/README.md": SELF_TEST_README.replace("| 1 | `src/tensor` | x | core |", "| 1 | `src/tensor` | x | kernels |")
        .replace("| 1 | `src/kernels` | x | core |", "| 1 | `src/kernels` | x | tensor |")}, "in a circle"),
    ({"src/README.md": "no tables\n"}, "were not found"),
]


def findings_of(tree):
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        return check_tree(root)


def self_test():
    findings, checked = findings_of(CLEAN_TREE)
    failures = [f"clean tree: {f}" for f in findings]
    if checked != len(CLEAN_TREE) - 1:
        failures.append(f"clean tree: {checked} files looked at, expected {len(CLEAN_TREE) - 1}")
    for change, expected in BROKEN:
        findings, _ = findings_of({**CLEAN_TREE, **change})
        if not any(expected in f for f in findings):
            failures.append(f"{sorted(change)}: no finding with '{expected}', only {findings}")
    for failure in failures:
        print(failure)
    print(f"{len(BROKEN) + 1} trees, {len(failures)} failures")
    return 1 if failures else 0


def main():
    args = sys.argv[1:]
    if args == ["--self-test"]:
        return self_test()
    if len(args) > 1 or (args and args[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    root = args[0] if args else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    findings, checked = check_tree(root)
    for finding in findings:
        print(finding)
    print(f"{checked} files, {len(findings)} findings")
    return 1 if findings or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
