// Net counts against their slow twin: all events are kept, the rules are applied to the whole list,
// and what is left is counted again.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "features/feature_store.h"
#include "features/invalid_traffic.h"
#include "tests/feature_store_fixture.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kMinuteMs = 60'000;

InvalidTrafficOptions rate_rule(size_t events_max) {
  InvalidTrafficOptions options;
  options.events_max = events_max;
  return options;
}

FeatureStoreOptions with(const InvalidTrafficOptions& invalid) {
  FeatureStoreOptions options;
  options.invalid = invalid;
  return options;
}

int64_t newest(const std::vector<Sent>& all, size_t count) {
  int64_t last = INT64_MIN;
  for (size_t i = 0; i < count; ++i) {
    if (!all[i].late) last = std::max(last, all[i].ts);
  }
  return last;
}

// The rules, read off the header, on a list of events in the order of the log.
class Recount {
 public:
  Recount(const std::vector<Sent>& all, const InvalidTrafficOptions& options)
      : all_(all), options_(options) {
    find_invalid();
    count();
  }

  std::map<std::string, Counts> items;
  std::map<uint32_t, CountingOracle::Program> programs;
  std::map<std::string, int64_t> events;  // in profiles
  std::map<std::string, LedgerTotals> totals;
  uint64_t invalid = 0, taken_back = 0, flagged = 0;

 private:
  using Place = std::pair<std::string, int64_t>;  // viewer, window

  static bool money(const Sent& sent) {
    return sent.type == EventType::kOrder || sent.type == EventType::kRefund;
  }
  bool alone(const Sent& sent) const {
    const bool known = sent.item >= "good0" && sent.item < "good4";  // those that were put
    return (options_.self_events && known && sent.user == "farm") ||
           std::max(sent.watch_ms, sent.viewable_ms) > 24 * kHourMs;
  }
  int64_t window_of_event(const Sent& sent) const { return sent.ts / options_.window.count(); }

  void find_invalid() {
    std::map<Place, std::pair<size_t, int64_t>> sums;  // events, watch_ms
    int64_t watermark = INT64_MIN;
    for (size_t i = 0; i < all_.size(); ++i) {
      const Sent& sent = all_[i];
      watched_.push_back(false);
      if (sent.late) continue;
      watermark = std::max(watermark, sent.ts);
      const int64_t window = window_of_event(sent);
      const int64_t end = (window + 1) * options_.window.count();
      watched_[i] = options_.watches() && watermark < end + options_.take_back.count();
      if (!watched_[i]) continue;
      auto& [count, watch] = sums[{sent.user, window}];
      watch += std::max<int64_t>(0, sent.watch_ms);
      const bool broken = (options_.events_max > 0 && ++count > options_.events_max) ||
                          (options_.watch_max.count() > 0 && watch > options_.watch_max.count());
      if (broken) broken_at_.try_emplace({sent.user, window}, i);
    }
  }

  void count() {
    CountingOracle oracle;
    for (size_t i = 0; i < all_.size(); ++i) {
      const Sent& sent = all_[i];
      const auto broken = broken_at_.find({sent.user, window_of_event(sent)});
      const bool condemned = watched_[i] && broken != broken_at_.end();
      const bool known_by_then = condemned && i >= broken->second;
      const bool bad = !sent.late && (alone(sent) || known_by_then);
      if (bad && !money(sent)) {
        ++invalid;
        continue;
      }
      flagged += bad ? 1 : 0;
      const Counts before = oracle.items[sent.item];
      const auto programs_before = oracle.programs;
      oracle.apply(sent);
      const Counts added = oracle.items[sent.item] - before;
      const bool taken = condemned && !money(sent);
      if (taken && added != Counts{}) ++taken_back;
      if (taken) continue;
      items[sent.item] += added;
      for (const auto& [hash, after] : oracle.programs) {
        const auto found = programs_before.find(hash);
        const auto was = found == programs_before.end() ? CountingOracle::Program{} : found->second;
        programs[hash].viewable += after.viewable - was.viewable;
        programs[hash].clicks += after.clicks - was.clicks;
        programs[hash].orders += after.orders - was.orders;
      }
    }
    events = oracle.events;
    totals = oracle.totals;
  }

  const std::vector<Sent>& all_;
  const InvalidTrafficOptions options_;
  std::vector<bool> watched_;
  std::map<Place, size_t> broken_at_;
};

class InvalidTrafficTest : public testing::Test {
 protected:
  // Six viewers, of whom the first are the busiest and one is the creator of all items.
  Sent next() {
    const auto below = [&](uint64_t n) { return static_cast<int64_t>(random_() % n); };
    now_ += below(4 * kMinuteMs);
    if (below(300) == 0) now_ += below(5 * kHourMs);
    Sent sent;
    const int64_t who = std::min(below(6), below(6));
    sent.user = who == 5 ? "farm" : "u" + std::to_string(who);
    sent.type = below(3) == 0 ? static_cast<EventType>(below(kEventTypes)) : EventType::kImpression;
    sent.item = "good" + std::to_string(below(6));
    sent.surface = static_cast<Surface>(below(kSurfaces));
    sent.ts = now_ - (below(5) == 0 ? below(4 * kHourMs) : 0);
    sent.viewable_ms = below(4000) - 1;
    sent.watch_ms = below(200) == 0 ? 30 * kHourMs : below(4 * kMinuteMs) - 1;
    if (sent.type == EventType::kOrder || sent.type == EventType::kRefund) {
      sent.order = "o" + std::to_string(below(40));
      sent.amount = below(3000);
    }
    if (below(40) == 0) {
      sent.late = true;
      sent.ts = now_ - 30 * kHourMs;
    }
    if (below(2) == 0) sign(&sent);
    return sent;
  }

  void sign(Sent* sent) {
    for (auto n = random_() % 3; n > 0; --n)
      sent->programs.push_back(static_cast<uint32_t>(100 + n));
    ExposureToken token;
    std::ranges::copy(sent->programs, token.programs.begin());
    token.variations[0] = 7;
    token.issued_at = Millis(sent->ts - 1'000);
    token.request_hash = ++numbers_;
    sent->token_number = numbers_;
    sent->token = keys_.get()->mint(token, sent->user, sent->item);
  }

  void expect_equal(TestEngine& engine, const MemoryState& disk, const Recount& recount) {
    for (const auto& [id, counts] : recount.items) {
      const ItemIndex item = engine.interner.find(id);
      const auto snapshot = engine.catalogue.snapshot();
      if (snapshot->at(item) == nullptr) continue;
      for (const ExposureBy by : {ExposureBy::kItem, ExposureBy::kSurface}) {
        const auto report = engine.store.exposure({.items = {item},
                                                   .from = Millis(kStart - 100 * kHourMs),
                                                   .to = Millis(now_ + 1),
                                                   .by = by},
                                                  *snapshot, disk);
        ASSERT_TRUE(report.ok());
        EXPECT_EQ(report.value().totals.counts, counts) << id;
        Counts groups;
        for (const auto& group : report.value().groups) groups += group.numbers.counts;
        EXPECT_EQ(groups, counts) << id;
      }
    }
    for (const auto& [hash, program] : recount.programs) {
      const ProgramCounts got = engine.store.programs().total(hash);
      EXPECT_EQ((CountingOracle::Program{got.viewable, got.clicks, got.orders}), program) << hash;
    }
    for (const auto& [id, totals] : recount.totals) {
      EXPECT_EQ(engine.store.ledger_totals(engine.interner.find(id)), totals) << id;
    }
    for (const auto& [user, events] : recount.events) {
      EXPECT_EQ(engine.store.viewer(user).events, events) << user;
    }
  }

  Published<TokenKeys> keys_{std::make_shared<const TokenKeys>(test_keys())};
  std::mt19937_64 random_{1};
  int64_t now_ = kStart;
  uint64_t numbers_ = 0;
};

TEST_F(InvalidTrafficTest, NetCountsEqualTheRecountOnRandomStreams) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    random_.seed(seed);
    now_ = kStart;
    InvalidTrafficOptions options = rate_rule(seed % 2 == 0 ? 12 : 0);
    if (seed % 3 != 0) options.watch_max = Millis(20 * kMinuteMs);
    options.self_events = seed != 4;
    TestEngine engine(keys_, with(options));
    engine.put_items();
    std::vector<Sent> all;
    MemoryState disk;
    for (int i = 0; i < 3'000; ++i) {
      all.push_back(next());
      ASSERT_EQ(engine.apply(all.back()), "");
      if (i % 400 == 399) engine.save(disk);
    }
    const Recount recount(all, options);
    expect_equal(engine, disk, recount);
    const FeatureStoreStats stats = engine.store.stats();
    uint64_t invalid = 0;
    for (const uint64_t n : stats.invalid) invalid += n;
    EXPECT_EQ(invalid, recount.invalid);
    EXPECT_EQ(stats.taken_back, recount.taken_back);
    EXPECT_EQ(stats.orders_flagged, recount.flagged);
    EXPECT_EQ(stats.taken_back_partly, 0U);
    EXPECT_GT(recount.invalid, 10U);
    EXPECT_EQ(recount.taken_back > 10, options.watches());
    Counts net;
    for (const auto& [id, counts] : recount.items) net += counts;
    EXPECT_EQ(engine.seen, net);  // observers: prices
  }
}

TEST_F(InvalidTrafficTest, AViewerAboveTheRateLosesTheWholeWindowAndNoOther) {
  TestEngine engine(keys_, with(rate_rule(10)));
  engine.put_items();
  const auto send = [&](int64_t hour, int n) {
    Sent sent{.user = "robot", .item = "good0", .ts = (kStart / kHourMs + hour) * kHourMs + n};
    sent.viewable_ms = 5'000;
    sent.programs = {101};
    sign(&sent);
    return engine.apply(sent);
  };
  for (int n = 0; n < 3; ++n) EXPECT_EQ(send(0, n), "");
  for (int n = 0; n < 10; ++n) EXPECT_EQ(send(1, n), "");
  EXPECT_EQ(engine.seen.served, 13);
  EXPECT_EQ(engine.store.programs().total(101).viewable, 2);
  EXPECT_EQ(send(1, 10), "");
  EXPECT_EQ(engine.seen.served, 3);
  EXPECT_EQ(engine.store.programs().total(101).viewable, 1);
  EXPECT_EQ(send(1, 11), "");
  EXPECT_EQ(send(0, 4), "");  // the hour before is still sound
  EXPECT_EQ(engine.seen.served, 4);
  const ItemWindows windows = engine.store.windows(engine.interner.find("good0"));
  EXPECT_EQ(windows.day.served, 4);
  EXPECT_EQ(windows.week.boosted_viewable, 0);
  EXPECT_EQ(engine.store.stats().taken_back, 10U);
}

TEST_F(InvalidTrafficTest, ACreatorCountsForNothingOnItsOwnItemsAlone) {
  TestEngine engine(keys_);
  engine.put_items();
  (void)engine.apply({.type = EventType::kClick, .user = "farm", .item = "good0"});
  EXPECT_EQ(engine.seen, Counts{});
  EXPECT_FALSE(engine.store.viewer("farm").known);
  EXPECT_EQ(engine.store.stats().invalid[static_cast<size_t>(InvalidReason::kSelf)], 1U);
  (void)engine.apply({.type = EventType::kClick, .user = "farm", .item = "somebody else's"});
  (void)engine.apply({.type = EventType::kClick, .user = "other", .item = "good0"});
  EXPECT_EQ(engine.seen.clicks, 2);
}

TEST_F(InvalidTrafficTest, WatchTimeIsImpossibleFromTheItemsDurationOn) {
  InvalidTraffic judge(0, {});
  CatalogueItem item;
  item.item.duration = Millis(15'000);
  Interaction play;
  play.type = EventType::kPlay;
  play.user_id = "u";
  const auto reason = [&](int64_t watch_ms, const CatalogueItem* of) {
    play.watch_ms = watch_ms;
    return judge.judge(play, of, 1, Millis(kStart)).reason;
  };
  EXPECT_EQ(reason(20 * 15'000 + kHourMs, &item), InvalidReason::kNone);
  EXPECT_EQ(reason(20 * 15'000 + kHourMs + 1, &item), InvalidReason::kWatchTime);
  EXPECT_EQ(reason(24 * kHourMs, nullptr), InvalidReason::kNone);
  EXPECT_EQ(reason(24 * kHourMs + 1, nullptr), InvalidReason::kWatchTime);
}

TEST_F(InvalidTrafficTest, MoneyIsNeverDroppedOnlyFlagged) {
  TestEngine engine(keys_, with(rate_rule(1)));
  engine.put_items();
  for (int n = 0; n < 5; ++n) {
    Sent order{.type = EventType::kOrder, .user = "u", .item = "good0"};
    order.order = "o" + std::to_string(n);
    order.amount = 100;
    (void)engine.apply(order);
    (void)engine.apply({.user = "u", .item = "good0"});
  }
  EXPECT_EQ(engine.store.ledger_totals(engine.interner.find("good0")).ordered, Fen(500));
  EXPECT_EQ(engine.seen.amount_fen, 500);
  EXPECT_EQ(engine.seen.served, 0);
  EXPECT_EQ(engine.store.stats().orders_flagged, 4U);
}

TEST_F(InvalidTrafficTest, WhatTheBoundsLeaveOutIsCounted) {
  InvalidTrafficOptions options = rate_rule(3);
  options.viewers_max = 1;
  options.remembered_bytes_max = 20;
  TestEngine engine(keys_, with(options));
  engine.put_items();
  for (int n = 0; n < 4; ++n) (void)engine.apply({.user = "u", .item = "good0"});
  for (int n = 0; n < 9; ++n) (void)engine.apply({.user = "v", .item = "good0"});
  const FeatureStoreStats stats = engine.store.stats();
  EXPECT_EQ(stats.invalid_unwatched, 9U);
  EXPECT_EQ(stats.invalid_forgotten + stats.taken_back, 3U);
  EXPECT_GT(stats.invalid_forgotten, 0U);
  EXPECT_EQ(engine.seen.served, static_cast<int64_t>(9 + stats.invalid_forgotten));
}

TEST_F(InvalidTrafficTest, ForgettingAViewerForgetsWhatItCounted) {
  TestEngine engine(keys_, with(rate_rule(5)));
  engine.put_items();
  for (int n = 0; n < 5; ++n) (void)engine.apply({.user = "u", .item = "good0"});
  engine.store.forget("u");
  for (int n = 0; n < 5; ++n) (void)engine.apply({.user = "u", .item = "good0"});
  EXPECT_EQ(engine.seen.served, 10);
  (void)engine.apply({.user = "u", .item = "good0"});
  EXPECT_EQ(engine.seen.served, 5);
}

TEST_F(InvalidTrafficTest, BytesDependOnTheEventsAloneAcrossCheckpointsAndRestarts) {
  InvalidTrafficOptions options = rate_rule(12);
  options.watch_max = Millis(20 * kMinuteMs);
  std::vector<Sent> all;
  for (int i = 0; i < 2'000; ++i) all.push_back(next());
  const auto run = [&](size_t every, bool restart) {
    MemoryState disk;
    auto engine = std::make_unique<TestEngine>(keys_, with(options));
    engine->put_items();
    for (size_t i = 0; i < all.size(); ++i) {
      (void)engine->apply(all[i]);
      if (i % every != every - 1) continue;
      engine->begin(disk);
      const auto meanwhile = i + 1;  // the checkpoint is of this moment, whatever comes in between
      while (!engine->step(3)) {
      }
      if (!restart || meanwhile == all.size()) continue;
      engine = std::make_unique<TestEngine>(keys_, with(options));
      engine->restore(disk);
      engine->watermark = newest(all, meanwhile);
      engine->events_sent = static_cast<int>(meanwhile);
    }
    // How the memory of what was viewable is cut into chunks depends on the checkpoints.
    std::erase_if(disk.records, [](const auto& record) { return record.first.starts_with("dd"); });
    return disk.records;
  };
  const auto once = run(2'000, false);
  EXPECT_TRUE(std::ranges::any_of(once, [](const auto& r) { return r.first.starts_with("iv"); }));
  EXPECT_EQ(run(100, false), once);
  EXPECT_EQ(run(250, true), once);
}

TEST_F(InvalidTrafficTest, ACheckpointIsOfTheMomentOfItsBeginning) {
  InvalidTrafficOptions options = rate_rule(12);
  TestEngine engine(keys_, with(options));
  engine.put_items();
  MemoryState disk;
  std::vector<Sent> all;
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 120; ++i) {
      all.push_back(next());
      (void)engine.apply(all.back());
    }
    const std::vector<Sent> at_begin = all;
    engine.begin(disk);
    while (!engine.step(2)) {
      all.push_back(next());
      (void)engine.apply(all.back());
    }
    TestEngine restored(keys_, with(options));
    restored.restore(disk);
    restored.watermark = newest(at_begin, at_begin.size());
    expect_equal(restored, disk, Recount(at_begin, options));
    for (size_t i = at_begin.size(); i < all.size(); ++i) (void)restored.apply(all[i]);
    expect_equal(restored, disk, Recount(all, options));
  }
}

TEST_F(InvalidTrafficTest, ADamagedRecordIsRefused) {
  TestEngine engine(keys_, with(rate_rule(12)));
  engine.put_items();
  (void)engine.apply({.user = "u", .item = "good0"});
  MemoryState disk;
  engine.save(disk);
  const auto record = disk.records.lower_bound("iv");
  ASSERT_TRUE(record->first.starts_with("iv"));
  for (const std::string& damaged : {record->second.substr(0, record->second.size() - 1),
                                     std::string(), std::string("\1\0\7", 3)}) {
    MemoryState broken;
    broken.put(record->first, damaged);
    InvalidTraffic fresh(0, rate_rule(12));
    EXPECT_EQ(fresh.restore(broken).error().code, ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace shanhuo
