#!/usr/bin/env python3
"""Runs the commands of README.md, so that they stay true.

usage: check_readme.py DWS [README]      DWS: the built program; README: README.md of this repository
       check_readme.py --self-test

A fenced block of ```sh that follows a line `<!-- run -->` is run by bash, with -euo pipefail and DWS's folder first on
the PATH; with `<!-- run exit 2 -->` it must end with that code. All blocks run one after the other in one temporary folder,
in which tests/, scripts/ and models/ are this repository's. A block's output is shown when it fails. A ```text block that
follows `<!-- prints -->` is what the block before it prints; numbers like 3.6e-16 may be others.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PRINTS = "<!-- prints -->"
TINY = re.compile(r"\b\d(\.\d+)?e-\d+\b")
MARK = re.compile(r"^<!--\s*run(?:\s+exit\s+(\d+))?\s*-->\s*$")


class Failure(Exception):
    """Said in one line by main."""


def find_blocks(text):
    """[(line number, commands, expected exit code, expected output or None)] of the marked blocks."""
    blocks, mark, start, body = [], None, None, []
    for number, line in enumerate(text.splitlines(), 1):
        if start is not None:
            if line.startswith("```"):
                content = "\n".join(body) + "\n"
                if mark == PRINTS:
                    blocks[-1] = blocks[-1][:3] + (content,)
                elif mark:
                    blocks.append((start, content, int(mark.group(1) or 0), None))
                mark, start, body = None, None, []
            else:
                body.append(line)
        elif line.startswith("```"):
            if mark and line.strip() != ("```text" if mark == PRINTS else "```sh"):
                raise Failure(f"line {number}: a block marked to run is not ```sh, or one that is printed not ```text")
            start = number + 1
        elif line.strip() == PRINTS:
            if mark or not blocks:
                raise Failure(f"line {number}: output without a block that prints it")
            mark = PRINTS
        elif MARK.match(line):
            if mark:
                raise Failure(f"line {number}: a mark without a block before it")
            mark = MARK.match(line)
        elif line.strip() and mark:
            raise Failure(f"line {number}: a mark is followed by text, not by a block")
        elif "<!--" in line and re.search(r"<!--\s*run\b", line):
            raise Failure(f"line {number}: a mark that is not understood: {line.strip()}")
    if start is not None or mark:
        raise Failure("the last block has no end")
    return blocks


def run_blocks(blocks, path, out=sys.stdout):
    """Runs the blocks with `path` first on the PATH; False at the first that does not end as it should."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tests", "scripts", "models"):
            os.symlink(os.path.realpath(os.path.join(ROOT, name)), os.path.join(folder, name))
        env = {**os.environ, "PATH": path + os.pathsep + os.environ["PATH"]}
        for line, commands, expected, prints in blocks:
            begin = time.monotonic()
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=folder, env=env, text=True,
                                  errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            print(f"line {line}: exit {done.returncode} in {time.monotonic() - begin:.1f} s", file=out)
            if done.returncode != expected:
                print(f"{commands}{done.stdout}line {line}: exit {done.returncode}, expected {expected}", file=out)
                return False
            if prints is not None and TINY.sub("#", done.stdout) != TINY.sub("#", prints):
                print(f"{commands}{done.stdout}line {line}: prints this, not what README.md says", file=out)
                return False
    return True


def self_test():
    good = "# t\n<!-- run -->\n```sh\necho a > f\n```\n\n```sh\nfalse\n```\n<!-- run exit 3 -->\n\n```sh\ntest -s f\nexit 3\n```\n"
    blocks = find_blocks(good)
    assert [(b[0], b[2]) for b in blocks] == [(4, 0), (13, 3)], blocks
    with open(os.devnull, "w") as quiet:
        assert run_blocks(blocks, "/", quiet)
        for commands, code in (("false", 0), ("false | true", 0), ("false\ntrue", 0), ("echo $nothing", 0), ("true", 2)):
            assert not run_blocks([(1, commands, code, None)], "/", quiet), commands
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "dws"), "w") as f:
                f.write("#!/bin/sh\nexit 7\n")
            os.chmod(os.path.join(folder, "dws"), 0o755)
            assert run_blocks([(1, "dws fit", 7, None)], folder, quiet)
        assert run_blocks([(1, "test -f tests/data/README.md", 0, None)], "/", quiet)
        printing = find_blocks("<!-- run -->\n```sh\necho a 1.5e-16\n```\n<!-- prints -->\n```text\na 2e-17\n```\n")
        assert run_blocks(printing, "/", quiet)
        assert not run_blocks([printing[0][:3] + ("b 2e-17\n",)], "/", quiet)
    for bad in ("<!-- prints -->\n```text\nx\n```\n", "<!-- run -->\ntext\n", "<!-- run -->\n```\nx\n```\n", "<!-- run it -->\n", "<!-- run -->\n```sh\nx\n", "<!-- run -->\n"):
        try:
            find_blocks(bad)
        except Failure:
            continue
        raise AssertionError(bad)
    print("self-test passed")
    return 0


def main():
    args = sys.argv[1:]
    if args == ["--self-test"]:
        return self_test()
    if len(args) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    readme = args[1] if len(args) == 2 else os.path.join(ROOT, "README.md")
    try:
        if os.path.basename(args[0]) != "dws" or not os.access(args[0], os.X_OK):
            raise Failure(f"{args[0]} is not the program dws")
        with open(readme, encoding="utf-8") as f:
            blocks = find_blocks(f.read())
        if not blocks:
            raise Failure("no block is marked to run")
    except (Failure, OSError) as e:
        print(f"check_readme.py: {readme}: {e}", file=sys.stderr)
        return 2
    return 0 if run_blocks(blocks, os.path.dirname(os.path.abspath(args[0]))) else 1


if __name__ == "__main__":
    sys.exit(main())
