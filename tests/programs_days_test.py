#!/usr/bin/env python3
"""Programs of the field that follow a calendar: 山货节, 双11, 99公益日, 9.5公益周. Shipped files,
an engine with a caller's clock. Run: SHANHUO_BIN=... python3 tests/programs_days_test.py"""

import unittest

from field_programs import FieldTest, at, days, item
from engine_process import DAY_MS


class CalendarTest(FieldTest):
    def assert_targets(self, field, program, first, last, wanted):
        """The goal of each day, once the engine knows that it is that day."""
        for now, target in zip(days(first, last), wanted, strict=True):
            field.page(now)
            field.wait_until(lambda target=target: field.goals(program)[0]["target"] == target)


class FestivalTest(CalendarTest):
    """山货节"""

    def test_five_days_have_a_goal_each_and_the_third_is_the_peak(self):
        field = self.field("harvest-festival")
        field.put_items(item("kiwi"))
        self.assertEqual(field.shown(at("2026-11-19T23:59:59")), [])
        self.assert_targets(field, "harvest-festival", "2026-11-20", "2026-11-24",
                            [5000, 5000, 10000, 5000, 5000])
        self.assertEqual(field.shown(at("2026-11-25T00:00:00"), "late"), [])

    def test_when_it_is_over_its_last_day_stays_on_its_status(self):
        field = self.field("harvest-festival")
        field.put_items(item("kiwi"))
        last = at("2026-11-24T23:00:00")
        field.await_shown(last, "first")
        field.watch(field.page(last), last)
        for now in (last + 60_000, at("2026-11-25T00:30:00"), at("2026-11-28T12:00:00"),
                    at("2026-11-28T12:01:00")):
            field.next_prices(now)
            goal, = field.goals("harvest-festival")
            self.assertEqual((goal["target"], goal["delivered"]), (5000, 1))

    def test_only_what_is_in_season_on_each_of_its_pages(self):
        field = self.field("harvest-festival")
        now = at("2026-11-21T10:00:00")
        field.put_items(item("kiwi", season={"from": "09-10", "to": "12-25"}),
                        item("orange", season={"from": "11-01", "to": "03-10"}),
                        item("plum", season={"from": "06-25", "to": "08-10"}), item("honey"))
        field.await_shown(now, "first")
        for surface in ("feed", "search", "detail", "festival"):
            shown = {each for _ in range(3) for each in field.shown(now, f"v-{surface}", surface)}
            self.assertEqual(shown, {"kiwi", "orange", "honey"}, surface)
        own = field.page(now, "guest", "festival", organic=[])
        self.assertEqual({each["item_id"] for each in own["items"]}, {"kiwi", "orange", "honey"})
        self.assertEqual({each["source"] for each in own["items"]}, {"retrieved"})
        self.assertEqual({each["label"]["text"] for each in own["items"]}, {"山货节"})


class RaisedGoalsTest(CalendarTest):
    def test_double_eleven_rises_twice(self):
        field = self.field("double-eleven")
        field.put_items(item("kiwi", price_fen=3990, stock=500))
        self.assert_targets(field, "double-eleven", "2027-10-29", "2027-11-12",
                            [1000] * 2 + [2000] * 4 + [1000] * 6 + [4000] * 2 + [1000])

    def test_charity_days_come_back_every_year(self):
        field = self.field("charity-day-99")
        field.put_items(item("trees", "cause"))
        for year in ("2026", "2027"):
            self.assert_targets(field, "charity-day-99", f"{year}-09-06", f"{year}-09-10",
                                [200, 1000, 1000, 1000, 200])

    def test_the_charity_week_begins_on_the_fifth_of_september(self):
        field = self.field("charity-week-95")
        field.put_items(item("rice", benefit={"households": 300, "income_fen_per_order": 900}),
                        item("toy", benefit={"households": 3, "income_fen_per_order": 900}))
        self.assert_targets(field, "charity-week-95", "2027-09-04", "2027-09-12",
                            [500] + [2000] * 7 + [500])
        self.assertEqual(field.await_shown(at("2027-09-12T13:00:00"), "guest"), ["rice"])

    def test_a_raised_goal_delivers_more_and_keeps_what_the_day_has_brought(self):
        field = self.field("charity-day-99")
        field.put_items(item("trees", "cause"))
        delivered = []
        for n, now in enumerate(days("2026-09-06", "2026-09-07")):
            field.await_shown(now, f"first-{n}")
            page = field.page(now, f"viewer-{n}")
            field.watch(page, now, f"viewer-{n}")
            goal, = field.goals("charity-day-99")
            delivered.append(goal["delivered"])
        self.assertEqual(delivered, [1, 1])  # each day begins anew
        field.restart()
        field.page(at("2026-09-07T13:00:00"), "clerk")
        goal, = field.goals("charity-day-99")
        self.assertEqual((goal["target"], goal["delivered"]), (1000, 1))
        field.page(at("2026-09-07T12:00:00") + DAY_MS, "clerk")
        field.wait_until(lambda: field.goals("charity-day-99")[0]["delivered"] == 0)


if __name__ == "__main__":
    unittest.main()
