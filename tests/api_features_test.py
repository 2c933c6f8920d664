#!/usr/bin/env python3
"""Features and net counts from outside: the names of features/feature_table.cc in the answers, and
invalid traffic that is taken back (contract 2.2, 2.8). Run: SHANHUO_BIN=... python3
tests/api_features_test.py"""

import re
import unittest
from pathlib import Path

from engine_process import T0, EngineTest, Events, good, program

ROOT = Path(__file__).resolve().parent.parent
HOUR_MS = 3_600_000


def table():
    """(scope, name) of each feature."""
    code = (ROOT / "features" / "feature_table.cc").read_text(encoding="utf-8")
    return {(scope.lower(), name) for name, scope in re.findall(r'Feature\{"(\w+)", k(\w+),', code)}


class FeaturesTest(EngineTest):
    """In the order of their names, each later than the one before: one engine has one clock."""
    PROGRAMS = {"goods": program("goods", items="{category: fruit}")}
    SETTINGS = {"clock": "caller"}

    def user(self, name="viewer"):
        return self.engine.expect(200, "GET", f"/v1/users/{name}").json

    def report(self, item):
        return self.engine.expect(200, "GET", f"/v1/items/{item}?features=1").json

    def test_the_answers_show_the_features_of_the_table_by_name(self):
        self.engine.put_items(good("named", county="433124"))
        self.engine.send(Events(T0 + 250 * HOUR_MS)("click", "named", "somebody", surface="feed"))
        named = table()
        self.assertGreater(len(named), 15)
        viewer = {name for scope, name in named if scope == "viewer"}
        self.assertEqual(viewer | {"user_id", "tier"}, set(self.user("somebody")))
        report = self.report("named")
        shown = {name for scope, name in named if scope in ("item", "creator", "county")}
        self.assertEqual(shown - {"unique_viewers"}, set(report) - {"item", "in_832"})
        self.assertIn("unique_viewers", report["windows"]["24h"])

    def test_a_viewers_session_week_and_rates_follow_its_events(self):
        self.engine.put_items(good("habit"))
        events = Events(T0 + 100 * HOUR_MS)
        sent = []
        for minute, kind in ((0, "impression"), (10, "impression"), (90, "impression"),
                             (95, "click"), (100, "impression")):
            event = events(kind, "habit", "regular")
            event["ts_ms"] += minute * 60_000
            sent.append(event)
        self.engine.send(*sent)
        user = self.user("regular")
        self.assertEqual(user["session"], {"start_ms": sent[2]["ts_ms"], "events": 3})
        blocks = [0] * 42
        for block in sorted({(e["ts_ms"] + 8 * HOUR_MS) // (4 * HOUR_MS) for e in sent}):
            blocks[(block + 18) % 42] += 1
        self.assertEqual(user["week"], blocks)
        self.assertAlmostEqual(user["rates"]["impressions"], 4, delta=0.3)
        self.assertAlmostEqual(user["rates"]["clicks"], 1, delta=0.3)
        clicks, shown = user["rates"]["clicks"], user["rates"]["impressions"]
        self.assertAlmostEqual(user["rates"]["click_rate"], (clicks + 1) / (shown + 20), places=5)

    def test_fatigue_grows_with_repeats_and_ends_with_a_click(self):
        self.engine.put_items(good("tiring", category="fruit"))
        now = T0 + 200 * HOUR_MS
        for n in range(2):
            page = self.engine.rank(["x1", "x2", "x3"], user_id="tired", now_ms=now + n)
            self.assertIn("tiring", [item["item_id"] for item in page["items"]])
        fatigue = self.user("tired")["fatigue"]
        one, = fatigue["items"]
        self.assertEqual((one["key"], one["times"]), ("tiring", 2))
        self.assertAlmostEqual(one["fatigue"], 2, places=2)
        self.assertEqual([each["key"] for each in fatigue["programs"]], ["goods"])
        self.assertEqual([each["key"] for each in fatigue["creators"]], ["farmer"])
        self.engine.send(Events(now + 60_000)("click", "tiring", "tired"))
        one, = self.user("tired")["fatigue"]["items"]
        self.assertEqual((one["times"], one["fatigue"]), (2, 0))

    def test_unique_viewers_of_items_join_for_their_creator(self):
        self.engine.put_items(good("both", creator_id="orchard"), good("one", creator_id="orchard"))
        events = Events(T0 + 300 * HOUR_MS)
        self.engine.send(*[events("impression", item, user, viewable_ms=3000)
                           for item, user in (("both", "a"), ("both", "b"), ("both", "a"),
                                              ("one", "b"), ("one", "c"))])
        report = self.report("both")
        self.assertEqual(report["windows"]["24h"]["unique_viewers"], 2)
        self.assertEqual(report["creator_windows"]["24h"]["unique_viewers"], 3)
        self.assertEqual(report["creator_windows"]["7d"]["unique_viewers"], 3)


class InvalidTrafficTest(EngineTest):
    """In the order of their names, too."""
    PROGRAMS = {"goods": program("goods", items="{category: fruit}")}
    SETTINGS = {"clock": "caller", "invalid_traffic.events_max": "20"}

    def delivered(self):
        shown = self.engine.expect(200, "GET", "/v1/programs/goods").json
        return shown["goals"][0]["delivered"]

    def invalid(self):
        return self.engine.stats()["invalid_traffic"]

    def test_what_a_robot_counted_is_taken_back_from_rollups_and_goals(self):
        self.engine.put_items(good("kiwi", category="fruit", creator_id="grower"))
        start = T0 + 100 * HOUR_MS
        events = Events(start)
        seen = []
        for n in range(3):
            page = self.engine.rank(["x1", "x2"], user_id="robot", now_ms=start + n)
            events.now_ms = start + n
            if "kiwi" in [item["item_id"] for item in page["items"]]:
                seen.append(events.seen(page, "kiwi", "robot"))
        page = self.engine.rank(["x1", "x2"], user_id="person", now_ms=start + 9)
        self.engine.send(*seen, events.seen(page, "kiwi", "person"))
        self.assertEqual(self.delivered(), 2)  # the robot's repeats are one exposure
        totals = self.engine.totals("grower")
        self.assertEqual((totals["served"], totals["boosted_viewable"]), (1 + len(seen), 2))

        self.engine.send(*[events("impression", "kiwi", "robot") for _ in range(20)])
        self.assertEqual(self.delivered(), 1)
        totals = self.engine.totals("grower")
        self.assertEqual((totals["served"], totals["viewable"], totals["boosted_viewable"]),
                         (1, 1, 1))
        counted = self.invalid()
        self.assertEqual((counted["rate"], counted["taken_back"]), (len(seen), 20))

        self.engine.restart()
        self.assertEqual(self.delivered(), 1)
        self.engine.send(events("impression", "kiwi", "robot"))  # still the same hour
        self.assertEqual(self.engine.totals("grower")["served"], 1)
        metrics = self.engine.ask("GET", "/metrics").body.decode()
        self.assertRegex(metrics, r'shanhuo_invalid_events_total\{reason="rate"\} [1-9]')

    def test_a_creators_own_clicks_and_impossible_watch_times_count_for_nothing(self):
        self.engine.put_items(good("own", creator_id="weaver", duration_ms=10_000))
        events = Events(T0 + 50 * HOUR_MS)
        before = self.invalid()
        self.engine.send(events("click", "own", "weaver"),
                         events("play", "own", "guest", watch_ms=86_400_000),
                         events("play", "own", "guest", watch_ms=20_000),
                         events("order", "own", "weaver", order_id="o1", amount_fen=500))
        totals = self.engine.totals("weaver")
        self.assertEqual((totals["clicks"], totals["plays"], totals["watch_ms"], totals["orders"],
                          totals["amount_fen"]), (0, 1, 20_000, 1, 500))
        after = self.invalid()
        self.assertEqual({name: after[name] - before[name] for name in after
                          if after[name] != before[name]},
                         {"self_events": 1, "watch_time": 1, "orders_flagged": 1})


if __name__ == "__main__":
    unittest.main()
