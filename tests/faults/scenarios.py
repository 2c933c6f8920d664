"""Faults done to a real engine process, and the oracle's verdict after each. Used in a short form
by tests/faults_test.py and in the long one by tests/faults/long.py; every function returns a
dictionary of figures and raises AssertionError at the first difference."""

import http.client
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from engine_process import Engine, program
from faults.load import Load, ndjson
from faults.oracle import Oracle

# Nobody is invalid here, however fast; checkpoints are frequent, so that kills meet them.
SETTINGS = {"stream.checkpoint_interval_ms": "100", "stream.checkpoint_step_records": "64",
            "invalid_traffic.events_max": "0", "invalid_traffic.watch_max_ms": "0",
            "invalid_traffic.watch_duration_factor": "0"}
NDJSON = "application/x-ndjson"
WHEN = ("random", "sent", "answered", "checkpoint", "log")


def wall_ms():
    return int(time.time() * 1000)


class SmallDiskEngine(Engine):
    """Its data folder is a tmpfs of its own, which dies with it; seen from here under /proc."""
    MOUNT = 'mount -t tmpfs -o size=192m tmpfs "$0" && exec "$@"'

    def command(self, listen="127.0.0.1:0"):
        self.data_dir.mkdir(exist_ok=True)
        return ["unshare", "--map-root-user", "--mount", "sh", "-c", self.MOUNT, self.data_dir,
                *super().command(listen)]

    @staticmethod
    def possible():
        return subprocess.run(["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs",
                               "tmpfs", "/mnt"], check=False, capture_output=True).returncode == 0

    def fill(self):
        """Takes all that is free; the file to be removed."""
        ballast = Path(f"/proc/{self.process.pid}/root{self.data_dir}/ballast")
        with open(ballast, "wb", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    pass
        return ballast


class Trial:
    """An engine, a load and an oracle. One producer sends batch after batch, so that the log's
    order is the sent order; what a kill left unanswered is on the log whole or not at all, and the
    count of accepted records after the restart says which."""

    def __init__(self, seed, settings=None, engine=Engine, **load):
        self.load = Load(seed, wall_ms, **load)
        self.random = random.Random(seed + 1)
        self.oracle = Oracle(self.load.kinds)
        self.engine = engine(settings={**SETTINGS, **(settings or {})})
        self.engine.put_items(*self.load.catalogue())
        self.figures = {"events": 0, "kills": 0, "unanswered": 0, "landed": 0}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.close()

    def connect(self):
        return http.client.HTTPConnection(self.engine.address, timeout=30)

    def accepted(self, events):
        now = wall_ms()
        for event in events:
            self.oracle.accept(event, now)
        self.figures["events"] += len(events)

    def send(self, events, connection):
        """The status; 202 means that the log has all of them."""
        connection.request("POST", "/v1/events", ndjson(events), {"content-type": NDJSON})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 202:
            assert f'"accepted":{len(events)},' .encode() in body, body
            self.accepted(events)
        return answer.status

    def send_some(self, total, size=500):
        connection = self.connect()
        while total > 0:
            assert self.send(self.load.batch(min(size, total)), connection) == 202
            total -= size
        connection.close()

    def ask(self, target):
        """JSON, or None where there is nothing."""
        answer = self.engine.ask("GET", target)
        assert answer.status in (200, 404), f"{target}: {answer}"
        return answer.json if answer.status == 200 else None

    def drain(self):
        """Until the log is folded; how many records it had."""
        counts = {}

        def folded():
            stats = self.ask("/v1/stats")
            counts.update(stats["events"])
            return stats["lag_records"] == 0
        self.engine.wait_until(folded, 120)
        return counts["accepted"]

    def compare(self):
        self.drain()
        wrong = self.oracle.differences(self.ask, self.load.creators, self.load.users[:20])
        assert not wrong, f"{len(wrong)} differences, the first: " + "\n  ".join(wrong[:5])

    def kill_amid(self, when, size=300):
        """Sends until SIGKILL comes at the named moment, restarts, and learns what had landed."""
        victim = self.engine.process.pid
        unanswered = self._send_until_dead(when, size, victim)
        self.engine.end(signal.SIGKILL)
        self.engine.start()
        self.figures["kills"] += 1
        more = self.drain() - self.oracle.ends["accepted"]
        assert more in (0, len(unanswered)), f"{more} records of {len(unanswered)} unanswered"
        self.figures["unanswered"] += len(unanswered)
        if more:
            self.figures["landed"] += more
            self.accepted(unanswered)

    def _send_until_dead(self, when, size, victim):
        killer = threading.Thread(target=self._kill_when, args=(when, victim))
        connection, sent = self.connect(), 0
        if when in ("random", "checkpoint", "log"):
            killer.start()
        stop_after = self.random.randrange(2, 8)
        while True:
            batch = self.load.batch(self.random.randrange(1, size))
            try:
                if when == "sent" and sent == stop_after:
                    connection.request("POST", "/v1/events", ndjson(batch),
                                       {"content-type": NDJSON})
                    time.sleep(self.random.random() * 0.004)
                    os.kill(victim, signal.SIGKILL)
                self.send(batch, connection) if when != "sent" or sent < stop_after else None
                sent += 1
                if when == "answered" and sent == stop_after:
                    os.kill(victim, signal.SIGKILL)
                if when == "sent" and sent > stop_after:
                    connection.close()
                    return batch
            except (OSError, http.client.HTTPException):
                connection.close()
                if killer.ident:
                    killer.join()
                return batch

    def _kill_when(self, when, victim):
        """random: some time from now; checkpoint, log: as soon as that store's write-ahead log
        has grown, which is amid the write or just after it."""
        begin, pause = time.monotonic(), self.random.random() * 0.4
        watched = self.engine.data_dir / ("state" if when == "checkpoint" else "log")
        size = None
        while time.monotonic() - begin < 3:
            if when == "random":
                time.sleep(pause)
                break
            if time.monotonic() - begin < pause:
                time.sleep(0.001)
                continue
            now = {path.name: path.stat().st_size for path in watched.glob("*.log")}
            if size is not None and now != size:
                break
            size = now
        os.kill(victim, signal.SIGKILL)


def kills(count, seed=1, say=None, events=0):
    """kill -9 at random and at named moments; `events` more are spread between the kills."""
    with Trial(seed) as trial:
        for n in range(count):
            trial.kill_amid(WHEN[n % len(WHEN)])
            trial.send_some(events // count, 5_000)
            if n % 10 == 9:
                trial.compare()
            if say and n % 10 == 9:
                say(f"kill {n + 1} of {count}, {trial.figures['events']} events")
        trial.compare()
        return {**trial.figures, **{f"{end}": number for end, number in trial.oracle.ends.items()}}


def poison():
    """Each is rejected with its reason and changes nothing; forged and future ones are dead."""
    from faults.load import POISON
    with Trial(3) as trial:
        trial.send_some(1_000)
        for line, reason in POISON:
            answer = trial.engine.ask("POST", "/v1/events", line.encode() + b"\n",
                                      content_type=NDJSON)
            want = [] if reason is None else [{"index": 0, "reason": reason}]
            got = answer.json.get("rejected")
            assert (answer.status, got) == (202, want), f"{line[:60]!r}: {answer}"
        trial.compare()
        assert set(trial.oracle.dead_by_reason) == {"ts_in_future", "bad_token"}
        return {"poison": len(POISON), **trial.oracle.dead_by_reason}


def memory_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def disk_full(rounds=1, seed=5):
    """The disk runs full: the log refuses, the fold waits, ranking goes on, and when there is room
    again nothing is missing. None where a tmpfs cannot be mounted."""
    if not SmallDiskEngine.possible():
        return None
    refused = ranked = 0
    with Trial(seed, engine=SmallDiskEngine) as trial:
        for _ in range(rounds):
            trial.send_some(2_000)
            ballast, connection = trial.engine.fill(), trial.connect()
            while refused < 20 or refused % 20:
                batch = trial.load.batch(200)
                status = trial.send(batch, connection)
                assert status in (202, 503), status
                refused += status == 503
                assert trial.engine.ask_rank(("item-1", "item-2")).status == 200
                ranked += 1
            ballast.unlink()
            trial.engine.wait_until(lambda: trial.send(batch, connection) == 202, 20)
            connection.close()
            trial.send_some(2_000)
            trial.compare()
    return {"refused": refused, "ranked meanwhile": ranked}


def flooded(events, connections=4):
    """Producers much faster than the log may take: what is refused is refused whole, what is
    accepted is there, and memory stays in its bounds."""
    settings = {"log.queue_bytes_max": "1048576", "log.group_bytes_max": "262144",
                "log.tail_bytes_max": "4194304", "http.threads": str(connections)}
    with Trial(6, settings) as trial:
        trial.send_some(20_000, 1_000)
        trial.drain()
        pid, size, counts = trial.engine.process.pid, 8_000, {202: 0, 503: 0}
        before, peak, lock = memory_kib(pid), [0], threading.Lock()
        deadline = time.monotonic() + 60

        def produce(number):
            connection, n = trial.connect(), 0
            while (sum(counts.values()) * size < events or not counts[503]) and (
                    time.monotonic() < deadline):
                n += 1
                stamp = wall_ms()
                connection.request("POST", "/v1/events", ndjson(
                    {"event_id": f"f{number}-{n}-{i}", "type": "click", "ts_ms": stamp,
                     "user_id": f"viewer-{i % 200}", "item_id": "item-1"} for i in range(size)),
                                   {"content-type": NDJSON})
                answer = connection.getresponse()
                answer.read()
                with lock:
                    counts[answer.status] += 1
                    peak[0] = max(peak[0], memory_kib(pid))
            connection.close()

        threads = [threading.Thread(target=produce, args=(n,)) for n in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        trial.drain()
        applied = trial.ask("/v1/stats")["events"]["applied"]
        assert applied == trial.oracle.ends["applied"] + counts[202] * size, (applied, counts)
        assert counts[503] > 0, "nothing was refused"
        grown_mib = (peak[0] - before) / 1024
        # Remembered ids (21 bytes each in tables that double), bodies, queues, and slack.
        allowed_mib = 64 + 8 * connections + counts[202] * size * 64 / 2**20
        assert grown_mib < allowed_mib, f"{grown_mib:.0f} MiB grown, {allowed_mib:.0f} allowed"
        return {"accepted": counts[202] * size, "refused": counts[503] * size,
                "grown MiB": round(grown_mib)}


def hot_key(seconds, rounds=4, seed=9):
    """How long ranking takes for viewers that are not hot while half of all events are one
    viewer's and one item's, against the same load without a hot key; in turns, so that a machine
    that slows down slows both."""
    times = {0.0: [], 0.5: []}
    with Trial(seed) as trial:
        trial.send_some(20_000, 1_000)
        connection, stop = trial.connect(), threading.Event()

        def produce():
            while not stop.is_set():
                assert trial.send(trial.load.batch(500), connection) == 202

        thread = threading.Thread(target=produce)
        thread.start()
        try:
            for turn in range(2 * rounds):
                trial.load.hot = (0.0, 0.5)[turn % 2]
                until = time.monotonic() + seconds / (2 * rounds)
                while time.monotonic() < until:
                    begin = time.perf_counter()
                    page = trial.engine.ask_rank(("item-1", "item-2"), user_id="viewer-7")
                    assert page.status == 200
                    times[trial.load.hot].append(time.perf_counter() - begin)
                    time.sleep(0.002)
        finally:
            stop.set()
            thread.join()
        connection.close()
        trial.compare()
    p50 = {hot: sorted(each)[len(each) // 2] * 1e3 for hot, each in times.items()}
    p99 = {hot: sorted(each)[len(each) * 99 // 100] * 1e3 for hot, each in times.items()}
    assert p50[0.5] <= 1.5 * p50[0.0], p50
    return {"p50 ms without": round(p50[0.0], 2), "p50 ms with": round(p50[0.5], 2),
            "p99 ms without": round(p99[0.0], 2), "p99 ms with": round(p99[0.5], 2)}


def damage(count, seed=7):
    """A stopped engine's data with one byte flipped or one file cut short: the start is refused
    with a message, or every number is right. Never a wrong answer, never a crash."""
    outcome = {"refused": 0, "right": 0}
    with Trial(seed) as trial:
        trial.send_some(20_000, 1_000)
        trial.compare()
        trial.engine.stop()
        engine, whole = trial.engine, trial.engine.data_dir.with_name("whole")
        shutil.copytree(engine.data_dir, whole)
        files = sorted(path.relative_to(whole) for path in whole.rglob("*")
                       if path.is_file() and path.stat().st_size > 0 and
                       path.parent.name in ("log", "state"))
        for n in range(count):
            shutil.rmtree(engine.data_dir)
            shutil.copytree(whole, engine.data_dir)
            victim = engine.data_dir / files[n % len(files)]
            data = bytearray(victim.read_bytes())
            at = trial.random.randrange(len(data))
            if trial.random.random() < 0.3:
                del data[at:]
            else:
                data[at] ^= 1 << trial.random.randrange(8)
            victim.write_bytes(data)
            outcome[_start_damaged(trial, victim.name)] += 1
    return outcome


def _start_damaged(trial, name):
    engine = trial.engine
    done = subprocess.Popen(engine.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)
    line = done.stdout.readline()
    if not line.startswith("ready: http://"):
        errors = done.communicate(timeout=30)[1]
        assert done.returncode == 1 and errors, f"{name}: exit {done.returncode}: {errors}"
        return "refused"
    engine.process, engine.address = done, line.split("//")[1].strip()
    try:
        ready = engine.ask("GET", "/readyz").status == 200
        if ready:
            trial.compare()
        return "right" if ready else "refused"
    finally:
        engine.kill()
        done.stderr.close()


def reloads(count, seed=8):
    """Program files rewritten under load, every second time broken: no request fails, the last
    good revision stays, memory is flat."""
    with Trial(seed) as trial:
        engine, stop, failed, done = trial.engine, threading.Event(), [], [0]
        good = program("boost", items="{kind: farm_good}")
        engine.write_program("boost", good)

        def serve():
            connection = trial.connect()
            while not stop.is_set():
                if engine.ask_rank(("item-1", "item-2", "item-3")).status != 200:
                    failed.append("rank")
                if trial.send(trial.load.batch(20), connection) != 202:
                    failed.append("events")
                done[0] += 2
                time.sleep(0.002)
            connection.close()

        def rewrite(numbers):
            for n in numbers:
                broken = n % 2 == 1
                engine.write_program("boost", "id: boost\nname: [\n" if broken else
                                     good + f"priority: {n % 1000}\n")
                engine.wait_until(lambda broken=broken, n=n: _reloaded(engine, broken, n), 10)

        thread = threading.Thread(target=serve)
        thread.start()
        rewrite(range(count))
        stop.set()
        thread.join()
        # What requests leave in bounded queues and caches is not the reloads': those alone.
        before = memory_kib(engine.process.pid)
        rewrite(range(count, count + count // 10))
        grown_mib = (memory_kib(engine.process.pid) - before) / 1024
        assert not failed, f"{len(failed)} requests failed: {failed[0]}"
        assert grown_mib < 8, f"{grown_mib:.0f} MiB grown"
        trial.compare()
        return {"reloads": count + count // 10, "requests": done[0], "failed": len(failed),
                "grown MiB": round(grown_mib, 1)}


def _reloaded(engine, broken, number):
    listed = engine.expect(200, "GET", "/v1/programs").json
    return bool(listed["errors"]) if broken else (
        not listed["errors"] and
        [each["priority"] for each in listed["programs"]] == [number % 1000])
