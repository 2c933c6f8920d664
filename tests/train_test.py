#!/usr/bin/env python3
"""`shanhuo train` from the outside: killed and resumed, from files and from a log, what it refuses.
Run: python3 tests/train_test.py"""

import hashlib
import json
import os
import random
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from engine_process import BIN, T0, Engine

ROUNDS = 6
SETTINGS = ("--set", f"softmax.epochs={ROUNDS}", "--set", f"als.sweeps={ROUNDS}",
            "--set", "text.bits=10")


def run(*arguments):
    return subprocess.run([str(each) for each in (BIN, *arguments)], capture_output=True, text=True,
                          timeout=100, check=False)


def two_tastes():
    """(items, events): viewers click one of two kinds of goods."""
    draw = random.Random(1)
    items = [{"item_id": f"good-{n}", "kind": "farm_good", "creator_id": f"farmer-{n % 7}",
              "title": ("猕猴桃 新鲜", "张家界 风景")[n % 2]} for n in range(60)]
    events = []
    for user in range(150):
        for n in range(8):
            ts = T0 + user * 1000 + n
            events.append({"event_id": f"{user}-{n}", "type": "click", "user_id": f"u{user}",
                           "item_id": f"good-{2 * draw.randrange(30) + user % 2}", "ts_ms": ts})
    return items, sorted(events, key=lambda event: event["ts_ms"])


def stamp(path):
    """Another one for each file that takes the path's place."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def contents(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.iterdir())}


@unittest.skipUnless(BIN.exists(), "the engine is not built")
class TrainTest(unittest.TestCase):
    def setUp(self):
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="shanhuo-train-")))
        self.items, self.events = two_tastes()
        self.files = self.write("all", self.events, self.items)
        self.models = self.home / "models"

    def write(self, name, events, items):
        flags = []
        for what, rows in (("events", events), ("items", items)):
            path = self.home / f"{name}-{what}.ndjson"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            flags += [f"--{what}", path]
        return flags

    def train(self, *more, files=None):
        files = self.files if files is None else files
        return run("train", *files, "--out", self.models, *SETTINGS, *more)

    def trained(self, version, *more, files=None):
        done = self.train("--version", version, *more, files=files)
        self.assertEqual(done.returncode, 0, done)
        return contents(self.models / version)

    def test_a_training_that_is_killed_again_and_again_ends_in_the_same_bytes(self):
        for kind in ("als", "history-softmax"):
            whole = self.trained("spring", "--kind", kind)
            aside = self.home / kind
            state = aside / ".spring.training"
            words = [str(word) for word in (BIN, "train", *self.files, "--out", aside, *SETTINGS,
                                            "--version", "spring", "--kind", kind, "--resume")]
            kills = 0
            while True:
                process = subprocess.Popen(words, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.PIPE)
                before = stamp(state)
                # Some rounds on, at any moment.
                changes = 0
                while process.poll() is None and changes <= kills % 5:
                    now = stamp(state)
                    changes += now != before
                    before = now
                    time.sleep(0.001)  # a processor is for the training
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                errors = process.communicate()[1]
                if process.returncode == 0:
                    break
                self.assertEqual(process.returncode, -signal.SIGKILL, errors)
                kills += 1
                self.assertLess(kills, 200)
            self.assertEqual(contents(aside / "spring"), whole, f"{kind}, {kills} kills")
            self.assertFalse(state.exists())
            (self.models / "spring").rename(self.home / f"done-{kind}")

    def test_an_interrupted_training_says_how_to_go_on(self):
        words = ("train", *self.files, "--out", self.models, "--version", "long", "--set",
                 "softmax.epochs=9999")
        process = subprocess.Popen([str(word) for word in (BIN, *words)], stderr=subprocess.PIPE)
        while not (self.models / ".long.training").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        errors = process.communicate()[1].decode()
        self.assertEqual(process.returncode, 1)
        self.assertIn("--resume goes on", errors)
        other = self.train("--version", "long", "--resume")  # of fewer epochs
        self.assertEqual(other.returncode, 1)
        self.assertIn("other data or parameters", other.stderr)
        self.trained("long")  # begins anew
        self.assertFalse((self.models / ".long.training").exists())

    def test_the_log_of_a_stopped_engine_gives_the_model_that_the_files_give(self):
        by_files = self.trained("files")
        with Engine(settings={"clock": "caller"}) as engine:
            engine.put_items(*self.items)
            engine.send(*self.events)
            running = self.train("--version", "log", files=("--data-dir", engine.data_dir))
            self.assertEqual(running.returncode, 1)
            self.assertIn("an engine is running", running.stderr)
            engine.stop()
            by_log = self.trained("log", files=("--data-dir", engine.data_dir))
            again = self.trained("again", files=("--from-log", engine.data_dir))
        # The log interleaves partitions: items may be numbered otherwise, their sizes are equal.
        self.assertEqual(set(by_log), set(by_files))
        self.assertEqual({**by_log, "manifest.json": ""}, {**again, "manifest.json": ""})
        facts = [json.loads((self.models / name / "manifest.json").read_text())
                 for name in ("files", "log")]
        self.assertEqual(facts[0]["data"], facts[1]["data"])
        self.assertEqual([file["bytes"] for file in facts[0]["files"]],
                         [file["bytes"] for file in facts[1]["files"]])

    def test_its_name_says_what_it_is_and_is_never_written_over(self):
        first = self.train("--json")
        self.assertEqual(first.returncode, 0, first)
        told = json.loads(first.stdout)
        self.assertRegex(told["version"], r"^history-softmax-20260921-[0-9a-f]{8}$")
        self.assertGreater(told["metrics"]["recall@20"], told["metrics"]["popular_recall@20"])
        before = contents(self.models / told["version"])
        again = self.train()
        self.assertEqual(again.returncode, 1)
        self.assertIn("is there already", again.stderr)
        self.assertEqual(self.train("--resume").returncode, 0)
        self.assertEqual(contents(self.models / told["version"]), before)
        other = json.loads(self.train("--json", "--set", "softmax.seed=2").stdout)
        self.assertNotEqual(other["version"], told["version"])

    def test_bad_data_give_a_reason_and_no_model(self):
        click = self.events[0]
        unknown = [dict(event, item_id="nobody-knows-" + event["item_id"])
                   for event in self.events]
        for name, events, reason in (
                ("empty", [], "nobody chose anything: 0 events"),
                ("seen", [dict(click, type="impression")], "nobody chose anything: 1 events"),
                ("one", [click], "no viewer has two items"),
                ("repeated", [click] * 50, "no viewer has two items")):
            done = self.train("--version", name, files=self.write(name, events, self.items))
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(reason, done.stderr)
            self.assertFalse((self.models / name).exists())
        for name, events in (("unknown", unknown),
                             ("two", [click, dict(click, item_id="good-x")])):
            files = self.trained(name, files=self.write(name, events, self.items))
            self.assertEqual("text_map.bin" in files, name == "two")

    def test_vectors_of_characters_go_into_the_model(self):
        vectors = self.home / "chars.vec"
        vectors.write_text("3 2\n猕 1 0\n猴桃 5 5\n山 -1 0.5\n", encoding="utf-8")
        without, with_them = (self.trained(name, *more) for name, more in (
            ("without", ()), ("with", ("--char-vectors", vectors))))
        changed = {name for name in without if without[name] != with_them[name]}
        self.assertEqual(changed, {"manifest.json", "text_map.bin"})
        vectors.write_text("3 2\n猕 1 0\n山 -1\n", encoding="utf-8")
        broken = self.train("--char-vectors", vectors)
        self.assertEqual(broken.returncode, 2)
        self.assertIn("a number is missing", broken.stderr)

    def test_bad_usage_is_said(self):
        for words in (("--out", "x"), ("--events", "x"), (*self.files, "--data-dir", "x"),
                      ("--items", "x", "--data-dir", "y"), (*self.files, "--kind", "magic"),
                      (*self.files, "--version", "../up"), (*self.files, "--set", "als.sweep=3"),
                      (*self.files, "--set", "softmax.dims=32")):
            out = () if "--out" in words or words == ("--events", "x") else ("--out", self.models)
            self.assertEqual(run("train", *words, *out).returncode, 2, words)
        missing = self.train(files=("--events", self.home / "none.ndjson"))
        self.assertEqual(missing.returncode, 1)
        self.assertIn("none.ndjson", missing.stderr)
        self.assertFalse(self.models.exists() and os.listdir(self.models))


if __name__ == "__main__":
    unittest.main()
