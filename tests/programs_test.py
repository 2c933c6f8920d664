#!/usr/bin/env python3
"""Each program of the field does what the comment of its file says (configs/programs): the shipped
files in front of an engine with a caller's clock, over the API alone. What depends on days is in
programs_days_test.py. Run: SHANHUO_BIN=... python3 tests/programs_test.py"""

import unittest

from field_programs import HOUR_MS, ORGANIC, FieldTest, at, boosted, item, text_of
from engine_process import DAY_MS, program

NOW = at("2026-11-11T10:00:00")
BEIJING, HUAYUAN = {"lat": 39.90, "lon": 116.40}, {"lat": 28.57, "lon": 109.48}


class LiveRoomTest(FieldTest):
    """直播间多带一件农货"""
    LINEUP = [f"host-{n}" for n in range(6)]

    def test_every_room_gets_one_good_in_the_front_row_for_three_minutes(self):
        field = self.field("live-room-one-more")
        field.put_items(*(item(f"good-{n}") for n in range(30)))
        field.await_room(NOW)
        shown = []
        for n in range(40):
            page = field.room(NOW, f"room-{n}", self.LINEUP)
            shown += boosted(page)
            self.assertEqual(len(shown), n + 1, page)
            self.assertEqual((shown[n]["position"], shown[n]["hold_ms"]), (1, 180_000), page)
            self.assertEqual([each["item_id"] for each in page["items"]
                              if each["source"] == "organic"], self.LINEUP)
        for n, good in enumerate(shown):
            later, = boosted(field.room(NOW + 59_000, f"room-{n}", self.LINEUP, "late viewer"))
            self.assertEqual((later["item_id"], later["hold_ms"]), (good["item_id"], 121_000))

    def test_a_good_of_the_back_row_comes_to_the_front_and_stands_there_once(self):
        field = self.field("live-room-one-more")
        field.put_items(item("corn"))
        field.await_room(NOW)
        page = field.room(NOW, "room", [*self.LINEUP, "corn"])
        self.assertEqual([each["item_id"] for each in page["items"]],
                         ["host-0", "corn", *self.LINEUP[1:]])


class HeadlineTest(FieldTest):
    """山货上头条"""

    def test_a_branded_good_gets_its_exposure_and_its_orders_and_no_more(self):
        goals = ("at_least: 130000, per: total, missed_value_fen: 3",
                 "at_least: 12, per: total, missed_value_fen: 3")
        orders = ("at_least: 130000, at_most: 136000", "at_least: 2, at_most: 3")
        field = self.field(shibadong_kiwi=text_of("shibadong-kiwi", goals=goals, orders=orders))
        kiwi = {"county": "433124", "category": "fruit", "creator_id": "farmer-shi"}
        field.put_items(item("kiwi-5", **kiwi), item("kiwi-12", **kiwi),
                        item("plum", county="500237", category="fruit"))
        field.await_shown(NOW, "first")
        shown = 0
        for n in range(40):
            now = NOW + n * 60_000
            page = field.page(now, f"viewer-{n}")
            field.watch(page, now, f"viewer-{n}")
            for kiwi_shown in boosted(page):
                shown += 1
                self.assertIn(kiwi_shown["item_id"], ("kiwi-5", "kiwi-12"))
                self.assertEqual(kiwi_shown["label"], {"kind": "public_good", "text": "助农好物"})
                if shown in (4, 8, 12):
                    field.act("order", now, kiwi_shown["item_id"], f"viewer-{n}",
                              order_id=f"order-{n}", amount_fen=3990, token=kiwi_shown["token"],
                              request_id=page["request_id"])
        views, orders = field.goals("shibadong-kiwi")
        self.assertEqual((views["unit"], views["target"], views["delivered"]),
                         ("viewable", 12, shown))
        self.assertEqual((orders["unit"], orders["delivered"]), ("order", 3))
        self.assertEqual(shown, 12)  # the third order is the cap


class ScenicTest(FieldTest):
    """山里DOU是好风光"""

    def test_mountain_views_go_to_viewers_who_love_travel(self):
        field = self.field("scenic-view")
        field.put_items(item("yonghe", "scenic_video", category="scenic", county="141032"),
                        item("abroad", "scenic_video", category="scenic"),
                        *(item(f"{kind}-{n}", "video", category=kind)
                          for kind in ("旅游", "体育") for n in range(4)))
        for user, kind in (("traveller", "旅游"), ("fan", "体育")):
            for n in range(4):
                field.act("click", NOW, f"{kind}-{n}", user)
        self.assertEqual(field.await_shown(NOW, "traveller"), ["yonghe"])
        self.assertEqual(field.shown(NOW, "fan"), [])
        self.assertEqual(field.shown(NOW, "stranger"), [])

    def test_a_challenge_is_one_group_of_a_tag_with_its_own_board(self):
        field = self.field("scenic-challenge")
        tags = ["旅游", "山里DOU是好风光"]
        field.put_items(item("dawn", "video", tags=tags), item("dusk", "scenic_video", tags=tags),
                        item("snow", "video", tags=tags), item("other", "video", tags=["旅游"]))
        shown = [each for n in range(6) for each in field.await_shown(NOW + n, f"viewer-{n}")]
        self.assertTrue(shown)
        self.assertLessEqual(set(shown), {"dawn", "dusk", "snow"})
        for video, viewers, likes in (("dusk", 3, 1), ("dawn", 2, 2), ("other", 4, 4)):
            for n in range(viewers):
                field.act("impression", NOW, video, f"v{n}", viewable_ms=3000)
            for n in range(likes):
                field.act("like", NOW, video, f"v{n}")

        def board(query=""):
            return [(row["rank"], row["item_id"]) for row in
                    field.board("scenic-challenge", query)]
        self.assertEqual(board(), [(1, "dusk"), (2, "dawn")])
        self.assertEqual(board("?by=likes&count=1"), [(1, "dawn")])
        self.assertEqual(board(f"?from={NOW + HOUR_MS}"), [])
        row = field.board("scenic-challenge")[0]
        self.assertEqual((row["viewable"], row["likes"], row["creator_id"], row["done"]),
                         (3, 1, "of-dusk", False))
        for query in ("by=beauty", "count=0", "count=201", "from=yesterday"):
            answer = field.ask("GET", "/v1/programs/scenic-challenge/board?" + query)
            self.assertEqual(answer.status, 422, query)
        self.assertEqual(field.ask("GET", "/v1/programs/nothing/board").status, 404)

    def test_certified_spots_are_those_with_the_grade_in_the_832_counties(self):
        field = self.field("scenic-certified")
        spot = {"kind": "scenic_video", "category": "scenic"}
        field.put_items(item("river", **spot, county="141032", tags=["5A景区"]),
                        item("village", **spot, county="141032", tags=["旅游"]),
                        item("palace", **spot, county="110101", tags=["5A景区"]))
        for surface in ("feed", "search", "detail"):
            self.assertEqual(field.await_shown(NOW, f"v-{surface}", surface), ["river"])

    def test_the_opening_screen_shows_a_view_once_a_day(self):
        field = self.field("scenic-open-screen")
        field.put_items(*(item(f"view-{n}", "scenic_video", category="scenic", county="141032")
                          for n in range(2)))

        def opening(now, user="viewer"):
            return field.shown(now, user, "open_screen", organic=[], count=1)
        field.await_shown(NOW, "first", "open_screen", organic=[], count=1)
        first = opening(NOW)
        self.assertEqual(len(first), 1)
        self.assertEqual(opening(NOW + HOUR_MS), [])
        self.assertEqual(len(opening(NOW + HOUR_MS, "another")), 1)
        second = opening(NOW + DAY_MS)
        self.assertEqual(sorted(first + second), ["view-0", "view-1"])
        self.assertEqual(opening(NOW + 2 * DAY_MS), [])  # each once a week
        self.assertEqual(field.shown(NOW, "reader"), [])


class PeopleTest(FieldTest):
    """扶贫达人培训, 三农合伙人"""

    def groups(self, field, **groups):
        field.expect(200, "PUT", "/v1/creators", {"creators": [
            {"creator_id": name, "name": name, "groups": of} for name, of in groups.items()]})

    def test_trained_creators_get_their_first_exposures_then_merit_decides(self):
        field = self.field(new_creators=text_of("new-creators", until=("reaches: 1000",
                                                                       "reaches: 5")))
        field.put_items(item("egg", creator_id="anna"), item("lake", "video", creator_id="anna"),
                        item("rice", creator_id="bo"), item("phone", creator_id="carl"))
        self.groups(field, anna=["trained", "county"], bo=["trained"], carl=["county"])
        field.await_shown(NOW, "first")
        shown = [each for _ in range(4) for each in field.shown(NOW)]
        self.assertEqual(sorted(shown), ["egg", "lake", "rice"])
        for n in range(5):  # whoever showed them: seen is seen
            field.act("impression", NOW, ("egg", "lake")[n % 2], f"seen-{n}", viewable_ms=3000)
        field.done("new-creators", "egg", "lake")
        after = [field.shown(NOW, f"later-{n}") for n in range(10)]
        self.assertEqual(after, [["rice"]] * 10)
        page = field.page(NOW, "last", organic=["egg", *ORGANIC[:5]])
        self.assertEqual(page["items"][0]["item_id"], "egg")  # on its merit

    def test_partners_are_whoever_is_in_the_group_now(self):
        field = self.field("partners")
        field.put_items(item("tea", creator_id="dora"))
        self.groups(field, dora=[])
        self.assertEqual(field.shown(NOW, "before"), [])
        self.groups(field, dora=["partner"])
        self.assertEqual(field.await_shown(NOW, "while"), ["tea"])
        self.groups(field, dora=["county"])
        self.assertEqual(field.shown(NOW, "after"), [])


class PairedRegionsTest(FieldTest):
    """京蒙协作, 东西部协作"""

    def counties_shown(self, field, city):
        """First two digits of the counties of what a viewer of the city is shown in a day."""
        return {each[:2] for _ in range(4) for each in
                field.shown(NOW, f"viewer in {city}", context={"city": city})}

    def test_viewers_in_beijing_see_goods_and_places_of_inner_mongolia(self):
        field = self.field("paired-inner-mongolia")
        field.put_items(item("15-beef", county="152202"), item("43-kiwi", county="433124"),
                        item("15-lake", "scenic_video", county="152202"))
        field.await_shown(NOW, "first", context={"city": "北京"})
        shown = [each for city in ("北京", "北京市", "北京", "北京市")
                 for each in field.shown(NOW, "a", context={"city": city})]
        self.assertEqual(sorted(shown), ["15-beef", "15-beef", "15-lake", "15-lake"])
        for context in ({"city": "上海"}, {}):
            self.assertEqual(field.shown(NOW, "b", context=context), [])

    def test_other_pairs_are_lines_of_a_table(self):
        field = self.field("paired-regions")
        counties = {"15": "152202", "43": "433124", "45": "451027", "50": "500237", "51": "513433",
                    "52": "522323", "53": "532901", "61": "610524", "62": "621126", "63": "630121",
                    "64": "640323"}
        field.put_items(*(item(f"{province}-good", county=county)
                          for province, county in counties.items()))
        field.await_shown(NOW, "first", context={"city": "上海"})
        for city, provinces in (("天津", {"62"}), ("上海", {"53"}), ("南京", {"61", "63"}),
                                ("杭州", {"51"}), ("厦门", {"64"}), ("济南", {"50", "62"}),
                                ("深圳", {"45", "52"}), ("北京", set()), ("拉萨", set())):
            self.assertEqual(self.counties_shown(field, city), provinces, city)


class LabelledGroupsTest(FieldTest):
    """公益宝贝, 绿色商品, 非遗, 新农人的店"""
    GROUPS = {"goods-for-good": 0.1, "green-goods": 0.05, "heritage-goods": 0.03,
              "young-founders": 0.05}

    def test_each_group_gets_its_share_of_the_slots_under_its_label(self):
        # Without them the well-known good wins every slot: viewers click it more.
        known = program("known", items="{category: known}", goals="[{unit: viewable, at_least: 1, "
                        "missed_value_fen: 1}]")
        field = self.field(*self.GROUPS, known=known, settings={"ranking.insertions_max": "1"})
        field.put_items(item("known", category="known"),
                        item("giving", donation={"cause": "trees", "permille": 10}),
                        item("green", tags=["绿色商品"]), item("carving", tags=["非遗"]),
                        item("homecomer", creator_id="young"))
        field.expect(200, "PUT", "/v1/creators", {"creators": [
            {"creator_id": "young", "name": "young", "groups": ["young_founder"]}]})
        for n in range(30):
            field.act("click", NOW, "known", f"fan-{n}")
        field.await_shown(NOW, "first")
        labels, shown = {}, []
        for batch in range(1, 41):
            now = NOW + batch * 60_000
            for n in range(10):
                for each in boosted(field.page(now, f"viewer-{batch}-{n}", score=0.02)):
                    shown.append(each["item_id"])
                    labels[each["item_id"]] = each["label"]["text"]
            field.next_prices(now)
        self.assertEqual(len(shown), 400)
        for name, share in self.GROUPS.items():
            goal, = field.goals(name)
            self.assertGreaterEqual(goal["delivered"], 0.8 * share * len(shown), (name, goal))
            self.assertLessEqual(goal["delivered"], goal["cap"] + 1, (name, goal))
        self.assertEqual({key: labels[key] for key in labels if key != "known"},
                         {"giving": "公益宝贝", "green": "绿色商品", "carving": "非遗",
                          "homecomer": "青年创业"})
        self.assertGreater(shown.count("known"), len(shown) / 3)


class CausesTest(FieldTest):
    """一花一梦想, 小红花"""

    def test_a_cause_is_shown_to_whom_it_interests_until_its_threshold(self):
        field = self.field(causes=text_of("causes", until=("reaches: 10000", "reaches: 3")))
        trees, music = ([float(i == k) for i in range(64)] for k in (0, 1))
        field.put_items(item("plant-trees", "cause", embedding=trees),
                        item("music-class", "cause", embedding=music),
                        item("forest", "video", embedding=trees),
                        item("concert", "video", embedding=music))
        for user, video in (("gardener", "forest"), ("singer", "concert")):
            field.act("click", NOW, video, user, times=3)

        def first(user, now=NOW):
            return field.await_shown(now, user)[0]
        self.assertEqual((first("gardener"), first("singer")), ("plant-trees", "music-class"))
        for n in range(3):
            field.act("deed", NOW, "plant-trees", f"giver-{n}", deed="walk")
        field.act("deed", NOW, "music-class", "giver-0", deed="walk")
        field.act("impression", NOW, "music-class", "giver-0", viewable_ms=2000)
        field.act("impression", NOW, "plant-trees", "giver-0", viewable_ms=2000)
        field.done("causes", "plant-trees")
        self.assertEqual(first("gardener", NOW + DAY_MS), "music-class")
        field.restart()  # what was reached stays reached
        field.done("causes", "plant-trees")


class ReunionTest(FieldTest):
    """团圆"""
    START = at("2026-11-22T08:00:00")

    def test_the_circle_grows_and_ends_at_once(self):
        on = text_of("reunion-notice", on=("enabled: false", "enabled: true"))
        field = self.field("live-room-one-more", "harvest-festival", "light-viewers",
                           reunion_notice=on)
        field.put_items(item("notice", "notice", county="433124", place=HUAYUAN),
                        *(item(f"good-{n}", county="433124", category="fruit") for n in range(9)))

        def sees(user, minutes, km, **fields):
            """Whether somebody so many kilometres north sees it."""
            place = {"lat": HUAYUAN["lat"] + km / 111.2, "lon": HUAYUAN["lon"]}
            page = field.page(self.START + minutes * 60_000, user, context={"place": place},
                              **fields)
            return "notice" in [each["item_id"] for each in boosted(page)]
        field.await_shown(self.START, "first", context={"place": HUAYUAN})
        for minutes, inside, outside in ((0, 4, 6), (30, 12, 13), (60, 19, 21), (210, 59, 61),
                                         (360, 99, 101), (2000, 99, 101)):
            self.assertTrue(sees(f"in-{minutes}", minutes, inside), minutes)
            self.assertFalse(sees(f"out-{minutes}", minutes, outside), minutes)
        far = field.page(self.START + 2000 * 60_000, "far", context={"place": BEIJING})
        self.assertTrue(boosted(far))
        self.assertFalse(sees("near", 2000, 4000))
        # Above every other program, for whom limits hold too: alone where a page takes one.
        self.assertTrue(sees("one", 2000, 1, count=1))
        # Resolved: gone from the next page on, in both ways.
        self.assertTrue(sees("before", 2001, 1))
        field.expect(200, "PATCH", "/v1/programs/reunion-notice", {"enabled": False})
        self.assertFalse(sees("after", 2001, 1))
        field.expect(200, "PATCH", "/v1/programs/reunion-notice", {"enabled": True})
        field.wait_until(lambda: sees("again", 2001, 1))
        field.expect(200, "PATCH", "/v1/items/notice", {"available": False})
        self.assertFalse(sees("home", 2001, 1))


class LightViewersTest(FieldTest):
    """用户分层"""

    def test_light_viewers_get_fewer_and_better_boosts_of_every_program(self):
        field = self.field("light-viewers", other=program(
            "other", items="{category: {$in: [honey, dull]}}",
            placement="{first_slot: 1, last_slot: 9, per_request_max: 3, min_gap: 1}"))
        field.put_items(*(item(f"good-{n}", category="honey") for n in range(20)),
                        item("bore", category="dull"))
        for n in range(250):  # seen by many, clicked by none
            field.act("impression", NOW, "bore", "heavy", viewable_ms=100)
        field.await_shown(NOW, "first")
        light = [field.shown(NOW + n * 60_000, "light") for n in range(6)]
        self.assertEqual([len(page) for page in light], [1, 1, 1, 0, 0, 0])
        self.assertNotIn("bore", sum(light, []))
        self.assertEqual(len(field.shown(NOW + DAY_MS + 120_001, "light")), 1)
        heavy = [field.shown(NOW + n * 60_000, "heavy") for n in range(6)]
        self.assertEqual([len(page) for page in heavy], [3] * 6)


if __name__ == "__main__":
    unittest.main()
