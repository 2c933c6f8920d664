#!/usr/bin/env python3
"""Programs over the API (contract 2.5): written, patched, deleted, validated; their files, their
history, their status. Run: SHANHUO_BIN=... python3 tests/api_programs_test.py"""

import hashlib
import json
import re
import subprocess
import threading
import time
import unittest
from pathlib import Path

from engine_process import BIN, DAY_MS, READY_S, T0, Engine, EngineTest, good, program

T0_TEXT = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T0 // 1000))
DEFINITION = {
    "id": "new", "name": {"zh-CN": "新山货", "en": "New"},
    "items": {"kind": "farm_good", "county": "433124"},
    "surfaces": ["feed"],
    "schedule": {"start": "2020-01-01T00:00:00+08:00", "end": "2040-01-01T00:00:00+08:00"},
    "goals": [{"unit": "viewable", "at_least": 100, "at_most": 200, "missed_value_fen": 3}]}


class ProgramWritesTest(EngineTest):
    TEXT = "# why it exists\n" + program("goods", priority="7   # by hand") + "# the end\n"
    PROGRAMS = {"goods": TEXT}

    def setUp(self):
        self.engine.write_program("goods", self.TEXT)
        self.engine.wait_until(lambda: self.revision() == self.hash(self.TEXT))

    def tearDown(self):
        self.ask("DELETE", "new")

    @staticmethod
    def hash(text):
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def ask(self, method, name="goods", body=None, query=""):
        return self.engine.ask(method, f"/v1/programs/{name}{query}", body)

    def revision(self, name="goods"):
        return self.ask("GET", name).json["revision"]

    def text(self, name="goods"):
        return (self.engine.config_dir / "programs" / f"{name}.yaml").read_text(encoding="utf-8")

    def test_a_put_makes_a_file_that_reads_as_what_was_put(self):
        answer = self.ask("PUT", "new", DEFINITION)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["definition"], DEFINITION)
        self.assertEqual(answer.json["revision"], self.hash(self.text("new")))
        self.assertEqual(answer.json["goals"][0]["target"], 100)
        self.assertIn('county: "433124"', self.text("new"))
        checked = subprocess.run([BIN, "check", "--config", self.engine.config_file],
                                 capture_output=True, text=True, timeout=READY_S, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout)

    def test_a_program_that_was_put_ranks_from_the_next_request_on(self):
        self.engine.put_items(good("from-huayuan", county="433124"))
        self.ask("PATCH", "goods", {"enabled": False})
        self.assertEqual(len(self.engine.rank(["a"], user_id="before")["items"]), 1)
        goal = {**DEFINITION["goals"][0], "missed_value_fen": 1000}
        put = self.ask("PUT", "new",
                       {**DEFINITION, "goals": [goal], "placement": {"first_slot": 0}})
        self.assertEqual(put.status, 200, put)
        self.engine.wait_until(
            lambda: len(self.engine.rank(["a"], user_id="after")["items"]) == 2)
        self.assertEqual(self.ask("DELETE", "new").status, 204)
        self.assertEqual(len(self.engine.rank(["a"], user_id="later")["items"]), 1)

    def test_what_get_defines_can_be_put_again_and_changes_nothing(self):
        definition = self.ask("GET").json["definition"]
        self.assertEqual(self.ask("PUT", "goods", definition).status, 200)
        self.assertEqual(self.text(), self.TEXT)

    def test_a_put_over_a_file_keeps_its_comments(self):
        definition = self.ask("GET").json["definition"]
        definition["goals"][0]["at_least"] = 5
        self.assertEqual(self.ask("PUT", "goods", {**definition, "priority": 8}).status, 200)
        wanted = self.TEXT.replace("priority: 7 ", "priority: 8 ")
        self.assertEqual(self.text(), wanted.replace("at_least: 1000000", "at_least: 5"))

    def test_a_file_can_be_put_as_text(self):
        text = program("new") + "# as I wrote it\n"
        self.assertEqual(self.ask("PUT", "new", {"yaml": text}).status, 200)
        self.assertEqual(self.text("new"), text)
        answer = self.ask("PUT", "new", {"yaml": text + "pace: 1\n"})
        self.assertEqual((answer.status, answer.pointers), (422, ["/yaml"]), answer)
        self.assertIn(f"{text.count(chr(10)) + 1}:", answer.json["errors"][0]["detail"])
        self.assertIn("pace", answer.json["errors"][0]["detail"])

    def test_a_patch_is_a_merge_and_null_takes_away(self):
        label = {"kind": "public_good", "zh-CN": "助农好物", "en": "Farm good"}
        self.assertEqual(self.ask("GET", "goods").json["label"], label)
        answer = self.ask("PATCH", "goods", {"priority": 9, "label": None, "name": {"en": "Goods"}})
        self.assertEqual(answer.status, 200, answer)
        self.assertNotIn("label", answer.json)
        wanted = self.TEXT.replace("priority: 7 ", "priority: 9 ")
        wanted = wanted.replace("en: Farm goods", "en: Goods")
        wanted = "".join(line + "\n" for line in wanted.splitlines()
                         if not line.startswith("label"))
        self.assertEqual(self.text(), wanted)

    def test_writes_mind_the_revision_that_they_are_told(self):
        revision = self.revision()
        for method, body in (("PUT", {**DEFINITION, "id": "goods"}), ("PATCH", {"priority": 1})):
            self.assert_refused(self.ask(method, "goods", {**body, "if_revision": "0" * 16}), 409)
        self.assert_refused(self.ask("DELETE", query="?if_revision=" + "0" * 16), 409)
        self.assertEqual(self.text(), self.TEXT)
        for priority, status in ((1, 200), (2, 409)):
            patch = {"priority": priority, "if_revision": revision}
            self.assertEqual(self.ask("PATCH", "goods", patch).status, status)
        self.assert_refused(self.ask("PUT", "new", {**DEFINITION, "if_revision": revision}), 409)

    def test_of_writers_with_one_revision_exactly_one_wins(self):
        revision, statuses, start = self.revision(), [], threading.Barrier(4)

        def write(priority):
            start.wait()
            patch = {"priority": priority, "if_revision": revision}
            statuses.append(self.ask("PATCH", "goods", patch).status)
        threads = [threading.Thread(target=write, args=(p,)) for p in range(11, 15)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [200, 409, 409, 409])

    def test_who_changed_what_when_is_on_record(self):
        before = self.revision()
        self.ask("PATCH", "goods", {"priority": 42, "enabled": False})
        last = self.ask("GET").json["history"][0]
        self.assertEqual((last["from"], last["to"], last["who"]),
                         (before, self.revision(), "local"))
        self.assertIn("priority: 7 -> 42", last["what"])
        self.assertIn("enabled: none -> false", last["what"])
        self.assertGreater(last["at_ms"], 1_600_000_000_000)
        lines = (self.engine.data_dir / "changes.ndjson").read_text(encoding="utf-8").splitlines()
        self.assertEqual(json.loads(lines[-1])["to"], last["to"])

    def test_all_that_is_wrong_is_said_at_once_with_pointers(self):
        wrong = {**DEFINITION, "priority": 5000, "items": {"colour": "red"}, "extra": 1,
                 "goals": [{"unit": "views", "at_least": 10, "at_most": 5, "missed_value_fen": 1}]}
        answer = self.ask("PUT", "new", wrong)
        self.assertEqual(answer.status, 422, answer)
        self.assertLessEqual({"/priority", "/items", "/extra", "/goals/0/unit", "/goals/0/at_most"},
                             set(answer.pointers))
        self.assertEqual(self.ask("GET", "new").status, 404)
        for body, pointer in (([], ""), ({**DEFINITION, "id": "other"}, "/id"),
                              ({"yaml": 1}, "/yaml"), ({"yaml": "id: x", "id": "x"}, "/yaml"),
                              ({**DEFINITION, "if_revision": 7}, "/if_revision")):
            self.assert_refused(self.ask("PUT", "new", body), 422, pointer)
        self.assert_refused(self.ask("PATCH", "none", {"priority": 1}), 404)
        self.assert_refused(self.ask("DELETE", "none"), 404)

    def test_a_program_edited_into_nonsense_says_so_and_keeps_its_last_good_revision(self):
        broken = self.TEXT.replace("at_most: 2000000", "at_most: 2")
        self.engine.write_program("goods", broken)
        self.engine.wait_until(lambda: self.ask("GET").json["refused"])
        shown = self.ask("GET").json
        self.assertEqual(shown["revision"], self.hash(self.TEXT))
        self.assertEqual(shown["goals"][0]["cap"], 2_000_000)
        line = broken[:broken.index("at_most: 2,")].count("\n") + 1
        self.assertRegex(shown["refused"][0],
                         rf"goods\.yaml:{line}:\d+: goals\[0\]\.at_most: 2 is below .*1000000")
        self.engine.write_program("goods", self.TEXT)
        self.engine.wait_until(lambda: not self.ask("GET").json["refused"])


def dated(start_ms, days, **keys):
    """A program from start_ms on for so many days."""
    def text(ms):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms // 1000))
    end_ms = start_ms + days * DAY_MS
    return {"schedule": f"{{start: {text(start_ms)}, end: {text(end_ms)}}}", **keys}


class Traffic(EngineTest):
    """40 viewers of Beijing and 10 of Shanghai, five pages each, over five hours."""
    SETTINGS = {"clock": "caller", "ranking.insertions_max": "1"}
    SPAN_MS = 5 * 3_600_000
    PROGRAMS = {
        "tea": program("tea", **dated(T0 + SPAN_MS, 1), items="{category: tea}", priority="900",
                       name="{zh-CN: 茶}",
                       goals="[{unit: viewable, at_least: 300, missed_value_fen: 9}]"),
        "kiwi": program("kiwi", **dated(T0 + SPAN_MS, 1), items="{category: fruit}",
                        audience="{city: 北京}",
                        frequency="[{scope: program, window_s: 86400, max: 2}]",
                        goals="[{unit: viewable, at_least: 60, missed_value_fen: 9}]"),
        "grain": program("grain", **dated(T0 + SPAN_MS, 1), items="{category: grain}",
                         goals="[{unit: viewable, at_least: 60, missed_value_fen: 9}]")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine.put_items(good("k", category="fruit"), good("t", category="tea"))
        for page in range(5):
            for viewer in range(50):
                cls.engine.rank(["a", "b", "c", "d"], user_id=f"viewer-{viewer}", count=4,
                                now_ms=T0 + page * cls.SPAN_MS // 5 + viewer,
                                context={"city": "北京" if viewer < 40 else "上海"})
        cls.engine.rank(["a"], user_id="last", now_ms=T0 + cls.SPAN_MS - 1)

    def forecast(self, name):
        return self.engine.expect(200, "GET", f"/v1/programs/{name}/forecast").json


class ForecastTest(Traffic):
    def test_says_step_by_step_what_a_program_can_get(self):
        supply = self.forecast("kiwi")["supply"]
        a_day = 24 / supply["hours_seen"]
        self.assertAlmostEqual(supply["hours_seen"], 5, delta=0.01)
        self.assertAlmostEqual(supply["requests_per_day"], 251 * a_day, delta=1)
        self.assertAlmostEqual(supply["asked_per_day"], 200 * a_day, delta=1)
        self.assertAlmostEqual(supply["within_caps_per_day"], 80 * a_day, delta=1)
        self.assertEqual((supply["items"], supply["items_ready"]), (1, 1))

    def test_names_what_competes_with_shares(self):
        answer = self.forecast("kiwi")
        tea = next(each for each in answer["conflicts"] if each["program"] == "tea")
        self.assertEqual([tea[name] for name in ("before", "pages", "viewers", "items")],
                         [True, 1, 1, 0])
        self.assertGreater(tea["taken"], 0.1)
        self.assertIn("tea 茶 asks for 100 %", tea["message"])
        self.assertIn(tea["message"], answer["warnings"])

    def test_a_goal_that_cannot_be_met_is_said_before_it_starts(self):
        answer = self.forecast("grain")
        self.assertFalse(answer["goals"][0]["attainable"])
        self.assertIn("0 items belong to it", answer["goals"][0]["message"])
        self.assertTrue(any(re.match(r"items: names none of the \d+ items of the catalogue", each)
                            for each in answer["warnings"]), answer)
        goal = "[{unit: viewable, at_least: 100000, missed_value_fen: 9}]"
        text = program("big", **dated(T0 + self.SPAN_MS, 1), items="{category: fruit}", goals=goal)
        checked = self.engine.expect(200, "POST", "/v1/programs:validate", {"yaml": text}).json
        self.assertTrue(checked["valid"], checked)
        self.assertTrue(any("100,000" in each and "cannot be met" in each
                            for each in checked["warnings"]), checked)
        put = self.engine.expect(200, "PUT", "/v1/programs/big", {"yaml": text}).json
        self.assertTrue(any("cannot be met" in each for each in put["warnings"]), put)
        self.assertEqual(self.engine.ask("DELETE", "/v1/programs/big").status, 204)

    def test_validate_changes_nothing_and_says_all_that_is_wrong(self):
        answer = self.engine.expect(200, "POST", "/v1/programs:validate",
                                    {"id": "x", "priority": -1}).json
        self.assertFalse(answer["valid"])
        self.assertLessEqual({"/priority", "/items", "/goals", "/schedule", "/surfaces"},
                             {error["pointer"] for error in answer["errors"]})
        self.assertEqual(self.engine.ask("GET", "/v1/programs/x").status, 404)
        self.assert_refused(self.engine.ask("GET", "/v1/programs/x/forecast"), 404)

    def test_the_command_line_tells_it_on_a_telephone(self):
        def run(*arguments):
            command = [BIN, "program", *arguments, "--to", f"http://{self.engine.address}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=READY_S,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout
        self.assertIn("tea  茶", run("ls"))
        self.assertIn("viewable: 0 of 60, cannot be met", run("forecast", "grain"))
        self.assertIn("forecast", run("forecast", "kiwi"))
        self.assertIn("short by", run("why", "kiwi"))
        self.assertEqual(json.loads(run("forecast", "kiwi", "--json"))["id"], "kiwi")
        path = Path(self.engine.folder.name) / "new.yaml"
        text = program("from-file", items="{category: tea}") + "# mine\n"
        path.write_text(text, encoding="utf-8")
        self.assertIn("valid\n", run("validate", str(path)))
        self.assertIn("from-file", run("put", str(path)))
        written = self.engine.config_dir / "programs" / "from-file.yaml"
        self.assertEqual(written.read_text(encoding="utf-8"), text)
        self.assertEqual(run("delete", "from-file"), "done\n")


class MemoryTest(Traffic):
    def test_a_restart_remembers_the_traffic(self):
        before = self.forecast("kiwi")["supply"]["asked_per_day"]
        self.engine.restart("stop")
        after = self.forecast("kiwi")["supply"]["asked_per_day"]
        self.assertAlmostEqual(after, before, delta=before * 0.3)

    def test_a_forgotten_viewer_leaves_the_sample(self):
        before = self.forecast("kiwi")["supply"]["viewers_sampled"]
        self.assertEqual(self.engine.ask("DELETE", "/v1/users/viewer-3").status, 204)
        self.assertEqual(self.forecast("kiwi")["supply"]["viewers_sampled"], before - 1)


class WhatIfTest(EngineTest):
    SETTINGS = {"clock": "caller"}
    PROGRAMS = {"kiwi": program("kiwi", items="{county: \"433124\"}")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        engine = cls.engine
        engine.put_items(good("k", county="433124"),
                         good("r", county="520201", category="rice"))
        engine.wait_until(lambda: len(engine.rank(
            ["a"], user_id="probe", now_ms=T0 - DAY_MS)["items"]) == 2)
        for viewer in range(60):
            engine.rank(["a", "b", "c"], user_id=f"v{viewer}", count=3,
                        now_ms=T0 + viewer * 60_000,
                        context={"city": "北京" if viewer % 2 else "上海",
                                 "attributes": {"app": "9"}})
        cls.backup = Path(engine.folder.name) / "copy"
        engine.expect(201, "POST", "/v1/backups", {"directory": str(cls.backup)})

    def run_what_if(self, path, data_dir, *more):
        command = [BIN, "simulate", "--what-if", path, "--config", self.engine.config_file,
                   "--data-dir", data_dir, *(more or ("--from", T0_TEXT))]
        for name, value in self.engine.settings.items():
            command += ["--set", f"{name}={value}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def write(self, name, text):
        path = Path(self.engine.folder.name) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def test_replays_recorded_requests_with_other_programs(self):
        files = sorted(path for path in self.backup.rglob("*") if path.is_file())
        before = [path.read_bytes() for path in files]
        only_beijing = self.write("kiwi", self.PROGRAMS["kiwi"] + "audience: {city: 北京}\n")
        done = self.run_what_if(only_beijing, self.backup, "--json", "--from", T0_TEXT)
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        happened, as_is, changed = (answer[name] for name in ("happened", "as_is", "changed"))
        self.assertEqual((happened["pages"], as_is["pages"], changed["pages"]), (60, 60, 60))
        self.assertEqual(happened["programs"]["kiwi"]["inserted"], 60)
        self.assertEqual(as_is["programs"]["kiwi"]["inserted"], 60)
        self.assertEqual(changed["programs"]["kiwi"]["inserted"], 30)
        self.assertAlmostEqual(as_is["loss_fen"], happened["loss_fen"],
                               delta=0.05 * happened["loss_fen"] + 1e-6)
        self.assertLess(changed["loss_fen"], as_is["loss_fen"])
        # A program of another county beside it: exposure moves there.
        rice = self.write("rice", program("rice", items="{category: rice}", priority="900"))
        done = self.run_what_if(rice, self.backup, "--json", "--from", T0_TEXT)
        changed = json.loads(done.stdout)["changed"]
        self.assertGreater(changed["counties"]["520201"], 10)
        text = self.run_what_if(rice, self.backup).stdout
        self.assertIn("60 recorded pages", text)
        self.assertRegex(text, r"520201 +0\.0 +0\.0 +\d+\.\d +\+\d+")
        self.assertEqual([path.read_bytes() for path in files], before)
        self.assertEqual(sorted(path for path in self.backup.rglob("*") if path.is_file()), files)

    def test_a_folder_in_use_and_wrong_files_are_refused(self):
        good_file = self.write("kiwi", self.PROGRAMS["kiwi"])
        done = self.run_what_if(good_file, self.engine.data_dir)
        self.assertEqual(done.returncode, 1)
        self.assertIn("an engine is running on it", done.stderr)
        broken = self.write("broken",
                            self.PROGRAMS["kiwi"].replace("at_least: 1000000", "at_least: -1"))
        done = self.run_what_if(broken, self.backup)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr,
                         r"broken\.yaml:\d+:\d+: goals\[0\]\.at_least: -1 is too small")
        done = self.run_what_if(good_file, self.backup, "--from", "2030-01-01T00:00:00Z")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no recorded requests in that time", done.stderr)


class CheckTest(unittest.TestCase):
    def test_warns_with_place_and_arithmetic_and_refuses_contradictions(self):
        past = "{start: 2020-01-01T00:00:00Z, end: 2020-02-01T00:00:00Z}"
        text = program("old", schedule=past, audience="{teir: light}")
        with Engine({"old": text}, start=False) as engine:
            def check(*more):
                return subprocess.run([BIN, "check", "--config", engine.config_file, *more],
                                      capture_output=True, text=True, timeout=READY_S, check=False)
            done = check()
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertRegex(done.stdout, r"old\.yaml:\d+:\d+: schedule\.end: is past since "
                                          r"\d+ days.*\(warning\)")
            self.assertRegex(done.stdout, r"old\.yaml:\d+:\d+: audience: teir .*\(tier\?\)")
            engine.write_program("old", program(
                "old", goals="[{unit: order, at_least: 10, per: day, missed_value_fen: 1}, "
                             "{unit: order, at_least: 1, at_most: 5, missed_value_fen: 1}]"))
            done = check()
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stdout, r"old\.yaml:\d+:\d+: goals: 7305 days of at_least 10 "
                                          r"are 73050, past at_most 5")
            self.warns_of_programs_without_items(engine, check)

    def warns_of_programs_without_items(self, engine, check):
        """With a catalogue beside it; groups are those of its creators."""
        engine.write_program("old", program("old", items="{county: '433124'}"))
        engine.write_program("group", program("group", items="{creator_groups: {$in: [trained]}}"))
        catalogue = Path(engine.folder.name) / "catalogue"
        catalogue.mkdir()
        items, creators = catalogue / "items.ndjson", catalogue / "creators.ndjson"
        items.write_text(json.dumps(good("tea", county="522323", creator_id="anna")) + "\n",
                         encoding="utf-8")
        done = check("--catalogue", catalogue)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("old", "group"):
            self.assertRegex(done.stdout, rf"{name}\.yaml:\d+:\d+: items: names none of the 1 "
                                          r"items of .*: nothing can be shown.*\(warning\)")
        creators.write_text(json.dumps({"creator_id": "anna", "name": "Anna",
                                        "groups": ["trained"]}) + "\n", encoding="utf-8")
        self.assertNotIn("group.yaml", check("--catalogue", catalogue).stdout)
        items.write_text("{\n", encoding="utf-8")
        done = check("--catalogue", catalogue)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"items\.ndjson:1: ")


if __name__ == "__main__":
    unittest.main()
