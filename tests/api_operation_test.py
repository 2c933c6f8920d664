#!/usr/bin/env python3
"""Guardrails of the engine's own running: an experiment that makes pages slow, makes them fail or
keeps programs from their goals switches itself off, and no feed loses its list meanwhile.
Run: SHANHUO_BIN=... python3 tests/api_operation_test.py"""

import http.client
import json
import subprocess
import unittest

from engine_process import BIN, T0, EngineTest, Events, candidates, good, program

EXPERIMENT = """id: %s
layer: %s
enabled: true
variations:
  - {key: control, weight: 0.5}
  - {key: other, weight: 0.5, set: {%s}}
guardrails: [%s]
"""
# An exact search over a thousand candidates who forbid each other, which takes some 30 ms instead
# of a quarter of one; and the same with fewer steps, of 5 ms.
SLOWEST = ("ranking.retrieve_k: 1000, ranking.in_turn_k: 900, ranking.page_county_max: 1, "
           "ranking.page_creator_max: 1, ranking.page_category_max: 1")
SLOW = SLOWEST + ", ranking.search_nodes_max: 3000"
HARMLESS = "ranking.explore_best: 3"
LATENCY, ERRORS = "{metric: latency, max_rise: 0.5}", "{metric: error_rate, max_rise: 0.5}"
ORGANIC = [f"o{i}" for i in range(300)]
COUNTIES = ("433124", "433122", "433123")
PROGRAMS = 8
PAGES_MIN = 60


class OperationTest(EngineTest):
    SETTINGS = {"clock": "caller", "experiments.guardrail_pages_min": str(PAGES_MIN)}
    PROGRAMS = {f"p{i}": program(
        f"p{i}", items=f"{{kind: farm_good, category: c{i}}}",
        goals="[{unit: viewable, at_least: 1000000, at_most: 2000000, missed_value_fen: 3}]",
        placement="{first_slot: 0, last_slot: 199, per_request_max: 3, min_gap: 1}")
        for i in range(PROGRAMS)}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine.put_items(*[
            good(f"g{i}", category=f"c{i % PROGRAMS}", creator_id=f"f{i}",
                 county=COUNTIES[i % len(COUNTIES)]) for i in range(4000)])
        cls.connection = http.client.HTTPConnection(cls.engine.address, timeout=60)
        cls.pages = 0

    def put(self, name, change, *guardrails):
        layer = "draws" if change == HARMLESS else "ranking"
        self.engine.expect(200, "PUT", f"/v1/experiments/{name}", {
            "yaml": EXPERIMENT % (name, layer, change, ", ".join(guardrails))})
        self.addCleanup(self.engine.ask, "DELETE", f"/v1/experiments/{name}")
        self.page()  # it has a time now

    def page(self, **fields):
        """A page of a new viewer, whose organic items are all there and in order."""
        type(self).pages += 1
        body = {"request_id": f"q{self.pages}", "user_id": f"viewer-{self.pages}", "now_ms": T0,
                "surface": "feed", "count": 200, "candidates": candidates(*ORGANIC), **fields}
        self.connection.request("POST", "/v1/rank", json.dumps(body),
                                {"content-type": "application/json"})
        answer = self.connection.getresponse()
        page = json.loads(answer.read())
        self.assertEqual((answer.status, len(page["items"])), (200, 200), page)
        organic = [item["item_id"] for item in page["items"] if item["source"] == "organic"]
        self.assertEqual(organic, ORGANIC[:len(organic)])
        return page

    def shown(self, name):
        return self.engine.expect(200, "GET", f"/v1/experiments/{name}").json

    def operation(self, name):
        results = self.engine.expect(200, "GET", f"/v1/experiments/{name}/results").json
        return {each["metric"]: each for each in results["operation"]}

    def rank_until_off(self, name, most=1500, **fields):
        for _ in range(most):
            self.page(**fields)
            if self.shown(name)["state"] == "disabled":
                return
        self.fail(f"{self.operation(name)} {self.shown(name)['history']}")

    def wait_counted(self, name):
        """Requests may count for a set of experiments once the upkeep knows it."""
        def counted():
            self.page()
            return any(arm["pages"] for each in self.operation(name).values()
                       for arm in each["variations"])
        self.engine.wait_until(counted)

    def assert_rolled_back(self, name, said):
        newest = self.shown(name)["history"][0]
        self.assertEqual(newest["who"], "guardrail")
        self.assertRegex(newest["what"], "enabled: true -> false.*" + said + ".*, phase ")

    def test_a_slow_variation_switches_its_experiment_off_and_a_harmless_one_beside_it_stays(self):
        self.put("slow", SLOW, LATENCY)
        self.put("harmless", HARMLESS, LATENCY, ERRORS)
        self.wait_counted("slow")
        self.rank_until_off("slow")
        self.assert_rolled_back("slow", r"latency of other: \d\S+ ms against \d\S+, \+\d\S* "
                                        r"\(\+\d\S* \.\. \+\d\S*\), allowed 0.5 worse; \d+ pages")
        latency = self.operation("slow")["latency"]
        control, other = latency["variations"]
        self.assertEqual(other["guardrail"], "breached")
        self.assertGreaterEqual(min(control["pages"], other["pages"]), PAGES_MIN)
        self.assertGreater(other["mean"], 1.5 * control["mean"])
        text = subprocess.run([BIN, "experiment", "results", "slow", "--to",
                               f"http://{self.engine.address}"], capture_output=True, text=True,
                              check=True).stdout
        self.assertRegex(text, r"latency 每页毫秒 +control .*\n +other .* breached")
        # The one beside it was judged by the same pages.
        beside = self.operation("harmless")
        self.assertGreaterEqual(beside["latency"]["variations"][1]["pages"], PAGES_MIN)
        self.assertIn(beside["error_rate"]["variations"][1]["guardrail"], ("open", "kept"))
        self.assertEqual(self.shown("harmless")["state"], "running")

    def test_a_variation_whose_pages_fail_switches_its_experiment_off(self):
        self.put("late", SLOWEST, ERRORS)
        self.wait_counted("late")
        self.rank_until_off("late", timeout_ms=6)
        self.assert_rolled_back("late", r"error_rate of other: \S+ against \S+, \+\S+ ")
        rate = self.operation("late")["error_rate"]["variations"]
        self.assertGreater(rate[1]["mean"], rate[0]["mean"] + 0.2)
        # Whoever switches it on again has looked.
        self.engine.expect(200, "PATCH", "/v1/experiments/late", {"enabled": True})
        for _ in range(20):
            self.page(timeout_ms=6)
        self.assertEqual(self.shown("late")["state"], "running")
        # What it sets is another phase.
        self.engine.expect(200, "PUT", "/v1/experiments/late", {"yaml": EXPERIMENT % (
            "late", "ranking", HARMLESS, ERRORS)})
        self.wait_counted("late")
        self.assertLess(self.operation("late")["error_rate"]["variations"][1]["pages"], PAGES_MIN)

    def test_where_no_guardrail_asks_for_it_nothing_is_counted(self):
        self.put("plain", HARMLESS, "{metric: delivery, max_drop: 0.5}")
        for _ in range(10):
            self.page()
        self.assertEqual(self.operation("plain"), {})


class DeliveryTest(EngineTest):
    """A variation whose viewers get no boosts keeps programs from their goals."""
    SETTINGS = {"clock": "caller", "experiments.guardrail_viewers_min": "20"}
    PROGRAMS = {"goods": program("goods")}

    def test_a_variation_that_delivers_less_switches_its_experiment_off(self):
        self.engine.put_items(good("kiwi"))
        events = Events(T0)
        self.engine.expect(200, "PUT", "/v1/experiments/shy", {"yaml": EXPERIMENT % (
            "shy", "ranking", "ranking.insertions_max: 0", "{metric: delivery, max_drop: 0.2}")})
        sent = []
        for i in range(400):
            page = self.engine.rank(["a", "b"], user_id=f"viewer-{i}", now_ms=T0)
            if any(item["item_id"] == "kiwi" for item in page["items"]) and i % 5:
                sent.append(events.seen(page, "kiwi", f"viewer-{i}"))
        self.engine.send(*sent)
        self.engine.rank(["a"], user_id="the clock", now_ms=T0 + 120_000)
        shown = {}

        def off():
            shown.update(self.engine.expect(200, "GET", "/v1/experiments/shy").json)
            return shown["state"] == "disabled"
        self.engine.wait_until(off)
        self.assertRegex(shown["history"][0]["what"], r"delivery of other: -\S+ \(-\S+ \.\. "
                                                      r"-\S+\), allowed 0\.200 worse, phase ")
        results = self.engine.expect(200, "GET", "/v1/experiments/shy/results").json
        self.assertEqual([each["metric"] for each in results["metrics"]], ["delivery"])


if __name__ == "__main__":
    unittest.main()
