#!/usr/bin/env python3
"""The faults of docs/faults.md against a real engine process on the embedded log, in their short
form; scripts/test_long.sh runs the long one. Each ends with every number compared with the oracle
of tests/faults/oracle.py. Run: python3 tests/faults_test.py"""

import ctypes
import platform
import re
import signal
import unittest
from pathlib import Path

from engine_process import BIN, READY_S, Engine
from faults import scenarios

SYS_TGKILL = {"x86_64": 234, "aarch64": 131}[platform.machine()]


def blocks_sigterm(task):
    """Threads of libraries that were there before main() do not (OpenBLAS has some)."""
    blocked = re.search(r"SigBlk:\t(\w+)", (task / "status").read_text(encoding="utf-8")).group(1)
    return int(blocked, 16) >> (signal.SIGTERM - 1) & 1


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

    def test_a_signal_to_whichever_thread_ends_it_in_order(self):
        with Engine() as engine:
            foreign = next((int(task.name) for task in
                            Path(f"/proc/{engine.process.pid}/task").iterdir()
                            if int(task.name) != engine.process.pid and not blocks_sigterm(task)),
                           engine.process.pid)
            libc = ctypes.CDLL(None, use_errno=True)
            sent = libc.syscall(SYS_TGKILL, engine.process.pid, foreign, signal.SIGTERM)
            self.assertEqual(sent, 0, ctypes.get_errno())
            self.assertEqual(engine.process.wait(timeout=READY_S), 0, engine.stderr())
            engine.process.stdout.close()


if __name__ == "__main__":
    unittest.main()
