"""The shipped programs in front of an engine with a caller's clock, and viewers who do as they are
told. Shared by programs_test.py and programs_days_test.py; not a test itself."""

import unittest
from datetime import datetime, timedelta

from engine_process import BIN, ROOT, Engine, Events, candidates

PROGRAMS = ROOT / "configs" / "programs"
HOUR_MS = 3_600_000
ORGANIC = [f"video-{n}" for n in range(20)]
# Viewers hardly care for the organic list, so what a program offers is worth its slot at any price,
# and what does not show is kept out by the program itself.
DULL = 0.001


def at(text):
    """Milliseconds of a time in UTC+8."""
    return int(datetime.fromisoformat(text + "+08:00").timestamp() * 1000)


def days(first, last):
    """Noons from one day to another, both included."""
    noon = datetime.fromisoformat(first + "T12:00:00+08:00")
    while noon <= datetime.fromisoformat(last + "T12:00:00+08:00"):
        yield int(noon.timestamp() * 1000)
        noon += timedelta(days=1)


def text_of(program, **edits):
    """The shipped file. Edits by name: (what stands there, what is to stand there)."""
    text = (PROGRAMS / f"{program}.yaml").read_text(encoding="utf-8")
    for old, new in edits.values():
        assert text.count(old) == 1, f"{program}: {old!r} stands there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def item(item_id, kind="farm_good", **fields):
    return {"item_id": item_id, "kind": kind, "title": f"山里 {item_id}",
            "creator_id": f"of-{item_id}", **fields}


class Field(Engine):
    """`files`: program id -> its text, or None for the shipped one."""

    def __init__(self, *shipped, settings=None, **edited):
        files = {name: text_of(name) for name in shipped}
        files.update({name.replace("_", "-"): text for name, text in edited.items()})
        super().__init__(files, {"clock": "caller", **(settings or {})})
        self.event = Events()
        self.prices = 0

    def wait_indexed(self):
        """Tests wait for what they expect instead."""

    def page(self, now, user="viewer", surface="feed", organic=ORGANIC, score=DULL, **fields):
        return self.rank(now_ms=now, user_id=user, surface=surface,
                         candidates=candidates(*organic, score=score), **fields)

    def shown(self, now, user="viewer", surface="feed", **fields):
        """Ids of what was inserted."""
        return [each["item_id"] for each in boosted(self.page(now, user, surface, **fields))]

    def await_shown(self, *args, **fields):
        """The same, once there is something: what was just put is found a moment later."""
        shown = []
        self.wait_until(lambda: shown.extend(self.shown(*args, **fields)) or shown)
        return shown

    def await_room(self, now):
        """Waits until rooms get something."""
        rooms = (f"probe-{n}" for n in range(10**6))
        self.wait_until(lambda: boosted(self.room(now, next(rooms), ["x", "y"])))

    def room(self, now, room_id, lineup, user=None):
        return self.rank(surface="live_room", user_id=user, count=None, candidates=None,
                         now_ms=now, room={"room_id": room_id, "lineup": lineup})

    def watch(self, page, now, user="viewer", **fields):
        """Everything inserted is looked at, long enough to count."""
        self.event.now_ms = now
        self.send(*(self.event.seen(page, each["item_id"], user, **fields)
                    for each in boosted(page)))

    def act(self, kind, now, item_id, user="viewer", times=1, **fields):
        self.event.now_ms = now
        self.send(*(self.event(kind, item_id, user, **fields) for _ in range(times)))

    def goals(self, program):
        return self.expect(200, "GET", f"/v1/programs/{program}").json["goals"]

    def board(self, program, query=""):
        return self.expect(200, "GET", f"/v1/programs/{program}/board{query}").json["items"]

    def done(self, program, *ids):
        """Waits until exactly these items of the board have left the program."""
        self.wait_until(lambda: {each["item_id"] for each in self.board(program)
                                 if each["done"]} == set(ids))

    def next_prices(self, now):
        """Waits for a step of the prices since the last call; engine time must have gone on."""
        def version():
            page = self.page(now, "clerk", "search", organic=["x"], count=1)
            return int(page["versions"]["prices"])
        before = self.prices
        self.wait_until(lambda: version() > before)
        self.prices = version()


def boosted(page):
    return [each for each in page["items"] if each["source"] != "organic"]


@unittest.skipUnless(BIN.exists(), "the engine is not built")
class FieldTest(unittest.TestCase):
    def field(self, *shipped, **more):
        field = Field(*shipped, **more)
        self.addCleanup(field.close)
        return field
