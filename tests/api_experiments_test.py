#!/usr/bin/env python3
"""Experiments over the API and in rank answers (contract 2.6): files, switches, who gets what, what
is counted, what operators and SDKs are shown.
Run: SHANHUO_BIN=... python3 tests/api_experiments_test.py"""

import hashlib
import json
import subprocess
import threading
import unittest

from engine_process import BIN, READY_S, T0, Engine, EngineTest, Events, good, program

BOOST = """# why it exists
id: boost
layer: ranking
range: [0, 0.5]
enabled: true   # by hand
variations:
  - {key: control, weight: 0.5}
  - {key: none, weight: 0.5, set: {ranking.insertions_max: 0}}
"""
OTHER = """id: other
layer: ranking
range: [0.5, 1]
variations: [{key: a, weight: 0.5}, {key: b, weight: 0.5}]
condition: {city: 北京}
"""
IDS = ["a", "b", "c", "d"]


def fnv1a(text, value=2_166_136_261):
    for byte in text.encode():
        value = (value ^ byte) * 16_777_619 & 0xffffffff
    return value


def bucket(seed, user):
    return fnv1a(str(fnv1a(seed + user))) % 10_000 / 10_000


def variation_of(user, city=None):
    """(experiment, variation) of a viewer in the layer of BOOST and OTHER."""
    if bucket("layer:ranking", user) < 0.5:
        return "boost", "control" if bucket("boost", user) < 0.5 else "none"
    if city == "北京":
        return "other", "a" if bucket("other", user) < 0.5 else "b"
    return None


USERS = [f"viewer-{i}" for i in range(40)]
CONTROL = [user for user in USERS if variation_of(user) == ("boost", "control")]
NONE = [user for user in USERS if variation_of(user) == ("boost", "none")]
OUTSIDE = [user for user in USERS if variation_of(user) is None]


class Experiments(EngineTest):
    PROGRAMS = {"goods": program("goods", placement="{first_slot: 0}")}
    FILES = {"boost": BOOST, "other": OTHER}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine.put_items(good("kiwi"))

    def setUp(self):
        for name in self.shown():
            if name not in self.FILES:
                self.engine.expect(204, "DELETE", f"/v1/experiments/{name}")
        for name, text in self.FILES.items():
            self.engine.expect(200, "PUT", f"/v1/experiments/{name}", {"yaml": text})

    def ask(self, method, name="boost", body=None, query=""):
        return self.engine.ask(method, f"/v1/experiments/{name}{query}", body)

    def shown(self):
        answer = self.engine.expect(200, "GET", "/v1/experiments").json
        return {each["id"]: each for each in answer["experiments"]}

    def path(self, name="boost"):
        return self.engine.config_dir / "experiments" / f"{name}.yaml"

    def write(self, name, text):
        part = self.path(name).with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.rename(self.path(name))

    def entry(self, answer, name="boost"):
        return next(each for each in answer["experiments"] if each["experiment"] == name)

    def inserted(self, user):
        items = self.engine.rank(IDS, user_id=user)["items"]
        return sum(item["source"] == "boost" for item in items)

    @staticmethod
    def hash(text):
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class RankTest(Experiments):
    def test_each_viewer_gets_the_variation_of_its_buckets_and_the_answer_says_so(self):
        for user in USERS:
            for city in ("北京", "上海"):
                answer = self.engine.rank(IDS, user_id=user, context={"city": city})
                expected = variation_of(user, city)
                for name in ("boost", "other"):
                    said = self.entry(answer, name)
                    if expected is not None and expected[0] == name:
                        wanted = {"variation": expected[1], "in_experiment": True,
                                  "reason": "SPLIT"}
                    else:
                        wanted = {"variation": "", "in_experiment": False, "reason": "DEFAULT"}
                    self.assertEqual(said, {"experiment": name, **wanted})
                self.assertRegex(answer["versions"]["experiments"], "^[0-9a-f]{16}$")
                self.assertEqual(answer["degraded"], [])

    def test_a_variation_changes_the_page_of_those_who_have_it_alone(self):
        for users, count in ((CONTROL, 1), (NONE, 0), (OUTSIDE, 1)):
            self.assertEqual({self.inserted(user) for user in users[:4]}, {count})

    def test_a_switch_is_off_for_the_next_request_and_on_again_from_disk(self):
        user = NONE[5]
        self.assertEqual(self.inserted(user), 0)
        self.assertEqual(self.ask("PATCH", "boost", {"enabled": False}).status, 200)
        answer = self.engine.rank(IDS, user_id=user)
        self.assertEqual(self.entry(answer)["reason"], "DISABLED")
        self.assertEqual(len(answer["items"]), 5)
        self.write("boost", BOOST)
        self.engine.wait_until(lambda: self.shown()["boost"]["state"] == "running")
        self.assertEqual(self.entry(self.engine.rank(IDS, user_id=user))["variation"], "none")

    def test_exposures_count_once_for_each_viewer_and_variation(self):
        def exposures():
            return {each["key"]: each["exposures"] for each in self.shown()["boost"]["variations"]}
        users = [f"counted-{i}" for i in range(30)]
        expected = {"control": 0, "none": 0}
        for user in users:
            if (variation_of(user) or ("",))[0] == "boost":
                expected[variation_of(user)[1]] += 1
        before = exposures()
        for _ in range(3):
            for user in users:
                self.engine.rank(IDS, user_id=user)
        after = exposures()
        self.assertEqual({key: after[key] - before[key] for key in after}, expected)
        metrics = self.engine.ask("GET", "/metrics").body.decode()
        self.assertIn('shanhuo_experiment_exposures_total{experiment="boost",variation="control"} '
                      + str(after["control"]), metrics)

    def test_a_room_takes_part_in_none(self):
        answer = self.engine.rank(surface="live_room", user_id=NONE[0],
                                  room={"room_id": "room", "lineup": IDS})
        self.assertEqual(answer["experiments"], [])

    def test_tokens_carry_the_variation_to_the_exposure_report(self):
        user = CONTROL[6]
        answer = self.engine.rank(IDS, user_id=user, request_id="with-token")
        item = next(item for item in answer["items"] if item["source"] == "boost")
        self.engine.send(Events().seen(answer, item["item_id"], user))
        report = self.engine.expect(200, "GET",
                                    "/v1/creators/farmer/exposure?from=0&by=variation").json
        self.assertIn("boost/control", json.dumps(report["groups"]))


class WritesTest(Experiments):
    def test_a_put_makes_a_file_that_check_takes_and_get_shows(self):
        definition = {"layer": "look", "name": {"zh-CN": "样子", "en": "Look"},
                      "variations": [{"key": "x", "weight": 0.5},
                                     {"key": "y", "weight": 0.5,
                                      "set": {"ranking.explore_best": 3}}]}
        answer = self.ask("PUT", "look", definition)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["definition"], {"id": "look", **definition})
        self.assertEqual(answer.json["variations"][1]["set"], {"ranking.explore_best": 3})
        self.assertEqual(answer.json["revision"], self.hash(self.path("look").read_text()))
        checked = subprocess.run([BIN, "check", "--config", self.engine.config_file],
                                 capture_output=True, text=True, timeout=READY_S, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        self.assertIn("3 experiments", checked.stdout)
        self.assertEqual(self.ask("DELETE", "look").status, 204)
        self.assertFalse(self.path("look").exists())

    def test_comments_stay_and_only_the_switch_changes(self):
        self.ask("PATCH", "boost", {"enabled": False})
        self.assertEqual(self.path().read_text(),
                         BOOST.replace("true   # by", "false   # by"))

    def test_of_writers_with_one_revision_exactly_one_wins(self):
        revision, statuses, start = self.ask("GET").json["revision"], [], threading.Barrier(4)

        def write(coverage):
            start.wait()
            patch = {"coverage": coverage, "if_revision": revision}
            statuses.append(self.ask("PATCH", "boost", patch).status)
        threads = [threading.Thread(target=write, args=(i / 10,)) for i in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [200, 409, 409, 409])
        self.assert_refused(self.ask("DELETE", query="?if_revision=" + "0" * 16), 409)

    def test_history_and_revert_byte_for_byte_whoever_changed_it(self):
        self.ask("PATCH", "boost", {"coverage": 0.5})
        self.write("boost", BOOST.replace("why it exists", "edited by hand"))
        self.engine.wait_until(lambda: "files" == self.ask("GET").json["history"][0]["who"])
        self.assertEqual(self.ask("DELETE").status, 204)
        history = self.ask("GET", "boost/history").json["history"]
        self.assertEqual([each["who"] for each in history[:3]], ["local", "files", "local"])
        self.assertEqual((history[0]["what"], history[0]["to"]), ("deleted", ""))
        self.assertIn("coverage: none -> 0.5", history[2]["what"])
        for newer, older in zip(history, history[1:]):
            self.assertEqual(newer["from"], older["to"])
        text = self.ask("GET", "boost/history", query="?revision=" + history[2]["to"]).json["yaml"]
        self.assertIn("coverage: 0.5", text)
        for revision in (history[0]["from"], self.hash(BOOST)):
            answer = self.ask("POST", "boost/revert", {"to": revision})
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json["revision"], revision)
            self.assertEqual(self.hash(self.path().read_text()), revision)
        self.assertEqual(self.path().read_text(), BOOST)

    def test_a_revert_that_is_none_changes_nothing(self):
        for body in ({}, {"to": 7}, {"to": "zz"}, {"to": "0" * 16}, {"to": "0" * 16, "x": 1}):
            self.assert_refused(self.ask("POST", "boost/revert", body), 422, "/to")
        other = self.hash(OTHER)
        self.assert_refused(self.ask("POST", "boost/revert", {"to": other}), 422, "/id", "/id")
        self.assert_refused(self.ask("POST", "boost/revert", {
            "to": self.hash(BOOST), "if_revision": "0" * 16}), 409)
        self.assert_refused(self.ask("GET", "nobody/history"), 404)

    def test_all_that_is_wrong_is_said_at_once_with_pointers(self):
        wrong = {"layer": "ranking", "range": [0.4, 0.6], "coverage": 2,
                 "variations": [{"key": "x", "weight": 0.5, "set": {"ranking.insertions_max": 9}},
                                {"key": "y", "weight": 0.5}]}
        answer = self.ask("PUT", "new", wrong)
        self.assertEqual(answer.status, 422, answer)
        self.assertEqual(set(answer.pointers),
                         {"/coverage", "/variations/0/set/ranking.insertions_max"})
        answer = self.ask("PUT", "new", {**wrong, "coverage": 1, "variations": [
            {"key": "x", "weight": 0.5}, {"key": "y", "weight": 0.5}]})
        self.assertEqual(answer.pointers, ["/range", "/range"])  # with each that it overlaps
        self.assertNotIn("new", self.shown())

    def test_a_broken_file_is_refused_with_the_folder_and_the_last_good_set_stays(self):
        version = self.engine.rank(IDS, user_id="u")["versions"]["experiments"]
        self.write("broken", "id: broken\nlayer: ranking\nvariations: 7\n")
        self.engine.wait_until(lambda: self.engine.ask("GET", "/v1/experiments").json["errors"])
        answer = self.engine.ask("GET", "/v1/experiments").json
        self.assertRegex(answer["errors"][0], r"broken\.yaml:3:13: variations: must be a list")
        self.assertEqual(set(self.shown()), {"boost", "other"})
        ranked = self.engine.rank(IDS, user_id="u")
        self.assertEqual((ranked["versions"]["experiments"], ranked["degraded"]), (version, []))
        self.assertIn("broken.yaml:3:13", self.engine.stderr())
        checked = subprocess.run([BIN, "check", "--config", self.engine.config_file],
                                 capture_output=True, text=True, timeout=READY_S, check=False)
        self.assertEqual(checked.returncode, 2)
        self.assertIn("broken.yaml:3:13: variations: must be a list", checked.stdout)
        self.path("broken").unlink()
        self.engine.wait_until(lambda: not self.engine.ask("GET", "/v1/experiments").json["errors"])


class AssignTest(Experiments):
    def test_other_services_are_told_what_rank_would_do_and_nothing_is_counted(self):
        for user in USERS:
            answer = self.engine.expect(200, "POST", "/v1/assign", {
                "user_id": user, "surface": "feed", "context": {"city": "北京"}}).json
            name, variation = variation_of(user, "北京")
            self.assertEqual(self.entry(answer, name)["variation"], variation)
            self.assertEqual(answer["parameters"],
                             {"ranking.insertions_max": 0} if variation == "none" else {})
            ranked = self.engine.rank(IDS, user_id=user, context={"city": "北京"})
            for each in ranked["experiments"]:
                mine = self.entry(answer, each["experiment"])
                self.assertEqual({key: mine[key] for key in each}, each)
        self.assertEqual([each["detail"] for each in answer["experiments"]],
                         ["assigned" if name == "boost" else "out_of_range",
                          "assigned" if name == "other" else "out_of_range"])
        before = self.shown()
        for i in range(20):
            self.engine.expect(200, "POST", "/v1/experiments:why", {"user_id": f"asked-{i}"})
        self.assertEqual(self.shown(), before)
        self.assert_refused(self.engine.ask("POST", "/v1/assign", {"surface": "wall", "x": 1}),
                            422, "/user_id", "/surface", "/x")

    def test_the_sdk_payload_says_the_same_in_growthbooks_words(self):
        answer = self.engine.expect(200, "GET", "/api/features/sdk-any")
        self.assertEqual(answer.headers["access-control-allow-origin"], "*")
        rule = answer.json["features"]["boost"]["rules"][0]
        self.assertEqual(rule["filters"], [{
            "attribute": "user_id", "seed": "layer:ranking", "hashVersion": 2,
            "ranges": [[0, 0.5]]}])
        self.assertEqual(rule["variations"], ["control", "none"])
        self.assertNotIn("insertions_max", json.dumps(answer.json))
        self.ask("PATCH", "boost", {"enabled": False})
        payload = self.engine.expect(200, "GET", "/api/features/sdk-any").json
        self.assertEqual(payload["features"]["boost"], {"defaultValue": None})

    def test_parameters_say_which_of_them_a_variation_may_set(self):
        rows = {row["name"]: row for row in
                self.engine.expect(200, "GET", "/v1/parameters").json["parameters"]}
        self.assertEqual({name for name, row in rows.items() if row["experiment"]},
                         {name for name in rows if name.startswith("ranking.")})
        budget = rows["ranking.user_loss_budget"]
        self.assertEqual((budget["type"], budget["value"], budget["default"]),
                         ("number", "0.5", "0.02"))
        self.assertEqual(rows["ranking.discount"]["allowed"], ["examination", "dcg"])

    def test_the_command_line_does_what_operators_need(self):
        def run(*arguments, code=0):
            command = [BIN, "experiment", *arguments, "--to", f"http://{self.engine.address}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=READY_S,
                                  check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            return done.stdout
        self.assertIn("boost\n  running, layer ranking 0.0 % to 50.0 %", run("ls"))
        self.assertIn("disabled", run("disable", "boost"))
        self.assertIn("- enabled: true   # by hand\n+ enabled: false   # by hand\n",
                      run("diff", "boost"))
        self.assertIn("running", run("revert", "boost", self.hash(BOOST)))
        self.assertEqual(self.path().read_text(), BOOST)
        self.assertIn("ranking.insertions_max: 0", run("show", "boost"))
        self.assertIn("enabled: ", run("history", "boost"))
        self.assertRegex(run("why", NONE[0]), r"boost +none +SPLIT +assigned")
        self.assertEqual(json.loads(run("ls", "--json"))["errors"], [])
        run("revert", "boost", code=2)
        run("show", "nobody", code=1)


class AllBoostingTest(EngineTest):
    PROGRAMS = {"goods": program("goods", surfaces="[feed, live_room]",
                                 room="{window_s: 3600, max: 1, hold_ms: 180000}")}

    def test_is_switched_off_and_on_in_rooms_that_have_decided_too(self):
        self.engine.put_items(good("kiwi"))
        count = 0

        def boosted(room):
            nonlocal count
            count += 1
            in_room = {"surface": "live_room", "room": {"room_id": "r", "lineup": IDS}}
            fields = in_room if room else {"ids": IDS}
            answer = self.engine.rank(user_id=f"viewer-{count}", **fields)
            return sum(item["source"] == "boost" for item in answer["items"])
        self.engine.wait_until(lambda: boosted(False) == boosted(True) == 1)
        for most, seen in ((0, 0), (3, 1)):
            self.engine.config_file.write_text(f"ranking:\n  insertions_max: {most}\n",
                                               encoding="utf-8")
            self.engine.wait_until(lambda: boosted(False) == boosted(True) == seen)


class TimeTest(EngineTest):
    SETTINGS = {"clock": "caller"}

    def test_a_schedule_runs_on_engine_time(self):
        text = ("id: dated\nlayer: l\nschedule: {start: 2026-09-21T15:00:00Z, "
                "end: 2026-09-21T16:00:00Z}\n"
                "variations: [{key: x, weight: 1}, {key: y, weight: 0}]\n")
        self.engine.expect(200, "PUT", "/v1/experiments/dated", {"yaml": text})
        start = T0 + 2_800_000  # 15:00
        shown = self.engine.expect(200, "GET", "/v1/experiments").json["experiments"][0]
        self.assertEqual(shown["schedule"], {"start_ms": start, "end_ms": start + 3_600_000})
        for ms, reason in ((start - 1, "DISABLED"), (start, "TARGETING_MATCH"),
                           (start + 3_599_999, "TARGETING_MATCH"), (start + 3_600_000, "DISABLED")):
            answer = self.engine.rank(IDS, user_id="u", now_ms=ms)
            self.assertEqual(answer["experiments"][0]["reason"], reason)


class ImportedTest(Experiments):
    """payload.json beside engine.yaml: features of another system."""
    FILES = {"boost": BOOST}

    def put_payload(self, features):
        path = self.engine.config_dir / "payload.json"
        part = path.with_suffix(".part")
        part.write_text(features if isinstance(features, str)
                        else json.dumps({"features": features}), encoding="utf-8")
        part.rename(path)

    def assigned(self, user):
        return self.engine.expect(200, "POST", "/v1/assign", {"user_id": user}).json

    def listed(self):
        return self.engine.expect(200, "GET", "/v1/experiments").json

    def test_its_features_are_evaluated_and_set_parameters_beneath_ours(self):
        self.assertEqual(self.assigned("u")["features"], {})
        quiet = {"defaultValue": None, "rules": [
            {"condition": {"user_id": {"$in": [OUTSIDE[0], *CONTROL]}}, "force": 0}]}
        self.put_payload({"ranking.insertions_max": quiet, "colour": {
            "defaultValue": "red", "rules": [
                {"key": "colours", "hashAttribute": "user_id", "hashVersion": 2,
                 "variations": ["green", "blue"]}]}})
        self.engine.wait_until(lambda: self.listed()["imported_parameters"])
        self.assertEqual(self.listed()["imported_parameters"], ["ranking.insertions_max"])
        for user in OUTSIDE[:2]:
            features = self.assigned(user)["features"]
            expected = "green" if bucket("colours", user) < 0.5 else "blue"
            self.assertEqual((features["colour"]["value"], features["colour"]["source"]),
                             (expected, "experiment"))
        self.assertEqual(self.inserted(OUTSIDE[0]), 0)
        self.assertGreater(self.inserted(OUTSIDE[1]), 0)
        self.assertEqual(self.inserted(NONE[0]), 0)     # by our own experiment
        self.assertEqual(self.inserted(CONTROL[0]), 0)  # ours says nothing for these
        (self.engine.config_dir / "payload.json").unlink()
        self.engine.wait_until(lambda: not self.listed()["imported_parameters"])
        self.assertGreater(self.inserted(OUTSIDE[0]), 0)
        self.assertEqual(self.assigned("u")["features"], {})

    def test_what_is_broken_in_it_is_said_and_disturbs_nothing(self):
        self.put_payload({"ranking.insertions_max": {"defaultValue": 10 ** 9},
                          "good": {"defaultValue": 7},
                          "bad": {"defaultValue": 1, "rules": [
                              {"condition": {"a": {"$regex": "("}}, "force": 2}]}})
        self.engine.wait_until(lambda: self.listed()["errors"])
        errors = "\n".join(self.listed()["errors"])
        self.assertIn("/features/ranking.insertions_max", errors)
        self.assertEqual(self.assigned("u")["features"]["good"]["value"], 7)
        self.put_payload("{")
        self.engine.wait_until(lambda: "/features" not in "\n".join(self.listed()["errors"]))
        self.assertEqual(self.assigned("u")["features"]["good"]["value"], 7)  # the last good one
        self.assertGreater(self.inserted(OUTSIDE[0]), 0)
        (self.engine.config_dir / "payload.json").unlink()
        self.engine.wait_until(lambda: not self.listed()["errors"])


class BrokenStartTest(unittest.TestCase):
    def test_an_engine_that_finds_nothing_readable_starts_and_says_that_it_goes_without(self):
        engine = Engine(start=False)
        self.addCleanup(engine.close)
        folder = engine.config_dir / "experiments"
        folder.mkdir()
        (folder / "a.yaml").write_text("id: a\n", encoding="utf-8")
        engine.start()
        answer = engine.rank(IDS, user_id="u")
        self.assertEqual((answer["degraded"], len(answer["items"])), (["experiments"], 4))
        (folder / "a.yaml").write_text(OTHER.replace("other", "a"), encoding="utf-8")
        engine.wait_until(lambda: not engine.ask("GET", "/v1/experiments").json["errors"])
        answer = engine.rank(IDS, user_id="u2")
        self.assertEqual(answer["degraded"], [])
        self.assertEqual(answer["experiments"][0]["experiment"], "a")


if __name__ == "__main__":
    unittest.main()
