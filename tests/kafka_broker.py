"""A real Kafka broker for tests (scripts/kafka.sh) and clients of others: kcat and kafkajs. Shared
by the Python tests; not a test itself."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from engine_process import BIN, ROOT, Engine

CLIENT = ROOT / "tests" / "kafka" / "client.mjs"
SCRIPT = ROOT / "scripts" / "kafka.sh"


class Broker:
    """One of the test's own on a free port, or KAFKA_BOOTSTRAP's (which is never killed). With
    `settings` (KAFKA_LISTENERS and others of scripts/kafka.sh) it is always the test's own. It ends
    with this process, however that ends."""

    def __init__(self, **settings):
        self.settings = settings
        self.folder = tempfile.TemporaryDirectory(prefix="shanhuo-kafka-")
        self.bootstrap = "" if settings else os.environ.get("KAFKA_BOOTSTRAP", "")
        self.ours = not self.bootstrap
        self.prefixes = 0
        if self.ours:
            self.bootstrap = self.script("start").rpartition("kafka: ")[2].strip()

    def script(self, verb, *arguments):
        env = {**os.environ, "KAFKA_DIR": self.folder.name, "KAFKA_PORT": "0",
               "KAFKA_OWNER": str(os.getpid()), **self.settings}
        if self.settings:
            env.pop("KAFKA_BOOTSTRAP", None)
        done = subprocess.run([SCRIPT, verb, *arguments], env=env, capture_output=True, text=True,
                              timeout=180, check=False)
        if done.returncode != 0:
            raise AssertionError(f"kafka.sh {verb}: {done.stderr}")
        return done.stdout

    def signal(self, number):
        os.kill(int((pathlib.Path(self.folder.name) / "pid").read_text(encoding="utf-8")), number)

    def close(self):
        if self.ours:
            self.script("stop")
        self.folder.cleanup()

    def client(self, *arguments, lines=()):
        """What tests/kafka/client.mjs prints, by line."""
        text = "".join(json.dumps(line) + "\n" for line in lines)
        verb, *rest = map(str, arguments)
        done = subprocess.run(["node", CLIENT, verb, self.bootstrap, *rest], input=text,
                              capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(f"client.mjs {verb}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def kcat(self, *arguments, text=""):
        done = subprocess.run(["kcat", "-q", "-b", self.bootstrap, *arguments], input=text,
                              capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    def topics(self, partitions=4):
        """Four new topics; their prefix."""
        self.prefixes += 1
        prefix = f"t{os.getpid()}-{self.prefixes}."
        self.client("topics", prefix, partitions)
        return prefix

    def engine(self, prefix, start=True, **settings):
        settings = {name.replace("__", "."): value for name, value in settings.items()}
        return Engine(start=start, settings={
            "stream.kind": "kafka", "kafka.bootstrap": self.bootstrap,
            "kafka.topic_prefix": prefix, "kafka.group": prefix + "engine",
            "stream.checkpoint_interval_ms": 300, "kafka.append_timeout_ms": 2000, **settings})


def missing():
    """Why the tests of Kafka cannot run here; empty when they can."""
    if not (ROOT / "tests" / "kafka" / "node_modules" / "kafkajs").is_dir():
        return "no kafkajs: (cd tests/kafka && npm ci)"
    return "" if BIN.exists() else f"{BIN} is not built"


def require():
    """Fails, not skips."""
    why = missing()
    if why:
        raise AssertionError(why)


def of_module(**settings):
    """For setUpModule: a broker that ends with the module's tests."""
    require()
    broker = Broker(**settings)
    unittest.addModuleCleanup(broker.close)
    return broker
