#!/usr/bin/env python3
"""The state from outside: more viewers than memory, a backup under load, replay from a log, rebuild
(contract 1). Run: SHANHUO_BIN=... python3 tests/state_api_test.py"""

import http.client
import json
import subprocess
import threading
import unittest
from collections import Counter
from pathlib import Path

from engine_process import BIN, READY_S, T0, Engine, Events, good, program


def run(*arguments):
    return subprocess.run([str(each) for each in (BIN, *arguments)], capture_output=True, text=True,
                          timeout=4 * READY_S, check=False)


class Client:
    """One kept connection."""

    def __init__(self, engine):
        self.connection = http.client.HTTPConnection(engine.address, timeout=READY_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, method, target, body=None, content_type="application/json"):
        headers = {"content-type": content_type} if body else {}
        self.connection.request(method, target, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def send(self, events):
        """POST /v1/events as NDJSON; how many were accepted."""
        body = "".join(json.dumps(event) + "\n" for event in events)
        status, answer = self.ask("POST", "/v1/events", body, "application/x-ndjson")
        assert status == 202, answer
        return json.loads(answer)["accepted"]


@unittest.skipUnless(BIN.exists(), "the engine is not built")
class ColdViewersTest(unittest.TestCase):
    LIMIT = 4 << 20  # bytes; some 6,900 viewers
    VIEWERS = 69_000

    def fill(self, engine):
        engine.put_items(*(good(f"g{n}", category="fruit" if n % 2 else "tea") for n in range(20)))
        made = 0

        def event(user, n):
            nonlocal made
            made += 1
            return {"event_id": f"e{made}", "type": "click", "user_id": f"viewer-{user}",
                    "item_id": f"g{n % 20}", "ts_ms": T0 + made}
        with Client(engine) as client:
            for first in range(0, self.VIEWERS, 3_000):
                client.send(event(n, n) for n in range(first, first + 3_000))
            # Some come back, long after they were last seen.
            client.send(event(n * 37 % self.VIEWERS, n) for n in range(5_000))
            for n in range(0, self.VIEWERS, 3_450):
                self.assertEqual(client.ask("DELETE", f"/v1/users/viewer-{n}")[0], 204)
        engine.wait_until(lambda: engine.stats()["lag_records"] == 0, READY_S)

    def pictures(self, engine):
        with Client(engine) as client:
            return [client.ask("GET", f"/v1/users/viewer-{n}") for n in range(0, self.VIEWERS, 115)]

    def test_a_tenth_of_the_memory_gives_the_same_answers(self):
        settings = {"clock": "caller", "stream.checkpoint_interval_ms": "200"}
        with Engine(settings=settings) as whole, \
                Engine(settings={**settings, "features.viewers_bytes_max": self.LIMIT}) as small:
            self.fill(whole)
            self.fill(small)
            expected = self.pictures(whole)
            self.assertEqual(Counter(status for status, _ in expected), {200: 580, 404: 20})
            self.assertEqual(self.pictures(small), expected)
            stats = small.stats()
            self.assertEqual(stats["viewers"], whole.stats()["viewers"])
            self.assertGreater(stats["cold_viewers"]["on_disk"], self.VIEWERS * 8 // 10)
            self.assertGreater(stats["cold_viewers"]["reads"], 1_000)
            self.assertLessEqual(stats["bytes"]["viewers"], self.LIMIT * 5 // 4 + (8 << 20))
            for how in ("kill", "stop"):
                small.restart(how)
                small.wait_until(lambda: small.stats()["lag_records"] == 0, READY_S)
                self.assertEqual(self.pictures(small), expected, how)
                self.assertLessEqual(small.stats()["bytes"]["viewers"],
                                     self.LIMIT * 5 // 4 + (8 << 20))


@unittest.skipUnless(BIN.exists(), "the engine is not built")
class BackupUnderLoadTest(unittest.TestCase):
    """Events from one connection, so that the log has them in the order of sending."""
    USERS, BATCH = 97, 50

    def event(self, n):
        kinds = ("click", "impression", "like", "play")
        event = {"event_id": f"e{n}", "type": kinds[n % 4], "user_id": f"u{n % self.USERS}",
                 "item_id": f"g{n % 7}", "ts_ms": T0 + n * 10}
        if n % 4 == 1:
            event["viewable_ms"] = 1_500
        if n % 4 == 3:
            event["watch_ms"] = 1_000 + n
        return event

    def oracle(self, count):
        """What the first `count` events amount to."""
        totals, seen, viewers = Counter(), set(), Counter()
        for n in range(count):
            event = self.event(n)
            viewers[event["user_id"]] += 1
            totals["served"] += event["type"] == "impression"
            totals["clicks"] += event["type"] == "click"
            totals["likes"] += event["type"] == "like"
            totals["plays"] += event["type"] == "play"
            totals["watch_ms"] += event.get("watch_ms", 0)
            if "viewable_ms" in event or event.get("watch_ms", 0) >= 2_000:
                seen.add((event["user_id"], event["item_id"], event["ts_ms"] // 1_800_000))
        totals["viewable"] = len(seen)
        return dict(totals), viewers

    def test_a_backup_taken_under_load_is_an_exact_prefix_of_what_was_sent(self):
        settings = {"clock": "caller", "stream.checkpoint_interval_ms": "100"}
        with Engine(settings=settings) as engine:
            engine.put_items(*(good(f"g{n}") for n in range(7)))
            stop, sent = threading.Event(), []

            def load():
                n = 0
                with Client(engine) as client:
                    while not stop.is_set():
                        sent.append(client.send(self.event(n + i) for i in range(self.BATCH)))
                        n += self.BATCH
            sender = threading.Thread(target=load)
            sender.start()
            copies = [Path(engine.folder.name) / f"copy{n}" for n in range(3)]
            try:
                for copy in copies:
                    before = len(sent)
                    engine.wait_until(lambda have=before: len(sent) >= have + 20, READY_S)
                    made = run("backup", copy, "--to", f"http://{engine.address}")
                    self.assertEqual(made.returncode, 0, made)
            finally:
                stop.set()
                sender.join()
            self.assertEqual(sum(sent), len(sent) * self.BATCH)
            counts = [self.check(copy, settings, sum(sent)) for copy in copies]
            self.assertEqual(counts, sorted(set(counts)))  # each has more than the one before

    def check(self, copy, settings, sent):
        with Engine(settings=settings, start=False) as other:
            restored = run("restore", copy, "--data-dir", other.data_dir)
            self.assertEqual(restored.returncode, 0, restored)
            other.start()
            count = other.stats()["events"]["accepted"]
            self.assertTrue(0 < count <= sent, (count, sent))
            totals, viewers = self.oracle(count)
            shown = other.totals("farmer")
            self.assertEqual({name: shown[name] for name in totals}, totals)
            self.assertEqual(other.stats()["viewers"], len(viewers))
            with Client(other) as client:
                for user, events in viewers.items():
                    profile = json.loads(client.ask("GET", f"/v1/users/{user}")[1])
                    self.assertEqual(profile["events"], events)
            return count


@unittest.skipUnless(BIN.exists(), "the engine is not built")
class LogTest(unittest.TestCase):
    SETTINGS = {"clock": "caller"}

    def setUp(self):
        self.engine = self.enterContext(Engine({"goods": program("goods")}, self.SETTINGS))
        self.engine.put_items(good("g"), good("h", creator_id="second"))
        event = Events(T0)
        self.engine.send(*(event("click", "g", f"u{n % 9}") for n in range(90)))
        self.engine.send(event("order", "h", "u1", order_id="o1", amount_fen=700),
                         event("click", "h", "leaving"))
        self.engine.expect(204, "DELETE", "/v1/users/leaving")
        self.engine.send(*(event("like", "h", f"u{n}") for n in range(5)))  # offsets 93..97

    def replay(self, other, *more, of=None):
        done = run("replay", "--from-log", (of or self.engine).data_dir, "--to",
                   f"http://{other.address}", "--json", *more)
        self.assertEqual(done.returncode, 0, done)
        if "items" not in more:  # of the catalogue an engine says when it is visible
            other.accepted += json.loads(done.stdout)["accepted"]
            other.drain()
        return json.loads(done.stdout)

    def test_a_replay_of_the_log_brings_an_empty_engine_to_the_same_counts(self):
        picture = self.engine.totals("farmer"), self.engine.totals("second")
        running = run("replay", "--from-log", self.engine.data_dir, "--to", "http://127.0.0.1:1")
        self.assertEqual(running.returncode, 1)
        self.assertIn("stop it, or read a backup", running.stderr)
        self.engine.stop()
        with Engine(settings=self.SETTINGS) as other:
            other.put_items(good("g"), good("h", creator_id="second"))
            summary = self.replay(other, "--topic", "interactions")
            self.assertEqual((summary["accepted"], summary["forgotten"], summary["undecodable"]),
                             (96, 1, 0))
            other_picture = other.totals("farmer"), other.totals("second")
            # The one click of the viewer who left is left out.
            picture[1]["clicks"] -= 1
            picture[1].pop("unique_viewers"), other_picture[1].pop("unique_viewers")
            self.assertEqual(other_picture, picture)
            self.assertEqual(other.ask("GET", "/v1/users/leaving").status, 404)

    def test_a_range_of_the_log_is_replayed_and_nothing_else(self):
        self.engine.stop()
        with Engine(settings=self.SETTINGS) as other:
            some = self.replay(other, "--from-offset", 10, "--to-offset", 30)
            self.assertEqual(some["lines"], 20)
            self.assertEqual(self.replay(other, "--from-offset", 93)["lines"], 5)
            self.assertEqual(self.replay(other, "--from-ms", 1, "--limit", 3)["lines"], 3)
            there = ("--from-log", self.engine.data_dir, "--to", f"http://{other.address}")
            for wrong in (("--from-offset", 98), ("--to-ms", 1)):
                self.assertEqual(run("replay", *there, *wrong).returncode, 1, wrong)
            for wrong in (("--topic", "decisions"), ("file.ndjson",)):
                self.assertEqual(run("replay", *there, *wrong).returncode, 2, wrong)
        nowhere = run("replay", "--from-log", self.engine.folder.name, "--to", "http://127.0.0.1:1")
        self.assertEqual(nowhere.returncode, 1)
        self.assertIn("log/ is missing", nowhere.stderr)

    def test_a_replay_of_the_items_brings_the_catalogue_as_it_stands(self):
        ask, expect = self.engine.ask, self.engine.expect
        expect(200, "PUT", "/v1/creators",
               {"creators": [{"creator_id": "farmer", "name": "老农", "groups": ["trained"]}]})
        self.engine.put_items(good("g", title="renamed"), good("gone"), good("again"),
                              good("odd/id 山"))
        for item in ("gone", "again"):
            expect(204, "DELETE", f"/v1/items/{item}")
        self.engine.put_items(good("again", kind="video"))
        blocked = ("item/h", "creator/second", "item/odd%2Fid%20%E5%B1%B1")
        for place in (*blocked, "program/goods"):
            expect(204, "PUT", f"/v1/blocks/{place}")
        expect(204, "DELETE", "/v1/blocks/program/goods")
        there = ("g", "h", "again", "odd%2Fid%20%E5%B1%B1")
        before = [ask("GET", f"/v1/items/{item}").json for item in there]
        self.engine.stop()
        with Engine(settings=self.SETTINGS) as other:
            summary = self.replay(other, "--topic", "items")
            self.assertEqual((summary["accepted"], summary["rejected"], summary["deleted"],
                              summary["undecodable"], summary["dropped_by_retention"]),
                             (1 + 4 + 3, 0, 2, 0, 0))
            self.assertEqual([other.ask("GET", f"/v1/items/{item}").json for item in there], before)
            self.assertEqual(other.ask("GET", "/v1/items/gone").status, 404)
            creator = other.ask("GET", "/v1/creators/farmer").json["creator"]
            self.assertEqual((creator["name"], creator["groups"]), ("老农", ["trained"]))
            # The first change alone: the range's end decides what stands.
            self.assertEqual(self.replay(other, "--topic", "items", "--to-offset", 1)["lines"], 1)
            self.assertEqual(other.ask("GET", "/v1/items/g").json["title"], good("g")["title"])
            self.replay(other, "--topic", "items")
            other.stop()
            with Engine(settings=self.SETTINGS) as third:  # what is blocked came along
                copied = self.replay(third, "--topic", "items", of=other)
                self.assertEqual((copied["accepted"], copied["deleted"]), (1 + 4 + 3, 0))
                self.assertEqual([third.ask("GET", f"/v1/items/{item}").json for item in there],
                                 before)

    def test_a_rebuilt_state_answers_as_the_one_before(self):
        def picture():
            return (self.engine.totals("farmer"), self.engine.totals("second"),
                    self.engine.stats()["viewers"], self.engine.ask("GET", "/v1/users/u1").json,
                    self.engine.ask("GET", "/v1/users/leaving").status)
        before = picture()
        rebuild = ("rebuild", "--config", self.engine.config_file, "--data-dir",
                   self.engine.data_dir, "--set", "clock=caller")
        running = run(*rebuild)
        self.assertEqual(running.returncode, 1)
        self.assertIn("stop it first", running.stderr)
        self.engine.stop()
        done = run(*rebuild)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("100 records folded", done.stdout)
        self.assertTrue((self.engine.data_dir / "state.before").is_dir())
        self.engine.start()
        self.assertEqual(picture(), before)


if __name__ == "__main__":
    unittest.main()
