#!/usr/bin/env python3
"""One experiment from its file to a decision, as docs/operators.md tells it: each command as it
stands there, in front of simulated viewers whose click rate is known.
Run: SHANHUO_BIN=... python3 tests/walkthrough_test.py"""

import random
import re
import shutil
import subprocess
import unittest

from engine_process import BIN, ROOT, T0, Engine, Events

DOCS = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
SECTION = DOCS.split("### One experiment, from its file to a decision\n")[1].split("\n### ")[0]
COMMANDS = re.findall(r"^    (shanhuo .*)$", SECTION, re.M)
ID = "fewer-repeats"
AT = f"/v1/experiments/{ID}"
CTR = 0.2  # of viewers in the control, and of those in no variation
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
SHOWN = 10  # impressions of each viewer


class WalkThroughTest(unittest.TestCase):
    def setUp(self):
        if not BIN.exists():
            raise unittest.SkipTest(f"{BIN} is not built")
        self.engine = Engine(settings={"clock": "caller"}, start=False)
        self.addCleanup(self.engine.close)
        for folder in ("metrics", "experiments"):
            shutil.copytree(ROOT / "configs" / folder, self.engine.config_dir / folder)
        self.engine.start()
        self.events, self.draw, self.now, self.met = Events(), random.Random(8), T0, 0
        self.ran, self.entered = [], set()  # viewers of this phase

    def run_documented(self, command):
        """A command of the section, against this engine; what it prints."""
        self.assertIn(command, COMMANDS)
        self.ran.append(command)
        where = (["--config", self.engine.config_file] if command == "shanhuo check"
                 else ["--to", f"http://{self.engine.address}"])
        done = subprocess.run([BIN, *command.split()[1:], *where], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def shown(self):
        return self.engine.expect(200, "GET", AT).json

    def results(self):
        return self.engine.expect(200, "GET", f"{AT}/results").json

    def variation_of(self, user):
        viewer = {"user_id": user, "now_ms": self.now}
        said = self.engine.expect(200, "POST", "/v1/assign", viewer).json
        each = next(one for one in said["experiments"] if one["experiment"] == ID)
        return each["variation"] if each["in_experiment"] else None

    def live(self, viewers, lift, loses=None):
        """New viewers: a page each, impressions and clicks. Those in `fewer` click 1 + lift times
        as often. An app that `loses` a share of them does so before it asks for the page."""
        sent = []
        for _ in range(viewers):
            self.met += 1
            user = f"viewer-{self.met}"
            if loses and self.variation_of(user) == "fewer" and self.draw.random() < loses:
                continue
            chance = CTR * (1 + lift if self.see_page(user) == "fewer" else 1)
            for _ in range(SHOWN):
                sent.append(self.events(item="a", user=user, ts_ms=self.now))
                if self.draw.random() < chance:
                    sent.append(self.events("click", "a", user, ts_ms=self.now))
        self.engine.send(*sent)

    def pass_time(self, ms, holds):
        """Engine time goes on; what the engine makes of it, it does by itself soon."""
        self.now += ms
        self.see_page("the clock")
        self.engine.wait_until(holds)

    def see_page(self, user):
        """The variation of `user` on a page of now."""
        page = self.engine.rank(["a", "b"], user_id=user, now_ms=self.now)
        met = next(one for one in page["experiments"] if one["experiment"] == ID)
        if met["in_experiment"]:
            self.entered.add(user)
        return met["variation"]

    def wait_counted(self):
        """Until all exposures of this phase, too, have been folded."""
        self.engine.wait_until(lambda: sum(
            each["viewers"] for each in self.results()["variations"]) == len(self.entered))

    def ctr(self):
        metric = next(each for each in self.results()["metrics"] if each["metric"] == "ctr")
        return metric["variations"][1]

    def begin(self):
        self.assertIn("ok: ", self.run_documented("shanhuo check"))
        self.live(30, 0)  # recorded requests
        tried = self.run_documented(f"shanhuo experiment enable {ID} --dry-run")
        self.assertIn("30 requests", tried)
        self.assertFalse(self.shown()["enabled"])
        self.run_documented(f"shanhuo experiment enable {ID}")
        self.assertEqual(self.shown()["state"], "running")

    def test_better_is_found_to_be_better_by_as_much_as_it_is(self):
        lift = 0.3
        self.begin()
        self.live(500, lift)
        self.pass_time(25 * HOUR_MS, lambda: self.shown()["ramp"]["state"] != "waits")
        self.live(40, lift)  # of today
        self.pass_time(2 * MINUTE_MS, lambda: self.shown()["ramp"]["state"] == "approval")
        self.assertIn("approval", self.run_documented(f"shanhuo experiment ramp {ID}"))
        self.run_documented(f"shanhuo experiment approve {ID}")
        self.pass_time(2 * MINUTE_MS, lambda: self.shown()["coverage"] == 1)
        self.entered.clear()
        self.see_page("the clock")  # may have been in this phase already
        self.live(700, lift)
        self.wait_counted()
        said = self.run_documented(f"shanhuo experiment results {ID}")
        self.assertIn("as the weights say", said)
        self.assertIn("kept", said)
        for interval in (self.ctr()["lift"]["relative_sequential"],
                         self.ctr()["lift_cuped"]["relative_sequential"]):
            self.assertTrue(0 < interval["low"] <= lift <= interval["high"], interval)
        self.assertEqual([each["present"] for each in self.results()["phases"]], [False, True])
        self.run_documented(f"shanhuo experiment disable {ID}")
        said = self.run_documented(f"shanhuo experiment history {ID}")
        self.assertRegex(said, r"(?s)enabled: true -> false.*coverage: 0\.5 -> 1.*ramp approved.*"
                               r"enabled: false -> true")
        self.assertEqual(self.ran, COMMANDS)

    def test_worse_ends_by_itself(self):
        lift = -0.6
        self.begin()
        self.live(600, lift)
        self.wait_counted()
        interval = self.ctr()["lift"]["relative_sequential"]
        self.assertTrue(interval["low"] <= lift <= interval["high"] < -0.05, interval)
        self.pass_time(2 * MINUTE_MS, lambda: self.shown()["state"] == "disabled")
        alarm = self.shown()["alarm"]
        self.assertEqual(alarm["kind"], "guardrail")
        self.assertIn("surely worse: organic_ctr of fewer", alarm["why"])
        said = self.run_documented(f"shanhuo experiment history {ID}")
        self.assertRegex(said, r"guardrail\n.*\n.*enabled: true -> false.*ctr of fewer: -0\.\d")

    def test_an_app_that_loses_viewers_of_one_side_is_found_out(self):
        self.begin()
        self.live(900, 0.3, loses=0.4)
        self.wait_counted()
        self.assertTrue(self.results()["sample_ratio"]["alarm"])
        self.assertIn("ALARM", self.run_documented(f"shanhuo experiment results {ID}"))
        self.pass_time(25 * HOUR_MS, lambda: self.shown()["ramp"]["state"] != "waits")
        self.live(40, 0.3, loses=0.4)
        self.pass_time(2 * MINUTE_MS, lambda: self.shown()["ramp"]["state"] == "sample_ratio")
        self.assertIn("sample_ratio", self.run_documented(f"shanhuo experiment ramp {ID}"))
        self.assertEqual(self.shown()["coverage"], 0.5)
        self.assertEqual(self.shown()["alarm"]["kind"], "sample_ratio")


if __name__ == "__main__":
    unittest.main()
