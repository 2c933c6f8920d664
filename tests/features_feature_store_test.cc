#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <tuple>
#include <vector>

#include "features/feature_store.h"
#include "tests/feature_store_fixture.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

class FeatureStoreTest : public testing::Test {
 protected:
  void sign(Sent* sent, int64_t issued, uint64_t number) {
    ExposureToken token;
    std::copy(sent->programs.begin(), sent->programs.end(), token.programs.begin());
    token.issued_at = Millis(issued);
    token.request_hash = request_hash(sent->user, "r" + std::to_string(number));
    sent->token_number = number;
    sent->token = keys_.get()->mint(token, sent->user, sent->item);
    const int64_t life = sent->type == EventType::kOrder || sent->type == EventType::kRefund
                             ? 7 * 24 * kHourMs
                             : 24 * kHourMs;
    sent->expired = sent->ts > issued + life;
  }

  Sent next(std::mt19937_64& random, int64_t step_ms) {
    const auto below = [&](uint64_t n) { return static_cast<int64_t>(random() % n); };
    now_ += below(static_cast<uint64_t>(step_ms));
    Sent sent;
    sent.type =
        random() % 2 == 0 ? EventType::kImpression : static_cast<EventType>(random() % kEventTypes);
    sent.user = "u" + std::to_string(below(8));
    sent.item = (random() % 2 == 0 ? "video" : "good") + std::to_string(below(6));
    sent.surface = static_cast<Surface>(below(kSurfaces));
    sent.order = "o" + std::to_string(below(60));
    sent.ts = now_ - (random() % 6 == 0 ? below(20 * kHourMs) : 0);
    sent.viewable_ms = below(4000) - 1;
    sent.watch_ms = below(4000) - 1;
    sent.amount = below(3000);
    if (random() % 20 == 0) {
      sent.late = true;
      sent.ts = now_ - 30 * kHourMs;
    }
    if (random() % 3 == 0) {
      for (int64_t n = below(3); n > 0; --n) sent.programs.push_back(101 + 2 * n);
      const bool old = random() % 5 == 0;
      // One number always signs the same viewer, item, programs and time: it is one token.
      if (!tokens_.empty() && random() % 3 == 0) {
        const auto& [user, item, programs, issued, number] = tokens_[random() % tokens_.size()];
        sent.user = user;
        sent.item = item;
        sent.programs = programs;
        sign(&sent, issued, number);
      } else {
        const int64_t issued = sent.ts - (old ? 8 * 24 * kHourMs : below(kHourMs));
        tokens_.emplace_back(sent.user, sent.item, sent.programs, issued, tokens_.size() + 1);
        sign(&sent, issued, tokens_.size());
      }
      if (random() % 15 == 0) {
        sent.user += "x";
        sent.forged = true;
      }
    }
    return sent;
  }

  void expect_equal(TestEngine& engine, const MemoryState& disk, const CountingOracle& oracle) {
    const auto snapshot = engine.catalogue.snapshot();
    std::map<std::string, ExposureNumbers> groups;
    auto report = engine.store.exposure({.creator = CreatorId(std::string("farm")),
                                         .from = Millis(kStart - 100 * kHourMs),
                                         .to = Millis(now_ + 1),
                                         .by = ExposureBy::kItem},
                                        *snapshot, disk);
    ASSERT_TRUE(report.ok());
    for (const auto& group : report.value().groups) groups[group.key] = group.numbers;
    for (const auto& [id, counts] : oracle.items) {
      const ItemIndex item = engine.interner.find(id);
      ASSERT_NE(item, kNoItem);
      if (snapshot->at(item) == nullptr) {
        EXPECT_FALSE(groups.contains(id));
        continue;
      }
      EXPECT_EQ(groups[id].counts, counts) << id;
      const auto viewers = oracle.viewers.find(id);
      EXPECT_EQ(groups[id].unique_viewers,
                viewers == oracle.viewers.end() ? 0 : static_cast<int64_t>(viewers->second.size()));
    }
    for (const auto& [id, totals] : oracle.totals) {
      EXPECT_EQ(engine.store.ledger_totals(engine.interner.find(id)), totals) << id;
    }
    for (const auto& [hash, program] : oracle.programs) {
      const ProgramCounts got = engine.store.programs().total(hash);
      EXPECT_EQ((CountingOracle::Program{got.viewable, got.clicks, got.orders}), program) << hash;
      ProgramCounts days;
      for (const auto& [day, counts] : engine.store.programs().days(hash)) {
        EXPECT_EQ(engine.store.programs().day(hash, start_of_day(day)), counts);
        days.viewable += counts.viewable;
        days.clicks += counts.clicks;
        days.orders += counts.orders;
      }
      EXPECT_EQ(days, got);
    }
    for (const auto& [user, events] : oracle.events) {
      EXPECT_EQ(engine.store.viewer(user).events, events) << user;
    }
  }

  Published<TokenKeys> keys_{std::make_shared<const TokenKeys>(test_keys())};
  int64_t now_ = kStart;
  std::vector<std::tuple<std::string, std::string, std::vector<uint32_t>, int64_t, uint64_t>>
      tokens_;
};

TEST_F(FeatureStoreTest, AnExposureIsViewableFromItsKindsTimeOn) {
  TestEngine engine(keys_);
  engine.put_items();
  const auto viewable = [&](const char* item, int64_t ms) {
    const auto before = engine.seen.viewable;
    EXPECT_EQ(engine.apply({.user = "u", .item = item, .ts = now_ += 1'800'000, .viewable_ms = ms}),
              "");
    return engine.seen.viewable > before;
  };
  EXPECT_TRUE(viewable("video0", 2000));
  EXPECT_FALSE(viewable("video0", 1999));
  EXPECT_TRUE(viewable("good0", 1000));
  EXPECT_FALSE(viewable("good0", 999));
  EXPECT_TRUE(viewable("nobody knows it", 1000));
  EXPECT_FALSE(viewable("good0", -1));
  EXPECT_EQ(engine.store.stats().unknown_items, 1U);
  EXPECT_EQ(engine.known, 5);
}

TEST_F(FeatureStoreTest, AViewableExposureCountsOnceInHalfAnHour) {
  TestEngine engine(keys_);
  engine.put_items();
  Sent sent{.user = "u", .item = "good0", .ts = kStart / 1'800'000 * 1'800'000};
  sent.viewable_ms = 5000;
  (void)engine.apply(sent);
  sent.ts += 1'799'999;
  (void)engine.apply(sent);
  EXPECT_EQ(engine.seen.viewable, 1);
  EXPECT_EQ(engine.seen.served, 2);
  sent.ts += 1;
  (void)engine.apply(sent);
  EXPECT_EQ(engine.seen.viewable, 2);
  EXPECT_EQ(engine.store.stats().viewable_repeated, 1U);
}

TEST_F(FeatureStoreTest, ATokenYieldsOneViewableExposureAndCountsForEachOfItsPrograms) {
  TestEngine engine(keys_);
  engine.put_items();
  Sent sent{.user = "u", .item = "good0", .programs = {11, 13}};
  sent.viewable_ms = 5000;
  sign(&sent, kStart, 1);
  for (int i = 0; i < 3; ++i) {
    (void)engine.apply(sent);
    sent.ts += 1'800'000;
  }
  EXPECT_EQ(engine.seen.viewable, 1);
  EXPECT_EQ(engine.seen.boosted_viewable, 1);
  EXPECT_EQ(engine.seen.served, 3);
  EXPECT_EQ(engine.store.programs().total(11).viewable, 1);
  EXPECT_EQ(engine.store.programs().total(13).viewable, 1);
}

TEST_F(FeatureStoreTest, ABadTokenChangesNothing) {
  TestEngine engine(keys_);
  engine.put_items();
  Sent sent{.user = "u", .item = "good0"};
  sign(&sent, kStart, 1);
  sent.user = "v";
  EXPECT_EQ(engine.apply(sent), "bad_token");
  EXPECT_FALSE(engine.store.viewer("v").known);
  EXPECT_EQ(engine.seen, Counts{});
  EXPECT_EQ(engine.store.stats().bad_tokens, 1U);
}

TEST_F(FeatureStoreTest, AnExpiredTokenLeavesAnOrganicEvent) {
  TestEngine engine(keys_);
  engine.put_items();
  Sent sent{.user = "u", .item = "good0", .programs = {11}};
  sent.viewable_ms = 5000;
  sign(&sent, kStart - 25 * kHourMs, 1);
  EXPECT_EQ(engine.apply(sent), "");
  EXPECT_EQ(engine.seen.viewable, 1);
  EXPECT_EQ(engine.seen.boosted_viewable, 0);
  EXPECT_EQ(engine.store.programs().total(11).viewable, 0);
  EXPECT_EQ(engine.store.stats().token_expired, 1U);
}

TEST_F(FeatureStoreTest, ALateOrderCountsInTheLedgerAlone) {
  TestEngine engine(keys_);
  engine.put_items();
  Sent sent{.type = EventType::kOrder, .user = "u", .item = "good0", .order = "o", .late = true};
  sent.amount = 700;
  EXPECT_EQ(engine.apply(sent), "");
  EXPECT_EQ(engine.store.ledger_totals(engine.interner.find("good0")).ordered, Fen(700));
  EXPECT_FALSE(engine.store.viewer("u").known);
  EXPECT_EQ(engine.seen, Counts{});
  EXPECT_EQ(engine.store.stats().late, 1U);
}

TEST_F(FeatureStoreTest, EventsOfUnknownItemsShowOnceTheItemExists) {
  TestEngine engine(keys_);
  MemoryState disk;
  Sent sent{.user = "u", .item = "good0"};
  (void)engine.apply(sent);
  const ExposureQuery query{
      .creator = CreatorId(std::string("farm")), .from = Millis(0), .to = Millis(kStart + 1)};
  EXPECT_EQ(
      engine.store.exposure(query, *engine.catalogue.snapshot(), disk).value().totals.counts.served,
      0);
  engine.put_items();
  EXPECT_EQ(
      engine.store.exposure(query, *engine.catalogue.snapshot(), disk).value().totals.counts.served,
      1);
}

TEST_F(FeatureStoreTest, AFullInternerMakesEventsDead) {
  Interner interner({.ids_max = 1});
  CatalogueState catalogue(interner, [](const Item&) { return Vector{}; });
  FeatureStore store({}, interner, catalogue, keys_);
  Interaction event;
  event.user_id = "u";
  event.item_id = "a";
  EXPECT_EQ(store.apply(event, {}), "");
  event.item_id = "b";
  EXPECT_EQ(store.apply(event, {}), "items_full");
  EXPECT_EQ(store.viewer("u").events, 1);
  EXPECT_EQ(store.stats().items_refused, 1U);
}

TEST_F(FeatureStoreTest, ForgettingErasesTheViewerAndKeepsTheCounts) {
  TestEngine engine(keys_);
  engine.put_items();
  MemoryState disk;
  Sent sent{.type = EventType::kOrder, .user = "somebody", .item = "good0", .order = "o"};
  sent.amount = 5;
  (void)engine.apply(sent);
  engine.store.frequency().record("somebody", {.at = Millis(kStart), .item = 0});
  engine.save(disk);
  engine.store.forget("somebody");
  engine.save(disk);
  EXPECT_FALSE(engine.store.viewer("somebody").known);
  EXPECT_TRUE(engine.store.frequency().recent("somebody", Millis(kStart)).empty());
  EXPECT_EQ(engine.store.ledger_totals(engine.interner.find("good0")).orders, 1);
  for (const auto& [key, value] : disk.records) {
    EXPECT_EQ((key + value).find("somebody"), std::string::npos) << key;
  }
}

TEST_F(FeatureStoreTest, EqualsTheOracleOnRandomStreams) {
  for (const int64_t step : {10'000, 300'000, 3'000'000}) {
    std::mt19937_64 random(step);
    now_ = kStart;
    tokens_.clear();
    TestEngine engine(keys_);
    engine.put_items();
    CountingOracle oracle;
    MemoryState disk;
    int64_t dead = 0;
    for (int i = 0; i < 4000; ++i) {
      const Sent sent = next(random, step);
      const DeadReason reason = engine.apply(sent);
      EXPECT_EQ(reason, sent.forged ? "bad_token" : "");
      dead += reason.empty() ? 0 : 1;
      oracle.apply(sent);
      if (i % 500 == 499) engine.save(disk);
      if (i % 1000 == 0) expect_equal(engine, disk, oracle);
    }
    expect_equal(engine, disk, oracle);
    const FeatureStoreStats stats = engine.store.stats();
    uint64_t applied = stats.late;
    for (const uint64_t n : stats.applied) applied += n;
    EXPECT_EQ(applied, 4000U - static_cast<uint64_t>(dead));
    EXPECT_EQ(stats.bad_tokens, static_cast<uint64_t>(dead));
    EXPECT_GT(stats.token_expired, 0U);
    EXPECT_GT(stats.viewable_repeated, 0U);
  }
}

TEST_F(FeatureStoreTest, ComesBackAsItWasWhenTheCheckpointBegan) {
  std::mt19937_64 random(21);
  auto engine = std::make_unique<TestEngine>(keys_);
  engine->put_items();
  CountingOracle oracle;
  MemoryState disk;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 150; ++i) {
      const Sent sent = next(random, 600'000);
      (void)engine->apply(sent);
      oracle.apply(sent);
    }
    const CountingOracle at_begin = oracle;
    engine->begin(disk);
    std::vector<Sent> meanwhile;
    while (!engine->step(4)) {
      meanwhile.push_back(next(random, 60'000));
      (void)engine->apply(meanwhile.back());
      oracle.apply(meanwhile.back());
    }
    auto restored = std::make_unique<TestEngine>(keys_);
    restored->restore(disk);
    restored->watermark = restored->store.watermark().count();
    expect_equal(*restored, disk, at_begin);
    // The restored one folds the rest of the log and ends where the first one is.
    for (const Sent& sent : meanwhile) (void)restored->apply(sent);
    expect_equal(*restored, disk, oracle);
    if (round % 2 == 1) engine = std::move(restored);
  }
}

TEST_F(FeatureStoreTest, BytesDependOnTheEventsAlone) {
  const auto run = [&](int every, bool restart) {
    std::mt19937_64 random(22);
    now_ = kStart;
    tokens_.clear();
    MemoryState disk;
    auto engine = std::make_unique<TestEngine>(keys_);
    engine->put_items();
    for (int i = 0; i < 1500; ++i) {
      (void)engine->apply(next(random, 1'000'000));
      if (i % every != every - 1) continue;
      engine->save(disk);
      if (!restart || i == 1499) continue;
      engine = std::make_unique<TestEngine>(keys_);
      engine->restore(disk);
      engine->watermark = engine->store.watermark().count();
      engine->events_sent = i + 1;
    }
    // How the memory of what was viewable is cut into chunks is the one thing that tells
    // checkpoints apart; what it holds is compared by the test above.
    std::erase_if(disk.records, [](const auto& record) { return record.first.starts_with("dd"); });
    return disk.records;
  };
  const auto once = run(1500, false);
  EXPECT_EQ(run(300, false), once);
  EXPECT_EQ(run(250, true), once);
}

}  // namespace
}  // namespace shanhuo
