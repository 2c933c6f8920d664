#!/usr/bin/env python3
"""The faults of docs/faults.md against a real engine process on the embedded log, in their short
form; scripts/test_long.sh runs the long one. Each ends with every number compared with the oracle
of tests/faults/oracle.py. Run: python3 tests/faults_test.py"""

import unittest

from engine_process import BIN
from faults import scenarios


@unittest.skipUnless(BIN.is_file(), f"no engine: {BIN}; SHANHUO_BIN names it")
class Faults(unittest.TestCase):
    def test_killed_twenty_times_it_counts_everything_once(self):
        print(scenarios.kills(20))

    def test_poison_is_rejected_with_its_reason_and_changes_nothing(self):
        print(scenarios.poison())

    def test_on_a_full_disk_it_refuses_ranks_and_resumes_without_loss(self):
        figures = scenarios.disk_full()
        if figures is None:
            self.skipTest("may not mount a tmpfs")
        print(figures)

    def test_producers_that_are_too_fast_are_refused_and_memory_is_bounded(self):
        print(scenarios.flooded(120_000))

    def test_damaged_files_are_refused_or_repaired_and_never_served(self):
        print(scenarios.damage(12))

    def test_a_hundred_reloads_under_load_fail_no_request(self):
        print(scenarios.reloads(100))


if __name__ == "__main__":
    unittest.main()
