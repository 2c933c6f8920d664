#!/usr/bin/env python3
"""What keeps operators safe, from outside: the book of changes that cannot be edited unseen, the
switch of all boosting, ramps that go on by themselves, changes tried on requests of late.
Run: SHANHUO_BIN=... python3 tests/api_safety_test.py"""

import json
import subprocess
import unittest

from engine_process import BIN, READY_S, T0, Engine, EngineTest, Events, good, program

EXPERIMENT = """id: boost
layer: ranking
variations:
  - {key: control, weight: 0.5}
  - {key: more, weight: 0.5, set: {ranking.insertions_max: 3}}
"""
RAMP = """# carefully
id: boost
layer: ranking
coverage: 0.1   # by the ramp
ramp: {steps: [0.1, 0.5, 1.0], hold_h: 24, viewers_min: 3, approve_at: 1.0}
variations:
  - {key: control, weight: 0.5}
  - {key: more, weight: 0.5, set: {ranking.insertions_max: 3}}
"""
LIVE_S = 1
HOUR_MS = 3_600_000


def run(*arguments):
    return subprocess.run([BIN, *map(str, arguments)], capture_output=True, text=True,
                          timeout=READY_S, check=False)


def new_token(engine, role, name):
    made = run("token", "new", role, name, "--file", engine.config_dir / "tokens", "--json")
    return json.loads(made.stdout)["token"]


class AuditTest(unittest.TestCase):
    def setUp(self):
        self.engine = Engine({"goods": program("goods")}, start=False)
        self.addCleanup(self.engine.close)
        self.engine.settings["token_file"] = str(self.engine.config_dir / "tokens")
        self.engine.token = new_token(self.engine, "operator", "anna")
        self.engine.start()
        self.book = self.engine.data_dir / "changes.ndjson"

    def change(self, *priorities):
        for priority in priorities:
            self.engine.expect(200, "PATCH", "/v1/programs/goods", {"priority": priority})

    def verify(self):
        done = run("audit", "verify", "--data-dir", self.engine.data_dir, "--json")
        return done.returncode, json.loads(done.stdout)

    def test_a_kill_leaves_it_whole_and_an_edit_is_named_by_its_line(self):
        self.change(1, 2, 3)
        self.engine.restart()
        self.change(4, 5)
        code, report = self.verify()  # while it serves
        self.assertEqual((code, report["ok"], report["lines"]), (0, True, 5), report)
        self.engine.kill()
        text = self.book.read_text(encoding="utf-8")
        self.book.write_text(text.replace("priority: 2 -> 3", "priority: 2 -> 9"), encoding="utf-8")
        code, report = self.verify()
        self.assertEqual((code, [each["line"] for each in report["wrong"]]), (1, [3]), report)
        shown = run("audit", "verify", "--file", self.book)
        self.assertEqual(shown.returncode, 1)
        self.assertIn("changes.ndjson:3: ", shown.stdout)
        self.book.write_text("".join(text.splitlines(True)[:-1]), encoding="utf-8")
        self.assertEqual([each["line"] for each in self.verify()[1]["wrong"]], [5])
        self.book.write_text(text, encoding="utf-8")
        self.assertEqual(self.verify()[0], 0)

    def test_operators_read_it_newest_first(self):
        self.change(1, 2, 3)
        answer = self.engine.expect(200, "GET", "/v1/audit?limit=2").json
        self.assertEqual([each["what"] for each in answer["changes"]],
                         ["priority: 2 -> 3", "priority: 1 -> 2"])
        newest = answer["changes"][0]
        self.assertEqual((newest["who"], newest["kind"], newest["id"]),
                         ("anna", "program", "goods"))
        self.assertEqual((answer["chain"]["ok"], answer["chain"]["ends"]), (True, newest["hash"]))
        at = newest["at_ms"]
        before = self.engine.expect(200, "GET", f"/v1/audit?from=0&to={at}").json["changes"]
        self.assertTrue(all(each["at_ms"] < at for each in before))
        for query in ("limit=0", "limit=1001", "from=x", "from=2&to=1"):
            self.assertEqual(self.engine.ask("GET", f"/v1/audit?{query}").status, 422)
        listed = run("audit", "ls", "--to", f"http://{self.engine.address}", "--token",
                     self.engine.token)
        self.assertIn("anna  program goods\n  priority: 2 -> 3", listed.stdout)


class RampTest(unittest.TestCase):
    """A caller's clock: hours pass with the next request."""

    def setUp(self):
        self.engine = Engine(start=False, settings={"clock": "caller"})
        self.addCleanup(self.engine.close)
        self.engine.settings["token_file"] = str(self.engine.config_dir / "tokens")
        self.tokens = {name: new_token(self.engine, role, name) for name, role in (
            ("anna", "operator"), ("bob", "operator"), ("root", "admin"))}
        self.engine.start()
        self.put(RAMP)
        self.now = T0
        self.tick(0)

    def call(self, who, method, target, body=None):
        self.engine.token = self.tokens[who]
        try:
            return self.engine.ask(method, target, body)
        finally:
            self.engine.token = self.tokens["root"]

    def put(self, text):
        answer = self.call("anna", "PUT", "/v1/experiments/boost", {"yaml": text})
        self.assertEqual(answer.status, 200, answer)

    def shown(self):
        return self.call("anna", "GET", "/v1/experiments/boost").json

    def tick(self, hours, event=True):
        """So much later, with a request and, if wanted, something that a viewer did."""
        self.now += int(hours * HOUR_MS)
        self.engine.rank(["a"], user_id="clock", now_ms=self.now)
        if event:
            self.engine.send(Events(self.now)("click", "a", f"at-{self.now}"))

    def meet(self, count=200):
        for i in range(count):
            self.engine.rank(["a"], user_id=f"viewer-{i}", now_ms=self.now)

    def wait_ramp(self, state, coverage):
        seen = []

        def reached():
            shown = self.shown()
            seen.append((shown["ramp"]["state"], shown["coverage"], shown["ramp"]["why"]))
            return seen[-1][:2] == (state, coverage)
        try:
            self.engine.wait_until(reached)
        except AssertionError:
            self.fail(f"{seen[-1]} {self.engine.stderr()}")

    def file(self):
        return (self.engine.config_dir / "experiments" / "boost.yaml").read_text(encoding="utf-8")

    def test_it_goes_on_after_its_hold_with_enough_viewers_and_live_data_alone(self):
        self.wait_ramp("waits", 0.1)
        self.tick(25, event=False)
        self.wait_ramp("stale", 0.1)
        self.tick(0)
        self.wait_ramp("thin", 0.1)
        self.meet()
        self.wait_ramp("waits", 0.5)  # the next step has begun
        self.assertEqual(self.file(), RAMP.replace("coverage: 0.1 ", "coverage: 0.5 "))
        change = self.shown()["history"][0]
        self.assertEqual(change["who"], "ramp")
        self.assertRegex(change["what"], r"^coverage: 0.1 -> 0.5; viewers: control \d+, more \d+$")

    def test_it_keeps_its_place_over_a_kill_and_counts_viewers_anew(self):
        self.wait_ramp("waits", 0.1)
        self.engine.wait_until((self.engine.data_dir / "ramps.json").exists)
        self.tick(12)
        self.engine.wait_durable()
        self.engine.restart()
        self.tick(13)
        self.wait_ramp("thin", 0.1)
        self.meet()
        self.wait_ramp("waits", 0.5)

    def test_past_approve_at_another_operator_must_approve(self):
        self.put(RAMP.replace("coverage: 0.1", "coverage: 0.5"))
        self.wait_ramp("waits", 0.5)
        self.tick(25)
        self.meet(40)
        self.wait_ramp("approval", 0.5)
        approve = "/v1/experiments/boost:approve"
        self.assertEqual(self.call("anna", "POST", approve, {}).status, 409)  # wrote it
        self.assertEqual(self.call("bob", "POST", "/v1/experiments/no:approve", {}).status, 404)
        answer = self.call("bob", "POST", approve, {})
        self.assertEqual((answer.status, answer.json["ramp"]["approved_by"]), (200, "bob"), answer)
        self.wait_ramp("done", 1)
        changes = self.call("anna", "GET", "/v1/audit?limit=2").json["changes"]
        self.assertEqual([each["who"] for each in changes], ["ramp", "bob"])

    def test_an_approval_is_about_what_was_approved(self):
        approve = "/v1/experiments/boost:approve"
        self.assertEqual(self.call("bob", "POST", approve, {}).json["ramp"]["approved_by"], "bob")
        self.put(RAMP.replace("max: 3", "max: 2"))
        self.assertEqual(self.shown()["ramp"]["approved_by"], "")

    def test_verbs_hold_it_and_let_it_go_on(self):
        to = ("--to", f"http://{self.engine.address}", "--token", self.tokens["bob"])
        self.wait_ramp("waits", 0.1)
        held = run("experiment", "ramp", "boost", "hold", *to)
        self.assertRegex(held.stdout, r"^ramp at 10\.0 % since 2026-09-21 .*, next 50\.0 %: held, "
                                      r"an operator holds it\n$", held.stderr)
        self.tick(25)
        self.meet()
        self.wait_ramp("held", 0.1)
        run("experiment", "ramp", "boost", "continue", *to)
        self.wait_ramp("waits", 0.5)
        self.assertEqual(run("experiment", "approve", "boost", *to).returncode, 1)  # wrote it
        shown = run("experiment", "ramp", "boost", *to).stdout
        self.assertRegex(shown, r"ramp at 50\.0 % since .*, next 100\.0 %: waits, until ")


class DryRunTest(EngineTest):
    PROGRAMS = {"goods": program("goods"), "tea": program("tea", enabled="false",
                                                          items="{category: tea}")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine.put_items(good("kiwi"), good("leaf", category="tea"))
        cls.engine.expect(200, "PUT", "/v1/experiments/boost", {"yaml": EXPERIMENT.replace(
            "{ranking.insertions_max: 3}", "{ranking.insertions_max: 0}") + "enabled: false\n"})

    def rank_many(self, count=60, **fields):
        for i in range(count):
            self.engine.rank([f"o{j}" for j in range(8)], user_id=f"viewer-{i}", **fields)

    def try_out(self, target, body=None):
        answer = self.engine.ask("POST", f"/v1/{target}:dry_run", body,
                                 headers={"content-type": "application/json"})
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_1_with_too_few_requests_it_says_so(self):
        self.rank_many(5, context={"personalized": False})  # none of these is remembered
        answer = self.engine.ask("POST", "/v1/experiments/boost:dry_run", {})
        self.assert_refused(answer, 409)
        self.assertIn("0 requests of late", answer.json["detail"])

    def test_2_an_experiment_that_takes_boosts_away_is_predicted_and_so_it_comes(self):
        self.rank_many()
        before = self.engine.stats()
        report = self.try_out("experiments/boost")
        self.assertEqual((report["requests"], report["complete"]), (60, True))
        self.assertEqual(report["before"]["inserted_per_page"], 1)
        share = report["after"]["inserted_per_page"]
        self.assertTrue(0.2 < share < 0.8, report)  # half of the viewers get none
        self.assertAlmostEqual(report["pages_changed"], 1 - share)
        goods, = report["programs"]
        self.assertEqual((goods["program"], goods["inserted_before"]), ("goods", 60))
        self.assertEqual(goods["inserted_after"], round(60 * share))
        self.assertEqual(report["before"]["p50_ms"] > 0, True)
        self.assertFalse(self.engine.expect(200, "GET", "/v1/experiments/boost").json["enabled"])
        self.assertEqual(self.engine.stats()["events"], before["events"])
        # What was predicted is what they get.
        self.engine.expect(200, "PATCH", "/v1/experiments/boost", {"enabled": True})
        inserted = 0
        for i in range(60):
            page = self.engine.rank([f"o{j}" for j in range(8)], user_id=f"viewer-{i}")
            inserted += sum(item["source"] == "boost" for item in page["items"])
        self.engine.expect(200, "PATCH", "/v1/experiments/boost", {"enabled": False})
        self.assertEqual(inserted, goods["inserted_after"])

    def test_3_a_program_that_is_not_live_yet_is_found_and_one_that_goes_leaves_no_boosts(self):
        self.rank_many(30)
        report = self.try_out("programs/goods")
        self.assertEqual((report["before"]["inserted_per_page"],
                          report["after"]["inserted_per_page"]), (1, 0))
        report = self.try_out("programs/tea")  # its price begins at 0: nobody need get it
        self.assertEqual(report["before"]["inserted_per_page"], 1)
        report = self.try_out("programs/new", {"yaml": program("new")})
        self.assertGreaterEqual(report["after"]["inserted_per_page"], 1)
        self.assert_refused(self.engine.ask("GET", "/v1/programs/new"), 404)

    def test_4_what_is_no_definition_is_refused_and_forgotten_viewers_are_not_ranked(self):
        self.assert_refused(self.engine.ask("POST", "/v1/experiments/boost:dry_run",
                                            {"coverage": 2}), 422, "/coverage")
        self.assertEqual(self.engine.ask("POST", "/v1/programs/none:dry_run", {}).status, 404)
        self.rank_many(30)
        for i in range(60):
            self.engine.expect(204, "DELETE", f"/v1/users/viewer-{i}")
        self.assert_refused(self.engine.ask("POST", "/v1/experiments/boost:dry_run", {}), 409)

    def test_5_verbs_try_it_with_dry_run(self):
        self.rank_many(30)
        to = ("--to", f"http://{self.engine.address}", "--dry-run")
        done = run("experiment", "enable", "boost", *to)
        self.assertRegex(done.stdout, r"^of 30 requests, .* of the pages would change", done.stderr)
        done = run("program", "disable", "goods", *to, "--json")
        self.assertEqual(json.loads(done.stdout)["after"]["inserted_per_page"], 0)
        self.assertTrue(self.engine.expect(200, "GET", "/v1/programs/goods").json["enabled"])


class BoostingTest(EngineTest):
    PROGRAMS = {"goods": program("goods", surfaces="[feed, live_room]",
                                 room="{window_s: 3600, max: 1, hold_ms: 180000}")}
    FILE = "# the big red one\nenabled: false\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine.put_items(good("kiwi"))
        cls.engine.expect(200, "PUT", "/v1/experiments/boost", {"yaml": EXPERIMENT})

    def setUp(self):
        self.switch(True)

    def path(self):
        return self.engine.config_dir / "boosting.yaml"

    def switch(self, enabled, **more):
        answer = self.engine.ask("PUT", "/v1/boosting", {"enabled": enabled, **more})
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def shown(self):
        return self.engine.expect(200, "GET", "/v1/boosting").json

    def inserted(self, ids=("a", "b", "c"), **fields):
        page = self.engine.rank(ids, user_id=f"viewer-{self.engine.requests}", **fields)
        return [item["item_id"] for item in page["items"] if item["source"] != "organic"]

    def assert_organic(self):
        page = self.engine.rank(["a", "b", "c"], user_id=f"viewer-{self.engine.requests}")
        self.assertEqual([item["item_id"] for item in page["items"]], ["a", "b", "c"])
        self.assertEqual((page["degraded"], page["experiments"]), ([], []))
        self.assertEqual(self.engine.rank([])["items"], [])  # a shelf
        page = self.enter("room-2")
        self.assertEqual([item["item_id"] for item in page["items"]], ["x", "y"])
        self.assertEqual(self.engine.ask("GET", "/readyz").status, 200)

    def enter(self, room):
        return self.engine.rank((), surface="live_room", count=None, candidates=None,
                                user_id=f"viewer-{self.engine.requests}",
                                room={"room_id": room, "lineup": ["x", "y"]})

    def test_one_call_stops_everything_with_the_next_page_and_brings_it_back(self):
        self.assertEqual(self.inserted(), ["kiwi"])
        self.assertEqual(len(self.enter("room-2")["items"]), 3)  # its window is decided
        self.assertEqual(self.engine.rank([])["items"][0]["item_id"], "kiwi")
        self.assertFalse(self.switch(False)["enabled"])
        self.assert_organic()
        self.assertEqual(self.engine.metric("boosting_off"), 1)
        self.switch(True)
        self.assertEqual(self.inserted(), ["kiwi"])

    def test_it_survives_a_kill(self):
        self.switch(False)
        self.engine.restart()
        self.assertFalse(self.shown()["enabled"])
        self.assert_organic()

    def test_the_file_and_the_api_agree_and_comments_stay(self):
        self.path().write_text(self.FILE, encoding="utf-8")
        took = self.engine.wait_until(lambda: not self.shown()["enabled"])
        self.assertLess(took, LIVE_S + 1)  # a busy machine has its time
        self.assert_organic()
        self.switch(True)
        self.assertEqual(self.path().read_text(encoding="utf-8"),
                         self.FILE.replace("false", "true"))
        history = self.shown()["history"]
        self.assertEqual([(each["who"], each["what"]) for each in history[:2]],
                         [("local", "enabled: false -> true"), ("files", "enabled: true -> false")])
        audit = self.engine.expect(200, "GET", "/v1/audit?limit=1").json["changes"][0]
        self.assertEqual((audit["kind"], audit["id"]), ("boosting", "all"))

    def test_what_cannot_be_read_leaves_it_as_it_was_and_a_call_mends_it(self):
        self.switch(False)
        for broken, said in (("enabled: maybe\n", "1:10: enabled: "), ("enabled: &a true\n", ""),
                             ("enabled: true\nx: 1\n", "x")):
            self.path().write_text(broken, encoding="utf-8")
            self.engine.wait_until(lambda text=said: any(text in each
                                                         for each in self.shown()["errors"]))
            self.assertFalse(self.shown()["enabled"])
            checked = run("check", "--config", self.engine.config_file)
            self.assertEqual((checked.returncode, "boosting.yaml" in checked.stdout), (2, True))
        self.assertEqual((self.switch(True)["enabled"], self.shown()["errors"]), (True, []))

    def test_a_file_that_is_broken_at_the_start_is_off(self):
        with Engine(self.PROGRAMS, start=False) as engine:
            (engine.config_dir / "boosting.yaml").write_text("enabled: no way\n", encoding="utf-8")
            engine.start()
            shown = engine.expect(200, "GET", "/v1/boosting").json
            self.assertEqual((shown["enabled"], len(shown["errors"])), (False, 1))

    def test_a_file_that_goes_away_leaves_it_as_it_was(self):
        self.switch(False)
        self.path().unlink()
        self.engine.wait_until(lambda: self.shown()["errors"])
        self.assertFalse(self.shown()["enabled"])

    def test_of_two_revisions_one_is_a_conflict_and_wrong_bodies_are_refused(self):
        revision = self.switch(False)["revision"]
        self.switch(True, if_revision=revision)
        self.assert_refused(self.engine.ask("PUT", "/v1/boosting",
                                            {"enabled": False, "if_revision": revision}), 409)
        for body in ({}, {"enabled": 1}, {"enabled": True, "who": "me"}, {"yaml": "enabled: true"}):
            self.assert_refused(self.engine.ask("PUT", "/v1/boosting", body), 422, "/enabled")

    def test_the_verb_switches(self):
        to = ("--to", f"http://{self.engine.address}")
        self.assertIn("boosting is OFF", run("boosting", "off", *to).stdout)
        self.assert_organic()
        self.assertTrue(json.loads(run("boosting", "on", *to, "--json").stdout)["enabled"])
        self.assertIn("boosting is on\n", run("boosting", "show", *to).stdout)
        self.assertEqual(run("boosting", "maybe", *to).returncode, 2)


if __name__ == "__main__":
    unittest.main()
