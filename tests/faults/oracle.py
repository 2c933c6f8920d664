"""What accepted events must have become, by the words of contract 2.2, in plain dictionaries and
integers: the independent judge of the fault tests. Nothing here knows the engine.

An Oracle is told every record in the order of its partition. Tokens are left out: the load's only
tokens are forged ones. Compared through the public API by compare()."""

from collections import Counter, defaultdict

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
VIEWABLE_MS = {"video": 2_000, "scenic_video": 2_000}  # every other kind: 1,000
NUMBERS = ("served", "viewable", "clicks", "plays", "watch_ms", "likes", "orders", "amount_fen")
NAMES = {"impression": "served", "click": "clicks", "play": "plays", "like": "likes",
         "order": "orders"}
SKETCH_EXACT, SKETCH_ERROR = 64, 5 * 0.0325  # features/sketch.h


class Oracle:
    """`kinds`: item -> kind, of every item that the catalogue has, before the first event."""

    def __init__(self, kinds, caller_clock=False):
        self.kinds, self.caller_clock = kinds, caller_clock
        self.ends = Counter()  # accepted, applied, duplicate, late, dead
        self.dead_by_reason = Counter()
        self.hours = defaultdict(lambda: defaultdict(Counter))  # item -> hour -> numbers
        self.viewers = defaultdict(set)  # item -> those with a viewable exposure
        self.events = Counter()  # user -> applied events
        self.watermarks = Counter()
        self.seen, self.exposures, self.orders = {}, set(), {}

    def accept(self, event, accepted_ms, partition=0):
        """One record of the log. An event's times must be far from accepted_ms + 10 minutes."""
        self.ends["accepted"] += 1
        end = self._end(event, accepted_ms, partition)
        if end not in ("applied", "duplicate", "late"):
            self.dead_by_reason[end] += 1
            end = "dead"
        self.ends[end] += 1

    def forget(self, user):
        self.events.pop(user, None)

    def _end(self, event, accepted_ms, partition):
        ts = event["ts_ms"]
        if not self.caller_clock and ts > accepted_ms + 10 * MINUTE_MS:
            return "ts_in_future"
        watermark = self.watermarks[partition] = max(self.watermarks[partition], ts)
        late = ts < watermark - DAY_MS
        if not late and self._repeated(event, watermark):
            return "duplicate"
        if "token" in event:
            return "bad_token"
        income = self._income(event)
        if late:
            return "late"
        self._count(event, income)
        return "applied"

    def _repeated(self, event, watermark):
        """The dedup window is 24 h of event time, kept to five minutes."""
        step, key = 5 * MINUTE_MS, (event["user_id"], event["event_id"])
        first = self.seen.get(key)
        if first is not None and first // step >= (watermark - DAY_MS) // step:
            return True
        self.seen[key] = event["ts_ms"]
        return False

    def _income(self, event):
        """What an order or refund changes; refunds never exceed their order."""
        if event["type"] not in ("order", "refund"):
            return 0
        order = self.orders.setdefault(event["order_id"], {"order": 0, "refund": 0, "of": set()})
        key = (event["user_id"], event["event_id"])
        if key in order["of"]:
            return 0
        order["of"].add(key)
        before = order["order"] - min(order["order"], order["refund"])
        order[event["type"]] += event["amount_fen"]
        return order["order"] - min(order["order"], order["refund"]) - before

    def _count(self, event, income):
        item, kind, ts = event["item_id"], event["type"], event["ts_ms"]
        self.events[event["user_id"]] += 1
        numbers = Counter()
        if kind in NAMES:
            numbers[NAMES[kind]] += 1
        numbers["watch_ms"] += event.get("watch_ms", 0)
        numbers["amount_fen"] += income
        looked = (kind == "impression" and event.get("viewable_ms", 0)
                  >= VIEWABLE_MS.get(self.kinds.get(item), 1_000)
                  or kind == "play" and event.get("watch_ms", 0) >= 2_000)
        exposure = (event["user_id"], item, ts // 1_800_000)
        if looked and exposure not in self.exposures:
            self.exposures.add(exposure)
            self.viewers[item].add(event["user_id"])
            numbers["viewable"] += 1
        hour = self.hours[item][ts // HOUR_MS]
        for name, number in numbers.items():  # not +=, which drops what is negative
            hour[name] += number

    # --- Comparing ---

    def differences(self, ask, creators, users=()):
        """What the engine says otherwise, as texts. `ask(target)` GETs JSON, None for 404;
        `creators`: creator -> its items; `users`: whose event counts are asked for too."""
        wrong = []

        def same(where, want, got):
            if want != got:
                wrong.append(f"{where}: {got}, must be {want}")

        stats = ask("/v1/stats")["events"]
        for end in ("accepted", "applied", "duplicate", "late", "dead"):
            same(end, self.ends[end], stats[end])
        same("dead_by_reason", dict(self.dead_by_reason), stats["dead_by_reason"])
        for creator, items in creators.items():
            self._compare_creator(ask, creator, items, same)
        for user in users:
            profile = ask(f"/v1/users/{user}")
            same(user, self.events[user], profile["events"] if profile else 0)
        return wrong

    def _compare_creator(self, ask, creator, items, same):
        span = f"/v1/creators/{creator}/exposure?from=0&to={4_000_000_000_000}"
        report = ask(f"{span}&step=day&by=item")
        groups = {group["key"]: group for group in report["groups"]}
        total = Counter()
        for item in items:
            want = Counter()
            for hour in self.hours[item].values():
                for name, number in hour.items():
                    want[name] += number
                    total[name] += number
            got = groups.get(item, defaultdict(int))
            same(item, {n: want[n] for n in NUMBERS}, {n: got[n] for n in NUMBERS})
            people = len(self.viewers[item])
            off = abs(got["unique_viewers"] - people)
            if off > (0 if people <= SKETCH_EXACT else SKETCH_ERROR * people):
                same(f"{item} unique_viewers", people, got["unique_viewers"])
        same(creator, {n: total[n] for n in NUMBERS}, {n: report["totals"][n] for n in NUMBERS})
        days = defaultdict(Counter)
        for item in items:
            for hour, numbers in self.hours[item].items():
                day = (hour + 8) // 24 * DAY_MS - 8 * HOUR_MS
                for name, number in numbers.items():
                    days[day][name] += number
        want = {day: {n: numbers[n] for n in NUMBERS} for day, numbers in days.items()
                if any(numbers.values())}
        got = {point["ts_ms"]: {n: point[n] for n in NUMBERS} for point in report["series"]}
        same(f"{creator} by day", want, got)
