#!/usr/bin/env python3
"""The shipped demo data: the catalogue that scripts/make_catalogue.py makes, the county table, and
the programs. Run: python3 tests/data_test.py"""

import json
import re
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from datetime import datetime
from pathlib import Path

try:
    import yaml
except ImportError:
    yaml = None

ROOT = Path(__file__).resolve().parent.parent
PROVINCES = set("11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 "
                "62 63 64 65 71 81 82".split())
KINDS = {"farm_good", "scenic_video", "live_room", "video", "article", "cause", "notice"}
FIELD_GOODS = ("十八洞猕猴桃 巫山脆李 红河梯田红米 奉节脐橙 普安红茶 古蔺脆红李 合阳秦薯 "
               "兴安盟沙地大米 锡林郭勒羊肉 后旗红皮土豆 永和鲜梨枣").split()
FIELD_PLACES = "永和乾坤湾 稻城亚丁 栾川 阿尔山".split()
ITEM_FIELDS = {  # name -> (type, required)
    "item_id": (str, True), "kind": (str, True), "title": (str, True), "creator_id": (str, True),
    "county": (str, False), "category": (str, False), "tags": (list, False),
    "price_fen": (int, False), "stock": (int, False), "place": (dict, False),
    "season": (dict, False), "published_at_ms": (int, False), "duration_ms": (int, False),
    "available": (bool, False), "embedding": (list, False), "benefit": (dict, False),
    "donation": (dict, False)}
PROGRAM_KEYS = {"id", "name", "enabled", "priority", "urgent", "items", "audience", "surfaces",
                "schedule", "goals", "placement", "room", "frequency", "fairness", "area", "label",
                "calendar", "until", "pairs", "limits"}
REQUIRED_KEYS = PROGRAM_KEYS - {"urgent", "room", "fairness", "area", "calendar", "until", "pairs",
                                "limits"}
SURFACES = {"feed", "live_room", "search", "detail", "festival", "open_screen"}
DAY = datetime.fromisoformat("2026-11-11T00:00:00+08:00")


def make(out_dir):
    subprocess.run([sys.executable, ROOT / "scripts" / "make_catalogue.py", out_dir], check=True,
                   stdout=subprocess.DEVNULL)
    return [(out_dir / name).read_bytes() for name in ("items.ndjson", "creators.ndjson")]


def faults(item, creators):
    """What contract 2.1 has against this item; empty when it is valid."""
    out = [f"unknown {key}" for key in item if key not in ITEM_FIELDS]
    for key, (kind, required) in ITEM_FIELDS.items():
        if key in item and type(item[key]) is not kind:
            out.append(f"{key} is no {kind.__name__}")
        elif key not in item and required:
            out.append(f"no {key}")
    out += ["id"] * (not re.fullmatch(r"[a-z0-9-]{1,128}", item["item_id"]))
    out += ["kind"] * (item["kind"] not in KINDS) + ["title"] * (not item["title"].strip())
    out += ["creator"] * (item["creator_id"] not in creators)
    county = item.get("county", "110000")
    out += ["county"] * (not re.fullmatch(r"\d{6}", county) or county[:2] not in PROVINCES)
    for key in ("price_fen", "stock", "published_at_ms", "duration_ms"):
        out += [key] * (item.get(key, 0) < 0)
    return out + nested_faults(item)


def nested_faults(item):
    out = ["tags"] * any(type(tag) is not str or not tag for tag in item.get("tags", []))
    if "place" in item:
        place = item["place"]
        out += ["place"] * (set(place) != {"lat", "lon"} or not 3 < place["lat"] < 54
                            or not 73 < place["lon"] < 136)
    if "season" in item:
        season = item["season"]
        out += ["season"] * (set(season) != {"from", "to"})
        for day in season.values():
            try:
                datetime.strptime(f"2028-{day}", "%Y-%m-%d")
                out += ["season day"] * (not re.fullmatch(r"\d\d-\d\d", day))
            except ValueError:
                out.append(f"season {day}")
    if "benefit" in item:
        benefit = item["benefit"]
        out += ["benefit"] * (set(benefit) != {"households", "income_fen_per_order"}
                              or not 0 < benefit["income_fen_per_order"] < item["price_fen"]
                              or benefit["households"] < 1)
    if "donation" in item:
        donation = item["donation"]
        out += ["donation"] * (set(donation) != {"cause", "permille"}
                               or not 0 < donation["permille"] <= 1000)
    return out


def matches(item, condition):
    """The part of the condition language that the shipped programs use."""
    for key, want in condition.items():
        if key == "$or":
            if not any(matches(item, part) for part in want):
                return False
            continue
        value = item
        for step in key.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        for op, arg in (want if isinstance(want, dict) else {"$eq": want}).items():
            if not holds(op, value, arg):
                return False
    return True


def holds(op, value, arg):
    if op == "$in":
        return any(v in arg for v in value) if isinstance(value, list) else value in arg
    return {"$eq": lambda: value == arg, "$ne": lambda: value != arg,
            "$exists": lambda: (value is not None) == arg,
            "$gt": lambda: (value or 0) > arg, "$gte": lambda: (value or 0) >= arg,
            "$lte": lambda: (value or 0) <= arg,
            "$regex": lambda: value is not None and re.search(arg, value) is not None}[op]()


def sellable(item):
    """In stock, and in season on the demo's day."""
    season = item.get("season", {"from": "01-01", "to": "12-31"})
    first, last, today = season["from"], season["to"], DAY.strftime("%m-%d")
    inside = first <= today <= last if first <= last else today >= first or today <= last
    return inside and item.get("stock", 1) > 0


class CatalogueTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            cls.bytes = make(Path(first))
            cls.again = make(Path(second))
        cls.items, cls.creators = ([json.loads(line) for line in data.splitlines()]
                                   for data in cls.bytes)

    def of(self, kind):
        return [item for item in self.items if item["kind"] == kind]

    def test_two_runs_give_the_same_bytes(self):
        self.assertEqual(self.bytes, self.again)

    def test_it_has_enough_of_everything(self):
        counts = Counter(item["kind"] for item in self.items)
        self.assertEqual(counts["video"], 20_000)
        self.assertGreaterEqual(len(self.items) - counts["video"], 1_200)
        self.assertGreaterEqual(counts["farm_good"], 1_000)
        for kind in ("scenic_video", "live_room", "cause", "notice"):
            self.assertGreater(counts[kind], 0, kind)

    def test_every_item_is_one_of_the_contract(self):
        creators = {creator["creator_id"] for creator in self.creators}
        bad = {i["item_id"]: faults(i, creators) for i in self.items if faults(i, creators)}
        self.assertEqual(bad, {})

    def test_every_farm_good_has_a_price_a_stock_a_county_and_a_category(self):
        for item in self.of("farm_good"):
            for key in ("price_fen", "stock", "county", "category", "place"):
                self.assertIn(key, item, item["item_id"])

    def test_ids_are_unique(self):
        for records, key in ((self.items, "item_id"), (self.creators, "creator_id")):
            counts = Counter(record[key] for record in records)
            self.assertEqual([i for i, n in counts.items() if n > 1], [])

    def test_every_creator_is_one_of_the_contract(self):
        for creator in self.creators:
            self.assertLessEqual(set(creator), {"creator_id", "name", "groups", "trained_at_ms"})
            self.assertTrue(creator["creator_id"] and creator["name"], creator)
            self.assertTrue(all(type(group) is str for group in creator["groups"]), creator)
            self.assertEqual("trained" in creator["groups"], "trained_at_ms" in creator, creator)

    def test_nearly_all_goods_come_from_the_counties(self):
        counties = {item["county"] for item in self.of("farm_good")}
        self.assertGreaterEqual(len(counties), 460)
        self.assertLessEqual(counties, {row[0] for row in county_rows()})

    def test_the_field_is_there(self):
        goods = {item["title"].split()[0] for item in self.of("farm_good")}
        self.assertEqual([name for name in FIELD_GOODS if name not in goods], [])
        scenes = [item["title"] for item in self.of("scenic_video")]
        missing = [n for n in FIELD_PLACES if not any(n in title for title in scenes)]
        self.assertEqual(missing, [])
        kiwi = [i for i in self.of("farm_good") if i["title"].startswith("十八洞猕猴桃")]
        self.assertEqual({(i["county"], i["category"]) for i in kiwi}, {("433124", "fruit")})

    def test_what_a_good_gives_to_is_a_cause(self):
        causes = {item["item_id"] for item in self.of("cause")}
        given = {item["donation"]["cause"] for item in self.items if "donation" in item}
        self.assertLessEqual(given, causes)

    def test_titles_of_videos_vary(self):
        titles = {item["title"] for item in self.of("video")}
        self.assertGreater(len(titles), 15_000)


def county_rows():
    text = (ROOT / "features" / "counties_832.inc").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("//")]
    row = re.compile(r'\{"(\d{6})", "([^"]+)", "([^"]+)", (\d{4}), (\d+\.\d\d), (\d+\.\d\d)\},')
    return [row.fullmatch(line).groups() for line in lines]


class CountiesTest(unittest.TestCase):
    def test_there_are_832_sorted_by_code(self):
        codes = [row[0] for row in county_rows()]
        self.assertEqual(len(codes), 832)
        self.assertEqual(codes, sorted(set(codes)))

    def test_every_row_is_plausible(self):
        for code, name, _, year, lat, lon in county_rows():
            self.assertIn(code[:2], PROVINCES)
            self.assertIn(int(year), range(2016, 2021), name)
            self.assertTrue(18 < float(lat) < 54 and 73 < float(lon) < 136, name)

    def test_huayuan_is_where_it_is(self):
        row = next(row for row in county_rows() if row[0] == "433124")
        self.assertEqual(row[1:3], ("花垣县", "湖南省"))
        self.assertAlmostEqual(float(row[4]), 28.57, delta=0.05)
        self.assertAlmostEqual(float(row[5]), 109.48, delta=0.05)


@unittest.skipIf(yaml is None, "no python3-yaml: `shanhuo check` alone looks at the programs")
class ProgramsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        load = lambda path: yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
        folders = (ROOT / "configs/programs", ROOT / "configs/demo/programs")
        cls.shipped, cls.demo = ({path.stem: load(path) for path in sorted(folder.glob("*.yaml"))}
                                 for folder in folders)
        with tempfile.TemporaryDirectory() as out_dir:
            items, creators = (map(json.loads, data.splitlines()) for data in make(Path(out_dir)))
        groups = {creator["creator_id"]: creator["groups"] for creator in creators}
        codes = {row[0] for row in county_rows()}
        cls.items = [dict(i, creator_groups=groups[i["creator_id"]],
                          in_832=i.get("county") in codes) for i in items]

    def every(self):
        return [*self.shipped.items(), *self.demo.items()]

    def selected(self, program):
        condition = numbers(program["items"])
        return [item for item in self.items if matches(item, condition)]

    def test_keys_are_those_of_the_contract(self):
        self.assertGreaterEqual(len(self.shipped), 10)
        for stem, program in self.every():
            self.assertEqual(program["id"], stem)
            self.assertEqual(set(program) - PROGRAM_KEYS, set(), stem)
            self.assertEqual(REQUIRED_KEYS - set(program), set(), stem)
            self.assertLessEqual(set(program["surfaces"]), SURFACES, stem)
            self.assertIn(program["label"]["kind"], ("ad", "public_good"), stem)

    def test_numbers_are_in_order(self):
        for stem, program in self.every():
            times = [datetime.fromisoformat(program["schedule"][k]) for k in ("start", "end")]
            self.assertLess(times[0], times[1], stem)
            self.assertTrue(0 <= int(program["priority"]) <= 1000, stem)
            placement = program["placement"]
            self.assertLessEqual(int(placement["first_slot"]), int(placement["last_slot"]), stem)
            for goal in program["goals"]:
                least = float(goal["at_least"])
                self.assertLess(least, float(goal.get("at_most", "inf")), stem)
                self.assertTrue("share_of" not in goal or least < 1, stem)
                self.assertIn(goal["per"], ("total", "day"), stem)

    def test_rooms_are_for_programs_of_live_rooms(self):
        for stem, program in self.every():
            self.assertEqual("room" in program, "live_room" in program["surfaces"], stem)

    def test_every_program_has_items(self):
        for stem, program in self.every():
            self.assertTrue(self.selected(program), stem)

    def test_the_demo_is_one_day_that_can_be_met(self):
        feasible = {s: p for s, p in self.demo.items() if not s.startswith("infeasible-")}
        self.assertLess(len(feasible), len(self.demo))
        goals = [int(goal["at_least"]) for p in feasible.values() for goal in p["goals"]
                 if "share_of" not in goal]
        self.assertTrue(9_000 <= sum(goals) <= 20_000 and max(goals) <= 3000)
        for stem, program in self.demo.items():
            start, end = (datetime.fromisoformat(program["schedule"][k]) for k in ("start", "end"))
            self.assertEqual((start, (end - start).total_seconds()), (DAY, 86_400.0), stem)
        for stem, program in feasible.items():
            self.assertTrue(any(map(sellable, self.selected(program))), stem)


def numbers(condition):
    """BaseLoader keeps every scalar a string (county codes stay text); give operators numbers."""
    if isinstance(condition, list):
        return [numbers(part) for part in condition]
    if not isinstance(condition, dict):
        return condition
    plain = {"true": True, "false": False}
    return {key: plain.get(value, value) if key in ("$exists", "in_832")
            else float(value) if key in ("$gt", "$gte", "$lte") else numbers(value)
            for key, value in condition.items()}


if __name__ == "__main__":
    unittest.main()
