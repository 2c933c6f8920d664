#!/usr/bin/env python3
"""Three engines on one data folder and a real Kafka broker: one leads, whoever is killed, stopped,
woken or sent away; in the end every number is the oracle's. Fails, not skips, without a broker.
Run: python3 tests/kafka_members_test.py"""

import unittest

import kafka_broker
from faults import members

BROKER = None


def setUpModule():
    global BROKER
    BROKER = kafka_broker.of_module()


class Members(unittest.TestCase):
    def test_killed_stopped_woken_or_sent_away_one_leads_and_counts_everything_once(self):
        print(members.fail_over(BROKER))


if __name__ == "__main__":
    unittest.main()
