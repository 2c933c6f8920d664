"""`shanhuo serve` as a test sees it: a configuration folder, a data folder, a process, and the API.
Shared by the Python tests; not a test itself."""

import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("SHANHUO_BIN", ROOT / "build" / "release" / "shanhuo"))
READY_S = 30
DAY_MS = 86_400_000
T0 = 1_790_000_000_000  # a caller's clock starts here: 2026-09-21T14:13:20Z

# What a program file says unless a test says otherwise; values are YAML.
PROGRAM = {
    "name": "{zh-CN: 山货, en: Farm goods}", "items": "{kind: farm_good}", "surfaces": "[feed]",
    "schedule": "{start: 2020-01-01T00:00:00+08:00, end: 2040-01-01T00:00:00+08:00}",
    "goals": "[{unit: viewable, at_least: 1000000, at_most: 2000000, missed_value_fen: 1000}]",
    "placement": "{first_slot: 0, last_slot: 19, per_request_max: 1, min_gap: 1}",
    "label": "{kind: public_good, zh-CN: 助农好物, en: Farm good}"}

# Prices as such programs have them are far above what a viewer's click is worth, so that an
# eligible item is inserted; and a busy machine has its time.
SETTINGS = {"ranking.user_loss_budget": "0.5", "ranking.explore_probability": "0",
            "api.rank_timeout_ms": "10000",
            # A day of even hours: no number depends on when a test runs.
            "prices.hourly_traffic": str([1] * 24)}


def program(program_id, **keys):
    """The text of a program file; a key that is None is left out."""
    keys = {**PROGRAM, **keys}
    return f"id: {program_id}\n" + "".join(
        f"{key}: {value}\n" for key, value in keys.items() if value is not None)


def good(item_id, **fields):
    """A farm good as PUT /v1/items takes it."""
    return {"item_id": item_id, "kind": "farm_good", "title": f"山货 {item_id}",
            "creator_id": "farmer", **fields}


def candidates(*ids, score=0.05):
    """An organic list: scores that fall from `score`, taken as P(click)."""
    return [{"item_id": item, "score": score * 0.99 ** i} for i, item in enumerate(ids)]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def pointers(self):
        """Of a problem's errors, in order."""
        return [error["pointer"] for error in self.json.get("errors", [])]

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Engine:
    """Starts when it is made. `settings` go through --set; `config` is engine.yaml."""

    def __init__(self, programs=None, settings=None, config="", start=True):
        self.folder = tempfile.TemporaryDirectory(prefix="shanhuo-test-")
        self.config_dir = Path(self.folder.name) / "config"
        self.data_dir = Path(self.folder.name) / "data"
        (self.config_dir / "programs").mkdir(parents=True)
        self.config_file = self.config_dir / "engine.yaml"
        self.config_file.write_text(config, encoding="utf-8")
        for name, text in (programs or {}).items():
            self.write_program(name, text)
        self.settings = {**SETTINGS, **(settings or {})}
        self.process, self.address, self.token = None, None, None
        self.accepted = 0  # events that the engine has said to have accepted
        self.requests = 0
        self.errors = open(Path(self.folder.name) / "stderr", "w+", encoding="utf-8")
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- the process ---

    def command(self, listen="127.0.0.1:0"):
        command = [BIN, "serve", "--config", self.config_file, "--data-dir", self.data_dir,
                   "--listen", listen]
        for name, value in self.settings.items():
            command += ["--set", f"{name}={value}"]
        return command

    def start(self):
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True)
        line = self.process.stdout.readline()
        ready = re.match(r"ready: http://(\S+)", line)
        if not ready:
            self.process.wait(timeout=READY_S)
            raise AssertionError(f"the engine did not start: {line!r} {self.stderr()}")
        self.address = ready.group(1)
        self.wait_until(lambda: self.ask("GET", "/readyz").status == 200, READY_S)

    def stop(self):
        """SIGTERM; the exit code."""
        return self.end(signal.SIGTERM)

    def kill(self):
        return self.end(signal.SIGKILL)

    def end(self, number):
        self.process.send_signal(number)
        code = self.process.wait(timeout=READY_S)
        self.process.stdout.close()
        return code

    def restart(self, how="kill"):
        getattr(self, how)()
        self.start()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.errors.close()
        self.folder.cleanup()

    def stderr(self):
        return Path(self.errors.name).read_text(encoding="utf-8")

    def write_program(self, name, text):
        """Replaces the file as an editor does."""
        path = self.config_dir / "programs" / f"{name}.yaml"
        path.with_suffix(".part").write_text(text, encoding="utf-8")
        path.with_suffix(".part").rename(path)
        return path

    # --- the API ---

    def ask(self, method, target, body=None, headers=None, content_type="application/json"):
        """One call on a connection of its own. A body that is no bytes goes as JSON."""
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("content-type", content_type)
            if not isinstance(body, (bytes, str)):
                body = json.dumps(body, ensure_ascii=False)
            body = body.encode() if isinstance(body, str) else body
        if self.token:
            headers.setdefault("authorization", f"Bearer {self.token}")
        connection = http.client.HTTPConnection(self.address, timeout=READY_S)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def expect(self, status, method, target, body=None, **more):
        answer = self.ask(method, target, body, **more)
        assert answer.status == status, f"{method} {target}: {answer}"
        return answer

    def put_items(self, *items):
        self.expect(200, "PUT", "/v1/items", {"items": list(items)})
        self.wait_indexed()

    def wait_indexed(self):
        """Until retrieval knows the catalogue and all programs, within tenths of a second."""
        self.wait_until(lambda: self.metric("index_current") == 1)

    def wait_durable(self):
        """Until no kill can lose a decision that was answered."""
        self.wait_until(lambda: self.metric("decisions_queued") == 0)

    def metric(self, name):
        text = self.expect(200, "GET", "/metrics").body.decode()
        return float(re.search(rf"^shanhuo_{re.escape(name)} (\S+)$", text, re.M).group(1))

    def send(self, *events, drain=True, **more):
        """POST /v1/events; waits until they have been folded."""
        body = {"events": list(events)} if not more else more.pop("body")
        answer = self.expect(202, "POST", "/v1/events", body, **more)
        self.accepted += answer.json["accepted"]
        if drain:
            self.drain()
        return answer

    def stats(self):
        return self.expect(200, "GET", "/v1/stats").json

    def drain(self):
        """Until each accepted event has ended in one way or another; the counts of the ends."""
        counts = {}

        def drained():
            counts.update(self.stats()["events"])
            ends = sum(counts[end] for end in ("applied", "duplicate", "late", "dead"))
            return counts["accepted"] == ends >= self.accepted
        self.wait_until(drained)
        assert counts["accepted"] == self.accepted, counts
        return counts

    def ask_rank(self, ids=(), **fields):
        """POST /v1/rank; what is not named gets a default, request_id a new one."""
        self.requests += 1
        body = {"request_id": f"r{self.requests}", "user_id": "viewer", "surface": "feed",
                "count": 10, "candidates": candidates(*ids), **fields}
        body = {key: value for key, value in body.items() if value is not None}
        return self.ask("POST", "/v1/rank", body)

    def rank(self, ids=(), **fields):
        answer = self.ask_rank(ids, **fields)
        assert answer.status == 200, answer
        return answer.json

    def totals(self, creator="farmer", query="from=0"):
        return self.expect(200, "GET", f"/v1/creators/{creator}/exposure?{query}").json["totals"]

    @staticmethod
    def wait_until(holds, seconds=10):
        """Seconds that it took until holds() was true."""
        begin = time.monotonic()
        while not holds():
            if time.monotonic() - begin > seconds:
                raise AssertionError(f"not within {seconds} s")
            time.sleep(0.005)
        return time.monotonic() - begin


class Events:
    """Makes events with ids and times of their own."""

    def __init__(self, now_ms=None):
        self.now_ms, self.count = now_ms, 0

    def __call__(self, kind="impression", item="good-1", user="viewer", **fields):
        self.count += 1
        now = self.now_ms if self.now_ms is not None else int(time.time() * 1000)
        return {"event_id": f"e{self.count}", "type": kind, "user_id": user, "item_id": item,
                "ts_ms": now, **fields}

    def seen(self, page, item, user="viewer", **fields):
        """An impression long enough to count, of an item of a page, with its token."""
        shown = next(each for each in page["items"] if each["item_id"] == item)
        proof = {"token": shown["token"]} if "token" in shown else {}
        return self("impression", item, user, **{
            "surface": "feed", "request_id": page["request_id"], "position": shown["position"],
            "viewable_ms": 2500, **proof, **fields})


class EngineTest(unittest.TestCase):
    """One engine for all tests of a class; they keep out of each other's way by names."""
    PROGRAMS, SETTINGS = {}, {}

    @classmethod
    def setUpClass(cls):
        if not BIN.exists():
            raise unittest.SkipTest(f"{BIN} is not built")
        cls.engine = Engine(cls.PROGRAMS, cls.SETTINGS)
        cls.addClassCleanup(cls.engine.close)

    def assert_refused(self, answer, status, *pointers):
        """A problem of this status that names these places, all of them and no other."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        self.assertEqual(answer.json["status"], status)
        self.assertTrue(answer.json["title"])
        if pointers:
            self.assertEqual(sorted(answer.pointers), sorted(pointers))
        for error in answer.json.get("errors", []):
            self.assertTrue(error["detail"])
