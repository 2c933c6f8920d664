#!/usr/bin/env python3
"""Real impressions through the running engine, and every count compared with sums made here from
the CSV files alone (evaluation.md, kuairand-stream). KuaiRand-Pure is imported and replayed
over the public API on a caller's clock; the engine is killed (SIGKILL) three times amid the
replay and restarted on its folder; afterwards everything is sent a second time. Then, for
every creator and every item, served, viewable, clicks, plays, watch_ms and likes are exactly
the oracle's, different viewers lie within the sketch's error, and accepted = applied +
duplicate + late + dead. A second run without kills, at full speed, says how fast and how
fresh.

The data stand beside the project (../shared/data/kuairand) or where SHANHUO_DATA says;
without them, or without the engine (SHANHUO_BIN), this is skipped. Run: python3
tests/kuairand_test.py"""

import csv
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SHANHUO_DATA", ROOT / ".." / "shared" / "data")) / "kuairand"
BIN = Path(os.environ.get("SHANHUO_BIN", ROOT / "build" / "release" / "shanhuo"))
DAY_MS = 86_400_000
HALF_HOUR_MS = 1_800_000
VIEWABLE_MS = 2_000  # contract 2.2, of a video; and of a play's watch_ms
NUMBERS = ("served", "viewable", "clicks", "plays", "watch_ms", "likes")
FLAGS = (("is_click", "click"), ("is_like", "like"), ("is_follow", "follow"),
         ("is_comment", "comment"), ("is_forward", "share"), ("is_hate", "dislike"))
SKETCH_EXACT = 64  # features/sketch.h: beyond, a standard error of 3.25 %
SKETCH_ERROR = 5 * 0.0325


def impressions():
    """(type, row, milliseconds looked or watched) of every event, in the order of the files."""
    for file in sorted(DATA.glob("events_*.csv")):
        with open(file, newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                play, duration = int(row["play_time_ms"]), int(row["duration_ms"])
                yield "impression", row, min(play, duration)
                if play > 0:
                    yield "play", row, play
                for flag, kind in FLAGS:
                    if row[flag] == "1":
                        yield kind, row, 0


class Oracle:
    """What the engine must have counted, by the rules of contract 2.2."""

    def __init__(self):
        with open(DATA / "videos.csv", newline="", encoding="utf-8") as lines:
            self.creator_of = {row["video_id"]: row["author_id"] for row in csv.DictReader(lines)}
        self.items = defaultdict(Counter)
        self.viewers = defaultdict(set)  # with a viewable exposure
        self.applied = self.sent = self.late = 0
        seen, exposures, watermark = set(), set(), 0
        for kind, row, ms in impressions():
            self.sent += 1
            user, item, ts = row["user_id"], row["video_id"], int(row["time_ms"])
            event = (user, item, ts, kind)
            late = ts < watermark - DAY_MS
            watermark = max(watermark, ts)
            self.late += late
            if late or event in seen:
                continue
            seen.add(event)
            self.applied += 1
            counts = self.items[item]
            if kind in ("impression", "play") and ms >= VIEWABLE_MS:
                self.viewers[item].add(user)
                exposure = (user, item, ts // HALF_HOUR_MS)
                counts["viewable"] += exposure not in exposures
                exposures.add(exposure)
            if kind == "play":
                counts["watch_ms"] += ms
            name = {"impression": "served", "click": "clicks", "play": "plays", "like": "likes"}
            if kind in name:
                counts[name[kind]] += 1

    def creators(self):
        """creator -> the items that anything happened to."""
        of_creator = defaultdict(list)
        for item in self.items:
            of_creator[self.creator_of[item]].append(item)
        return of_creator


class Engine:
    """`shanhuo serve` on one folder and one port."""

    def __init__(self, directory):
        self.directory = Path(directory)
        (self.directory / "programs").mkdir(parents=True)
        (self.directory / "engine.yaml").write_text("clock: caller\n", encoding="utf-8")
        self.listen = "127.0.0.1:0"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [BIN, "serve", "--config", self.directory / "engine.yaml", "--data-dir",
             self.directory / "data", "--listen", self.listen], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"ready: http://(\S+)\n", line)
        if not found:
            raise RuntimeError(f"the engine did not start: {line!r}")
        self.listen = found[1]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def get(self, target, connection=None):
        used = connection or http.client.HTTPConnection(self.listen, timeout=60)
        used.request("GET", target)
        answer = used.getresponse()
        body = answer.read()
        if connection is None:
            used.close()
        if answer.status != 200:
            raise RuntimeError(f"GET {target}: {answer.status} {body!r}")
        return json.loads(body)

    def replay(self, file, *flags):
        return subprocess.Popen([BIN, "replay", file, "--to", "http://" + self.listen, "--json",
                                 *flags], stdout=subprocess.PIPE, text=True)

    def drain(self):
        """Stats, once everything on the log is folded."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            stats = self.get("/v1/stats")
            if stats["lag_records"] == 0:
                return stats
            time.sleep(0.02)
        raise RuntimeError("the fold does not catch up")


def finish(process):
    out, _ = process.communicate(timeout=90)
    if process.returncode != 0:
        raise RuntimeError(f"replay: exit {process.returncode}: {out}")
    return out


@unittest.skipUnless(DATA.is_dir(), f"no KuaiRand-Pure in {DATA}; README says where to get it")
@unittest.skipUnless(BIN.is_file(), f"no engine: {BIN}; SHANHUO_BIN names it")
class KuaiRand(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.directory = Path(tempfile.mkdtemp(prefix="shanhuo-kuairand-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        subprocess.run([BIN, "import", "kuairand", DATA, "--out", cls.directory], check=True,
                       stdout=subprocess.DEVNULL)
        cls.oracle = Oracle()

    def engine(self, name):
        engine = Engine(self.directory / name)
        self.addCleanup(engine.process.stdout.close)
        self.addCleanup(lambda: engine.process.poll() is None and engine.kill())
        finish(engine.replay(self.directory / "items.ndjson"))
        return engine

    def same(self, want, got, viewers, where):
        self.assertEqual({n: want[n] for n in NUMBERS}, {n: got[n] for n in NUMBERS}, where)
        allowed = 0 if len(viewers) <= SKETCH_EXACT else SKETCH_ERROR * len(viewers)
        self.assertLessEqual(abs(got["unique_viewers"] - len(viewers)), allowed,
                             f"{where}: {got['unique_viewers']} viewers, {len(viewers)} are true")

    def compare(self, engine):
        times = [int(row["time_ms"]) for _, row, _ in impressions()]
        span = f"from={min(times)}&to={max(times) + 1}&step=day&by=item"
        connection = http.client.HTTPConnection(engine.listen, timeout=60)
        self.addCleanup(connection.close)
        creators = self.oracle.creators()
        self.assertGreater(len(creators), 1000)
        for creator, items in creators.items():
            target = f"/v1/creators/{quote(creator, safe='')}/exposure?{span}"
            report = engine.get(target, connection)
            groups = {group["key"]: group for group in report["groups"]}
            counted = [item for item in items if any(self.oracle.items[item].values())]
            self.assertEqual(set(counted), set(groups), creator)
            for item in counted:
                self.same(self.oracle.items[item], groups[item], self.oracle.viewers[item], item)
            total = sum((self.oracle.items[item] for item in items), Counter())
            viewers = set().union(*(self.oracle.viewers[item] for item in items))
            self.same(total, report["totals"], viewers, f"creator {creator}")

    def balance(self, events):
        self.assertEqual(events["accepted"],
                         events["applied"] + events["duplicate"] + events["late"] + events["dead"])
        self.assertEqual(self.oracle.applied, events["applied"])
        self.assertEqual(0, events["dead"])

    def test_counts_are_the_oracles_after_three_kills_and_a_second_replay(self):
        engine = self.engine("killed")
        replay = engine.replay(self.directory / "events.ndjson", "--rate", "60000")
        for share in (0.2, 0.5, 0.7):
            while engine.get("/v1/stats")["events"]["accepted"] < share * self.oracle.sent:
                time.sleep(0.01)
            self.assertIsNone(replay.poll(), "the replay must not be over yet")
            engine.kill()
            engine.start()
        finish(replay)
        once = engine.drain()["events"]
        self.balance(once)
        finish(engine.replay(self.directory / "events.ndjson"))
        twice = engine.drain()["events"]
        self.balance(twice)
        self.assertEqual(self.oracle.sent, twice["accepted"] - once["accepted"])
        self.compare(engine)
        engine.stop()

    def test_at_full_speed(self):
        engine = self.engine("fast")
        begin = time.monotonic()
        finish(engine.replay(self.directory / "events.ndjson"))
        seconds = time.monotonic() - begin
        stats = engine.drain()
        self.balance(stats["events"])
        self.assertEqual(self.oracle.sent, stats["events"]["accepted"])
        self.assertEqual(self.oracle.late, stats["events"]["late"])
        self.compare(engine)
        engine.stop()
        freshness = stats["freshness_ms"]
        print(f"\nkuairand-stream: {self.oracle.sent} events, {self.oracle.applied} applied, "
              f"{self.oracle.sent / seconds:.0f} events/s over one connection; freshness p50 "
              f"{freshness['p50']:g} ms, p99 {freshness['p99']:g} ms")


if __name__ == "__main__":
    unittest.main()
