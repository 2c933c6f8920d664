#!/usr/bin/env python3
"""Faults between an engine and a real Kafka broker, every item's numbers against the oracle's:
short forms of tests/faults/on_kafka.py. Fails, not skips, without a broker.
Run: python3 tests/kafka_faults_test.py"""

import unittest

import kafka_broker
from faults import on_kafka

BROKER, PROXY = None, None


def setUpModule():
    global BROKER, PROXY
    kafka_broker.require()
    BROKER, PROXY = on_kafka.proxied_broker(unittest.addModuleCleanup)


class Faults(unittest.TestCase):
    def test_an_engine_killed_again_and_again_counts_every_item_once(self):
        print(on_kafka.kills(BROKER, 5))

    def test_a_broker_that_hangs_and_wakes_up_loses_nothing_and_ranking_never_fails(self):
        print(on_kafka.broker_stopped(BROKER, 5))

    def test_a_network_cut_and_then_slow_loses_nothing_and_ranking_never_fails(self):
        print(on_kafka.network(BROKER, PROXY, 1, 0.5))

    def test_the_state_rebuilt_from_the_topics_is_the_oracles_too(self):
        print(on_kafka.rebuilt(BROKER))

    def test_the_topics_can_be_replayed_into_another_engine(self):
        print(on_kafka.replayed(BROKER))

    def test_records_that_retention_dropped_before_they_were_folded_are_a_gap(self):
        said = on_kafka.cut_below_the_checkpoint(BROKER)
        self.assertRegex(said, r"state GAP: shanhuo.interactions\[\d\] begins at offset \d+, after")
        self.assertIn("move the folder state/", said)


if __name__ == "__main__":
    unittest.main()
