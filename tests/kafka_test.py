#!/usr/bin/env python3
"""The engine on a real Kafka broker: foreign producers and readers, faults with exact counts, gaps.
Fails, not skips, without a broker. Run: python3 tests/kafka_test.py"""

import base64
import json
import os
import re
import tempfile
import threading
import time
import unittest
from collections import Counter
from pathlib import Path

import kafka_broker
import train_test
from engine_process import READY_S, Engine, good

BROKER = None
# Where Java's clients and the engine would put a key; kcat by itself puts it elsewhere.
MURMUR = ["-X", "topic.partitioner=murmur2_random"]


def setUpModule():
    global BROKER
    BROKER = kafka_broker.of_module()


def now_ms():
    return int(time.time() * 1000)


def event(event_id, user, item, kind="click", **more):
    return {"event_id": event_id, "type": kind, "user_id": user, "item_id": item,
            "ts_ms": now_ms(), **more}


def ends(engine):
    """How the folded events ended."""
    counts = engine.stats()["events"]
    return {end: counts[end] for end in ("applied", "duplicate", "late", "dead")}


def wait_for(engine, **wanted):
    """Until the counts are these, and then for a while: no more than these."""
    try:
        engine.wait_until(lambda: wanted.items() <= ends(engine).items(), 60)
    except AssertionError as error:
        raise AssertionError(f"{wanted}, but {ends(engine)}") from error
    time.sleep(0.3)
    assert wanted.items() <= ends(engine).items(), (wanted, ends(engine))


def metric(engine, name):
    text = engine.expect(200, "GET", "/metrics").body.decode()
    return float(re.search(rf"^shanhuo_{re.escape(name)} (\S+)$", text, re.M).group(1))


class ForeignClients(unittest.TestCase):
    """kcat and kafkajs on one side of the topics, the engine on the other."""

    def setUp(self):
        self.prefix = BROKER.topics()
        self.engine = BROKER.engine(self.prefix)
        self.addCleanup(self.engine.close)

    def produce(self, topic, *lines, verb="produce", more=()):
        BROKER.client(verb, self.prefix + topic, *more, lines=lines)

    def kcat_events(self, *events):
        BROKER.kcat("-P", "-t", self.prefix + "interactions", "-K", "|", *MURMUR,
                    text="".join(f"{each['user_id']}|{json.dumps(each)}\n" for each in events))

    def test_json_and_protobuf_events_of_others_are_counted_once(self):
        first = [event(f"a{n}", f"u{n}", "i1") for n in range(20)]
        self.kcat_events(*first, *first[:5])
        protobuf = {"content-type": "application/x-protobuf"}
        self.produce("interactions", *(
            {"key": f"u{n}", "event": event(f"b{n}", f"u{n}", "i1"), "headers": protobuf,
             "newer": n % 2 == 0} for n in range(10)))
        # The same partitioner as Java's: a viewer's repetition meets its first there.
        self.produce("interactions", *({"key": each["user_id"], "json": each} for each in first))
        self.engine.send(*first[:3], drain=False)
        wait_for(self.engine, applied=30, duplicate=28, late=0, dead=0)

    def test_items_come_change_and_go(self):
        self.produce("items", *({"key": f"i{n}", "json": good(f"i{n}")} for n in range(3)),
                     {"key": "i1", "json": good("i1", title="another")}, {"key": "i2"},
                     {"key": "other", "json": good("i9")}, {"key": "i8", "text": "no item"})
        self.engine.wait_until(lambda: self.engine.ask("GET", "/v1/items/i1").status == 200)
        self.engine.wait_until(lambda: self.engine.ask("GET", "/v1/items/i2").status == 404)
        self.assertEqual(self.engine.ask("GET", "/v1/items/i1").json["title"], "another")
        letters = BROKER.client("consume", self.prefix + "dead-letters", "DeadLetter", 2)
        self.assertEqual([letter["value"]["reason"] for letter in letters],
                         ["not_a_catalogue_change"] * 2)
        self.engine.expect(200, "PUT", "/v1/items", {"items": [good("own")]})
        self.engine.ask("DELETE", "/v1/items/own")
        read = BROKER.kcat("-C", "-t", self.prefix + "items", "-e", "-f", "%k %S\n").split("\n")
        self.assertEqual(read[-2], "own -1")  # a tombstone
        self.engine.restart()
        self.assertEqual(self.engine.ask("GET", "/v1/items/own").status, 404)
        self.assertEqual(self.engine.ask("GET", "/v1/items/i0").status, 200)

    def test_poison_becomes_one_dead_letter_each_with_its_bytes(self):
        plain = {"key": "u", "text": '{"event_id":'}
        poison = [
            (plain, "not_json"), ({"key": "u", "text": ""}, "not_json"), ({"key": "u"}, "not_json"),
            ({"key": "u", "text": "x" * 100_000}, "too_large"),
            ({**plain, "headers": {"content-type": "application/avro"}}, "unknown_content_type"),
            ({"key": "u", "json": event("n", "u", "i"), "headers": {"schema-version": "2"}},
             "unknown_schema_version"),
            ({"key": "u", "json": event("f", "u", "i") | {"ts_ms": now_ms() + 10**11}},
             "ts_in_future")]
        # As large as the broker takes it, so that its letter is larger.
        largest = {"key": "u", "text": "x" * 1_048_450}
        self.produce("interactions", largest)
        poison.append((largest, "too_large"))
        self.produce("interactions", *(line for line, _ in poison[:-1]),
                     {"key": "u", "json": event("good", "u", "i"),
                      "headers": {"content-type": "application/json; charset=utf-8"}})
        wait_for(self.engine, applied=1, dead=len(poison))
        self.engine.restart()
        letters = BROKER.client("consume", self.prefix + "dead-letters", "DeadLetter", len(poison))
        self.assertEqual(Counter(letter["value"]["reason"] for letter in letters),
                         Counter(reason for _, reason in poison))
        for letter, (line, offset) in zip(letters, ((largest, 0), (plain, 1))):
            record = letter["value"]
            self.assertEqual(base64.b64decode(record["value"]).decode(), line["text"])
            self.assertEqual(record["source_offset"], offset)
            self.assertEqual(letter["key"],
                             f"shanhuo.interactions/{record['source_partition']}/{offset}")
        end = BROKER.kcat("-C", "-t", self.prefix + "dead-letters", "-e", "-f", "x")
        self.assertEqual(len(end), len(poison))  # and not once more after the restart

    def test_transactions_leave_holes_that_nobody_stumbles_over(self):
        def lines(name):
            return [{"key": f"u{n}", "json": event(f"{name}{n}", f"u{n}", "i")} for n in range(8)]
        self.produce("interactions", *lines("aborted"), verb="transact", more=["abort"])
        self.produce("interactions", *lines("committed"), verb="transact", more=["commit"])
        wait_for(self.engine, applied=8, dead=0)
        self.engine.wait_until(lambda: metric(self.engine, "stream_lag_records") == 0)
        self.engine.restart("kill")
        self.engine.restart("stop")
        self.produce("interactions", *lines("after"))
        wait_for(self.engine, applied=16)

    def test_decisions_are_there_for_everybody_to_read(self):
        self.engine.put_items(good("g1"))
        page = self.engine.rank(["g1"], request_id="asked", user_id="somebody")
        read = BROKER.client("consume", self.prefix + "decisions", "DecisionRecord", 1)[0]
        self.assertEqual(read["key"], "somebody")
        self.assertEqual(read["value"]["request_id"], "asked")
        self.assertEqual(json.loads(base64.b64decode(read["value"]["response"])), page)
        self.engine.restart()
        self.assertEqual(self.engine.rank(["g1"], request_id="asked", user_id="somebody"), page)

    def test_a_forgotten_viewer_stays_forgotten(self):
        self.kcat_events(event("x1", "gone", "i"), event("x2", "gone", "i"))
        wait_for(self.engine, applied=2)
        self.engine.ask("DELETE", "/v1/users/gone")
        self.assertEqual(self.engine.ask("GET", "/v1/users/gone").status, 404)
        self.engine.restart()
        self.assertEqual(self.engine.ask("GET", "/v1/users/gone").status, 404)


class Faults(unittest.TestCase):
    @unittest.skipIf("KAFKA_BOOTSTRAP" in os.environ, "not our broker to kill")
    def test_a_broker_killed_under_load_loses_nothing_and_ranking_never_fails(self):
        prefix = BROKER.topics()
        engine = BROKER.engine(prefix)
        self.addCleanup(engine.close)
        engine.put_items(good("g1"))
        stop, failed, taken, refused = threading.Event(), [], set(), Counter()

        def rank():
            while not stop.is_set():
                answer = engine.ask_rank(["g1"])
                if answer.status != 200 or not answer.json["items"]:
                    failed.append(answer)

        def send():
            batch = 0
            while not stop.is_set():
                events = [event(f"s{batch}-{n}", f"u{n}", "g1") for n in range(50)]
                while not stop.is_set():
                    answer = engine.ask("POST", "/v1/events", {"events": events})
                    if answer.status == 202:
                        taken.update(each["event_id"] for each in events)
                        break
                    refused[answer.status] += 1
                    time.sleep(0.1)
                batch += 1
        threads = [threading.Thread(target=rank), threading.Thread(target=send)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            time.sleep(1)
            BROKER.script("kill")
            engine.wait_until(lambda: engine.ask("GET", "/readyz").status == 503, 15)
            BROKER.script("restart")
            engine.wait_until(lambda: engine.ask("GET", "/readyz").status == 200, READY_S)
        time.sleep(1)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(set(refused), {503})
        engine.wait_until(lambda: metric(engine, "stream_lag_records") == 0, 30)
        # What was refused may stand in the log too, and even come there now: at least the
        # acknowledged, and nothing twice.
        self.assertGreaterEqual(ends(engine)["applied"], len(taken))
        engine.wait_until(lambda: sum(ends(engine).values()) == len(BROKER.kcat(
            "-C", "-t", prefix + "interactions", "-e", "-f", "%k\n").splitlines()), 30)
        self.assertEqual(ends(engine)["dead"] + ends(engine)["late"], 0)
        before = ends(engine)
        engine.restart("kill")
        wait_for(engine, **before)

    @unittest.skipIf("KAFKA_BOOTSTRAP" in os.environ, "not our broker to kill")
    def test_an_engine_stops_in_time_while_the_broker_is_away(self):
        prefix = BROKER.topics()
        engine = BROKER.engine(prefix)
        self.addCleanup(engine.close)
        engine.send(event("before", "u", "i"), drain=False)
        wait_for(engine, applied=1)
        BROKER.script("kill")
        try:
            engine.wait_until(lambda: engine.ask("GET", "/readyz").status == 503, 15)
            engine.rank(["g"])  # its decision waits for a broker
            begin = time.monotonic()
            self.assertEqual(engine.stop(), 0)
            self.assertLess(time.monotonic() - begin, 20)
        finally:
            BROKER.script("restart")
        engine.start()
        wait_for(engine, applied=1)


class Gaps(unittest.TestCase):
    def refused_to_start(self, engine):
        with self.assertRaises(AssertionError) as refused:
            engine.start()
        engine.process.stdout.close()
        return str(refused.exception)

    def recreated(self, events_after):
        prefix = BROKER.topics(partitions=1)
        engine = BROKER.engine(prefix)
        self.addCleanup(engine.close)
        engine.send(*(event(f"e{n}", "u", "i") for n in range(5)), drain=False)
        wait_for(engine, applied=5)
        self.assertEqual(engine.stop(), 0)
        BROKER.client("drop", prefix + "interactions")
        Engine.wait_until(lambda: prefix + "interactions" not in BROKER.kcat("-L"))
        BROKER.client("topics", prefix, 1)
        BROKER.client("produce", prefix + "interactions", lines=[
            {"key": "u", "json": event(f"new{n}", "u", "i")} for n in range(events_after)])
        return engine, self.refused_to_start(engine)

    def test_a_topic_made_anew_and_shorter_is_a_gap(self):
        _, said = self.recreated(2)
        self.assertIn("state GAP", said)
        self.assertIn("ends at offset 2, before 5", said)
        self.assertIn("move the folder state/", said)

    def test_a_topic_made_anew_and_longer_is_a_gap_and_can_be_started_over(self):
        engine, said = self.recreated(9)
        self.assertIn("state GAP", said)
        self.assertIn("has another record at offset 4", said)
        (engine.data_dir / "state").rename(engine.data_dir / "state.old")
        engine.start()
        wait_for(engine, applied=9)

    def test_missing_topics_are_named(self):
        engine = Engine(settings={
            "stream.kind": "kafka", "kafka.bootstrap": BROKER.bootstrap,
            "kafka.topic_prefix": "nobody-made.", "kafka.open_timeout_ms": 500}, start=False)
        self.addCleanup(engine.close)
        said = self.refused_to_start(engine)
        self.assertIn("nobody-made.items", said)

    def test_a_password_is_never_shown(self):
        secret = "hunter2-never-shown"
        engine = Engine(settings={
            "stream.kind": "kafka", "kafka.bootstrap": BROKER.bootstrap,
            "kafka.security_protocol": "sasl_plaintext", "kafka.sasl_mechanism": "PLAIN",
            "kafka.sasl_username": "me", "kafka.open_timeout_ms": 500}, start=False)
        self.addCleanup(engine.close)
        file = engine.config_dir / "password"
        file.write_text(secret + "\n", encoding="utf-8")
        engine.settings["kafka.sasl_password_file"] = file
        said = self.refused_to_start(engine)
        self.assertNotIn(secret, said)
        engine.settings["kafka.sasl_password_file"] = engine.config_dir / "absent"
        self.assertIn("cannot read the password", self.refused_to_start(engine))


class TrainingTest(unittest.TestCase):
    def test_the_topics_give_the_data_that_files_give(self):
        items, events = train_test.two_tastes()
        prefix = BROKER.topics()
        with BROKER.engine(prefix, clock="caller") as engine, \
                tempfile.TemporaryDirectory(prefix="shanhuo-train-") as home:
            engine.put_items(*items)
            engine.send(*events)
            config = Path(home) / "engine.yaml"
            config.write_text("stream: {kind: kafka}\nkafka: {bootstrap: \"%s\", topic_prefix: "
                              "\"%s\"}\n" % (BROKER.bootstrap, prefix), encoding="utf-8")
            done = train_test.run("train", "--from-log", "kafka", "--config", config, "--out", home,
                                  "--version", "topics", *train_test.SETTINGS)
            self.assertEqual(done.returncode, 0, done)
            facts = json.loads((Path(home) / "topics" / "manifest.json").read_text())["data"]
        self.assertEqual((facts["items"], facts["viewers"], facts["events"]), (60, 150, 1200))


if __name__ == "__main__":
    unittest.main()
