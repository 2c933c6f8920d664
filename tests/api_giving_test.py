#!/usr/bin/env python3
"""Giving from outside: donations, points, pledges and the ledger, through the API and the verb,
over a kill -9, and after forgetting. Run: SHANHUO_BIN=... python3 tests/api_giving_test.py"""

import hashlib
import json
import subprocess
import threading
import unittest

from engine_process import BIN, T0, Engine

RULES = {
    "goods": "id: goods\ndonation: {permille_max: 300}\n",
    "flowers": """id: flowers
points:
  expire_after_days: 30
  earn: [{event: deed, deed: walk, points: 1, per: 100, daily_max: 100}]
causes: [{cause: dream, threshold: 150}, {cause: tree, threshold: 10, per: viewer}]
""",
}


class GivingTest(unittest.TestCase):
    def setUp(self):
        self.engine = Engine(start=False)
        self.addCleanup(self.engine.close)
        folder = self.engine.config_dir / "giving"
        folder.mkdir()
        for name, text in RULES.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        self.engine.start()
        self.engine.expect(200, "PUT", "/v1/items", {"items": [
            {"item_id": "kiwi", "kind": "farm_good", "title": "猕猴桃", "creator_id": "c",
             "donation": {"cause": "school", "permille": 15}},
            {"item_id": "dream", "kind": "cause", "title": "梦想", "creator_id": "c"}]})
        self.events = 0

    def send(self, kind, user, item, **more):
        self.events += 1
        event = {"event_id": f"g{self.events}", "type": kind, "user_id": user, "item_id": item,
                 "ts_ms": T0 + self.events} | more
        answer = self.engine.expect(202, "POST", "/v1/events", {"events": [event]}).json
        self.assertEqual((answer["accepted"], answer["rejected"]), (1, []))

    def causes(self):
        causes = self.engine.expect(200, "GET", "/v1/causes").json["causes"]
        return {cause["cause"]: cause for cause in causes}

    def points(self, user):
        answer = self.engine.expect(200, "GET", f"/v1/users/{user}/points").json
        return sum(lot["points"] for lot in answer["points"]), answer

    def walk(self, user, points):
        before = self.points(user)[0]
        self.send("deed", user, "dream", deed="walk", quantity=100 * points)
        self.engine.wait_until(lambda: self.points(user)[0] == before + points)

    def pledge(self, request, user, points, cause="dream"):
        return self.engine.ask("POST", f"/v1/causes/{cause}/pledges",
                               {"request_id": request, "user_id": user, "points": points})

    def ledger(self, *arguments):
        return subprocess.run([BIN, "ledger", *arguments, "--to",
                               f"http://{self.engine.address}"], capture_output=True, check=False)

    def entries(self):
        export = self.ledger("export").stdout.decode().splitlines()
        return [json.loads(line) for line in export if line.startswith('{"n":')]

    def test_the_books_balance_whatever_is_asked(self):
        self.send("order", "li", "kiwi", order_id="o", amount_fen=9999)
        self.engine.wait_until(lambda: self.causes().get("school", {}).get("donated_fen") == 149)
        self.send("refund", "li", "kiwi", order_id="o", amount_fen=3333)
        self.engine.wait_until(lambda: self.causes()["school"]["donated_fen"] == 99)
        self.walk("li", 100)
        self.walk("wang", 100)
        for wrong in (0, -5, 1.5, "7", 10**12, 2**70, None):
            self.assertIn(self.pledge("bad", "li", wrong).status, (400, 422), wrong)
        self.assertEqual(self.pledge("r0", "li", 101).status, 409)
        self.assertEqual(self.pledge("r1", "nobody", 1).status, 409)
        self.assertEqual(self.pledge("r2", "li", 1, "school").status, 404)
        self.assertEqual(self.pledge("r3", "li", 7, "tree").status, 422)
        # Twice at the same instant, the same request and others: 100 points are spent once.
        answers = []
        threads = [threading.Thread(target=lambda i=i: answers.append(
            self.pledge(f"t{i // 2}", "li", 60))) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(answer.status for answer in answers), [200] * 2 + [409] * 6)
        self.assertEqual(self.points("li")[0], 40)
        first = next(answer for answer in answers if answer.status == 200)
        again = first.json["request_id"]
        self.assertEqual(self.pledge(again, "li", 60).json, first.json)
        self.assertEqual(self.pledge(again, "li", 61).status, 409)
        self.assertEqual(self.pledge(again, "wang", 60).status, 409)
        self.assertEqual(self.pledge("r4", "wang", 91).status, 409)  # 90 are missing
        self.assertEqual(self.pledge("r5", "wang", 90).status, 200)
        dream = self.causes()["dream"]
        self.assertEqual((dream["executions"], dream["backers"], dream["points"]), (1, 2, 150))
        self.assertEqual(self.points("li")[1]["pledged"][0]["executions"], 1)
        entries = self.entries()
        for user, left in (("li", 40), ("wang", 10)):
            account = self.points(user)[1]["account"]
            self.assertEqual(sum(e.get("points", 0) for e in entries
                                 if e.get("account") == account), left)
        self.assertEqual(sum(e["fen"] for e in entries if e.get("cause") == "school"), 99)
        text = json.dumps(entries)
        for person in ("li", "wang"):
            self.assertNotIn(f'"{person}"', text)

    def test_an_export_is_the_same_after_a_kill_and_checks_without_the_engine(self):
        for i in range(40):
            self.send("order", "li", "kiwi", order_id=f"o{i}", amount_fen=1000 + i)
        self.walk("li", 100)
        self.assertEqual(self.pledge("r", "li", 100).status, 200)
        self.send("order", "li", "kiwi", order_id="later", amount_fen=7, ts_ms=T0 + 3 * 3_600_000)
        self.engine.wait_until(lambda: self.entries()[-1].get("fen") == 7)
        before = self.ledger("export").stdout
        self.engine.restart("kill")
        after = self.ledger("export").stdout
        self.assertEqual(before, after)
        path = self.engine.config_dir / "ledger.ndjson"
        path.write_bytes(after)
        key = json.loads(after.splitlines()[0])["public_key"]
        good = self.ledger("verify", "--file", str(path), "--key", key)
        self.assertEqual(good.returncode, 0, good.stderr)
        self.assertIn(b"entries follow from each other", good.stdout)
        self.assertEqual(self.ledger("verify").returncode, 0)
        proven = self.ledger("verify", "--entry", "3", "--key", key)
        self.assertEqual(proven.returncode, 0, proven.stderr)
        self.assertEqual(self.ledger("verify", "--entry", "999").returncode, 1)
        lines = after.splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:5] + lines[6:]))
        found = self.ledger("verify", "--file", str(path))
        self.assertEqual(found.returncode, 1)
        self.assertIn(b"entry 4", found.stderr)
        prev = "0" * 64  # docs/giving.md
        for line in lines:
            if line.startswith(b'{"n":'):
                body, _, rest = line.rpartition(b',"hash":"')
                self.assertTrue(body.endswith(b',"prev":"' + prev.encode() + b'"'))
                prev = hashlib.blake2b(b"\0" + body, digest_size=32).hexdigest()
                self.assertEqual(rest, prev.encode() + b'"}\n')

    def test_a_forgotten_viewer_has_no_account_and_the_cause_keeps_its_points(self):
        self.walk("zhao-the-forgotten", 100)
        self.assertEqual(self.pledge("r", "zhao-the-forgotten", 60).status, 200)
        account = self.points("zhao-the-forgotten")[1]["account"]
        self.engine.expect(204, "DELETE", "/v1/users/zhao-the-forgotten")
        self.assertEqual(self.points("zhao-the-forgotten"),
                         (0, {"user_id": "zhao-the-forgotten", "points": [], "pledged": []}))
        self.assertEqual(self.causes()["dream"]["towards"], 60)
        self.engine.restart("kill")
        self.assertEqual(self.points("zhao-the-forgotten")[0], 0)
        self.assertEqual(self.causes()["dream"]["towards"], 60)
        self.walk("zhao-the-forgotten", 1)
        self.assertNotEqual(self.points("zhao-the-forgotten")[1]["account"], account)

    def test_rules_on_disk_are_live_and_wrong_ones_are_named(self):
        path = self.engine.config_dir / "giving" / "flowers.yaml"
        path.write_text(RULES["flowers"].replace("threshold: 150", "threshold: 1500"),
                        encoding="utf-8")
        self.engine.wait_until(lambda: self.causes()["dream"]["threshold"] == 1500)
        self.assertEqual(self.entries()[-1]["kind"], "rules")
        path.write_text(RULES["flowers"].replace("per: 100", "per: 0"), encoding="utf-8")
        checked = subprocess.run([BIN, "check", "--config", self.engine.config_file],
                                 capture_output=True, check=False)
        self.assertEqual(checked.returncode, 2)
        self.assertIn(b"flowers.yaml:4:", checked.stdout)
        self.assertEqual(self.causes()["dream"]["threshold"], 1500)


if __name__ == "__main__":
    unittest.main()
