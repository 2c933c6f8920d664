#!/usr/bin/env python3
"""Results of experiments over the API: exposures from rank answers, events, what the engine says of
them, also after a kill and after files changed.
Run: SHANHUO_BIN=... python3 tests/api_results_test.py"""

import random
import subprocess
import time
import unittest

from engine_process import BIN, DAY_MS, T0, EngineTest, Events, good

TEXT = """id: try
name: {zh-CN: 试验, en: Try}
layer: ranking
coverage: %s
variations:
  - {key: control, weight: 0.5}
  - {key: more, weight: 0.5, set: {ranking.explore_best: 3}}
guardrails: [{metric: ctr, max_drop: 0.5}]
"""
METRICS = {
    "ctr": "id: ctr\nname: {zh-CN: 点击率, en: CTR}\nkind: ratio\nnumerator: clicks\n"
           "denominator: impressions\n",
    "clicks": "id: clicks\nnumerator: clicks\nwindow_days: 1\n"}
USERS = [f"viewer-{i}" for i in range(120)]
LIFT = 0.5  # of the simulated clicks


class ResultsTest(EngineTest):
    SETTINGS = {"clock": "caller"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events = Events(T0)
        cls.engine.put_items(good("kiwi"))
        folder = cls.engine.config_dir / "metrics"
        folder.mkdir()
        for name, text in METRICS.items():
            cls.write_metric(name, text)
        cls.now = T0
        # Guardrails may name them once they are live.
        cls.engine.wait_until(lambda: cls.put("1.0").status == 200)

    @classmethod
    def write_metric(cls, name, text):
        path = cls.engine.config_dir / "metrics" / f"{name}.yaml"
        path.with_suffix(".part").write_text(text, encoding="utf-8")
        path.with_suffix(".part").rename(path)

    @classmethod
    def put(cls, coverage):
        return cls.engine.ask("PUT", "/v1/experiments/try", {"yaml": TEXT % coverage})

    def results(self, query=""):
        return self.engine.expect(200, "GET", f"/v1/experiments/try/results{query}").json

    def viewers(self, query=""):
        return {each["key"]: each["viewers"] for each in self.results(query)["variations"]}

    def meet(self, user):
        """The variation in the answer to a page of the viewer's."""
        page = self.engine.rank(["a", "b"], user_id=user, now_ms=self.now)
        return page["experiments"][0]["variation"]

    def metric(self, results, name):
        return next(each for each in results["metrics"] if each["metric"] == name)

    def test_1_counts_what_viewers_do_after_their_first_page(self):
        draw = random.Random(1)
        sums = {key: {"viewers": 0, "clicks": 0, "seen": 0} for key in ("control", "more")}
        sent = [self.events(user=USERS[0], ts_ms=T0 - 1)]  # before the exposure
        for user in USERS:
            key = self.meet(user)
            self.assertEqual(self.meet(user), key)
            sums[key]["viewers"] += 1
            chance = 0.3 * (1 + LIFT if key == "more" else 1)
            for _ in range(10):
                sent.append(self.events(user=user, ts_ms=T0 + 5))
                sums[key]["seen"] += 1
                if draw.random() < chance:
                    sent.append(self.events("click", user=user, ts_ms=T0 + 6))
                    sums[key]["clicks"] += 1
        sent += [self.events("click", user="nobody")] + sent[:40]  # a stranger, and repeats
        self.engine.send(*sent)
        self.engine.wait_until(lambda: sum(self.viewers().values()) == len(USERS))
        results = self.results()
        ctr, clicks = self.metric(results, "ctr"), self.metric(results, "clicks")
        for i, key in enumerate(("control", "more")):
            self.assertEqual(results["variations"][i],
                             {"key": key, "weight": 0.5, "viewers": sums[key]["viewers"]})
            self.assertAlmostEqual(ctr["variations"][i]["mean"],
                                   sums[key]["clicks"] / sums[key]["seen"], 9)
            self.assertAlmostEqual(clicks["variations"][i]["mean"],
                                   sums[key]["clicks"] / sums[key]["viewers"], 9)
        lift = ctr["variations"][1]["lift"]["relative_sequential"]
        self.assertTrue(lift["low"] <= LIFT <= lift["high"], lift)
        self.assertEqual(ctr["variations"][1]["guardrail"], "kept")
        self.assertFalse(results["sample_ratio"]["alarm"])
        self.assertEqual((results["multiple"], results["left_out"]), (0, 0))
        self.assertEqual(results["newest_ms"], T0 + 6)

    def test_2_is_the_same_after_a_kill(self):
        before = self.results()
        self.engine.restart()
        self.assertEqual(self.results(), before)
        self.meet(USERS[3])  # met again, the page's memory being empty
        self.engine.send(self.events(user="nobody"))
        self.assertEqual(self.viewers(), {each["key"]: each["viewers"]
                                          for each in before["variations"]})

    def test_3_the_verb_prints_a_table_and_json(self):
        def run(*more):
            return subprocess.run([BIN, "experiment", "results", "try", *more, "--to",
                                   f"http://{self.engine.address}"], capture_output=True,
                                  text=True, check=True).stdout
        text = run()
        for said in ("试验", "ctr 点击率", "control", "sample ratio", "kept", "as the weights say"):
            self.assertIn(said, text)
        self.assertIn('"experiment":"try"', run("--json"))

    def test_4_a_change_of_coverage_is_another_phase(self):
        old = self.results()["phase"]
        self.put("0.9")
        self.assertEqual(sum(self.viewers().values()), 0)
        for user in USERS[:30]:
            self.meet(user)
        self.engine.wait_until(lambda: len(self.results()["phases"]) == 2)
        results = self.results()
        self.assertNotEqual(results["phase"], old)
        self.assertEqual([each["present"] for each in results["phases"]], [False, True])
        earlier = self.results(f"?phase={old}")
        self.assertEqual(sum(each["viewers"] for each in earlier["variations"]), len(USERS))
        self.assertIsNone(earlier["sample_ratio"])
        self.assertEqual(self.engine.ask("GET", "/v1/experiments/try/results?phase=x").status, 422)
        self.assertEqual(self.engine.ask("GET", "/v1/experiments/none/results").status, 404)
        self.put("1.0")
        self.assertEqual(self.results()["phase"], old)

    def test_5_who_is_forgotten_is_in_no_result(self):
        before = sum(self.viewers().values())
        self.engine.expect(204, "DELETE", f"/v1/users/{USERS[0]}")
        self.assertEqual(sum(self.viewers().values()), before - 1)

    def test_6_who_wants_no_profile_is_in_no_result(self):
        before = self.viewers()
        page = self.engine.rank(["a"], user_id="private", now_ms=self.now,
                                context={"personalized": False})
        self.assertTrue(page["experiments"][0]["in_experiment"])
        self.meet("public")
        self.engine.wait_until(lambda: self.viewers() != before)
        self.assertEqual(sum(self.viewers().values()), sum(before.values()) + 1)

    def test_7_metrics_change_on_disk_and_broken_ones_are_refused(self):
        self.write_metric("likes", "id: likes\nnumerator: likes\n")
        self.engine.wait_until(lambda: len(self.results()["metrics"]) == 3)
        self.write_metric("likes", "id: likes\nnumerator: hearts\n")
        self.engine.wait_until(lambda: "hearts is not allowed" in self.engine.stderr())
        self.assertEqual(len(self.results()["metrics"]), 3)
        check = subprocess.run([BIN, "check", "--config", self.engine.config_file],
                               capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 2)
        self.assertIn("likes.yaml:2:12: numerator: hearts is not allowed", check.stdout)
        self.write_metric("likes", "id: likes\nnumerator: likes\n")
        wrong = self.engine.ask("PUT", "/v1/experiments/try", {
            "yaml": (TEXT % "1.0").replace("metric: ctr", "metric: stars")})
        self.assert_refused(wrong, 422)
        self.assertIn("stars is not allowed", wrong.body.decode())

    def test_8_what_comes_after_the_window_is_not_of_it(self):
        before = self.metric(self.results(), "clicks")["variations"]
        self.now = T0 + DAY_MS
        self.engine.send(self.events("click", user=USERS[5], ts_ms=T0 + DAY_MS))
        self.assertEqual(self.metric(self.results(), "clicks")["variations"], before)


HARM = """id: %s
name: {zh-CN: 试验, en: Try}
layer: %s
coverage: 1.0
enabled: true
variations:
  - {key: control, weight: 0.5}
  - {key: other, weight: 0.5, set: {%s}}
guardrails: [{metric: ctr, max_drop: 0.05}]
"""


class GuardrailTest(EngineTest):
    """Of two experiments one does harm: viewers of its variation click a quarter as often."""
    SETTINGS = {"clock": "caller"}
    SETS = {"harmless": "ranking.explore_best: 3", "harmful": "ranking.fresh_k: 19"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events, cls.now, cls.draw = Events(T0), T0, random.Random(3)
        cls.engine.put_items(good("kiwi"))
        folder = cls.engine.config_dir / "metrics"
        folder.mkdir()
        (folder / "ctr.yaml").write_text(METRICS["ctr"], encoding="utf-8")
        for name, change in cls.SETS.items():
            yaml = HARM % (name, name, change)
            cls.engine.wait_until(lambda name=name, yaml=yaml: cls.engine.ask(
                "PUT", f"/v1/experiments/{name}", {"yaml": yaml}).status == 200)

    def viewers(self, users):
        """Pages of so many new viewers, and what they do."""
        sent = []
        for _ in range(users):
            user = f"{self.draw.random()}"
            page = self.engine.rank(["a", "b"], user_id=user, now_ms=self.now)
            met = {each["experiment"]: each["variation"] for each in page["experiments"]}
            chance = 0.2 if met.get("harmful") == "other" else 0.8
            for _ in range(8):
                sent.append(self.events(user=user, ts_ms=self.now))
                if self.draw.random() < chance:
                    sent.append(self.events("click", user=user, ts_ms=self.now))
        self.engine.send(*sent)

    def pass_minutes(self, minutes):
        self.now += minutes * 60_000
        self.engine.rank(["a"], user_id="the clock", now_ms=self.now)

    def shown(self, name):
        return self.engine.expect(200, "GET", f"/v1/experiments/{name}").json

    def verdicts(self, name):
        results = self.engine.expect(200, "GET", f"/v1/experiments/{name}/results").json
        return [arm.get("guardrail") for arm in results["metrics"][0]["variations"]][1:]

    def test_a_harmful_variation_rolls_its_experiment_back_once_and_a_harmless_one_stays(self):
        self.viewers(120)  # some 60 in a variation: thin, however sure
        self.engine.wait_until(lambda: self.verdicts("harmful") == ["breached"])
        self.pass_minutes(2)
        time.sleep(0.5)  # nothing to wait for
        self.assertEqual(self.shown("harmful")["state"], "running")
        self.viewers(160)
        self.pass_minutes(2)
        self.engine.wait_until(lambda: self.shown("harmful")["state"] == "disabled")
        newest = self.shown("harmful")["history"][0]
        self.assertEqual(newest["who"], "guardrail")
        self.assertRegex(newest["what"], r"enabled: true -> false.*ctr of other: -0\.\d+ \(-0\.\d+ "
                                         r"\.\. -0\.\d+\), allowed 0\.050 worse, phase")
        self.assertEqual(self.verdicts("harmless"), ["open"])
        self.assertEqual(self.shown("harmless")["state"], "running")
        page = self.engine.rank(["a"], user_id="after", now_ms=self.now)
        self.assertEqual([each["experiment"] for each in page["experiments"]
                          if each["in_experiment"]], ["harmless"])
        # Whoever switches it on again has looked.
        self.engine.expect(200, "PATCH", "/v1/experiments/harmful", {"enabled": True})
        self.pass_minutes(3)
        self.viewers(4)
        self.pass_minutes(3)
        time.sleep(0.5)
        self.assertEqual(self.shown("harmful")["state"], "running")

CLIMB = """id: %s
layer: ranking
coverage: 0.5
ramp: {steps: [0.5, 1.0], hold_h: 1, viewers_min: 20}
variations:
  - {key: control, weight: 0.5}
  - {key: more, weight: 0.5, set: {ranking.explore_best: 3}}
guardrails: [{metric: ctr, max_drop: 0.05}]
"""


class HoldTest(EngineTest):
    """Ramps that hold by themselves, on what the results of their phase say."""
    SETTINGS = {"clock": "caller", "experiments.guardrail_viewers_min": "20"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events, cls.now, cls.draw = Events(T0), T0, random.Random(5)
        folder = cls.engine.config_dir / "metrics"
        folder.mkdir()
        (folder / "ctr.yaml").write_text(METRICS["ctr"], encoding="utf-8")

    def put(self, name):
        """Its hold begins now."""
        self.pass_hours(0)
        self.engine.wait_until(lambda: self.engine.ask(
            "PUT", f"/v1/experiments/{name}", {"yaml": CLIMB % name}).status == 200)
        self.addCleanup(self.engine.ask, "DELETE", f"/v1/experiments/{name}")
        self.wait_ramp(name, "waits", 0.5)

    def pass_hours(self, hours):
        type(self).now += int(hours * 3_600_000)
        self.engine.rank(["a"], user_id="the clock", now_ms=self.now)

    def viewers(self, name, wanted, chances, pages=6):
        """So many new viewers of each variation, and what they do."""
        left, sent = dict(wanted), []
        while any(left.values()):
            user = f"{name} {self.draw.random()}"
            asked = self.engine.expect(200, "POST", "/v1/assign", {
                "user_id": user, "now_ms": self.now}).json["experiments"]
            key = next(each["variation"] for each in asked if each["experiment"] == name)
            if not left.get(key):
                continue
            left[key] -= 1
            self.engine.rank(["a", "b"], user_id=user, now_ms=self.now)
            for _ in range(pages):
                sent.append(self.events(user=user, ts_ms=self.now))
                if self.draw.random() < chances[key]:
                    sent.append(self.events("click", user=user, ts_ms=self.now))
        self.engine.send(*sent)

    def history(self, name):
        return self.engine.expect(200, "GET", f"/v1/experiments/{name}").json["history"]

    def wait_ramp(self, name, state, coverage):
        seen = []

        def reached():
            shown = self.engine.expect(200, "GET", f"/v1/experiments/{name}").json
            seen.append((shown["ramp"]["state"], shown["coverage"], shown))
            return seen[-1][:2] == (state, coverage)
        try:
            self.engine.wait_until(reached)
        except AssertionError:
            self.fail(f"{seen[-1]} {self.engine.stderr()}")
        return seen[-1][2]

    def test_1_it_holds_while_a_guardrail_is_possibly_worse_and_goes_on_when_it_is_not(self):
        self.put("climb")
        begin = self.now
        self.pass_hours(0.95)
        self.viewers("climb", {"control": 30, "more": 30}, {"control": 0.5, "more": 0.35})
        self.pass_hours(0.1)
        shown = self.wait_ramp("climb", "guardrail", 0.5)
        self.assertRegex(shown["ramp"]["why"], r"^possibly worse: ctr of more: -0\.\d+ \(-")
        self.assertEqual((shown["ramp"]["since_ms"], shown["ramp"]["next"]), (begin, 1))
        noted = "ramp holds: guardrail, possibly worse: ctr"
        self.engine.wait_until(lambda: self.history("climb")[0]["what"].startswith(noted))
        held = self.history("climb")[0]
        self.assertEqual((held["who"], held["from"]), ("ramp", held["to"]))
        table = subprocess.run([BIN, "experiment", "ls", "--to", f"http://{self.engine.address}"],
                               capture_output=True, text=True, check=True).stdout
        self.assertRegex(table, r"ramp at 50\.0 % since 2026-\S+ \S+ \S+, next 100\.0 %: "
                                r"guardrail, possibly worse: ctr of more")
        self.viewers("climb", {"more": 30, "control": 30}, {"control": 0.3, "more": 0.9})
        self.pass_hours(0.1)
        shown = self.wait_ramp("climb", "done", 1)
        self.assertRegex(shown["history"][0]["what"], r"^coverage: 0.5 -> 1")
        # Each state that held it stands there once.
        held = [each["what"] for each in shown["history"] if "ramp holds" in each["what"]]
        self.assertEqual(len(held), len({each.split(",")[0] for each in held}), held)

    def test_2_it_holds_while_viewers_are_not_spread_as_the_weights_say(self):
        self.put("spread")
        self.pass_hours(0.95)
        self.viewers("spread", {"control": 20, "more": 60}, {"control": 0.5, "more": 0.5})
        self.pass_hours(0.1)
        shown = self.wait_ramp("spread", "sample_ratio", 0.5)
        self.assertIn("viewers are not spread as the weights say (p = ", shown["ramp"]["why"])

    def test_3_it_holds_on_stale_results(self):
        self.put("alone")
        self.viewers("alone", {"control": 20, "more": 20}, {"control": 0.5, "more": 0.5})
        self.pass_hours(2)
        self.engine.send(self.events(user="nobody of it", ts_ms=self.now))
        self.engine.wait_until(lambda: "nothing of its viewers since" in self.wait_ramp(
            "alone", "stale", 0.5)["ramp"]["why"])


if __name__ == "__main__":
    unittest.main()
