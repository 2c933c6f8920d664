#!/usr/bin/env python3
"""The long forms of tests/faults_test.py: 200 kills amid 2,000,000 events, then every fault in turn
until the soak's time is over, on a real engine process. Prints what it does and, in the end, a
table in Markdown (docs/faults.md keeps the last one); fails at the first difference. Run by
scripts/test_long.sh: KILLS=200 EVENTS=2000000 SOAK_MINUTES=30 python3 tests/faults/long.py"""

import contextlib
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import kafka_broker  # noqa: E402  (after the path)
from faults import members, scenarios  # noqa: E402
from faults import on_kafka as kafka_faults  # noqa: E402


def number(name, default):
    return int(os.environ.get(name, default))


def say(text):
    print(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}", flush=True)


class Report:
    def __init__(self):
        self.rows, self.begin = [], time.monotonic()

    def run(self, name, scenario, *args, **more):
        say(f"{name} ...")
        begin = time.monotonic()
        figures = scenario(*args, **more)
        text = "not possible here" if figures is None else ", ".join(
            f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}"
            for key, value in figures.items())
        self.rows.append((name, text, round(time.monotonic() - begin)))
        say(f"{name}: {text}; 0 differences")

    def print(self):
        print("\n| fault | figures | seconds |\n|---|---|---|")
        for row in self.rows:
            print("| {} | {} | {} |".format(*row))
        print(f"\n0 differences in {round(time.monotonic() - self.begin)} s")


def soak(report, minutes):
    """Every fault in turn, with other seeds each time."""
    end, turn = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        turn += 1
        seed = 1_000 * turn
        report.run(f"soak {turn}: kills", scenarios.kills, 40, seed, events=400_000)
        report.run(f"soak {turn}: disk full", scenarios.disk_full, 3, seed + 1)
        report.run(f"soak {turn}: damage", scenarios.damage, 30, seed + 2)
        report.run(f"soak {turn}: reloads", scenarios.reloads, 50, seed + 3)
        report.run(f"soak {turn}: flooded", scenarios.flooded, 1_000_000)


def on_kafka(report):
    missing = kafka_broker.missing()
    if missing:
        say(f"no Kafka: {missing}")
        return
    broker = kafka_broker.Broker()
    try:
        report.run("members", members.every_two_seconds, broker, number("MEMBER_SECONDS", 180))
    finally:
        broker.close()
    with contextlib.ExitStack() as ends:
        broker, proxy = kafka_faults.proxied_broker(ends.callback)
        report.run("kafka: kill -9", kafka_faults.kills, broker, number("KILLS", 200) // 4)
        report.run("kafka: broker stopped", kafka_faults.broker_stopped, broker, 30,
                   kafka_faults.CAUGHT_UP_LONG_S)
        report.run("kafka: network", kafka_faults.network, broker, proxy, 30, 10)


def main():
    report, count = Report(), number("KILLS", 200)
    report.run("kill -9", scenarios.kills, count, 1, say, number("EVENTS", 2_000_000))
    report.run("hot key", scenarios.hot_key, number("HOT_SECONDS", 60))
    report.run("reloads", scenarios.reloads, number("RELOADS", 1_000))
    report.run("damaged files", scenarios.damage, number("DAMAGED", 100))
    on_kafka(report)
    soak(report, number("SOAK_MINUTES", 30))
    report.print()


if __name__ == "__main__":
    main()
