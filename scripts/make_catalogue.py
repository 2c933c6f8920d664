#!/usr/bin/env python3
"""Makes the shipped demo catalogue: OUT_DIR/items.ndjson and OUT_DIR/creators.ndjson.

Each line is one Item or one creator of the HTTP API. Names, counties and places are facts from
configs/catalogue/*.tsv and features/counties_832.inc; titles, prices, stock, people and videos are
made up. One seed and no clock: the same tables give the same bytes. Standard library only.
"""

import argparse
import json
import random
import re
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLES = ROOT / "configs" / "catalogue"
SEED = 20261111
VIDEOS = 20_000
VIDEO_CREATORS = 2_000
DAY_MS = 86_400_000
UNTIL_MS = 1_794_326_400_000  # 2026-11-11T00:00:00+08:00: everything was published before

PROVINCES = {
    "11": "北京", "12": "天津", "13": "河北", "14": "山西", "15": "内蒙古", "21": "辽宁",
    "22": "吉林", "23": "黑龙江", "31": "上海", "32": "江苏", "33": "浙江", "34": "安徽",
    "35": "福建", "36": "江西", "37": "山东", "41": "河南", "42": "湖北", "43": "湖南",
    "44": "广东", "45": "广西", "46": "海南", "50": "重庆", "51": "四川", "52": "贵州",
    "53": "云南", "54": "西藏", "61": "陕西", "62": "甘肃", "63": "青海", "64": "宁夏",
    "65": "新疆"}
GIVEN = ("小石", "阿梅", "老杨", "小田", "阿吉", "大山", "春燕", "老周", "小龙", "秀英", "阿木",
         "小满", "二妹", "建国", "阿朵", "小河", "老赵", "青青", "海棠", "阿勇", "桂花", "小松")
ROLES = {"fruit": ("果农", "农人"), "tea": ("茶农", "制茶人"), "meat": ("牧民", "养殖户"),
         "dairy": ("牧民",), "honey": ("养蜂人",), "herb": ("药农", "采药人"),
         "aquatic": ("渔家", "养鱼人"), "craft": ("手艺人",)}
WORDS = {  # category of goods: what a title says of it
    "fruit": ("现摘现发", "树上熟", "皮薄多汁", "坏果包赔", "自家果园", "脆甜爽口"),
    "nut": ("当季新货", "颗颗饱满", "原味烘干", "自家山上种的"),
    "grain": ("当季新粮", "不抛光不打蜡", "高山种植", "煮粥特别香", "石碾慢磨"),
    "oil": ("古法压榨", "头道油", "非转基因", "产地直供"),
    "tea": ("高山云雾", "手工采摘", "回甘耐泡", "一芽一叶", "当年新茶"),
    "meat": ("散养足日", "冷链到家", "现宰现发", "吃草长大", "炖汤鲜美"),
    "egg": ("散养现捡", "破损包赔", "当日新鲜"), "dairy": ("牧场直供", "奶香浓郁"),
    "aquatic": ("活水养殖", "肉质紧实", "清水吊养"),
    "honey": ("原蜜不加糖", "一年一割", "深山蜂场", "自然成熟"),
    "herb": ("道地药材", "无硫烘干", "三年以上", "切片免洗"),
    "spice": ("香味浓郁", "当年新货", "现磨更香"),
    "vegetable": ("现挖现发", "高山露地", "新鲜脆嫩", "不打农药"),
    "mushroom": ("段木栽培", "肉厚无根", "泡发率高", "当季干货"),
    "flower": ("低温烘干", "朵朵完整"), "craft": ("匠人手作", "非遗工坊")}
PROMISES = ("产地直发", "农家自产", "源头好货", "合作社直供", "助农好物", "包邮到家", "村里现发")
SCENES = (
    "{s}：看一眼就想出发", "航拍{s}，这才是大好河山", "在{s}等一场日出", "云海漫过{s}的清晨",
    "{s}一日游，路线都帮你排好了", "本地人带你逛{s}", "雨后的{s}，像一幅水墨画",
    "错峰去{s}，人少景更美", "{s}的秋天，层林尽染", "第一次到{s}，全家都舍不得走",
    "从山脚走到山顶，{s}走一遍", "{s}的星空，慢镜头", "一分钟看遍{s}", "守着{s}过日子的人")
HANDLES = ("的小厨房", "在路上", "说真话", "同学", "的日常", "工作室", "爱折腾", "慢生活", "大叔",
           "小课堂", "不加班", "看世界", "碎碎念", "俱乐部", "和她的猫", "老师")
CAUSES = (
    ("cause-school-meal", "山区孩子的热午餐"), ("cause-village-doctor", "给村医一个药箱"),
    ("cause-reading-corner", "乡村小学读书角"), ("cause-clean-water", "水窖：干净的一口水"),
    ("cause-elder-canteen", "村里的老年食堂"), ("cause-winter-coat", "一件过冬的新棉衣"),
    ("cause-saplings", "荒坡种下一棵树"), ("cause-music-class", "山里的音乐课"),
    ("cause-craft-mothers", "妈妈的刺绣工坊"), ("cause-mountain-road", "修好最后一公里"))
NOTICES = (
    ("433124", "寻人：花垣县走失老人，约78岁，穿蓝色外套，有线索请联系当地派出所"),
    ("500237", "寻人：巫山县走失老人，约81岁，说本地口音，拄竹拐杖"),
    ("141032", "寻人：永和县走失男孩，9岁，红色书包，见到请报警"),
    ("610524", "寻亲：合阳县，三十年前离家的哥哥，家人一直在等"),
    ("522323", "寻人：普安县走失妇女，约45岁，穿绿色雨衣"),
    ("152202", "寻人：阿尔山市走失游客，约60岁，灰色帽子"))


def rows(name):
    """The rows of one table, comments left out."""
    text = (TABLES / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def read_counties():
    """code -> (name, lat, lon) of the 832."""
    text = (ROOT / "features" / "counties_832.inc").read_text(encoding="utf-8")
    row = re.compile(r'^\{"(\d{6})", "([^"]+)", "[^"]+", \d{4}, ([\d.]+), ([\d.]+)\},$', re.M)
    return {m[1]: (m[2], float(m[3]), float(m[4])) for m in row.finditer(text)}


def read_kinds():
    """Kind of good -> category, tag, season (or None), packs [(text, lowest, highest yuan)]."""
    kinds = {}
    for key, category, tag, season, packs in rows("kinds.tsv"):
        window = None if season == "-" else dict(zip(("from", "to"), season.split("..")))
        split = (re.fullmatch(r"(.+)@(\d+)~(\d+)", pack) for pack in packs.split(";"))
        kinds[key] = (category, tag, window, [(m[1], int(m[2]), int(m[3])) for m in split])
    return kinds


def one_in(n, text):
    """One of `n`, by the text alone: what is added by it changes nothing else of the catalogue."""
    return zlib.crc32(text.encode()) % n == 0


class Catalogue:
    """Items and creators as they are made, in order; creators are made on first use."""

    def __init__(self):
        self.rng = random.Random(SEED)
        self.counties = read_counties()
        self.items = []
        self.creators = {}

    def published(self, days):
        """A time within the last `days` days, recent ones more often."""
        return UNTIL_MS - 1 - int(self.rng.random() ** 2 * days * DAY_MS)

    def place(self, county):
        """A point within about 5 km of the county's own."""
        _, lat, lon = self.counties[county]
        return {"lat": round(lat + self.rng.uniform(-0.05, 0.05), 4),
                "lon": round(lon + self.rng.uniform(-0.05, 0.05), 4)}

    def add_creator(self, creator_id, name, groups, trained=False):
        creator = {"creator_id": creator_id, "name": name, "groups": list(groups)}
        if trained:
            creator["groups"].append("trained")
            creator["trained_at_ms"] = UNTIL_MS - self.rng.randrange(2, 90) * DAY_MS
        self.creators[creator_id] = creator
        return creator_id

    def county_creator(self, county, number, category):
        creator_id = f"creator-{county}-{number}"
        if creator_id in self.creators:
            return creator_id
        role = self.rng.choice(ROLES.get(category, ("农人", "新农人", "山里人", "农家")))
        name = self.counties[county][0] + role + self.rng.choice(GIVEN)
        if creator_id == "creator-433124-1":
            name = "花垣县农人小石"
        groups = ["county"] + (["partner"] if self.rng.random() < 0.1 else [])
        groups += ["young_founder"] if one_in(8, creator_id) else []
        return self.add_creator(creator_id, name, groups, trained=self.rng.random() < 0.2)


def labels(item_id, category):
    """What shops say of some goods beside what they are."""
    made_by_hand = category == "craft" or (category == "tea" and one_in(3, item_id))
    return ["绿色商品"] * one_in(8, item_id + "g") + ["非遗"] * made_by_hand


def add_good(cat, kinds, item_id, creator, county, name, kind, pack):
    """One farm good in one pack."""
    category, tag, season, _ = kinds[kind]
    rng, (pack_text, low, high) = cat.rng, pack
    price = rng.randrange(low, high) * 100 + 90
    title = f"{name} {rng.choice(WORDS[category])} {pack_text} {rng.choice(PROMISES)}"
    item = {"item_id": item_id, "kind": "farm_good", "title": title, "creator_id": creator,
            "county": county, "category": category,
            "tags": [tag, PROVINCES[county[:2]], "助农", *labels(item_id, category)],
            "price_fen": price, "stock": rng.randrange(60, 6000), "place": cat.place(county)}
    if season:
        item["season"] = season
    item["published_at_ms"] = cat.published(120)
    if rng.random() < 0.6:
        item["benefit"] = {"households": rng.randrange(12, 900),
                           "income_fen_per_order": price * rng.randrange(30, 61) // 100}
    if rng.random() < 0.25:
        item["donation"] = {"cause": rng.choice(CAUSES)[0], "permille": rng.choice((5, 10, 20))}
    cat.items.append(item)


def add_goods(cat):
    """The field's goods in every pack, then each registered good in one pack of its kind."""
    kinds = read_kinds()
    field = [(county, name, kind) for what, county, name, kind in rows("field.tsv")
             if what == "good"]
    known = {(county, name) for county, name, _ in field}
    listed = [(county, name, kind) for county, name, kind in rows("goods.tsv")
              if (county, name) not in known]
    numbers = {}
    for position, (county, name, kind) in enumerate(field + listed):
        packs = kinds[kind][3]
        for pack in packs if position < len(field) else [cat.rng.choice(packs)]:
            number = numbers[county] = numbers.get(county, 0) + 1
            creator = cat.county_creator(county, 1 + (number - 1) // 2 % 2, kinds[kind][0])
            add_good(cat, kinds, f"good-{county}-{number:02}", creator, county, name, kind, pack)
    field_items = sum(len(kinds[kind][3]) for _, _, kind in field)
    for item in cat.rng.sample(cat.items[field_items:], 10):
        item["stock"] = 0  # sold out, as some always are


def add_spots(cat):
    """Videos of scenic spots: five of a known place, three where the county is one of the 832."""
    spots = [(county[:2], county, name, 5, []) for what, county, name, _ in rows("field.tsv")
             if what == "spot"]
    spots += [(province, county, name, 2 if county == "-" else 3, ["5A景区"])
              for province, county, name in rows("spots.tsv")]
    numbers = {}
    for province, county, name, videos, grade in spots:
        number = numbers[province] = numbers.get(province, 0) + 1
        for video, scene in enumerate(cat.rng.sample(SCENES, videos), start=1):
            item = {"item_id": f"spot-{province}{number:02}-{video:02}", "kind": "scenic_video",
                    "title": scene.format(s=name),
                    "creator_id": spot_creator(cat, province, county)}
            tags = ["旅游", PROVINCES[province], *grade]
            if county != "-":
                item["county"] = county
                item["place"] = cat.place(county)
                tags.append("山里DOU是好风光")
            item.update(category="scenic", tags=tags, published_at_ms=cat.published(180),
                        duration_ms=cat.rng.randrange(12_000, 95_000))
            cat.items.append(item)


def spot_creator(cat, province, county):
    """A creator of the county, else one of two who travel the province."""
    if county != "-":
        return cat.county_creator(county, cat.rng.choice((1, 2)), "scenic")
    creator_id = f"creator-spot-{province}-{cat.rng.choice((1, 2))}"
    if creator_id in cat.creators:
        return creator_id
    name = f"云游{PROVINCES[province]}{cat.rng.choice(GIVEN)}"
    return cat.add_creator(creator_id, name, ["partner"])


def add_rooms(cat):
    """Live rooms of the creators who show the most goods, those of the field's counties first."""
    goods = {}
    for item in cat.items:
        if item["kind"] == "farm_good":
            goods.setdefault(item["creator_id"], []).append(item)
    first = [f"creator-{county}-1" for what, county, *_ in rows("field.tsv")
             if what == "good" and f"creator-{county}-1" in goods]
    rest = sorted((c for c in goods if c not in first), key=lambda c: (-len(goods[c]), c))
    for creator in (first + rest)[:40]:
        good = goods[creator][0]
        name = cat.creators[creator]["name"]
        cat.items.append({
            "item_id": creator.replace("creator", "live"), "kind": "live_room",
            "title": f"{name}的直播间：{good['title'].split()[0]}今天上新",
            "creator_id": creator, "county": good["county"], "category": "live",
            "tags": ["直播", PROVINCES[good["county"][:2]], "助农"], "place": good["place"],
            "published_at_ms": cat.published(3)})


def add_causes_and_notices(cat):
    """Causes that goods give to, and urgent notices with the place where they begin."""
    charity = cat.add_creator("creator-charity-1", "山货公益", ["partner"])
    reunion = cat.add_creator("creator-reunion-1", "团圆寻人", ["partner"])
    for cause_id, title in CAUSES:
        cat.items.append({"item_id": cause_id, "kind": "cause", "title": title + " 公益宝贝",
                          "creator_id": charity, "category": "cause", "tags": ["公益"],
                          "published_at_ms": cat.published(180)})
    for number, (county, title) in enumerate(NOTICES, start=1):
        cat.items.append({"item_id": f"notice-{number:02}", "kind": "notice", "title": title,
                          "creator_id": reunion, "county": county, "category": "notice",
                          "tags": ["团圆", "寻人"], "place": cat.place(county),
                          "published_at_ms": cat.published(2)})


def add_video_creators(cat, tables):
    """Creators of organic videos; each keeps to one category. Returns category -> ids."""
    shares = [int(row[1]) for row in tables]
    by_category = {row[0]: [] for row in tables}
    for number in range(1, VIDEO_CREATORS + 1):
        # One for each category first, so that none is without.
        category = (tables[number - 1] if number <= len(tables)
                    else cat.rng.choices(tables, shares)[0])[0]
        name = cat.rng.choice(GIVEN) + cat.rng.choice(HANDLES) + str(cat.rng.randrange(10, 1000))
        trained = category == "三农" and cat.rng.random() < 0.15
        by_category[category].append(
            cat.add_creator(f"creator-v{number:04}", name, [], trained))
    return by_category


def video_title(cat, patterns, words, grown):
    """A title, its county (or None) and its subject (or None)."""
    pattern = cat.rng.choice(patterns)
    slots = {slot: cat.rng.choice(choices) for slot, choices in zip("abc", words)}
    county = None
    if "{county}" in pattern:
        county, crop = cat.rng.choice(grown)
        if "{a}" in pattern:
            slots["a"] = crop  # a county is shown with what it really grows
        slots["county"] = cat.counties[county][0]
    title = pattern.format(n=cat.rng.randrange(2, 30), **slots)
    return title, county, slots["a"] if "{a}" in pattern else None


def add_videos(cat):
    """Organic videos; a few creators of each category make most of them."""
    tables = rows("videos.tsv")
    makers = add_video_creators(cat, tables)
    shares = [int(row[1]) for row in tables]
    lists = {row[0]: [cell.split("|") for cell in row[3:]] for row in tables}
    grown = [(item["county"], item["tags"][0]) for item in cat.items
             if item.get("category") in ("fruit", "grain", "nut", "vegetable")]
    seen = set()
    for number in range(1, VIDEOS + 1):
        category, _, seconds, *_ = cat.rng.choices(tables, shares)[0]
        patterns, *words = lists[category]
        for _ in range(6):  # a few tries for a title that is not yet there
            title, county, subject = video_title(cat, patterns, words, grown)
            if title not in seen:
                break
        seen.add(title)
        low, high = map(int, seconds.split("~"))
        creators = makers[category]
        item = {"item_id": f"vid-{number:06}", "kind": "video", "title": title,
                "creator_id": creators[int(cat.rng.random() ** 2 * len(creators))]}
        if county:
            item["county"] = county
        item.update(category=category, tags=[category] + ([subject] if subject else []),
                    published_at_ms=cat.published(30),
                    duration_ms=int(low * (high / low) ** cat.rng.random() * 1000))
        cat.items.append(item)


def write_lines(path, records):
    lines = (json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in records)
    path.write_text("".join(lines), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR")
    out_dir = parser.parse_args().out_dir
    cat = Catalogue()
    for add in (add_goods, add_spots, add_rooms, add_causes_and_notices, add_videos):
        add(cat)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        write_lines(out_dir / "items.ndjson", cat.items)
        write_lines(out_dir / "creators.ndjson", cat.creators.values())
    except OSError as error:
        print(f"make_catalogue: {error}", file=sys.stderr)
        return 1
    print(f"{len(cat.items)} items, {len(cat.creators)} creators in {out_dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
