#!/usr/bin/env python3
"""The engine from outside, the writing side: items, events, what creators see of them, and input
that is wrong (contract 2.1, 2.2, 2.4). Run: SHANHUO_BIN=... python3 tests/api_test.py"""

import base64
import csv
import io
import json
import socket
import struct
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from engine_process import BIN, DAY_MS, T0, Engine, EngineTest, Events, good, program


class ItemsTest(EngineTest):
    FULL = good("full", county="433124", category="fruit", tags=["猕猴桃", "新鲜"], price_fen=5990,
                stock=12, place={"lat": 28.58, "lon": 109.48},
                season={"from": "11-15", "to": "02-10"}, published_at_ms=T0, duration_ms=15000,
                available=False, benefit={"households": 300, "income_fen_per_order": 900},
                donation={"cause": "school", "permille": 20})

    def put(self, *items):
        return self.engine.ask("PUT", "/v1/items", {"items": list(items)})

    def assert_absent(self, *ids):
        for item in ids:
            self.assertEqual(self.engine.ask("GET", f"/v1/items/{item}").status, 404, item)

    def test_an_item_comes_back_as_it_was_put(self):
        self.assertEqual(self.put(self.FULL).json, {"accepted": 1})
        self.assertEqual(self.engine.expect(200, "GET", "/v1/items/full").json, self.FULL)

    def test_a_later_put_replaces_the_whole_item(self):
        self.put(good("whole", category="fruit", stock=3))
        self.put(good("whole", title="换了"))
        item = self.engine.expect(200, "GET", "/v1/items/whole").json
        self.assertEqual(item["title"], "换了")
        self.assertFalse({"category", "stock"} & set(item))

    def test_a_patch_changes_what_it_names_and_null_takes_away(self):
        self.put(good("patched", category="fruit", stock=3, price_fen=100))
        done = self.engine.expect(200, "PATCH", "/v1/items/patched", {"stock": 0, "category": None})
        now = self.engine.expect(200, "GET", "/v1/items/patched").json
        self.assertEqual(done.json, now)
        self.assertEqual((now["stock"], now["price_fen"], "category" in now), (0, 100, False))

    def test_a_wrong_patch_changes_nothing(self):
        self.put(good("steady", stock=3))
        for patch, status, *pointers in (({"stock": -1, "titel": "x"}, 422, "/stock", "/titel"),
                                         ({"title": None}, 422, "/title"), ([], 422),
                                         ({"kind": "video"}, 409), ({"creator_id": "x"}, 409),
                                         ({"county": "433124"}, 409)):
            answer = self.engine.ask("PATCH", "/v1/items/steady", patch)
            self.assert_refused(answer, status, *pointers)
        self.assertEqual(self.engine.ask("GET", "/v1/items/steady").json["stock"], 3)

    def test_a_deleted_item_is_gone(self):
        self.put(good("short-lived"))
        self.assertEqual(self.engine.expect(204, "DELETE", "/v1/items/short-lived").body, b"")
        self.assert_absent("short-lived")
        for method, body in (("DELETE", None), ("PATCH", {"stock": 1})):
            self.assert_refused(self.engine.ask(method, "/v1/items/short-lived", body), 404)

    def test_one_wrong_item_keeps_the_whole_batch_out_and_every_fault_is_named(self):
        wrong = good("w2", kind="farm_godo", title=7, price_fen=-1, colour="red",
                     place={"lat": 91, "lon": "x"}, season={"from": "02-30", "to": "13-01"})
        del wrong["creator_id"]
        self.assert_refused(
            self.put(good("w1"), wrong, good("w3", stock=1.5)), 422, "/items/1/kind",
            "/items/1/title", "/items/1/price_fen", "/items/1/colour", "/items/1/place/lat",
            "/items/1/place/lon", "/items/1/season/from", "/items/1/season/to",
            "/items/1/creator_id", "/items/2/stock")
        self.assert_absent("w1", "w2", "w3")

    def test_kind_creator_and_county_of_an_item_never_change(self):
        self.put(good("fixed", county="433124"))
        for field, other in (("kind", "video"), ("creator_id", "other"), ("county", "500237")):
            answer = self.put(good("fresh"), {**good("fixed", county="433124"), field: other})
            self.assert_refused(answer, 409, f"/items/1/{field}")
            answer = self.engine.ask("PATCH", "/v1/items/fixed", {field: other})
            self.assert_refused(answer, 409, f"/{field}")
        self.assertEqual(self.put(good("fixed")).status, 409)  # no county is another one too
        self.assert_absent("fresh")

    def test_a_county_must_be_a_code_of_a_province(self):
        for county in ("990000", "43312", "4331240", "43312a", "", 433124):
            self.assert_refused(self.put(good("c", county=county)), 422, "/items/0/county")
        self.assert_absent("c")

    def test_membership_in_the_832_counties_is_derived(self):
        self.put(good("in", county="433124"), good("out", county="110101"), good("nowhere"))
        derived = [self.engine.ask("GET", f"/v1/items/{item}?features=1").json["in_832"]
                   for item in ("in", "out", "nowhere")]
        self.assertEqual(derived, [True, False, False])

    def test_numbers_that_json_does_not_know_are_refused(self):
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "01", "0x10"):
            body = '{"items":[{"item_id":"nan","kind":"farm_good","title":"t","creator_id":"c",' \
                   '"place":{"lat":%s,"lon":1}}]}' % number
            answer = self.engine.ask("PUT", "/v1/items", body)
            self.assertIn(answer.status, (400, 422), number)
            self.assert_refused(answer, answer.status)
        self.assert_absent("nan")

    def test_the_same_item_twice_in_a_batch_is_refused(self):
        self.assert_refused(self.put(good("d1"), good("d2"), good("d1")), 422, "/items/2/item_id")
        self.assert_absent("d1", "d2")

    def test_ids_are_1_to_128_bytes_without_control_characters(self):
        self.assertEqual(self.put(good("x" * 128), good("山/货 ?#%"), good("果" * 42)).status, 200)
        encoded = "%E5%B1%B1%2F%E8%B4%A7%20%3F%23%25"
        self.assertEqual(self.engine.ask("GET", f"/v1/items/{encoded}").status, 200)
        for item in ("", "x" * 129, "a\nb", "\x7f", "果" * 43):
            self.assert_refused(self.put(good(item)), 422, "/items/0/item_id")

    def test_creators_are_put_and_shown_with_their_items(self):
        body = {"creators": [{"creator_id": "c-shown", "name": "山里人", "groups": ["new"],
                              "trained_at_ms": T0}]}
        self.assertEqual(self.engine.ask("PUT", "/v1/creators", body).json, {"accepted": 1})
        self.put(good("of-c", creator_id="c-shown"))
        shown = self.engine.expect(200, "GET", "/v1/creators/c-shown").json
        self.assertEqual((shown["creator"], shown["items"]), (body["creators"][0], 1))
        self.assert_refused(self.engine.ask("GET", "/v1/creators/nobody"), 404)

    def test_nothing_of_this_is_lost_over_a_kill(self):
        self.put(good("kept", stock=5))
        self.put(good("dropped"))
        self.engine.ask("DELETE", "/v1/items/dropped")
        self.engine.restart()
        self.assertEqual(self.engine.ask("GET", "/v1/items/kept").json["stock"], 5)
        self.assert_absent("dropped")


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def protobuf_event(event):
    """An Event of streaming/shanhuo.proto; `ts_ms` is its field 5."""
    numbers = {"event_id": 1, "type": 2, "user_id": 3, "item_id": 4, "ts_ms": 5}
    out = b""
    for name, value in event.items():
        if isinstance(value, str):
            out += varint(numbers[name] << 3 | 2) + varint(len(value)) + value.encode()
        else:
            out += varint(numbers[name] << 3) + varint(value)
    return out


class EventsTest(EngineTest):
    PROGRAMS = {"goods": program("goods")}

    def setUp(self):
        self.before = self.engine.drain() if self.engine.accepted else None
        self.event = Events()
        self.event.count = 1000 * sorted(unittest.TestLoader().getTestCaseNames(type(self))).index(
            self._testMethodName)

    def grown(self, name):
        """By how much a count of /v1/stats grew since the test began."""
        now = self.engine.drain()
        before = self.before or {"dead_by_reason": {}}
        if name in now:
            return now[name] - before.get(name, 0)
        return now["dead_by_reason"].get(name, 0) - before["dead_by_reason"].get(name, 0)

    def test_wrong_events_are_named_by_index_and_the_others_taken(self):
        no_item = self.event()
        del no_item["item_id"]
        events = [self.event(), self.event(kind="impresion"), no_item, self.event(surface="wall"),
                  self.event("order"), self.event(position=-1), self.event(user=""),
                  self.event(watch_ms="5"), 7, self.event()]
        answer = self.engine.send(*events).json
        self.assertEqual(answer["accepted"], 2)
        reasons = {each["index"]: each["reason"] for each in answer["rejected"]}
        self.assertEqual(reasons, {
            1: "unknown_event_type", 2: "missing:item_id", 3: "unknown_surface",
            4: "order_without_order_id", 5: "range:position", 6: "bad_id:user_id",
            7: "type:watch_ms", 8: reasons[8]})
        self.assertTrue(reasons[8])
        self.assertEqual((self.grown("applied"), self.grown("dead")), (2, 0))

    def test_it_is_202_even_when_all_are_rejected(self):
        answer = self.engine.send(self.event(kind="x")).json
        self.assertEqual((answer["accepted"], len(answer["rejected"])), (0, 1))
        self.assertEqual(self.engine.send().json, {"accepted": 0, "rejected": []})

    def test_unknown_fields_of_an_event_are_skipped(self):
        answer = self.engine.send(self.event(mood="good", extra={"deep": [1, {"er": None}]}))
        self.assertEqual(answer.json, {"accepted": 1, "rejected": []})
        self.assertEqual(self.grown("applied"), 1)

    def test_unknown_fields_beside_the_events_are_refused(self):
        answer = self.engine.ask("POST", "/v1/events", {"events": [self.event()], "event": []})
        self.assert_refused(answer, 422, "/event")

    def test_ndjson_is_one_event_a_line(self):
        lines = [json.dumps(self.event()), "{broken", json.dumps(self.event(kind="x")),
                 json.dumps(self.event())]
        answer = self.engine.send(body="\n".join(lines) + "\n",
                                  content_type="application/x-ndjson").json
        self.assertEqual((answer["accepted"], [each["index"] for each in answer["rejected"]]),
                         (2, [1, 2]))
        self.assertEqual(self.grown("applied"), 2)

    def test_blank_lines_and_carriage_returns_of_ndjson_do_not_matter(self):
        body = f"\r\n{json.dumps(self.event())}\r\n\n{json.dumps(self.event())}"
        answer = self.engine.send(body=body, content_type="application/x-ndjson").json
        self.assertEqual(answer, {"accepted": 2, "rejected": []})

    def test_protobuf_says_the_same(self):
        events = [self.event(user="proto"), self.event(kind="x"), self.event(user="proto")]
        body = b"".join(b"\x0a" + varint(len(each)) + each for each in map(protobuf_event, events))
        answer = self.engine.send(body=body, content_type="application/x-protobuf").json
        self.assertEqual((answer["accepted"], answer["rejected"]),
                         (2, [{"index": 1, "reason": "unknown_event_type"}]))
        self.assertEqual(self.grown("applied"), 2)
        self.assertEqual(self.engine.ask("GET", "/v1/users/proto").json["events"], 2)
        answer = self.engine.ask("POST", "/v1/events", b"\x0a\xff",
                                 content_type="application/x-protobuf")
        self.assert_refused(answer, answer.status)
        self.assertIn(answer.status, (400, 422))

    def test_the_first_of_two_events_with_one_id_wins(self):
        first = self.event("click", item="dup-good")
        self.engine.put_items(good("dup-good", creator_id="dup"))
        self.engine.send(first, {**first, "type": "like"})
        self.engine.send({**first, "type": "like"})
        self.engine.send({**first, "user_id": "another", "type": "like"})  # another's id is its own
        self.assertEqual((self.grown("applied"), self.grown("duplicate")), (2, 2))
        totals = self.engine.totals("dup")
        self.assertEqual((totals["clicks"], totals["likes"]), (1, 1))

    def test_an_event_from_the_future_is_dead(self):
        now = int(time.time() * 1000)
        self.engine.send(self.event(ts_ms=now + 11 * 60_000), self.event(ts_ms=now + 9 * 60_000))
        self.assertEqual((self.grown("ts_in_future"), self.grown("applied")), (1, 1))

    def test_an_event_a_day_behind_the_watermark_is_late(self):
        now = int(time.time() * 1000)
        self.engine.send(self.event(ts_ms=now))
        self.engine.send(self.event(ts_ms=now - DAY_MS - 20 * 60_000),
                         self.event(ts_ms=now - DAY_MS + 20 * 60_000))
        self.assertEqual((self.grown("late"), self.grown("applied")), (1, 2))

    def test_a_forged_or_misplaced_token_is_dead(self):
        self.engine.put_items(good("boosted"), good("unboosted", kind="video"))
        page = self.engine.rank(["a", "b"], user_id="owner")
        proof = next(each["token"] for each in page["items"] if "token" in each)
        raw = bytearray(base64.urlsafe_b64decode(proof + "=" * (-len(proof) % 4)))
        forged = []
        for at in range(0, len(raw), 7):
            raw[at] ^= 1
            forged.append(base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))
            raw[at] ^= 1
        genuine = self.event.seen(page, "boosted", "owner")
        bad = [{**genuine, "event_id": f"f{i}", "token": token}
               for i, token in enumerate([*forged, proof[:-4], proof + "AAAA", "x", "!" * 80])]
        bad += [{**genuine, "event_id": f"m{i}", **change}
                for i, change in enumerate([{"user_id": "thief"}, {"item_id": "unboosted"},
                                            {"request_id": "another"}])]
        self.engine.send(*bad)
        self.assertEqual((self.grown("bad_token"), self.grown("applied")), (len(bad), 0))
        self.engine.send(genuine)
        self.assertEqual(self.grown("applied"), 1)

    def test_events_of_unknown_items_show_once_the_item_exists(self):
        self.engine.send(self.event("click", item="to-come"), self.event("like", item="to-come"))
        self.engine.put_items(good("to-come", creator_id="late-comer"))
        totals = self.engine.totals("late-comer")
        self.assertEqual((totals["clicks"], totals["likes"]), (1, 1))

    def test_refunds_never_exceed_their_order_and_may_come_first(self):
        self.engine.put_items(good("sold", creator_id="seller"))
        self.engine.send(self.event("refund", item="sold", order_id="o1", amount_fen=900))
        self.engine.send(self.event("order", item="sold", order_id="o1", amount_fen=500),
                         self.event("order", item="sold", order_id="o2", amount_fen=700))
        self.engine.send(self.event("refund", item="sold", order_id="o2", amount_fen=200))
        totals = self.engine.totals("seller")
        self.assertEqual((totals["orders"], totals["amount_fen"]), (2, 500))

    def test_accepted_events_are_all_accounted_for_and_survive_a_kill(self):
        events = [self.event(item=f"i{n % 7}") for n in range(500)]
        self.engine.send(*events, *events[:50], drain=False)
        self.engine.restart()
        self.assertEqual((self.grown("applied"), self.grown("duplicate")), (500, 50))
        self.engine.send(*events)  # a sender that did not hear the answer sends again
        counts = self.engine.drain()
        self.assertEqual((self.grown("applied"), self.grown("duplicate")), (500, 550))
        self.assertEqual(counts["accepted"],
                         sum(counts[end] for end in ("applied", "duplicate", "late", "dead")))


class TokenExpiryTest(unittest.TestCase):
    @unittest.skipUnless(BIN.exists(), "the engine is not built")
    def test_an_expired_token_leaves_an_organic_event_and_orders_have_a_week(self):
        event = Events(T0)
        with Engine({"goods": program("goods")}, {"clock": "caller"}) as engine:
            engine.put_items(good("g1", creator_id="f1"))
            page = engine.rank(["a"], now_ms=T0)
            last = event.seen(page, "g1", ts_ms=T0 + DAY_MS)
            past = event.seen(page, "g1", ts_ms=T0 + DAY_MS + 1)
            order = {**event.seen(page, "g1", ts_ms=T0 + DAY_MS + 2), "type": "order",
                     "order_id": "o1", "amount_fen": 100}
            engine.send(past)
            self.assertEqual(engine.drain()["token_expired"], 1)
            totals = engine.totals("f1")
            self.assertEqual((totals["viewable"], totals["boosted_viewable"]), (1, 0))
            engine.send(last, order)
            totals = engine.totals("f1")
            self.assertEqual((totals["boosted_viewable"], totals["boosted_orders"]), (1, 1))
            engine.send({**order, "event_id": "o2", "ts_ms": T0 + 7 * DAY_MS + 1})
            self.assertEqual((engine.drain()["token_expired"], engine.totals("f1")["orders"],
                              engine.totals("f1")["boosted_orders"]), (2, 2, 1))


class ExposureTest(EngineTest):
    """One set of events, and every way to look at it."""
    PROGRAMS = {"goods": program("goods", surfaces="[feed, search]")}
    SETTINGS = {"clock": "caller"}
    HOUR = T0 - T0 % 3_600_000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        event, engine = Events(cls.HOUR), cls.engine
        engine.put_items(good("g1", county="433124", title="=猕猴桃, 5斤"),
                         good("g2", county="500237", available=False),
                         good("v", kind="scenic_video", creator_id="scenic"))
        cls.page = engine.rank(["a", "g2"], now_ms=cls.HOUR)
        cls.boosted = event.seen(cls.page, "g1")
        cls.later = {"ts_ms": cls.HOUR + 3_600_000, "surface": "search"}
        engine.send(
            cls.boosted, {**cls.boosted, "event_id": "again"},  # one token, one viewable
            {**cls.boosted, "event_id": "click", "type": "click"},
            event("impression", "g2", "v1", surface="feed", viewable_ms=1000),
            event("impression", "g2", "v1", surface="feed", viewable_ms=5000),  # same half hour
            event("impression", "g2", "v2", surface="feed", viewable_ms=999),
            event("play", "g2", "v2", watch_ms=2000, surface="feed"),
            event("like", "g2", "v2", **cls.later), event("impression", "g2", "v1", **cls.later),
            event("impression", "g2", "v1", **{**cls.later, "viewable_ms": 1500}),
            event("order", "g2", "v2", order_id="o", amount_fen=990, **cls.later),
            event("impression", "v", "v1", viewable_ms=1999),
            event("impression", "v", "v2", viewable_ms=2000))

    def ask(self, query="from=0", creator="farmer"):
        return self.engine.expect(200, "GET", f"/v1/creators/{creator}/exposure?{query}").json

    def groups(self, by):
        return {each["key"]: each for each in self.ask(f"from=0&by={by}")["groups"]}

    def test_totals_are_what_was_sent(self):
        self.assertEqual(self.ask()["totals"], {
            "served": 7, "viewable": 4, "unique_viewers": 3, "clicks": 1, "plays": 1,
            "watch_ms": 2000, "likes": 1, "orders": 1, "amount_fen": 990, "boosted_viewable": 1,
            "boosted_orders": 0})

    def test_a_video_is_viewable_after_two_seconds_a_card_after_one(self):
        totals = self.ask(creator="scenic")["totals"]
        self.assertEqual((totals["served"], totals["viewable"]), (2, 1))

    def test_groups_add_up_to_the_totals(self):
        for by, keys in (("item", {"g1", "g2"}), ("county", {"433124", "500237"}),
                         ("surface", {"feed", "search"})):
            groups = self.groups(by)
            self.assertEqual(set(groups), keys, by)
            for name, total in self.ask()["totals"].items():
                if name != "unique_viewers":
                    self.assertEqual(sum(each[name] for each in groups.values()), total, (by, name))

    def test_a_programs_group_has_what_its_tokens_carried(self):
        group = self.groups("program")["goods"]
        self.assertEqual((group["boosted_viewable"], group["viewable"], group["clicks"]), (1, 1, 1))

    def test_series_have_a_point_an_hour_or_a_day(self):
        hours = self.ask()["series"]
        self.assertEqual([(p["ts_ms"], p["served"]) for p in hours if p["served"]],
                         [(self.HOUR, 5), (self.HOUR + 3_600_000, 2)])
        days = [p["served"] for p in self.ask("from=0&step=day")["series"] if p["served"]]
        self.assertEqual(sum(days), 7)

    def test_a_range_takes_the_hours_from_its_start_and_before_its_end(self):
        first = self.ask(f"from={self.HOUR}&to={self.HOUR + 3_600_000}")["totals"]
        second = self.ask(f"from={self.HOUR + 3_600_000}")["totals"]
        self.assertEqual((first["served"], second["served"]), (5, 2))

    def test_guarantees_name_the_creators_programs(self):
        guarantee = self.ask()["guarantees"][0]
        self.assertEqual((guarantee["program"], guarantee["goal"], guarantee["delivered"]),
                         ("goods", 1_000_000, 1))
        self.assertGreater(guarantee["pace"], 0)

    def test_csv_says_the_same_and_holds_no_formula(self):
        answer = self.engine.ask("GET", "/v1/creators/farmer/exposure?from=0&by=item",
                                 headers={"accept": "text/csv"})
        self.assertEqual(answer.headers["content-type"], "text/csv; charset=utf-8")
        rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
        totals = next(row for row in rows if row["section"] == "totals")
        for name, total in self.ask()["totals"].items():
            self.assertEqual(totals[name], str(total), name)
        self.assertEqual({r["key"]: r["served"] for r in rows if r["section"] == "groups"},
                         {"g1": "2", "g2": "5"})
        self.assertEqual([int(r["ts_ms"]) for r in rows if r["section"] == "series"
                          and r["served"] != "0"], [self.HOUR, self.HOUR + 3_600_000])
        self.assertFalse([cell for row in rows for cell in row.values() if cell[:1] in "=+-@"
                          and cell])

    def test_wrong_queries_are_refused_with_all_their_faults(self):
        answer = self.engine.ask("GET", "/v1/creators/farmer/exposure?from=x&to=-1&step=week&by=me")
        self.assert_refused(answer, 422, "?from", "?to", "?step", "?by")
        self.assert_refused(
            self.engine.ask("GET", "/v1/creators/farmer/exposure?from=2&to=1"), 422, "?from")

    def test_an_unknown_creator_is_404(self):
        self.assert_refused(self.engine.ask("GET", "/v1/creators/nobody/exposure"), 404)


class BadInputTest(EngineTest):
    def raw(self, data):
        """The answer's status to bytes as they are; the sending may be cut short."""
        host, port = self.engine.address.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            # So that a server that refuses amid the request is heard.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                return int(connection.makefile("rb").readline().split()[1])
            except (ConnectionResetError, IndexError):
                return None

    def head(self, *lines):
        return ("POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n" + "".join(
            line + "\r\n" for line in lines)).encode()

    def test_a_body_of_10_megabytes_is_413(self):
        self.assertEqual(self.raw(self.head("content-type: application/json",
                                            "content-length: 10485760", "")), 413)
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        chunked = self.head("content-type: application/json", "transfer-encoding: chunked", "")
        self.assertIn(self.raw(chunked + chunk * 10), (413, None))
        self.assertEqual(self.engine.ask("GET", "/healthz").status, 200)

    def test_100_000_headers_are_431_at_most_16_kib_are_read(self):
        self.assertEqual(self.raw(self.head(*(f"x-{i}: 1" for i in range(100_000)), "")), 431)
        self.assertEqual(self.raw(self.head("x: " + "y" * 20_000, "")), 431)
        self.assertEqual(self.engine.ask("GET", "/healthz").status, 200)

    def test_other_content_types_are_415_and_nothing_is_applied(self):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            for method, target in (("PUT", "/v1/items"), ("POST", "/v1/events"),
                                   ("POST", "/v1/rank")):
                body = {"items": [good("simple")]}
                self.assert_refused(self.engine.ask(method, target, body, content_type=kind), 415)
        self.assertEqual(self.engine.ask("GET", "/v1/items/simple").status, 404)

    def test_parameters_and_case_of_a_content_type_do_not_matter(self):
        answer = self.engine.ask("PUT", "/v1/items", {"items": []},
                                 content_type="Application/JSON; charset=utf-8")
        self.assertEqual(answer.status, 200, answer)

    def test_what_is_no_json_is_400(self):
        for body in ("", "{", "[1,]", "nul", '{"a":1}{"b":2}', '{"a":"\x01"}', b'{"a":"\xff"}',
                     "[" * 100_000):
            for method, target in (("PUT", "/v1/items"), ("POST", "/v1/events"),
                                   ("POST", "/v1/rank"), ("PUT", "/v1/creators")):
                self.assert_refused(self.engine.ask(method, target, body), 400)

    def test_other_json_than_an_object_is_422(self):
        for body in ("[]", "7", "null", '"text"'):
            for method, target in (("PUT", "/v1/items"), ("POST", "/v1/rank"),
                                   ("PUT", "/v1/creators"), ("POST", "/v1/events")):
                self.assert_refused(self.engine.ask(method, target, body), 422)

    def test_a_wrong_method_is_405_with_those_that_are_allowed(self):
        for method, target, allowed in (("GET", "/v1/rank", "POST"), ("POST", "/v1/items", "PUT"),
                                        ("PUT", "/v1/items/x", "GET, PATCH, DELETE"),
                                        ("DELETE", "/healthz", "GET")):
            answer = self.engine.ask(method, target, {} if method != "GET" else None)
            self.assert_refused(answer, 405)
            self.assertEqual(answer.headers["allow"], allowed)

    def test_an_unknown_path_is_404(self):
        for target in ("/v1", "/v1/rank/", "/v1/items/a/b", "/v2/rank", "/static/../engine.yaml",
                       "/static/%2e%2e%2fengine.yaml"):
            self.assert_refused(self.engine.ask("GET", target), 404)

    def test_too_many_of_anything_is_refused_whole(self):
        event = Events()
        many = {"events": [event() for _ in range(10_001)]}
        self.assertIn(self.engine.ask("POST", "/v1/events", many).status, (413, 422))
        items = {"items": [good(f"m{n}") for n in range(10_001)]}
        self.assertIn(self.engine.ask("PUT", "/v1/items", items).status, (413, 422))
        ids = [f"c{n}" for n in range(1_001)]
        self.assert_refused(self.engine.ask_rank(ids), 422, "/candidates")
        self.assertEqual(self.engine.stats()["events"]["accepted"], 0)
        self.assertEqual(self.engine.stats()["items"], 0)

    def test_every_answer_carries_a_request_id_and_the_callers_comes_back(self):
        for method, target in (("GET", "/healthz"), ("GET", "/nowhere"), ("POST", "/v1/rank")):
            self.assertTrue(self.engine.ask(method, target).headers["x-request-id"])
            answer = self.engine.ask(method, target, headers={"x-request-id": "mine-7"})
            self.assertEqual(answer.headers["x-request-id"], "mine-7")

    def test_no_other_client_waits_for_a_slow_one(self):
        host, port = self.engine.address.split(":")
        slow = [socket.create_connection((host, int(port)), timeout=20) for _ in range(50)]
        try:
            for connection in slow:
                connection.sendall(self.head("content-length: 100", "")[:-20])
            begin = time.monotonic()
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda _: self.engine.ask("GET", "/healthz").status,
                                        range(100)))
            self.assertEqual(set(answers), {200})
            self.assertLess(time.monotonic() - begin, 5)
        finally:
            for connection in slow:
                connection.close()


if __name__ == "__main__":
    unittest.main()
