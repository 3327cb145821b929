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
        os.makedirs(os.path.dirname(self.results))
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

    def test_speed_beside_pytorch(self):
        result = {"task": "forward", "peer": "lean", "batch": 64, "threads": 2, "ratio": 12.5,
                  "ratio_published": {"plain": 60.0, "tuned": 21.25},
                  "dws": {"networks_per_second": 12345.6, "memory_mb": 99.6, "share_of_peak": 0.515},
                  "torch": {"networks_per_second": 98.76, "memory_mb": 400.2}}
        record = {"schema": "dws.bench_torch/1", "rounds": 5, "cores": 2, "cpu": "A", "software": {"torch": "1.13"},
                  "results": [result]}
        self.write("tests/bench/results/t.json", json.dumps(record))
        self.assertEqual(self.run_script("readme", self.root), 0)
        with open(os.path.join(self.root, "README.md"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn("| reading | 64 | lean | 2 | 12,346 | 98.8 | 12.5 | 100 MB | 400 MB | 52 % |\n", text)
        self.assertIn("reading at batch 64 21.2.", text)

    def test_a_readme_without_tables(self):
        self.readme("nothing\n")
        self.assertEqual(self.run_script("readme", "--check", self.root), 0)

    def test_a_block_without_results_may_only_say_so(self):
        for text, code in (("*Not measured yet.*\n", 0), ("99 %\n", 2), ("", 2)):
            self.readme(f"<!-- figures:t begin -->\n{text}<!-- figures:t end -->\n")
            self.assertEqual(self.run_script("readme", "--check", self.root), code, text)
        self.readme("<!-- figures:t begin -->\n*Not measured yet.*\n<!-- figures:t end -->\n")
        self.collect()
        self.assertEqual(self.run_script("readme", "--check", self.root), 2)
        self.assertEqual(self.run_script("readme", self.root), 0)
        self.assertEqual(self.run_script("readme", "--check", self.root), 0)


THE_MACHINE = {"schema": "dws.figures.machine/1", "processor": "A Processor", "cores": 2}


def bench_lines():
    """What `dws bench --json` prints, in round numbers."""
    def line(name, **fields):
        return {"schema": "dws.bench/1", "name": name, "isa": "avx512", **fields}

    work = [line(name, networks_per_second=1234.4, gflops=20.5 + i, share_of_peak=0.455)
            for i, name in enumerate(["fit.all_threads"] + [f"dws.{kind}.{channels}.layers5.batch128" for channels in (32, 64)
                                                            for kind in ("forward", "training_step")])]
    return [THE_MACHINE] + work + [
        line("machine.peak", gflops=100, threads=1), line("machine.peak.all_threads", gflops=200, threads=2),
        line("machine.memory.all_threads", gb_per_second=30.2, threads=2),
        *(line(f"dws.split.training_step.{channels}", forward={"dws_trunk": 0.25, "linear": 0.01},
               backward={"dws_trunk": 0.625, "relu": 0.02}, rest=0.095) for channels in (32, 64)),
        line("fit.split", share_sine=0.28, share_adam=0.01, share_products_and_rest=0.71),
        *(line(name, threads=[1, 2], networks_per_second=[50.25, 100.5], ratio=[1, 2.0])
          for name in ("scale.fit", "scale.forward", "scale.training_step")),
        line("dws.forward.32", layers=4, channels=32),
        line("growth.width", width=[16, 512], weights=[337, 264705], seconds_per_network=[43e-6, 0.0316], exponent=0.975),
        line("growth.depth", depth=[3, 12], weights=[1185, 10689], seconds_per_network=[133e-6, 0.0014], exponent=1.04)]


def augment_lines(count, data, accuracies):
    return [THE_MACHINE] + [{"recipe": {"inputs": {f"{data}_inr_train.safetensors": "0", f"{data}_inr_test.safetensors": "1"},
                                        "networks": [count, 0, 10000], "test_accuracy": accuracy,
                                        "train": {"epochs": 30, "augment": augment, "mixup": mixup}}}
                            for (augment, mixup), accuracy in accuracies.items()]


class LinesTables(FiguresTable):
    """Tables of JSON Lines; what the others show holds beside them too."""

    def lines(self, name, records):
        self.write(f"tests/bench/results/{name}.jsonl", "".join(json.dumps(r) + "\n" for r in records))

    def blocks(self, *names):
        self.readme("".join(f"<!-- figures:{name} begin -->\n<!-- figures:{name} end -->\n" for name in names))

    def made(self):
        self.assertEqual(self.run_script("readme", self.root), 0)
        self.assertEqual(self.run_script("readme", "--check", self.root), 0)
        with open(os.path.join(self.root, "README.md"), encoding="utf-8") as f:
            return f.read()

    BENCH = ("bench", "bench_split", "bench_threads", "bench_growth")

    def test_bench(self):
        self.lines("bench", bench_lines())
        self.blocks(*self.BENCH)
        text = self.made()
        for line in ("| training step, 64 channels | 1,234 | 24 | 46 % |\n",
                     "2 threads, 2 cores (A Processor); peak: 200 GFLOP/s in float32 (100 on one thread), instruction set avx512; "
                     "memory: 30 GB/s. DWS of five layers",
                     "| 32 | 25 % | 62 % | 3.0 % | 9.5 % |\n",
                     "28 % goes to sines, 1 % to changing the parameters, 71 % to matrix products",
                     "DWS of 4 layers, 32 channels, as `dws train` makes it", "| networks/s | 1 thread | 2 threads | times |\n", "| fitting | 50.2 | 100 | 2.00 |\n",
                     "| weights | 337 | 264,705 |\n| microseconds a network | 43 | 31,600 |\n",
                     "to the power of 0.97 (width) and 1.04 (depth)"):
            self.assertIn(line, text)

    def test_every_table_of_the_bench_is_shown(self):
        self.lines("bench", bench_lines())
        for left_out in self.BENCH:
            self.blocks(*(name for name in self.BENCH if name != left_out))
            self.assertEqual(self.run_script("readme", self.root), 0)
            self.assertEqual(self.run_script("readme", "--check", self.root), 2, left_out)

    def test_a_bench_that_is_not_whole(self):
        self.lines("bench", [r for r in bench_lines() if r.get("name") != "growth.depth"])
        self.blocks(*self.BENCH)
        self.assertEqual(self.run_script("readme", self.root), 2)
        self.lines("bench", [])
        self.assertEqual(self.run_script("readme", self.root), 2)

    def test_augmentation_on_few_and_on_many(self):
        self.blocks("augment")
        self.assertEqual(self.run_script("readme", self.root), 2)  # no results, and the block does not say so
        self.lines("augment_mnist_5k", augment_lines(5000, "mnist", {("none", "none"): 0.7, ("sign", "none"): 0.8,
                                                               ("none", "permuted=0.4"): 0.71}))
        text = self.made()
        self.assertIn("| changed anew in each epoch | option | test accuracy, 5,000 networks of MNIST |\n", text)
        self.assertIn("| nothing |  | 70.0 % |\n| signs of neurons, at random; the picture stays | `--augment sign` | 80.0 % (+10.0) |\n"
                      "| mixup, the second network's neurons in another order | `--mixup permuted` | 71.0 % (+1.0) |\n", text)
        self.lines("augment_fashion_60k", augment_lines(60000, "fashion", {("none", "none"): 0.9, ("sign", "none"): 0.89}))
        text = self.made()
        self.assertIn("| `--augment sign` | 80.0 % (+10.0) | 89.0 % (-1.0) |\n", text)
        self.assertIn("| `--mixup permuted` | 71.0 % (+1.0) | – |\n", text)
        self.assertIn("5,000 networks of MNIST: 30 epochs, tested on 10,000 networks of other images, 2 cores (A Processor); "
                      "60,000 networks of Fashion-MNIST: 30 epochs, ", text)
        self.blocks()
        self.assertEqual(self.run_script("readme", "--check", self.root), 2)

    def test_large(self):
        self.blocks("large")
        rows = [{"name": name, "seconds": 0.0123, "nodes": 1122, "gigabytes": 10.24, "tensors": 219, "groups": 73, "resident_mib": 0.66}
                for name in ("symmetry.transformer", "open.2gb.inside", "open.2gb.external", "checkpoint.open", "checkpoint.symmetry")]
        self.lines("large", [THE_MACHINE, *rows])
        self.assertIn("| checkpoint of 10.2 GB in shards, 219 tensors, opened | 12 | 0.7 |\n", self.made())
        self.lines("large", [THE_MACHINE, *rows[1:]])
        self.assertEqual(self.run_script("readme", self.root), 2)

    def test_real_models(self):
        self.blocks("real_models")
        plain = {"schema": "dws.verify/1", "package": "a@1", "file": "a.onnx", "kind": "MLP", "bytes": 1500000, "symmetry_seconds": 0.012,
                 "holds": True, "control": True, "difference": 3.6e-16, "groups": 2, "coverage": 0.999}
        low = {**plain, "file": "silero_vad_v5.onnx", "coverage": 0.5}
        self.lines("real_models", [THE_MACHINE, plain, low])
        text = self.made()
        self.assertIn("| a.onnx (a@1) | MLP | 1.5 | 2 | 99.9 % | 3.6e-16 | 12 ms |\n", text)
        self.assertIn("| 50.0 % \\* |", text)
        self.assertIn("\\* The states of its LSTM", text)
        for wrong in ({**plain, "holds": False}, {**plain, "control": False}, {**plain, "coverage": 0.5}):  # the last: nobody says why
            self.lines("real_models", [THE_MACHINE, wrong])
            self.assertEqual(self.run_script("readme", self.root), 2, wrong)

    def test_augmentations_that_cannot_be_compared(self):
        self.blocks("augment")
        plain, other = ("none", "none"), ("sign", "none")
        rows = augment_lines(5000, "mnist", {plain: 0.7, other: 0.8})
        more_epochs = json.loads(json.dumps(rows))
        more_epochs[-1]["recipe"]["train"]["epochs"] = 31
        for wrong in (more_epochs, rows + rows[-1:],                                # another recipe; one twice
                      augment_lines(5000, "mnist", {other: 0.8}),                   # nothing to compare with
                      augment_lines(5000, "mnist", {plain: 0.7, ("blur", "none"): 0.8}),
                      augment_lines(5000, "letters", {plain: 0.7})):
            self.lines("augment_mnist_5k", wrong)
            self.assertEqual(self.run_script("readme", self.root), 2, wrong)
        self.lines("augment_mnist_5k", rows)
        self.assertEqual(self.run_script("readme", self.root), 0)


class Figures70k(FiguresTable):
    """The tables with published rows; what the others show holds for them too."""
    DATA = "mnist"
    ROWS = (("mlp", 0.17), ("mlp_permute", 0.2), ("mlp_aligned", 0.6), ("dws", 0.875))

    def setUp(self):
        super().setUp()
        self.rows(self.ROWS)
        for part, count in (("train", 60000), ("test", 10000)):
            made = {"output": "there/zoo", "recipe": {"command": "dws fit there/images -o there/zoo", "inputs": {"there/images": "0"}}}
            self.write(f"work/{self.DATA}_inr_{part}.json",
                       json.dumps({**made, "networks": count, "resumed": count // 2, "psnr_mean": 25.5, "seconds": count / 50}) + "\n")
            self.write(f"work/{self.DATA}_inr_{part}_aligned.json",
                       json.dumps({**made, "networks": count, "cosine_before": -0.002, "cosine_after": 0.5, "seconds": count / 1000}) + "\n")

    def rows(self, rows):
        self.write("work/models.txt", "".join(f"{name}\tthe {name}\n" for name, _ in rows))
        for name, accuracy in rows:
            summary = model(name, accuracy)
            summary["recipe"]["networks"] = [57000, 3000, 10000]
            self.write(f"work/{name}.json", json.dumps(summary) + "\n")

    def collect(self):
        return self.run_script("collect", self.work, "-o", self.results, "--set", self.DATA)

    def test_collected_and_written_into_the_readme(self):
        self.assertEqual(self.collect(), 0)
        self.assertEqual(self.run_script("readme", self.root), 0)
        self.assertEqual(self.run_script("readme", "--check", self.root), 0)
        with open(os.path.join(self.root, "README.md"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn("| the mlp | 12,345 | 17.00 % | 17.55 % | 93.8 % | 10.0 min | 1,234 |\n"
                      "| the mlp_permute | 12,345 | 20.00 % | 29.26 % | 93.8 % | 10.0 min | 1,234 |\n"
                      "| the mlp_aligned | 12,345 | 60.00 % | 58.98 % | 93.8 % | 10.0 min | 1,234 |\n"
                      "| the dws | 12,345 | 87.50 % | 85.71 % | 93.8 % | 10.0 min | 1,234 |\n", text)
        self.assertIn("57,000 networks to train on, 3,000 to choose the epoch by, 10,000 of other images to test on; 70,000 fits, "
                      "mean PSNR 25.5 dB, at 25.0 networks/s (46.7 min); alignment to the first training network 1.2 min, mean "
                      "cosine 0.00 before and 0.50 after; ", text)
        self.assertNotIn("official split", text)
        with open(self.results, encoding="utf-8") as f:
            self.assertNotIn("there/", f.read())

    def test_dws_must_be_25_points_above_both(self):
        """Here the bar is a figure of its own."""
        for accuracy, code in ((0.87, 0), (0.8699, 2), (float("nan"), 2)):
            self.rows(self.ROWS[:3] + (("dws", accuracy),))
            if os.path.exists(self.results):
                os.remove(self.results)
            self.assertEqual(self.collect(), code, accuracy)
            self.assertEqual(os.path.exists(self.results), code == 0)

    def test_all_rows_of_one_split(self):
        self.rows(self.ROWS[1:])
        self.assertEqual(self.collect(), 2)
        self.rows(self.ROWS)
        self.write("work/mlp.json", json.dumps(model("mlp", 0.2)) + "\n")  # of another split
        self.assertEqual(self.collect(), 2)
        self.rows(self.ROWS)
        os.remove(os.path.join(self.work, f"{self.DATA}_inr_test_aligned.json"))
        self.assertEqual(self.collect(), 2)
        self.assertEqual(self.run_script("collect", self.work, "-o", self.results, "--set", "letters"), 2)
        self.assertFalse(os.path.exists(self.results))

    def test_results_that_no_table_shows(self):
        self.write(os.path.join("tests", "bench", "results", "u.json"), json.dumps({"schema": "dws.figures.inr_70k/1"}))
        self.readme("nothing\n")
        self.assertEqual(self.run_script("readme", "--check", self.root), 2)

    def test_fashion_says_which_split(self):
        self.tearDown()
        self.DATA = "fashion"
        self.setUp()
        self.rows(self.ROWS[:3] + (("dws", 0.689),))
        self.assertEqual(self.collect(), 2)
        self.rows(self.ROWS[:3] + (("dws", 0.69),))
        self.assertEqual(self.collect(), 0)
        self.run_script("readme", self.root)
        with open(os.path.join(self.root, "README.md"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn("| 69.00 % | 67.06 % |", text)
        self.assertIn("6,000 and 1,000 a class", text)


if __name__ == "__main__":
    unittest.main()
