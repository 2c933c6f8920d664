"""Faults between one engine and its Kafka broker, and the oracle's verdict on every item after
each. Used in a short form by tests/kafka_faults_test.py and in the long one by
tests/faults/long.py; every function returns figures and raises AssertionError at the first
difference."""

import json
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import kafka_broker
from engine_process import BIN, READY_S, Engine
from faults import members
from faults.scenarios import SETTINGS, wall_ms
from tcp_proxy import Proxy

CAUGHT_UP_S = 60  # a busy machine included; the long form asks for CAUGHT_UP_LONG_S
CAUGHT_UP_LONG_S = 10


def proxied_broker(add_cleanup):
    """A broker with one listener more, which calls itself what the proxy listens on."""
    folder = tempfile.TemporaryDirectory(prefix="shanhuo-kafka-")
    add_cleanup(folder.cleanup)
    config = Path(folder.name) / "broker.properties"
    config.write_text("listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
                      "PROXIED:PLAINTEXT\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    proxy = Proxy(target=port)
    add_cleanup(proxy.close)
    broker = kafka_broker.Broker(KAFKA_LISTENERS=f"PROXIED://127.0.0.1:{port}",
                                 KAFKA_ADVERTISED=f"PROXIED://127.0.0.1:{proxy.port}",
                                 KAFKA_PROPERTIES=str(config))
    add_cleanup(broker.close)
    return broker, proxy


class Ranking(threading.Thread):
    """Asks for pages until it is stopped; every one must come."""

    def __init__(self, engine):
        super().__init__()
        self.engine, self.done, self.pages, self.failed = engine, threading.Event(), 0, []

    def run(self):
        while not self.done.wait(0.005):
            answer = self.engine.ask_rank(("item-1", "item-2"))
            self.pages += 1
            if answer.status != 200 or len(answer.json["items"]) != 2:
                self.failed.append(answer)

    def finish(self):
        """How many came."""
        self.done.set()
        self.join()
        assert not self.failed, f"{len(self.failed)} of {self.pages}: {self.failed[0]}"
        return self.pages


class Trial:
    """An engine, a producer that writes straight into the topic, and the oracle, which is told
    what the topic has in the end. `bootstrap`: where the engine finds the broker. The items are in
    a checkpoint before the first event comes: in a replay items and events may change places, and
    the oracle's events know their items."""

    records = members.Trial.records

    def __init__(self, broker, seed=1, bootstrap=None, size=300, **settings):
        self.broker, self.prefix, self.random = broker, broker.topics(), random.Random(seed + 1)
        self.load = members.KeyedLoad(seed, wall_ms)
        plain = {name.replace(".", "__"): value for name, value in SETTINGS.items()}
        self.engine = broker.engine(self.prefix, **{
            **plain, "kafka__bootstrap": bootstrap or broker.bootstrap, **settings})
        topic = self.prefix + "interactions"
        self.producer = members.Producer(broker, topic, self.load, size, 0.02)

    def __enter__(self):
        try:
            self.engine.put_items(*self.load.catalogue())
            self.engine.restart("stop")
        except BaseException:
            self.engine.close()
            raise
        self.producer.start()
        return self

    def __exit__(self, *_):
        if self.producer.is_alive():
            self.producer.finish()
        self.engine.close()

    def ask(self, target):
        answer = self.engine.ask("GET", target)
        assert answer.status in (200, 404), f"{target}: {answer}"
        return answer.json if answer.status == 200 else None

    def accepted(self):
        return self.ask("/v1/stats")["events"]["accepted"]

    def metric(self, name):
        text = self.engine.expect(200, "GET", "/metrics").body.decode()
        return float(re.search(rf"^shanhuo_{name} (\S+)$", text, re.M).group(1))

    def catch_up(self, most_s=CAUGHT_UP_S):
        """Seconds until everything that is on the topic now is folded."""
        begin, there = time.monotonic(), self.producer.sent
        Engine.wait_until(lambda: self.accepted() >= there, most_s)
        return time.monotonic() - begin

    def compare(self):
        """Every item, creator and viewer against the oracle's."""
        oracle, sent = members.told(self)
        members.judge(self, oracle, sent, self.ask, CAUGHT_UP_S)
        members.letters_once(self)
        return {"events": sent, **oracle.ends}


def kills(broker, count, seed=1):
    """kill -9 at random moments while events come."""
    with Trial(broker, seed) as trial:
        for _ in range(count):
            time.sleep(0.2 + 0.4 * trial.random.random())
            trial.engine.restart("kill")
        return {"kills": count, **trial.compare()}


def broker_stopped(broker, seconds, most_s=CAUGHT_UP_S):
    """The broker is stopped as if its machine hung, and wakes up."""
    with Trial(broker, 2) as trial:
        Engine.wait_until(lambda: trial.accepted() > 0, READY_S)
        ranking = Ranking(trial.engine)
        ranking.start()
        broker.signal(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            Engine.wait_until(lambda: trial.engine.ask("GET", "/readyz").status == 503, READY_S)
            time.sleep(max(0.0, seconds - (time.monotonic() - begin)))
        finally:
            broker.signal(signal.SIGCONT)
        Engine.wait_until(lambda: trial.engine.ask("GET", "/readyz").status == 200, most_s)
        caught_up_s = trial.catch_up(most_s)
        pages = ranking.finish()
        return {"stopped s": round(time.monotonic() - begin), "pages meanwhile": pages,
                "caught up s": round(caught_up_s, 1), **trial.compare()}


def network(broker, proxy, cut_s, slow_s):
    """The engine reaches its broker through the proxy alone: cut, then slow, then as before."""
    with Trial(broker, 3, bootstrap=f"127.0.0.1:{proxy.port}") as trial:
        Engine.wait_until(lambda: trial.accepted() > 0, READY_S)
        ranking = Ranking(trial.engine)
        ranking.start()
        proxy.cut()
        begin = time.monotonic()
        Engine.wait_until(lambda: trial.engine.ask("GET", "/readyz").status == 503, READY_S)
        why = trial.engine.ask("GET", "/readyz").body.decode()
        assert "the log cannot be reached" in why and "is silent for" in why, why
        time.sleep(max(0.0, cut_s - (time.monotonic() - begin)))
        frozen = trial.accepted()
        behind = trial.producer.sent - frozen
        assert behind > 0, "nothing was produced while the network was cut"
        proxy.delay_s = 0.1
        proxy.mend()
        Engine.wait_until(lambda: trial.metric("stream_lag_records") > 0, READY_S)
        time.sleep(slow_s)
        proxy.delay_s = 0
        Engine.wait_until(lambda: trial.engine.ask("GET", "/readyz").status == 200, READY_S)
        caught_up_s = trial.catch_up()
        pages = ranking.finish()
        return {"behind after the cut": behind, "pages meanwhile": pages,
                "caught up s": round(caught_up_s, 1), **trial.compare()}


def run(engine, verb, *arguments):
    """A verb of the command line with the engine's configuration."""
    command = [BIN, verb, *arguments, "--config", engine.config_file]
    for name, value in engine.settings.items():
        command += ["--set", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{verb}: {done.stdout}{done.stderr}"
    return done.stdout


def rebuilt(broker):
    """The state again from the topics alone, compared as the live one was."""
    with Trial(broker, 5) as trial:
        Engine.wait_until(lambda: trial.accepted() > 2_000, READY_S)
        trial.compare()
        assert trial.engine.stop() == 0
        run(trial.engine, "rebuild", "--data-dir", trial.engine.data_dir)
        assert (trial.engine.data_dir / "state.before").is_dir()
        trial.engine.start()
        return trial.compare()


def replayed(broker):
    """The topics' events through the API of another engine, on a log of its own."""
    with Trial(broker, 6) as trial, Engine(settings={"clock": "caller"}) as other:
        Engine.wait_until(lambda: trial.accepted() > 2_000, READY_S)
        trial.producer.finish()
        sent = json.loads(run(trial.engine, "replay", "--from-log", "kafka", "--to",
                              f"http://{other.address}", "--json"))
        assert sent["lines"] == sent["accepted"] == len(trial.records()), sent
        Engine.wait_until(lambda: other.stats()["events"]["accepted"] == sent["accepted"], READY_S)
        return {"lines": sent["lines"]}


def cut_below_the_checkpoint(broker):
    """Retention drops what the stopped engine has not folded yet; what its start says."""
    with Trial(broker, 4) as trial:
        Engine.wait_until(lambda: trial.accepted() > 0, READY_S)
        assert trial.engine.stop() == 0
        sent = trial.producer.sent
        Engine.wait_until(lambda: trial.producer.sent > sent + 1_000, READY_S)
        trial.producer.finish()
        broker.client("cut", trial.prefix + "interactions")
        try:
            trial.engine.start()
        except AssertionError as refused:
            return str(refused)
        finally:
            trial.engine.process.stdout.close()
        raise AssertionError("the engine started over a gap")
