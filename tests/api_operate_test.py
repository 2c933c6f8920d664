#!/usr/bin/env python3
"""The engine from outside, the operating side: programs and their files, people, restarts, access
and configuration (contract 1, 2.5, 2.8 to 2.10, 3). Run: SHANHUO_BIN=... python3
tests/api_operate_test.py"""

import hashlib
import itertools
import json
import re
import subprocess
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import quote

from engine_process import BIN, READY_S, T0, Engine, EngineTest, Events, good, program

LIVE_S = 1  # a change on disk is live within a second


class ProgramsTest(EngineTest):
    TEXT = ("# why it exists\n" + program("goods", enabled="true   # by hand", priority=7) +
            "# the end\n")
    PROGRAMS = {"goods": TEXT, "other": program("other", items="{category: tea}")}

    def setUp(self):
        self.write(self.TEXT)
        self.engine.wait_until(lambda: self.show()["revision"] == self.revision(self.TEXT))

    def write(self, text, name="goods"):
        return self.engine.write_program(name, text)

    @staticmethod
    def revision(text):
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def show(self, name="goods"):
        return self.engine.expect(200, "GET", f"/v1/programs/{name}").json

    def errors(self):
        return self.engine.expect(200, "GET", "/v1/programs").json["errors"]

    def patch(self, body, name="goods"):
        return self.engine.ask("PATCH", f"/v1/programs/{name}", body)

    def on_disk(self):
        return (self.engine.config_dir / "programs" / "goods.yaml").read_text(encoding="utf-8")

    def test_programs_are_listed_with_the_status_of_their_goals(self):
        listed = self.engine.expect(200, "GET", "/v1/programs").json
        self.assertEqual({each["id"] for each in listed["programs"]}, {"goods", "other"})
        shown = self.show()
        self.assertEqual((shown["enabled"], shown["priority"], shown["blocked"], shown["surfaces"]),
                         (True, 7, False, ["feed"]))
        goal, = shown["goals"]
        self.assertEqual((goal["target"], goal["cap"], goal["unit"]),
                         (1_000_000, 2_000_000, "viewable"))
        self.assertLessEqual({"delivered", "in_flight", "curve", "pace", "price", "forecast",
                              "shortfall"}, set(goal))
        self.assert_refused(self.engine.ask("GET", "/v1/programs/none"), 404)

    def test_switching_a_program_changes_one_word_of_its_file(self):
        answer = self.patch({"enabled": False, "if_revision": self.revision(self.TEXT)})
        self.assertEqual(answer.status, 200, answer)
        wanted = self.TEXT.replace("enabled: true", "enabled: false")
        self.assertEqual(self.on_disk(), wanted)
        self.assertEqual((answer.json["enabled"], answer.json["revision"]),
                         (False, self.revision(wanted)))
        self.assertEqual(self.patch({"enabled": True}).status, 200)
        self.assertEqual(self.on_disk(), self.TEXT)

    def test_of_two_operators_with_one_revision_exactly_one_wins(self):
        statuses, start = [], threading.Barrier(4)

        def switch():
            start.wait()
            statuses.append(self.patch({"enabled": False,
                                        "if_revision": self.revision(self.TEXT)}).status)
        threads = [threading.Thread(target=switch) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [200, 409, 409, 409])

    def test_wrong_changes_are_refused_and_leave_the_file(self):
        for body, status, *pointers in (({}, 422, "/enabled"), ({"enabled": 1}, 422, "/enabled"),
                                        ({"enabled": False, "x": 1}, 422, "/x"),
                                        ({"enabled": False, "if_revision": "0" * 16}, 409)):
            self.assert_refused(self.patch(body), status, *pointers)
        self.assert_refused(self.patch({"enabled": False}, "none"), 404)
        self.assertEqual(self.on_disk(), self.TEXT)

    def test_a_disabled_program_inserts_nothing_from_the_next_request_on(self):
        self.engine.put_items(good("g"))
        self.assertEqual(len(self.engine.rank(["a"], user_id="before")["items"]), 2)
        self.patch({"enabled": False})
        self.assertEqual(len(self.engine.rank(["a"], user_id="while")["items"]), 1)
        self.patch({"enabled": True})
        self.engine.wait_indexed()
        self.assertEqual(len(self.engine.rank(["a"], user_id="after")["items"]), 2)

    def test_an_edited_file_is_live_within_a_second(self):
        took = []
        for priority in (11, 12, 13):
            self.write(self.TEXT.replace("priority: 7", f"priority: {priority}"))
            took.append(self.engine.wait_until(
                lambda wanted=priority: self.show()["priority"] == wanted))
        self.assertLess(min(took), LIVE_S)

    def test_new_and_removed_files_are_new_and_removed_programs(self):
        path = self.write(program("added"), "added")
        self.engine.wait_until(lambda: self.engine.ask("GET", "/v1/programs/added").status == 200)
        path.unlink()
        self.engine.wait_until(lambda: self.engine.ask("GET", "/v1/programs/added").status == 404)

    def test_a_broken_edit_is_refused_whole_and_the_last_good_revision_stays(self):
        before = self.engine.expect(200, "GET", "/v1/programs").json["programs"]
        broken = self.TEXT.replace("priority: 7", "priority: 7777\nprioritty: 1")
        path = self.write(broken)
        self.engine.wait_until(self.errors)
        line = broken[:broken.index("priority: 7777")].count("\n") + 1
        self.assertTrue(any(re.match(rf"{re.escape(str(path))}:{line}:\d+: priority: .*1000", each)
                            for each in self.errors()), self.errors())
        self.assertTrue(any("prioritty" in each for each in self.errors()))
        now = self.engine.expect(200, "GET", "/v1/programs").json["programs"]
        self.assertEqual([p["revision"] for p in now], [p["revision"] for p in before])
        self.assertEqual(self.show()["refused"], self.errors())
        self.assertIn("refused", self.engine.stderr())
        self.assert_refused(self.patch({"enabled": False}), 409)
        self.assertEqual(self.on_disk(), broken)
        self.write(self.TEXT)
        self.engine.wait_until(lambda: not self.errors())

    def test_what_was_delivered_stays_with_a_program_whose_file_changes(self):
        self.engine.put_items(good("g"))
        page, event = self.engine.rank(["a"], user_id="counted"), Events()
        self.engine.send(event.seen(page, "g", "counted"))
        delivered = self.show()["goals"][0]["delivered"]
        self.assertGreaterEqual(delivered, 1)
        self.write(self.TEXT.replace("priority: 7", "priority: 8"))
        self.engine.wait_until(lambda: self.show()["priority"] == 8)
        self.assertEqual(self.show()["goals"][0]["delivered"], delivered)

    def test_the_command_line_says_the_same(self):
        def run(*arguments):
            return subprocess.run([BIN, *arguments, "--to", f"http://{self.engine.address}"],
                                  capture_output=True, text=True, timeout=READY_S, check=False)
        shown = json.loads(run("program", "show", "goods", "--json").stdout)
        self.assertEqual(shown["id"], "goods")
        self.assertEqual(run("program", "disable", "goods").returncode, 0)
        self.assertFalse(self.show()["enabled"])
        self.assertEqual(run("program", "enable", "none").returncode, 1)
        self.assertIn("accepted", json.loads(run("stats", "--json").stdout)["events"])


class BlocksTest(EngineTest):
    def test_blocks_are_of_items_creators_and_programs_known_or_not(self):
        for kind in ("item", "creator", "program"):
            for method in ("PUT", "PUT", "DELETE", "DELETE"):
                self.engine.expect(204, method, f"/v1/blocks/{kind}/whatever")
        self.assert_refused(self.engine.ask("PUT", "/v1/blocks/county/433124"), 404)

    def test_a_block_outlives_a_restart(self):
        self.engine.write_program("goods", program("goods"))
        self.engine.wait_until(
            lambda: self.engine.ask("GET", "/v1/programs/goods").status == 200)
        self.engine.put_items(good("g"))
        self.assertEqual(len(self.engine.rank(["a"], user_id="before")["items"]), 2)
        self.engine.expect(204, "PUT", "/v1/blocks/item/g")
        self.engine.restart()
        self.assertEqual(len(self.engine.rank(["a"], user_id="after")["items"]), 1)


class PeopleTest(EngineTest):
    PROGRAMS = {"goods": program("goods")}

    def show(self, user):
        return self.engine.ask("GET", f"/v1/users/{quote(user)}")

    def test_a_profile_shows_what_the_engine_knows(self):
        self.engine.put_items(good("kiwi", category="fruit", county="433124", creator_id="shi"))
        event = Events()
        self.engine.send(event("impression", "kiwi", "known", viewable_ms=1500),
                         event("click", "kiwi", "known"))
        profile = self.show("known").json
        self.assertEqual((profile["user_id"], profile["events"]), ("known", 2))
        self.assertEqual([profile[each][0]["key"] for each in
                          ("categories", "counties", "creators")], ["fruit", "433124", "shi"])
        self.assertEqual([(each["item_id"], each["type"]) for each in profile["recent"]],
                         [("kiwi", "click")])
        self.assert_refused(self.show("stranger"), 404)

    def test_a_forgotten_viewer_is_gone_and_no_restart_brings_them_back(self):
        self.engine.put_items(good("g"))
        event = Events()
        event.count = 100
        for user in ("leaving", "staying"):
            page = self.engine.rank(["a"], user_id=user, request_id="one")
            self.assertEqual(len(page["items"]), 2)
            self.engine.send(event.seen(page, "g", user), event("click", "g", user))
            self.assertTrue(self.show(user).json["inserted"])
        self.assertEqual(self.engine.ask("DELETE", "/v1/users/leaving").status, 204)
        self.assertEqual(self.show("leaving").status, 404)
        for how in ("kill", "stop"):
            self.engine.restart(how)
            self.engine.drain()
            self.assertEqual(self.show("leaving").status, 404, how)
            self.assertEqual(self.show("staying").json["events"], 2, how)
        self.engine.send(event("click", "g", "leaving"))  # whoever comes back begins anew
        self.assertEqual(self.show("leaving").json["events"], 1)
        self.assertEqual(self.show("leaving").json["inserted"], [])

    def test_forgetting_a_stranger_is_done_too(self):
        self.assertEqual(self.engine.ask("DELETE", "/v1/users/stranger").status, 204)


class RestartTest(EngineTest):
    PROGRAMS = {"goods": program("goods")}

    def test_after_a_kill_everything_is_as_it_was(self):
        engine, event = self.engine, Events()
        engine.put_items(good("g1"), good("g2", creator_id="second"))
        for n in range(20):
            page = engine.rank(["a", "b"], user_id=f"u{n}")
            for item in page["items"]:
                if "token" in item:
                    engine.send(event.seen(page, item["item_id"], f"u{n}"), drain=False)
        engine.send(event("order", "g2", "u3", order_id="o1", amount_fen=500))
        request = {"user_id": "patient", "request_id": "kept"}
        slate = engine.ask_rank(["a", "b"], **request).body
        engine.wait_durable()

        def viewer():
            user = engine.ask("GET", "/v1/users/u3").json
            for exposed in itertools.chain.from_iterable(user["fatigue"].values()):
                exposed["fatigue"] = round(exposed["fatigue"])  # it fades by the moment
            return user

        def picture():
            counts = engine.drain()
            return (engine.totals("farmer"), engine.totals("second"), engine.stats()["viewers"],
                    {end: counts[end] for end in ("applied", "duplicate", "late", "dead")},
                    engine.ask("GET", "/v1/programs/goods").json["goals"][0]["delivered"],
                    viewer())
        before = picture()
        self.assertEqual(before[4], 20)
        for how in ("kill", "kill", "stop"):
            engine.restart(how)
            self.assertEqual(picture(), before, how)
            self.assertEqual(engine.ask_rank(["a", "b"], **request).body, slate, how)
            self.assertEqual(engine.stats()["decisions_lost"], 0, how)
            self.assertEqual(engine.ask_rank(["a"], **request).status, 409)

    def test_a_backup_brings_everything_back(self):
        engine, event, copy = self.engine, Events(), Path(self.engine.folder.name) / "copy"
        event.count = 5000
        engine.put_items(good("b", creator_id="backed-up"))
        engine.send(event("click", "b"), event("order", "b", order_id="b1", amount_fen=70))
        before = engine.totals("backed-up")
        named = next(iter(self.PROGRAMS))
        engine.expect(200, "PATCH", f"/v1/programs/{named}", {"priority": 77})
        changes = engine.expect(200, "GET", "/v1/audit").json

        def run(*arguments):
            return subprocess.run([BIN, *arguments], capture_output=True, text=True,
                                  timeout=READY_S, check=False)
        there = ("--to", f"http://{engine.address}")
        self.assertEqual(run("backup", copy, *there).returncode, 0)
        self.assertEqual(run("backup", copy, *there).returncode, 1)  # it exists
        with Engine(self.PROGRAMS, start=False) as other:
            restored = run("restore", copy, "--data-dir", other.data_dir)
            self.assertEqual(restored.returncode, 0, restored)
            other.start()
            self.assertEqual(other.totals("backed-up"), before)
            self.assertEqual(other.ask("GET", "/v1/items/b").status, 200)
            verified = run("audit", "verify", "--data-dir", copy)
            self.assertEqual(verified.returncode, 0, verified)
            kept = other.expect(200, "GET", "/v1/audit").json
            self.assertEqual([change for change in kept["changes"] if change in changes["changes"]],
                             changes["changes"])
            self.assertNotEqual(run("restore", copy, "--data-dir", other.data_dir).returncode, 0)

    def test_a_stop_is_graceful(self):
        event = Events()
        event.count = 1000
        self.engine.send(*(event(user=f"s{n}") for n in range(1000)), drain=False)
        self.assertEqual(self.engine.stop(), 0)
        self.engine.start()
        self.engine.drain()


@unittest.skipUnless(BIN.exists(), "the engine is not built")
class AccessTest(unittest.TestCase):
    def new_token(self, engine, role):
        made = subprocess.run(
            [BIN, "token", "new", role, "--file", engine.config_dir / "tokens", "--json"],
            capture_output=True, text=True, timeout=READY_S, check=True)
        return json.loads(made.stdout)["token"]

    def test_with_a_token_file_each_role_does_its_own_and_no_more(self):
        with Engine(start=False) as engine:
            engine.settings["token_file"] = str(engine.config_dir / "tokens")
            roles = {role: self.new_token(engine, role) for role in
                     ("feed", "ingest", "creator:farmer", "operator", "admin")}
            engine.start()
            engine.token = roles["ingest"]
            engine.expect(200, "PUT", "/v1/items", {"items": [good("g"),
                                                              good("h", creator_id="else")]})
            exposure = "/v1/creators/farmer/exposure"
            allowed = {("GET", "/healthz"): set(roles), ("GET", "/v1/stats"): {"operator", "admin"},
                       ("GET", "/v1/users/u"): {"admin"}, ("POST", "/v1/rank"): {"feed", "admin"},
                       ("POST", "/v1/events"): {"ingest", "admin"},
                       ("GET", exposure): {"creator:farmer", "admin"}}
            for (method, target), may in allowed.items():
                for role, token in roles.items():
                    engine.token = token
                    status = engine.ask(method, target, {} if method == "POST" else None).status
                    self.assertEqual(status != 403, role in may, (method, target, role, status))
            engine.token = roles["creator:farmer"]
            self.assertEqual(engine.ask("GET", exposure).status, 200)
            for other in ("else", "nobody"):
                target = f"/v1/creators/{other}/exposure"
                self.assertEqual(engine.ask("GET", target).status, 404)
            for token in (None, "wrong", roles["admin"][:-1]):
                engine.token = token
                answer = engine.ask("GET", exposure)
                self.assertEqual(answer.status, 401)
                self.assertIn("Bearer", answer.headers["www-authenticate"])
                self.assertEqual(engine.ask("GET", "/healthz").status, 200)
            file = (engine.config_dir / "tokens").read_text(encoding="utf-8")
            self.assertFalse([role for role, token in roles.items() if token in file])

    def test_a_changed_token_file_is_in_force_soon_and_callers_have_slates_of_their_own(self):
        with Engine({"goods": program("goods")}, start=False) as engine:
            file = engine.config_dir / "tokens"
            engine.settings["token_file"] = str(file)
            engine.token = self.new_token(engine, "feed")
            engine.start()
            first = engine.rank(["a"], request_id="same")
            other = self.new_token(engine, "feed")
            answers = []

            def admitted():
                engine.token = other
                answers.append(engine.ask_rank(["b"], request_id="same"))
                return answers[-1].status != 401
            self.assertLess(engine.wait_until(admitted), 5)
            self.assertEqual((answers[-1].status, first["items"][0]["item_id"],
                              answers[-1].json["items"][0]["item_id"]), (200, "a", "b"))
            file.write_text("", encoding="utf-8")
            engine.wait_until(lambda: engine.ask_rank(["a"]).status == 401)

    def test_without_tokens_foreign_hosts_and_origins_are_refused(self):
        with Engine() as engine:
            for headers, status in (({"host": "evil.example"}, 403), ({"host": ""}, 403),
                                    ({"origin": "http://evil.example"}, 403),
                                    ({"origin": "null"}, 403), ({"host": "localhost:1"}, 200),
                                    ({"origin": f"http://{engine.address}"}, 200), ({}, 200)):
                for method, target in (("GET", "/v1/stats"), ("PUT", "/v1/items")):
                    body = {"items": []} if method == "PUT" else None
                    answer = engine.ask(method, target, body, headers=headers)
                    self.assertEqual(answer.status, status, (headers, answer))

    def test_without_tokens_it_listens_on_loopback_alone(self):
        with Engine(start=False) as engine:
            for host in ("0.0.0.0", "192.0.2.1", "[::]"):
                ended = subprocess.run(engine.command(f"{host}:0"), capture_output=True, text=True,
                                       timeout=READY_S, check=False)
                self.assertEqual(ended.returncode, 2, ended)
                self.assertIn("token", ended.stderr)


@unittest.skipUnless(BIN.exists(), "the engine is not built")
class ConfigurationTest(unittest.TestCase):
    def refused(self, engine, *places):
        """Serving and checking end with 2 and name every place."""
        check = [BIN, "check", "--config", engine.config_file]
        for command in (engine.command(), check):
            ended = subprocess.run(command, capture_output=True, text=True, timeout=READY_S,
                                   check=False)
            self.assertEqual(ended.returncode, 2, ended)
            for place in places:
                self.assertRegex(ended.stdout + ended.stderr, place)

    def test_a_broken_engine_yaml_is_refused_with_all_its_faults(self):
        with Engine(config="clock: sundial\nhttp:\n  threads: 0\n  thread: 1\napi: 7\n",
                    start=False) as engine:
            self.refused(engine, r"engine\.yaml:1:8: clock: .*wall.*caller",
                         r"engine\.yaml:3:12: http\.threads: .*at least 1",
                         r"engine\.yaml:4:\d+: http\.thread: ", r"engine\.yaml:5:\d+: api: ")

    def test_broken_yaml_is_refused_with_its_place(self):
        for text, place in (("listen: [1", r"engine\.yaml:\d+:\d+: "),
                            ("clock: wall\nclock: wall\n", r"engine\.yaml:2:\d+: "),
                            ("http: {threads: .nan}", r"engine\.yaml:1:17: http\.threads: ")):
            with Engine(config=text, start=False) as engine:
                self.refused(engine, place)

    def test_a_broken_program_is_refused_at_the_start(self):
        text = program("goods", surfaces="[feed, wall]", goals=None, items="{kidn: farm_good}")
        with Engine({"goods": text}, start=False) as engine:
            self.refused(engine, r"goods\.yaml:\d+:\d+: surfaces: .*wall.*feed, live_room",
                         r"goods\.yaml:\d+:\d+: goals: is missing", r"goods\.yaml:\d+:\d+: items: ")

    def test_wrong_settings_are_bad_usage(self):
        for setting in ("http.threads=0", "http.threds=1", "clock=sundial"):
            with Engine(start=False) as engine:
                engine.settings = dict([setting.split("=")])
                ended = subprocess.run(engine.command(), capture_output=True, text=True,
                                       timeout=READY_S, check=False)
                self.assertEqual(ended.returncode, 2, ended)
                self.assertIn(setting.split("=")[0], ended.stderr)

    def test_a_folder_in_use_is_not_opened_twice(self):
        with Engine() as engine:
            ended = subprocess.run(engine.command(), capture_output=True, text=True,
                                   timeout=READY_S, check=False)
            self.assertEqual(ended.returncode, 1, ended)
            self.assertIn(str(engine.data_dir), ended.stderr)


class RunningTest(EngineTest):
    def test_metrics_are_what_prometheus_reads(self):
        text = self.engine.expect(200, "GET", "/metrics").body.decode()
        for name in ("rank_latency_seconds", "events_total", "freshness_seconds",
                     "stream_lag_records", "user_loss_ratio", "shed_total", "decisions_lost_total",
                     "decisions_queued", "index_current"):
            self.assertRegex(text, rf"(?m)^# TYPE shanhuo_{name} ")

    def test_metrics_count_what_was_sent(self):
        event = Events()
        one = event()
        self.engine.send(one, one, event("x"), event(ts_ms=T0 * 2))
        text = self.engine.expect(200, "GET", "/metrics").body.decode()
        for result, count in (("accepted", 3), ("applied", 1), ("duplicate", 1), ("dead", 1),
                              ("rejected", 1)):
            self.assertRegex(text, rf'shanhuo_events_total{{result="{result}"}} {count}\b')

    def test_it_says_what_it_is_and_that_it_is_ready(self):
        self.assertEqual(self.engine.expect(200, "GET", "/healthz").body, b"ok\n")
        self.assertEqual(self.engine.expect(200, "GET", "/readyz").body, b"ready\n")
        self.assertEqual(self.engine.expect(200, "GET", "/version").json["name"], "shanhuo")
        self.assertEqual(self.engine.expect(200, "GET", "/openapi.json").json["openapi"], "3.1.0")


if __name__ == "__main__":
    unittest.main()
