#!/usr/bin/env python3
"""The engine from outside, the reading side: pages, live rooms and a caller's clock (contract 2.3).
Run: SHANHUO_BIN=... python3 tests/api_rank_test.py"""

import random
import threading
import time
import unittest

from engine_process import (BIN, DAY_MS, T0, Engine, EngineTest, Events, candidates, good,
                            program)

ORGANIC = [f"o{n}" for n in range(12)]
HOUR_MS = 3_600_000


def ids(page):
    return [item["item_id"] for item in page["items"]]


def of_source(page, source):
    return [item for item in page["items"] if item["source"] == source]


class RankTest(EngineTest):
    PROGRAMS = {
        "goods": program("goods", items="{category: fruit}",
                         placement="{first_slot: 2, last_slot: 6, per_request_max: 1, min_gap: 2}"),
        "adverts": program("adverts", items="{category: advert}", surfaces="[search]",
                           label="{kind: ad, zh-CN: 广告, en: Ad}")}
    SETTINGS = {"clock": "caller"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.now = T0
        cls.engine.put_items(*(good(f"kiwi-{n}", category="fruit", creator_id=f"farmer-{n}")
                               for n in range(3)), good("advert", category="advert"))

    def rank(self, organic=tuple(ORGANIC), **fields):
        return self.engine.rank(organic, **{"now_ms": self.now, "user_id": self.id(), **fields})

    def refused(self, *pointers, status=422, **fields):
        answer = self.engine.ask_rank(ORGANIC, **{"now_ms": self.now, **fields})
        self.assert_refused(answer, status, *pointers)

    def boost(self, page):
        boosted = of_source(page, "boost")
        self.assertEqual(len(boosted), 1, page)
        return boosted[0]

    def test_an_inserted_item_stands_in_its_slots_with_program_label_and_token(self):
        page = self.rank()
        good_shown = self.boost(page)
        self.assertEqual(good_shown["programs"], ["goods"])
        self.assertEqual(good_shown["label"], {"kind": "public_good", "text": "助农好物"})
        self.assertIn(good_shown["position"], range(2, 7))
        self.assertTrue(67 <= len(good_shown["token"]) <= 120)
        self.assertEqual([item["position"] for item in page["items"]], list(range(10)))
        self.assertEqual(page["degraded"], [])
        self.assertEqual(set(page["versions"]),
                         {"catalogue", "model", "programs", "prices", "experiments"})

    def test_organic_items_keep_their_order_and_their_scores(self):
        page = self.rank()
        organic = of_source(page, "organic")
        self.assertEqual([item["item_id"] for item in organic], ORGANIC[:9])
        self.assertEqual([item["score"] for item in organic],
                         [each["score"] for each in candidates(*ORGANIC)[:9]])
        self.assertFalse([item for item in organic if {"token", "programs", "label"} & set(item)])

    def test_no_organic_item_is_lost_while_there_is_room_and_few_give_a_short_page(self):
        page = self.rank(ORGANIC[:3], count=50)
        self.assertEqual([item["item_id"] for item in of_source(page, "organic")], ORGANIC[:3])
        self.assertLessEqual(len(page["items"]), 4)
        self.assertEqual(len(self.rank(ORGANIC, count=1)["items"]), 1)

    def test_a_boosted_item_of_the_list_moves_up_and_appears_once(self):
        organic = [*ORGANIC[:8], "kiwi-0", "kiwi-1", "kiwi-2"]
        page = self.rank(organic, count=11)
        self.assertEqual(sorted(ids(page)), sorted(organic))
        boosted = self.boost(page)
        self.assertLess(boosted["position"], organic.index(boosted["item_id"]))
        rest = [item for item in organic if item != boosted["item_id"]]
        self.assertEqual([i for i in ids(page) if i != boosted["item_id"]], rest)

    def test_a_program_acts_on_its_surfaces_alone(self):
        shown = self.boost(self.rank(surface="search"))
        self.assertEqual((shown["item_id"], shown["label"]["kind"]), ("advert", "ad"))
        page = self.rank(surface="detail")
        self.assertEqual((ids(page), of_source(page, "boost")), (ORGANIC[:10], []))

    def test_the_same_request_gets_the_same_slate_byte_for_byte(self):
        fields = {"now_ms": self.now, "user_id": "again", "request_id": "same"}
        first = self.engine.ask_rank(ORGANIC, **fields)
        self.engine.put_items(good("kiwi-new", category="fruit"))
        before = self.engine.stats()["rank"]["inserted"]
        for _ in range(3):
            self.assertEqual(self.engine.ask_rank(ORGANIC, **fields).body, first.body)
        self.assertEqual(self.engine.stats()["rank"]["inserted"], before)
        other = self.engine.rank(ORGANIC, **{**fields, "user_id": "another"})
        self.assertEqual(other["request_id"], "same")  # another viewer's id is another request
        self.engine.expect(204, "DELETE", "/v1/items/kiwi-new")

    def test_copies_of_a_request_at_once_get_one_slate(self):
        for round_number in range(10):
            bodies, start = [], threading.Barrier(6)

            def send(name=f"copy-{round_number}", bodies=bodies, start=start):
                start.wait()
                bodies.append(self.engine.ask_rank(ORGANIC, now_ms=self.now, user_id=name,
                                                   request_id=name).body)
            threads = [threading.Thread(target=send) for _ in range(6)]
            before = self.engine.stats()["rank"]["inserted"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len(set(bodies)), 1)
            self.assertEqual(self.engine.stats()["rank"]["inserted"] - before, 1)

    def test_the_same_request_id_with_another_body_is_a_conflict(self):
        self.engine.rank(ORGANIC, now_ms=self.now, request_id="taken")
        self.refused(status=409, request_id="taken", count=5)

    def test_a_candidate_that_stands_twice_is_refused(self):
        self.refused("/candidates/2/item_id", "/candidates/4/item_id",
                     candidates=candidates("a", "b", "a", "c", "b"))

    def test_all_wrong_fields_are_named_at_once(self):
        self.refused("/count", "/surface", "/user_id", "/candidates/0/score",
                     "/candidates/1/item_id", "/candidates/1/rank", "/context/place/lat",
                     "/context/personalized", "/explain", "/timeout_ms", "/page", count=201,
                     surface="wall", user_id="", explain="yes", timeout_ms=0, page=2,
                     candidates=[{"item_id": "a", "score": "high"}, {"score": 1, "rank": 2}],
                     context={"place": {"lat": 91, "lon": 0}, "personalized": 1})
        self.refused("/request_id", request_id=None)
        self.refused("/user_id", user_id=None)
        self.refused("/count", count=None)

    def test_with_no_time_left_the_organic_list_comes_back_never_an_error(self):
        for n in range(20):
            page = self.rank(timeout_ms=1, user_id=f"hurried-{n}")
            self.assertIn(len(page["items"]), (10,))
            self.assertEqual([i for i in ids(page) if i in ORGANIC],
                             ORGANIC[:10 - len(of_source(page, "boost"))])
            self.assertIn(page["degraded"], ([], ["timeout"]))
            if page["degraded"]:
                self.assertEqual(ids(page), ORGANIC[:10])

    def test_without_candidates_the_page_is_retrieved(self):
        page = self.rank((), count=5)
        self.assertTrue(page["items"])
        self.assertEqual({item["source"] for item in page["items"]}, {"retrieved"})
        for item in page["items"]:
            self.assertEqual(item["programs"], ["goods"])
            self.assertIn("token", item)
        values = [item["score"] for item in page["items"]]
        self.assertEqual(values, sorted(values, reverse=True))

    def test_scores_may_be_any_finite_number_and_candidates_unknown(self):
        scores = [1e300, 5.5, 0, -3, -1e300]
        page = self.rank(candidates=[{"item_id": f"u{i}", "score": s}
                                     for i, s in enumerate(scores)])
        self.assertEqual([item["item_id"] for item in of_source(page, "organic")],
                         [f"u{i}" for i in range(5)])
        for score in ("NaN", "Infinity", "1e999"):
            body = '{"request_id":"n","user_id":"u","surface":"feed","count":1,"now_ms":%d,' \
                   '"candidates":[{"item_id":"a","score":%s}]}' % (self.now, score)
            self.assertIn(self.engine.ask("POST", "/v1/rank", body).status, (400, 422))

    def test_what_is_off_is_never_inserted(self):
        self.engine.put_items(*(good(f"kiwi-{n}", category="fruit", creator_id=f"farmer-{n}",
                                     available=False) for n in range(3)),
                              good("one", category="fruit", creator_id="one-farmer"))
        engine, season_over = self.engine, {"from": "01-01", "to": "01-31"}
        self.assertEqual(self.boost(self.rank())["item_id"], "one")
        for off, on in (({"available": False}, {"available": True}), ({"stock": 0}, {"stock": 4}),
                        ({"season": season_over}, {"season": None})):
            engine.expect(200, "PATCH", "/v1/items/one", off)
            self.assertEqual(ids(self.rank()), ORGANIC[:10], off)
            self.assertEqual(self.rank(())["items"], [], off)
            engine.expect(200, "PATCH", "/v1/items/one", on)
            self.assertEqual(self.boost(self.rank())["item_id"], "one", on)
        for block in ("item/one", "creator/one-farmer", "program/goods"):
            engine.expect(204, "PUT", f"/v1/blocks/{block}")
            self.assertEqual(ids(self.rank()), ORGANIC[:10], block)
            engine.expect(204, "DELETE", f"/v1/blocks/{block}")
            self.assertEqual(self.boost(self.rank())["item_id"], "one", block)
        engine.expect(204, "DELETE", "/v1/items/one")
        self.assertEqual(ids(self.rank()), ORGANIC[:10])
        engine.put_items(*(good(f"kiwi-{n}", category="fruit", creator_id=f"farmer-{n}")
                           for n in range(3)))

    def test_an_explanation_gives_each_item_a_reason(self):
        for item in self.rank(explain=True)["items"]:
            self.assertTrue(item["reason"]["code"] and item["reason"]["text"])
        self.assertFalse([item for item in self.rank()["items"] if "reason" in item])

    def test_pages_over_random_lists_keep_all_of_this(self):
        random.seed(7)
        for n in range(60):
            organic = random.sample([*ORGANIC, "kiwi-0", "kiwi-1", "kiwi-2", "advert"],
                                    random.randrange(1, 16))
            count = random.randrange(1, 20)
            page = self.rank(organic, count=count, user_id=f"random-{n}")
            boosted = [item["item_id"] for item in of_source(page, "boost")]
            kept = [item for item in organic if item not in boosted]
            room = min(count, len(kept) + len(boosted)) - len(boosted)
            self.assertEqual([i for i in ids(page) if i not in boosted], kept[:room])
            self.assertEqual(len(set(ids(page))), len(page["items"]))
            self.assertLessEqual(len(boosted), 1)
            for item in of_source(page, "boost"):
                self.assertIn(item["position"], range(2, 7))


@unittest.skipUnless(BIN.exists(), "the engine is not built")
class FrequencyTest(unittest.TestCase):
    def test_caps_count_insertions_over_a_sliding_window_and_across_surfaces(self):
        caps = "[{scope: item, window_s: 3600, max: 1}, {scope: program, window_s: 86400, max: 3}]"
        goods = program("goods", surfaces="[feed, search]", frequency=caps)
        with Engine({"goods": goods}, {"clock": "caller"}) as engine:
            engine.put_items(good("only"))

            def shown(now, surface="feed", user="viewer"):
                page = engine.rank(["a", "b"], now_ms=now, surface=surface, user_id=user)
                return "only" in ids(page)
            self.assertTrue(shown(T0))
            self.assertFalse(shown(T0 + 1, "search"))
            self.assertTrue(shown(T0 + 2, "search", "another viewer"))
            self.assertFalse(shown(T0 + HOUR_MS - 1))
            engine.wait_durable()
            engine.restart()
            self.assertFalse(shown(T0 + HOUR_MS - 1, "search"))  # caps hold over a restart
            self.assertTrue(shown(T0 + HOUR_MS, "search"))
            self.assertTrue(shown(T0 + 2 * HOUR_MS))
            self.assertFalse(shown(T0 + 5 * HOUR_MS))  # three of the program in a day
            self.assertTrue(shown(T0 + DAY_MS))
            self.assertEqual(engine.rank([], now_ms=T0 + DAY_MS)["items"], [])

    def test_caps_hold_among_requests_that_come_at_once(self):
        goods = program("goods", frequency="[{scope: all, window_s: 3600, max: 1}]")
        with Engine({"goods": goods}) as engine:
            engine.put_items(*(good(f"g{n}") for n in range(5)))
            for user in range(10):
                start, shown = threading.Barrier(6), []

                def send(number, user=user, start=start, shown=shown):
                    start.wait()
                    page = engine.rank(["a", "b"], user_id=f"u{user}", request_id=f"r{number}")
                    shown.append(len(of_source(page, "boost")))
                threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertEqual(sorted(shown), [0, 0, 0, 0, 0, 1])

    def test_a_cap_of_a_goal_is_never_passed(self):
        goals = "[{unit: viewable, at_least: 5, at_most: 7, missed_value_fen: 1000}]"
        # Nothing holds it back but its cap.
        settings = {"clock": "caller", "prices.credit_share": "0"}
        with Engine({"goods": program("goods", goals=goals)}, settings) as engine:
            engine.put_items(*(good(f"g{n}") for n in range(4)))
            event, delivered = Events(T0), 0
            for n in range(30):
                page = engine.rank(["a", "b"], now_ms=T0 + n * 300_000, user_id=f"u{n}")
                for item in of_source(page, "boost"):
                    event.now_ms = T0 + n * 300_000
                    engine.send(event.seen(page, item["item_id"], f"u{n}"))
                    delivered += 1
            goal = engine.expect(200, "GET", "/v1/programs/goods").json["goals"][0]
            self.assertEqual(goal["delivered"], delivered)
            self.assertTrue(5 <= delivered <= 7, delivered)


class ViewerTest(EngineTest):
    PROGRAMS = {"goods": program("goods")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine.put_items(
            *(good(f"{kind}-{n}", title=f"{title}{n}号", category=kind, creator_id=f"{kind}-{n}")
              for n in range(15) for kind, title in (("fruit", "高山猕猴桃"), ("tea", "云雾红茶"))))
        cls.event = Events()

    def top(self, user, **fields):
        return ids(self.engine.rank([], user_id=user, count=8, **fields))

    def fruit(self, page):
        return sum(item.startswith("fruit") for item in page)

    def test_what_a_viewer_clicks_changes_the_very_next_page(self):
        for user, kind in (("fruit fan", "fruit"), ("tea fan", "tea")):
            self.engine.send(*(self.event("click", f"{kind}-{n}", user) for n in range(4)))
            first = self.top(user)
            self.assertEqual(self.fruit(first), 8 if kind == "fruit" else 0, first)

    def test_somebody_new_gets_what_their_city_clicks(self):
        for city, kind in (("成都", "fruit"), ("哈尔滨", "tea")):
            for n in range(6):
                user, context = f"{city}-{n}", {"city": city}
                page = self.engine.rank([], user_id=user, count=30, context=context)
                shown = [self.event.seen(page, item, user) for item in ids(page)]
                liked = [self.event("click", each["item_id"], user, token=each["token"])
                         for each in page["items"] if each["item_id"].startswith(kind)]
                self.assertEqual((len(shown), len(liked)), (30, 15))
                self.engine.send(*shown, *liked)
        for city, fruits in (("成都", 8), ("哈尔滨", 0)):
            self.engine.wait_until(lambda city=city, fruits=fruits: fruits == self.fruit(
                self.top(self.id(), context={"city": city})))

    def test_impersonal_pages_use_no_profile_and_store_none(self):
        self.engine.send(*(self.event("click", f"fruit-{n}", "shy") for n in range(4)))
        impersonal = {"context": {"personalized": False}}
        self.assertEqual(self.top("shy", **impersonal), self.top("unseen", **impersonal))
        self.assertEqual(self.fruit(self.top("shy")), 8)


class RoomTest(EngineTest):
    PROGRAMS = {"room": program("room", surfaces="[live_room]",
                                room="{window_s: 3600, max: 1, hold_ms: 180000}",
                                frequency="[{scope: item, window_s: 7200, max: 1}]",
                                placement="{first_slot: 1, last_slot: 3, per_request_max: 1}")}
    SETTINGS = {"clock": "caller"}
    LINEUP = ["l0", "l1", "l2", "l3"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine.put_items(*(good(f"g{n}", creator_id=f"f{n}") for n in range(6)))
        cls.window = T0 - T0 % HOUR_MS + HOUR_MS

    def setUp(self):
        type(self).window += 10 * HOUR_MS  # each test has hours of its own

    def enter(self, now, user=None, room="room-1", **fields):
        return self.engine.rank(
            surface="live_room", user_id=user, count=None, candidates=None, now_ms=now,
            room={"room_id": room, "lineup": self.LINEUP}, **fields)

    def shown(self, page):
        item, = of_source(page, "boost")
        return item["item_id"], item["position"]

    def hold(self, page):
        return of_source(page, "boost")[0].get("hold_ms", 0)

    def test_every_viewer_sees_the_same_good_at_the_same_place_within_the_window(self):
        pages = [self.enter(self.window + n * 60_000, f"u{n}") for n in range(59)]
        pages.append(self.enter(self.window + HOUR_MS - 1))  # and who gave no id
        self.assertEqual(len({self.shown(page) for page in pages}), 1)
        self.assertEqual([i for i in ids(pages[0]) if i.startswith("l")], self.LINEUP)
        self.assertIn(self.shown(pages[0])[1], (1, 2, 3))
        self.assertEqual(of_source(pages[0], "boost")[0]["programs"], ["room"])

    def test_what_is_left_of_the_front_row_runs_down(self):
        holds = [self.hold(self.enter(self.window + seconds * 1000, f"h{seconds}", "holding"))
                 for seconds in (0, 1, 60, 179, 180, 600)]
        self.assertEqual(holds, [180_000, 179_000, 120_000, 1_000, 0, 0])

    def test_the_next_window_decides_anew_and_caps_count_each_window_once(self):
        seen = []
        for hour in range(4):
            for user in ("regular", "passer-by", None):
                page = self.enter(self.window + hour * HOUR_MS, user, "long-room")
            seen.append(self.shown(page)[0])
        for first, second in zip(seen, seen[1:]):
            self.assertNotEqual(first, second)  # once in two hours

    def test_a_restart_changes_nothing_in_the_room(self):
        before = self.enter(self.window, "early", "steady-room")
        self.engine.wait_durable()
        self.engine.restart()
        after = self.enter(self.window + 30_000, "late", "steady-room")
        self.assertEqual(self.shown(after), self.shown(before))
        self.assertEqual(self.hold(after), 150_000)
        scores = [of_source(page, "boost")[0]["score"] for page in (before, after)]
        self.assertEqual(scores[0], scores[1])
        nothing = self.enter(self.window + 2 * HOUR_MS, "late", "steady-room")
        self.assertNotEqual(self.shown(nothing), ("", 0))

    def test_a_token_of_the_room_counts_once_for_each_of_its_viewers(self):
        page = self.enter(self.window, None, "counted")
        item, event = self.shown(page)[0], Events(self.window)
        event.count = 5000
        farmer = "f" + item[1:]
        before = self.engine.totals(farmer)["boosted_viewable"]
        self.engine.send(*(event.seen(page, item, user, surface="live_room")
                           for user in ("v1", "v2", "v1", "v3", "v2")))
        self.assertEqual(self.engine.totals(farmer)["boosted_viewable"] - before, 3)

    def test_a_good_that_is_blocked_leaves_the_line_up_alone(self):
        item = self.shown(self.enter(self.window, "u", "blocking"))[0]
        self.engine.expect(204, "PUT", f"/v1/blocks/item/{item}")
        self.assertEqual(ids(self.enter(self.window + 1000, "u", "blocking")), self.LINEUP)
        self.engine.expect(204, "DELETE", f"/v1/blocks/item/{item}")
        again = self.enter(self.window + 2000, "u", "blocking")
        self.assertEqual(self.shown(again)[0], item)


@unittest.skipUnless(BIN.exists(), "the engine is not built")
class ClockTest(unittest.TestCase):
    def test_on_a_callers_clock_each_request_says_what_time_it_is(self):
        goods = program("goods", schedule="{start: 2026-09-21T00:00:00+08:00, "
                                          "end: 2026-09-23T00:00:00+08:00}")
        with Engine({"goods": goods}, {"clock": "caller"}) as engine:
            engine.put_items(good("g"))
            self.assertEqual(engine.ask_rank(["a"]).pointers, ["/now_ms"])
            shown = [len(engine.rank(["a"], now_ms=T0 + day * DAY_MS)["items"]) for day in (-1, 0)]
            self.assertEqual(shown, [1, 2])  # programs run by this clock
            engine.send(Events(T0 + 3 * DAY_MS)("click", "g"))  # events move it too
            self.assertEqual(engine.stats()["engine_time_ms"], T0 + 3 * DAY_MS)
            self.assertEqual(len(engine.rank(["a"], now_ms=T0)["items"]), 1)  # it never goes back
            engine.restart()
            self.assertEqual(engine.stats()["engine_time_ms"], T0 + 3 * DAY_MS)

    def test_on_the_wall_clock_nobody_may_say_what_time_it_is(self):
        with Engine({"goods": program("goods")}) as engine:
            answer = engine.ask_rank(["a"], now_ms=T0)
            self.assertEqual((answer.status, answer.pointers), (422, ["/now_ms"]))
            now = engine.stats()["engine_time_ms"]
            self.assertLess(abs(now - time.time() * 1000), 5_000)


if __name__ == "__main__":
    unittest.main()
