"""Engines that share a data folder, and what happens to them: they join, leave, are killed, are
stopped and wake up. The judge is tests/faults/oracle.py, told every record that the topic has. Used
in a short form by tests/kafka_members_test.py and in the long one by tests/faults/long.py."""

import http.client
import json
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from engine_process import READY_S, Engine
from faults.load import Load
from faults.oracle import Oracle
from faults.scenarios import SETTINGS, wall_ms

SESSION_MS = 2_000
FAIL_OVER_S = 30  # a busy machine included
LEAVE_S = 120  # what is in the log is folded first, also when the state is only being opened
# Where Java's clients and the engine would put a key; kcat by itself puts it elsewhere.
MURMUR = ["-X", "topic.partitioner=murmur2_random"]


class MemberEngine(Engine):
    """One of several on a data folder of somebody else's. Started is not ready: it may stand by."""

    def __init__(self, data_dir, settings):
        super().__init__(settings=settings, start=False)
        self.data_dir = data_dir

    def start(self):
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True)
        ready = re.match(r"ready: http://(\S+)", self.process.stdout.readline())
        assert ready, self.stderr()
        self.address = ready.group(1)

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def ready(self):
        """The answer to GET /readyz, within a second; None: nobody answers, as when stopped."""
        connection = http.client.HTTPConnection(self.address, timeout=1)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def metric(self, name):
        text = self.expect(200, "GET", "/metrics").body.decode()
        return float(re.search(rf"^shanhuo_leader{name} (\S+)$", text, re.M).group(1))


class KeyedLoad(Load):
    """An order is one viewer's: all that changes it meets in one partition, in one order."""

    def _new(self):
        event = super()._new()
        if "order_id" in event:
            event["order_id"] += "-" + event["user_id"]
        return event


class Producer(threading.Thread):
    """Batch after batch straight into the topic; nobody has to lead for that."""

    def __init__(self, broker, topic, load, size, pause_s):
        super().__init__()
        self.broker, self.topic, self.load = broker, topic, load
        self.size, self.pause_s, self.sent, self.done = size, pause_s, 0, threading.Event()

    def run(self):
        while not self.done.wait(self.pause_s):
            self.broker.kcat("-P", "-t", self.topic, "-K", "|", *MURMUR, text="".join(
                f"{event['user_id']}|{json.dumps(event)}\n"
                for event in self.load.batch(self.size)))
            self.sent += self.size

    def finish(self):
        self.done.set()
        self.join()


def told(trial):
    """The oracle, told all that the topic has after the producer's last, and how many events: what
    was sent at least, for a producer whose broker hung sends again what was not acknowledged."""
    trial.producer.finish()
    oracle, events = Oracle(trial.load.kinds), trial.records()
    for partition, accepted_ms, event in events:
        oracle.accept(event, accepted_ms, partition)
    assert len(events) >= trial.producer.sent, (len(events), trial.producer.sent)
    return oracle, len(events)


def judge(trial, oracle, events, ask, most_s):
    """Every item, creator and viewer that `ask` answers for against the oracle's."""
    Engine.wait_until(lambda: ask("/v1/stats")["events"]["accepted"] >= events, most_s)
    wrong = oracle.differences(ask, trial.load.creators, trial.load.users[:50])
    assert not wrong, f"{len(wrong)} differences:\n  " + "\n  ".join(wrong[:20])


def letters_once(trial):
    """How many dead letters the topic has; none of them twice."""
    keys = trial.broker.kcat("-C", "-t", trial.prefix + "dead-letters", "-e", "-f", "%k\n").split()
    assert len(keys) == len(set(keys)), f"{len(keys) - len(set(keys))} letters doubled"
    return len(keys)


class Trial:
    """`count` members, a producer, and figures of what was done to them."""

    def __init__(self, broker, count=3, seed=1, size=200, pause_s=0.05):
        self.broker, self.prefix = broker, broker.topics()
        self.folder = tempfile.TemporaryDirectory(prefix="shanhuo-members-")
        self.load, self.random = KeyedLoad(seed, wall_ms), random.Random(seed + 1)
        settings = {**SETTINGS, "stream.kind": "kafka", "kafka.members": "true",
                    "kafka.bootstrap": broker.bootstrap, "kafka.topic_prefix": self.prefix,
                    "kafka.group": self.prefix + "engine", "kafka.append_timeout_ms": 2_000,
                    "kafka.session_timeout_ms": SESSION_MS if broker.ours else 6_000}
        data_dir = Path(self.folder.name) / "data"
        self.members = [MemberEngine(data_dir, settings) for _ in range(count)]
        self.figures = {"events": 0, "killed": 0, "left": 0, "joined": 0, "woken": 0}
        self.longest_s = 0.0
        self.producer = Producer(broker, self.prefix + "interactions", self.load, size, pause_s)

    def __enter__(self):
        try:
            for member in self.members:
                member.start()
            Engine.wait_until(self.put_items, FAIL_OVER_S)
        except BaseException as error:
            error.add_note(self.said())
            self.__exit__()
            raise
        self.producer.start()
        return self

    def put_items(self):
        """True when a checkpoint has them: replayed on Kafka, items and events may change places,
        and the oracle's events know their items. Whoever comes first leads, until somebody older
        has joined too."""
        leader, end = self.leader(), time.monotonic() + 5
        before = leader.ask("GET", "/v1/stats")
        put = leader.ask("PUT", "/v1/items", {"items": self.load.catalogue()})
        while before.status == put.status == 200 and time.monotonic() < end:
            now = leader.ask("GET", "/v1/stats")
            if now.status != 200 or now.json["checkpoints"] > before.json["checkpoints"]:
                return now.status == 200
            time.sleep(0.05)
        return False

    def said(self):
        return "\n".join(member.stderr() for member in self.members)

    def __exit__(self, *_):
        if self.producer.is_alive():
            self.producer.finish()
        for member in self.members:
            if member.runs():
                member.process.send_signal(signal.SIGCONT)
            member.close()
        self.folder.cleanup()

    def leader(self, not_this=None):
        """Waits until one (another) leads."""
        begin = time.monotonic()
        while time.monotonic() - begin < FAIL_OVER_S:
            for member in self.members:
                if member is not not_this and member.runs() and (member.ready() or [0])[0] == 200:
                    self.longest_s = max(self.longest_s, time.monotonic() - begin)
                    return member
            time.sleep(0.02)
        raise AssertionError(f"nobody leads: {self.said()}")

    # --- what is done to members ---

    def kill(self, member):
        member.kill()
        self.figures["killed"] += 1

    def leave(self, member):
        member.process.send_signal(signal.SIGTERM)
        code = member.process.wait(timeout=LEAVE_S)
        member.process.stdout.close()
        assert code == 0, (code, member.stderr())
        self.figures["left"] += 1

    def join(self, member):
        member.start()
        self.figures["joined"] += 1

    @staticmethod
    def refusals(member):
        return member.metric("_fenced_total"), member.metric("_writes_refused_total")

    def sleep_as_leader(self, member):
        """Stopped until another leads, then woken: its write must be refused."""
        fenced, refused = self.refusals(member)
        member.process.send_signal(signal.SIGSTOP)
        successor = self.leader(not_this=member)
        member.process.send_signal(signal.SIGCONT)
        member.wait_until(lambda: self.refusals(member)[0] > fenced, FAIL_OVER_S)
        member.wait_until(lambda: self.refusals(member)[1] > refused, FAIL_OVER_S)
        said = re.findall(r"checkpoint refused: fenced: state\.(\d+) is newer than state\.(\d+)",
                          member.stderr())
        assert said and int(said[-1][0]) > int(said[-1][1]), member.stderr()
        self.figures["woken"] += 1
        return successor

    # --- and what must be so in the end ---

    def compare(self):
        """Every number of the leader against the oracle's, of all that the topic has."""
        oracle, sent = told(self)

        def ask(target):
            answer = self.leader().ask("GET", target)
            while answer.status == 503:  # another leads now; leader() ends the wait
                answer = self.leader().ask("GET", target)
            assert answer.status in (200, 404), answer
            return answer.json if answer.status == 200 else None
        judge(self, oracle, sent, ask, 60)
        letters = letters_once(self)
        assert letters == oracle.ends["dead"], (letters, oracle.ends)
        return {**self.figures, "events": sent, **oracle.ends, "letters": letters,
                "longest wait for a leader s": round(self.longest_s, 1)}

    def records(self):
        """(partition, accepted_at, event) of the topic, each partition in its order."""
        text = self.broker.kcat("-C", "-t", self.prefix + "interactions", "-e", "-f",
                                "%p %o %T %s\n")
        rows = [line.split(" ", 3) for line in text.splitlines()]
        rows.sort(key=lambda row: (int(row[0]), int(row[1])))
        return [(int(row[0]), int(row[2]), json.loads(row[3])) for row in rows]


def fail_over(broker):
    """Each fault once, in turn."""
    with Trial(broker) as trial:
        first = trial.leader()
        trial.kill(first)
        second = trial.leader()
        trial.join(first)
        Engine.wait_until(lambda: f"{second.address} leads" in (first.ready() or [0, ""])[1],
                          READY_S)
        refused = first.ask("POST", "/v1/events", {"events": []})
        assert refused.status == 503 and refused.headers["retry-after"] == "1", refused
        assert first.ask("GET", "/healthz").status == 200
        assert (first.metric(""), second.metric("")) == (0, 1)

        third = trial.sleep_as_leader(second)
        assert trial.leader() is third

        trial.leave(third)
        trial.leader()
        trial.join(third)
        assert any(stays(trial) for _ in range(3)), trial.said()
        return trial.compare()


def stays(trial):
    """Whether the leader leads on while another is killed and joins again. A machine that is too
    busy for heartbeats may have it replaced."""
    leader = trial.leader()
    epoch = leader.metric("_epoch")
    other = next(each for each in trial.members if each is not leader)
    trial.kill(other)
    time.sleep(1.5 * SESSION_MS / 1_000)  # the group notices
    trial.join(other)
    Engine.wait_until(lambda: other.ready() and not other.ready()[1].endswith("yet\n"), READY_S)
    return trial.leader() is leader and leader.metric("_epoch") == epoch


def every_two_seconds(broker, seconds, seed=1, say=lambda text: None):
    """Something happens to somebody every two seconds: they join, leave, die, are stopped for up to
    two sessions and wake up."""
    with Trial(broker, seed=seed, size=500) as trial:
        end, frozen = time.monotonic() + seconds, {}
        while time.monotonic() < end:
            time.sleep(2)
            member = trial.random.choice(trial.members)
            what = trial.random.choice(("kill", "leave", "freeze"))
            for stopped in [each for each, until in frozen.items() if until < time.monotonic()]:
                stopped.process.send_signal(signal.SIGCONT)
                trial.figures["woken"] += 1
                del frozen[stopped]
            if member in frozen:
                continue
            if not member.runs():
                trial.join(member)
            elif what == "freeze":
                member.process.send_signal(signal.SIGSTOP)
                frozen[member] = time.monotonic() + trial.random.random() * 2 * SESSION_MS / 1_000
            else:
                getattr(trial, what)(member)
            say(f"{what} {member.address}")
        for stopped in frozen:
            stopped.process.send_signal(signal.SIGCONT)
        for member in trial.members:
            if not member.runs():
                trial.join(member)
        return trial.compare()
