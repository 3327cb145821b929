#!/usr/bin/env python3
"""scripts/figures_table.py: tables come from the JSON alone, and a table that differs is found."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "figures_table.py")
FIT = {"schema": "dws.fit/1", "networks": 10000, "psnr_mean": 41.25, "seconds": 400.0, "networks_per_second": 25.0}


def model(name, accuracy):
    return {"schema": "dws.train/1", "parameters": 12345, "seconds": 600.0, "networks_per_second": 1234.5,
            "recipe": {"model": name, "networks": [8000, 0, 2000], "train_accuracy": 0.9375, "test_accuracy": accuracy}}


class FiguresTable(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        self.results = os.path.join(self.root, "tests", "bench", "results", "t.json")
        self.work = os.path.join(self.root, "work")
        os.makedirs(self.work)
        self.write("work/fit.json", json.dumps(FIT) + "\n")
        self.write("work/models.txt", "mlp\tflat MLP\nstats\tstatistics\ndws\tDWS\n")
        self.write("work/mlp.json", json.dumps(model("mlp", 0.2)) + "\n")
        self.write("work/stats.json", json.dumps(model("stats", 0.5)) + "\n")
        self.write("work/dws.json", json.dumps({"old": 1}) + "\n" + json.dumps(model("dws", 0.875)) + "\n")
        self.readme("<!-- figures:t begin -->\n<!-- figures:t end -->\n")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w", encoding="utf-8") as f:
            f.write(text)

    def readme(self, text):
        self.write("README.md", f"before\n{text}after\n")

    def run_script(self, *args):
        done = subprocess.run([sys.executable, SCRIPT, *args], capture_output=True, text=True)
        self.assertLessEqual(len(done.stderr.splitlines()), 12, done.stderr)
        return done.returncode

    def collect(self):
        return self.run_script("collect", self.work, "-o", self.results)

    def test_collected_and_written_into_the_readme(self):
        self.assertEqual(self.collect(), 0)
        self.assertEqual(self.run_script("readme", "--check", self.root), 2)
        self.assertEqual(self.run_script("readme", self.root), 0)
        self.assertEqual(self.run_script("readme", "--check", self.root), 0)
        with open(os.path.join(self.root, "README.md"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn("| flat MLP | 12,345 | 20.0 % | 93.8 % | 10.0 min | 1,234 |\n"
                      "| statistics | 12,345 | 50.0 % | 93.8 % | 10.0 min | 1,234 |\n"
                      "| DWS | 12,345 | 87.5 % | 93.8 % | 10.0 min | 1,234 |\n", text)
        self.assertIn("8,000 networks to train on and 2,000 to test on; 10,000 fits, mean PSNR 41.2 dB, in 6.7 min "
                      "(25.0 networks/s); 2 cores", text)
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))

    def test_a_figure_changed_by_hand_is_found(self):
        self.collect()
        self.run_script("readme", self.root)
        path = os.path.join(self.root, "README.md")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.write("README.md", text.replace("87.5", "97.5"))
        self.assertEqual(self.run_script("readme", "--check", self.root), 2)

    def test_missing_pieces(self):
        self.assertEqual(self.run_script("readme", "--check", self.root), 2)  # no JSON
        for text in ("<!-- figures:t begin -->\n", "<!-- figures:t begin -->\n<!-- figures:u end -->\n"):
            self.readme(text)
            self.assertEqual(self.run_script("readme", "--check", self.root), 2)
        os.remove(os.path.join(self.work, "mlp.json"))
        self.assertEqual(self.collect(), 2)
        self.assertFalse(os.path.exists(self.results))
        self.assertEqual(self.run_script("readme", "--no-such", self.root, "x"), 2)

    def test_dws_must_be_25_points_above_both(self):
        for accuracy, code in ((0.75, 0), (0.749, 2), (0.2, 2)):
            self.write("work/dws.json", json.dumps(model("dws", accuracy)) + "\n")
            if os.path.exists(self.results):
                os.remove(self.results)
            self.assertEqual(self.collect(), code, accuracy)
            self.assertEqual(os.path.exists(self.results), code == 0)
        self.write("work/dws.json", json.dumps(model("dws", 0.9)) + "\n")
        self.write("work/mlp.json", json.dumps(model("mlp", 0.7)) + "\n")  # above one of two is not enough
        self.assertEqual(self.collect(), 2)
        self.write("work/mlp.json", json.dumps(model("mlp", float("nan"))) + "\n")
        self.assertEqual(self.collect(), 2)
        self.write("work/models.txt", "stats\tstatistics\ndws\tDWS\n")
        self.assertEqual(self.collect(), 2)

    def test_results_that_no_table_shows(self):
        self.collect()
        self.run_script("readme", self.root)
        unused = os.path.join("tests", "bench", "results", "u.json")
        self.write(unused, json.dumps({"schema": "another/1"}))
        self.assertEqual(self.run_script("readme", "--check", self.root), 0)
        self.write(unused, json.dumps({"schema": "dws.figures.inr/1"}))
        self.assertEqual(self.run_script("readme", "--check", self.root), 2)

    def test_a_readme_without_tables(self):
        self.readme("nothing\n")
        self.assertEqual(self.run_script("readme", "--check", self.root), 0)


if __name__ == "__main__":
    unittest.main()
