"""What apps send to an engine under test, from a seed: a hot viewer and a hot item (half of all
events), 10 % repetitions, times shuffled within five minutes, 1 % late, clocks off by a day, events
ten years ahead, forged tokens, orders and refunds in any order. Batches of contract events; what
each must become is tests/faults/oracle.py's business. Reusable against any log."""

import json
import random

from faults.oracle import DAY_MS, HOUR_MS, MINUTE_MS

KINDS = ("farm_good", "video", "article", "scenic_video")
TYPES = ("impression",) * 10 + ("play",) * 4 + ("click",) * 3 + (
    "like", "comment", "share", "follow", "add_to_cart", "order", "refund", "dislike")
SURFACES = ("feed", "live_room", "search", "detail")

# Bodies of one event that the API must reject, and the reason it must give (streaming/codec.h).
POISON = (
    ("", None),  # an empty line is no event
    ('{"event_id":', "not_json"),
    ("x" * (1 << 20), "too_large"),
    ('{"event_id":"p","type":"click","user_id":"u","item_id":"i","ts_ms":NaN}', "not_json"),
    ('{"event_id":"p","type":"play","user_id":"u","item_id":"i","ts_ms":5,"watch_ms":1e308}',
     "type:watch_ms"),
    ('{"x":' + "[" * 100 + "]" * 100 + "}", "not_json"),
    ('{"event_id":"p","type":"teleport","user_id":"u","item_id":"i","ts_ms":5}',
     "unknown_event_type"),
    ('{"event_id":"p","type":"order","user_id":"u","item_id":"i","ts_ms":5}',
     "order_without_order_id"),
    ('{"event_id":"p","type":"click","user_id":"","item_id":"i","ts_ms":5}', "bad_id:user_id"),
)


class Load:
    """`now_ms()` is the time that the sending apps see."""

    def __init__(self, seed, now_ms, viewers=200, items=24, creators=4):
        self.random, self.now_ms = random.Random(seed), now_ms
        self.users = [f"viewer-{n}" for n in range(viewers)]
        self.kinds = {f"item-{n}": KINDS[n % len(KINDS)] for n in range(items)}
        self.creators = {f"creator-{n}": [f"item-{i}" for i in range(n, items, creators)]
                         for n in range(creators)}
        self.count, self.recent, self.hot = 0, [], 0.5

    def catalogue(self):
        """Items as PUT /v1/items takes them."""
        return [{"item_id": item, "kind": self.kinds[item], "title": item, "creator_id": creator}
                for creator, items in self.creators.items() for item in items]

    def batch(self, size):
        return [self.event() for _ in range(size)]

    def event(self):
        chance = self.random.random()
        if self.recent and chance < 0.1:
            return self.random.choice(self.recent)
        event = self._new()
        if chance < 0.11:
            event["ts_ms"] -= 25 * HOUR_MS  # late, as soon as anything is not
        elif chance < 0.115:
            event["ts_ms"] -= DAY_MS
        elif chance < 0.12:
            event["ts_ms"] += DAY_MS
        elif chance < 0.122:
            event["ts_ms"] += 10 * 365 * DAY_MS
        elif chance < 0.125:
            event["token"] = "Zm9yZ2Vk"
        if len(self.recent) < 1000:
            self.recent.append(event)
        else:
            self.recent[self.random.randrange(1000)] = event
        return event

    def _new(self):
        choice, hot = self.random.choice, self.random.random() < self.hot
        self.count += 1
        kind = choice(TYPES)
        event = {"event_id": f"e{self.count}", "type": kind,
                 "user_id": self.users[0] if hot else choice(self.users),
                 "item_id": f"item-{0 if hot else self.random.randrange(len(self.kinds))}",
                 "surface": choice(SURFACES),
                 "ts_ms": self.now_ms() - int(self.random.random() * 5 * MINUTE_MS)}
        if kind == "impression":
            event["viewable_ms"] = choice((0, 900, 1_500, 2_500))
        elif kind == "play":
            event["watch_ms"] = choice((0, 1_999, 2_000, 30_000))
        elif kind in ("order", "refund"):
            event["order_id"] = f"o{self.random.randrange(self.count // 20 + 10)}"
            event["amount_fen"] = self.random.randrange(10_000)
        return event


def ndjson(events):
    return "\n".join(json.dumps(event, separators=(",", ":")) for event in events).encode()
