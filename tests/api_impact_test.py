#!/usr/bin/env python3
"""What exposures brought, from outside: sums of what was sent, whatever breaks in between.
Run: SHANHUO_BIN=... python3 tests/api_impact_test.py"""

import csv
import io
import random
import unittest

from engine_process import DAY_MS, T0, EngineTest, Events, good, program

HOUR_MS = 3_600_000
COLUMNS = ("served", "viewable", "boosted_viewable", "clicks", "orders", "boosted_orders",
           "amount_fen", "income_fen", "households", "donated_fen", "weight_g")
ITEMS = {
    "kiwi": {"title": "猕猴桃 5斤装", "creator_id": "anna", "county": "433124", "category": "fruit",
             "benefit": {"households": 40, "income_fen_per_order": 300},
             "donation": {"cause": "school", "permille": 50}},
    "plum": {"creator_id": "anna", "county": "433124", "category": "fruit",
             "benefit": {"households": 25, "income_fen_per_order": 200}},
    "tea": {"creator_id": "bert", "county": "522635", "category": "tea",
            "benefit": {"households": 7, "income_fen_per_order": 1000},
            "donation": {"cause": "dream", "permille": 100}},
    "rice": {"creator_id": "carl", "category": "grain"},
    "idle": {"creator_id": "dora", "county": "433125", "stock": 0},
}


def groups_of(answer):
    return {group["key"]: group for group in answer["groups"]}


class ImpactTest(EngineTest):
    PROGRAMS = {"fruits": program("fruits", items="{category: fruit}",
                                  label="{kind: ad, zh-CN: 广告}"),
                "all": program("all", items="{kind: farm_good}")}
    SETTINGS = {"clock": "caller"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.engine.config_dir / "giving"
        folder.mkdir(exist_ok=True)
        (folder / "goods.yaml").write_text("id: goods\ndonation: {permille_max: 300}\n",
                                           encoding="utf-8")
        cls.engine.restart("stop")
        cls.engine.put_items(*(good(name, **fields) for name, fields in ITEMS.items()),
                             {"item_id": "dream", "kind": "cause", "title": "一个梦想",
                              "creator_id": "school-fund"})
        cls.sent = cls.traffic()

    @classmethod
    def traffic(cls):
        """Sends a day of events, with a kill in the middle; what each of them counts, by item."""
        draw, event, sums = random.Random(4), Events(), []
        for n in range(120):
            now, user = T0 + n * 10 * 60_000, f"viewer-{n}"
            event.now_ms = now
            page = cls.engine.rank([], user_id=user, count=4, now_ms=now)
            batch = []
            for shown in page["items"]:
                item, token = shown["item_id"], shown.get("token")
                if item not in ITEMS:
                    continue
                row = {"item": item, "ts": now, "programs": shown.get("programs", []), "served": 1,
                       "viewable": 1, "boosted_viewable": 1, "clicks": 0, "orders": 0,
                       "boosted_orders": 0, "amount_fen": 0}
                batch.append(event.seen(page, item, user))
                if draw.random() < 0.4:
                    row["clicks"] = 1
                    batch.append(event("click", item, user, token=token))
                if draw.random() < 0.3:
                    fen = 20 * draw.randrange(1, 500)
                    row |= {"orders": 1, "boosted_orders": 1, "amount_fen": fen}
                    batch.append(event("order", item, user, token=token, order_id=f"{user}-{item}",
                                       amount_fen=fen))
                sums.append(row)
            cls.engine.send(*batch)
            if n == 60:
                cls.engine.restart("kill")
        return sums

    def ask(self, query="", **headers):
        target = f"/v1/impact?to={T0 + 3 * DAY_MS}&from={T0 - DAY_MS}{query}"
        return self.engine.ask("GET", target, headers=headers)

    def wanted(self, chosen, donated=True):
        """The numbers of some rows."""
        total = {name: sum(row[name] for row in chosen) for name in COLUMNS[:7]}
        orders = [row for row in chosen if row["orders"]]
        total["income_fen"] = sum(ITEMS[row["item"]].get("benefit", {}).get(
            "income_fen_per_order", 0) for row in orders)
        total["weight_g"] = 2500 * sum(row["item"] == "kiwi" for row in orders)
        most = {}
        for row in orders:
            fields = ITEMS[row["item"]]
            households = fields.get("benefit", {}).get("households", 0)
            most[fields["creator_id"]] = max(most.get(fields["creator_id"], 0), households)
        total["households"] = sum(most.values())
        total["donated_fen"] = 0 if not donated else sum(
            row["amount_fen"] * ITEMS[row["item"]].get("donation", {}).get("permille", 0) // 1000
            for row in orders)
        return total

    def assert_numbers(self, group, chosen, donated=True):
        self.assertEqual({name: group[name] for name in COLUMNS}, self.wanted(chosen, donated))

    def rows(self, belongs):
        return [row for row in self.sent if belongs(row)]

    def test_counts_are_those_of_what_was_sent_by_county_creator_and_cause(self):
        for by, field in (("county", "county"), ("creator", "creator_id")):
            answer = self.ask(f"&by={by}").json
            self.assertEqual((answer["by"], answer["from_ms"]), (by, T0 - DAY_MS))
            self.assert_numbers(answer["totals"], self.sent)
            groups = groups_of(answer)
            for key in {ITEMS[row["item"]].get(field, "") for row in self.sent}:
                self.assert_numbers(groups[key], self.rows(
                    lambda row, key=key, field=field: ITEMS[row["item"]].get(field, "") == key))
        causes = groups_of(self.ask("&by=cause").json)
        self.assertEqual(set(causes), {"school", "dream"})
        for cause in causes:
            self.assert_numbers(causes[cause], self.rows(
                lambda row, cause=cause:
                ITEMS[row["item"]].get("donation", {}).get("cause") == cause))
        self.assertEqual(causes["dream"]["name"], "一个梦想")

    def test_a_program_has_what_its_tokens_brought(self):
        answer = self.ask("&by=program").json
        groups = groups_of(answer)
        self.assertEqual(set(groups), {"all", "fruits"})
        for name, group in groups.items():
            self.assertEqual(group["name"], "山货")
            self.assertEqual(group["label"], "ad" if name == "fruits" else "public_good")
            rows = self.rows(lambda row, name=name: name in row["programs"])
            self.assert_numbers(group, rows, donated=False)
        self.assertEqual(answer["totals"]["donated_fen"], self.wanted(self.sent)["donated_fen"])

    def test_counties_without_an_exposure_count_in_equity(self):
        answer = self.ask().json
        equity = answer["equity"]
        self.assertEqual(groups_of(answer)["433125"]["viewable"], 0)
        self.assertEqual(equity["counties"], 3)
        self.assertEqual(equity["worst"][0]["county"], "433125")
        self.assertEqual((equity["lorenz"][0], equity["lorenz"][-1], len(equity["lorenz"])),
                         (0, 1, 11))
        self.assertTrue(1 / 3 <= equity["gini"] < 1)
        self.assertIn("花垣", groups_of(answer)["433124"]["name"])
        self.assertIn("user_loss_ratio", answer)

    def test_a_time_is_of_whole_hours(self):
        begin = T0 - T0 % HOUR_MS + 5 * HOUR_MS
        target = f"/v1/impact?from={begin}&to={begin + 2 * HOUR_MS}"
        totals = self.engine.expect(200, "GET", target).json["totals"]
        self.assert_numbers(totals, self.rows(
            lambda row: begin <= row["ts"] < begin + 2 * HOUR_MS))

    def test_a_series_has_the_same_sums_by_hour_and_by_day(self):
        for step, width in (("hour", HOUR_MS), ("day", DAY_MS)):
            series = self.ask(f"&step={step}").json["series"]
            starts = [point["ts_ms"] for point in series]
            self.assertEqual(starts, sorted({
                (row["ts"] + 8 * HOUR_MS) // width * width - 8 * HOUR_MS for row in self.sent}))
            for point in series:
                rows = self.rows(lambda row, at=point["ts_ms"], width=width:
                                 at <= row["ts"] < at + width)
                wanted = self.wanted(rows)
                del wanted["households"]
                self.assertEqual({name: point[name] for name in wanted}, wanted)
        self.assertNotIn("series", self.ask().json)
        self.assert_refused(self.ask("&step=minute"), 422, "?step")

    def test_a_table_for_spreadsheets(self):
        answer = self.ask("&by=creator", accept="text/csv")
        self.assertIn("impact.csv", dict(answer.headers)["content-disposition"])
        rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
        groups = groups_of(self.ask("&by=creator").json)
        self.assertEqual({row["key"]: int(row["viewable"]) for row in rows},
                         {key: group["viewable"] for key, group in groups.items()})

    def test_what_is_wrong_is_named(self):
        self.assert_refused(self.ask("&by=item"), 422, "?by")
        self.assert_refused(self.engine.ask("GET", "/v1/impact?from=x&to=-1"), 422, "?to", "?from")
        self.assert_refused(self.engine.ask("GET", "/v1/impact?from=9&to=3"), 422, "?from")


if __name__ == "__main__":
    unittest.main()
