#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "base/hash.h"
#include "features/exposure.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kStart = 1'790'000'000'000 / kHourMs * kHourMs;

struct Event {
  ItemIndex item = 0;
  int64_t ts = kStart;
  Surface surface = Surface::kFeed;
  int user = 0;
  Counts counts;
  std::vector<uint32_t> programs{};  // not empty: it carries a token
};

uint64_t hash_of(int user) { return hash64("u" + std::to_string(user)); }

// Keeps everything and sums when asked; the viewers as a std::set.
class Oracle {
 public:
  struct Sum {
    Counts counts;
    std::set<int> viewers;
  };
  void add(const Event& event) { all_.push_back(event); }

  template <typename Keep>
  Sum sum(const Keep& keep) const {
    Sum sum;
    for (const Event& event : all_) {
      if (!keep(event)) continue;
      sum.counts += event.counts;
      if (event.counts.viewable > 0) sum.viewers.insert(event.user);
    }
    return sum;
  }

 private:
  std::vector<Event> all_;
};

class ExposureTest : public testing::Test {
 protected:
  static constexpr ItemIndex kItems = 6;

  ExposureTest() : catalogue_(interner_, [](const Item&) { return Vector{}; }) {
    for (ItemIndex i = 0; i < kItems; ++i) {
      Item item;
      item.id = ItemId("i" + std::to_string(i));
      item.creator_id = CreatorId("c" + std::to_string(i % 2));
      item.county = i % 3 == 0 ? "" : "43312" + std::to_string(i % 3);
      EXPECT_TRUE(catalogue_.apply(item).ok());
    }
    catalogue_.publish();
  }

  void add(ExposureRollups& rollups, const Event& event) {
    watermark_ = std::max(watermark_, event.ts);
    ExposureToken token;
    ExposureEvent exposure{.item = event.item,
                           .ts = Millis(event.ts),
                           .surface = event.surface,
                           .user_hash = hash_of(event.user),
                           .counts = event.counts};
    for (size_t i = 0; i < event.programs.size(); ++i) {
      token.programs[i] = event.programs[i];
      exposure.program_viewable[i] = event.counts.viewable > 0;
    }
    token.variations[0] = 77;
    if (!event.programs.empty()) exposure.token = &token;
    rollups.add(exposure, Millis(watermark_));
  }

  // Time goes on by up to `step_ms`; some events come up to `late_ms` late.
  Event next(std::mt19937_64& random, int64_t step_ms, int64_t late_ms = 24 * kHourMs) {
    now_ += static_cast<int64_t>(random() % static_cast<uint64_t>(step_ms));
    const bool late = random() % 5 == 0;
    Event event{.item = static_cast<ItemIndex>(random() % kItems),
                .ts = now_ - (late ? static_cast<int64_t>(random() % late_ms) : 0),
                .surface = static_cast<Surface>(random() % kSurfaces),
                .user = static_cast<int>(random() % 40),
                .counts = {.served = 1,
                           .viewable = static_cast<int64_t>(random() % 2),
                           .clicks = static_cast<int64_t>(random() % 2),
                           .watch_ms = static_cast<int64_t>(random() % 9999),
                           .orders = static_cast<int64_t>(random() % 2),
                           .amount_fen = static_cast<int64_t>(random() % 999) - 500}};
    if (random() % 3 == 0) event.programs = {static_cast<uint32_t>(1 + random() % 3)};
    if (!event.programs.empty()) {
      event.counts.boosted_viewable = event.counts.viewable;
      event.counts.boosted_orders = event.counts.orders;
    }
    return event;
  }

  ExposureReport query(const ExposureRollups& rollups, const ExposureQuery& query) {
    auto report = rollups.query(query, *catalogue_.snapshot(), disk_);
    EXPECT_TRUE(report.ok());
    return std::move(report).value();
  }
  ExposureQuery all(ExposureBy by, ExposureStep step) {
    return {.creator = CreatorId(std::string("c1")),
            .items = {0, 1},
            .from = Millis(kStart - 100 * kHourMs),
            .to = Millis(now_ + 1),
            .step = step,
            .by = by};
  }
  static bool asked(const Event& event) { return event.item % 2 == 1 || event.item == 0; }

  // Every number of every kind of report.
  void expect_equals(const ExposureRollups& rollups, const Oracle& oracle) {
    for (const auto step : {ExposureStep::kHour, ExposureStep::kDay}) {
      const auto report = query(rollups, all(ExposureBy::kItem, step));
      const auto totals = oracle.sum(asked);
      EXPECT_EQ(report.totals.counts, totals.counts);
      EXPECT_EQ(report.totals.unique_viewers, static_cast<int64_t>(totals.viewers.size()));
      Counts series;
      for (const ExposurePoint& point : report.series) {
        const int64_t width = step == ExposureStep::kHour ? kHourMs : 24 * kHourMs;
        const auto wanted = oracle.sum([&](const Event& event) {
          return asked(event) && event.ts >= point.ts.count() &&
                 event.ts < point.ts.count() + width;
        });
        EXPECT_EQ(point.numbers.counts, wanted.counts);
        EXPECT_EQ(point.numbers.unique_viewers, static_cast<int64_t>(wanted.viewers.size()));
        series += point.numbers.counts;
      }
      EXPECT_EQ(series, totals.counts);
      for (const ExposureGroup& group : report.groups) {
        const auto wanted = oracle.sum(
            [&](const Event& event) { return "i" + std::to_string(event.item) == group.key; });
        EXPECT_EQ(group.numbers.counts, wanted.counts);
        EXPECT_EQ(group.numbers.unique_viewers, static_cast<int64_t>(wanted.viewers.size()));
      }
    }
    for (const ExposureGroup& group :
         query(rollups, all(ExposureBy::kProgram, ExposureStep::kDay)).groups) {
      const auto wanted = oracle.sum([&](const Event& event) {
        return asked(event) && !event.programs.empty() && event.programs[0] == group.hash;
      });
      EXPECT_EQ(group.numbers.counts, wanted.counts);
      EXPECT_EQ(group.numbers.unique_viewers, std::nullopt);
    }
    for (const ExposureGroup& group :
         query(rollups, all(ExposureBy::kSurface, ExposureStep::kDay)).groups) {
      const auto wanted = oracle.sum([&](const Event& event) {
        return asked(event) && surface_name(event.surface) == group.key;
      });
      EXPECT_EQ(group.numbers.counts, wanted.counts);
    }
  }

  Interner interner_;
  CatalogueState catalogue_;
  MemoryState disk_;
  int64_t now_ = kStart;
  int64_t watermark_ = INT64_MIN;
};

TEST_F(ExposureTest, NamesOfStepsAndGroupsAreTheContracts) {
  EXPECT_EQ(parse_exposure_step("day"), ExposureStep::kDay);
  EXPECT_EQ(parse_exposure_step("week"), std::nullopt);
  EXPECT_EQ(parse_exposure_by("county"), ExposureBy::kCounty);
  EXPECT_EQ(parse_exposure_by(""), std::nullopt);
}

TEST_F(ExposureTest, GroupsByCountyAndVariation) {
  ExposureRollups rollups({}, interner_);
  add(rollups, {.item = 1, .counts = {.served = 1}});
  add(rollups, {.item = 3, .counts = {.served = 2}, .programs = {9}});
  add(rollups, {.item = 5, .counts = {.served = 4}});
  ExposureQuery question = all(ExposureBy::kCounty, ExposureStep::kDay);
  const auto counties = query(rollups, question).groups;
  ASSERT_EQ(counties.size(), 3U);
  EXPECT_EQ(counties[0].key, "");
  EXPECT_EQ(counties[0].numbers.counts.served, 2);
  EXPECT_EQ(counties[2].key, "433122");
  EXPECT_EQ(counties[2].numbers.counts.served, 4);
  question.by = ExposureBy::kVariation;
  const auto variations = query(rollups, question).groups;
  ASSERT_EQ(variations.size(), 1U);
  EXPECT_EQ(variations[0].hash, 77U);
  EXPECT_EQ(variations[0].numbers.counts.served, 2);
}

TEST_F(ExposureTest, RangesAreWholeHours) {
  ExposureRollups rollups({}, interner_);
  add(rollups, {.item = 1, .ts = kStart, .counts = {.served = 1}});
  add(rollups, {.item = 1, .ts = kStart + kHourMs, .counts = {.served = 2}});
  add(rollups, {.item = 1, .ts = kStart + 2 * kHourMs, .counts = {.served = 4}});
  const auto served = [&](int64_t from, int64_t to) {
    return query(rollups, {.items = {1}, .from = Millis(kStart + from), .to = Millis(kStart + to)})
        .totals.counts.served;
  };
  EXPECT_EQ(served(0, 3 * kHourMs), 7);
  EXPECT_EQ(served(kHourMs - 1, 2 * kHourMs), 3);
  EXPECT_EQ(served(kHourMs, 2 * kHourMs), 2);
  EXPECT_EQ(served(kHourMs, 2 * kHourMs + 1), 6);
  EXPECT_EQ(served(kHourMs, kHourMs), 0);
  EXPECT_EQ(served(kHourMs, 0), 0);
}

TEST_F(ExposureTest, ItemsThatTheCatalogueDoesNotHaveAreLeftOut) {
  ExposureRollups rollups({}, interner_);
  const ItemIndex unknown = interner_.intern("unknown");
  add(rollups, {.item = unknown, .counts = {.served = 1}});
  const ExposureQuery question{.items = {unknown}, .from = Millis(0), .to = Millis(now_ + 1)};
  EXPECT_EQ(query(rollups, question).totals.counts.served, 0);
  Item item;
  item.id = ItemId(std::string("unknown"));
  item.creator_id = CreatorId(std::string("late"));
  ASSERT_TRUE(catalogue_.apply(item).ok());
  catalogue_.publish();
  EXPECT_EQ(query(rollups, question).totals.counts.served, 1);
}

// Ten days of events with checkpoints and restarts on the way; what memory and disk say together is
// compared with integer sums after each.
TEST_F(ExposureTest, EqualsTheOracleOnMemoryAndDiskTogether) {
  std::mt19937_64 random(1);
  auto rollups = std::make_unique<ExposureRollups>(ExposureOptions{}, interner_);
  Oracle oracle;
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 100; ++i) {
      const Event event = next(random, 30 * 60'000 * 32);
      add(*rollups, event);
      oracle.add(event);
      if (i % 25 == 0) checkpoint(*rollups, disk_);
    }
    expect_equals(*rollups, oracle);
    if (round % 3 != 2) continue;
    checkpoint(*rollups, disk_);
    rollups = std::make_unique<ExposureRollups>(ExposureOptions{}, interner_);
    ASSERT_TRUE(rollups->restore(disk_).ok());
    expect_equals(*rollups, oracle);
  }
  EXPECT_EQ(rollups->supplements(), 0U);
}

TEST_F(ExposureTest, ComesBackAsItWasWhenTheCheckpointBegan) {
  std::mt19937_64 random(2);
  ExposureRollups rollups({}, interner_);
  Oracle oracle;
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 100; ++i) {
      const Event event = next(random, kHourMs);
      add(rollups, event);
      oracle.add(event);
    }
    const Oracle at_begin = oracle;
    rollups.begin_checkpoint(disk_);
    while (!rollups.checkpoint_step(5)) {
      const Event event = next(random, kHourMs / 10);
      add(rollups, event);
      oracle.add(event);
    }
    ExposureRollups restored({}, interner_);
    ASSERT_TRUE(restored.restore(disk_).ok());
    expect_equals(restored, at_begin);
    expect_equals(rollups, oracle);
  }
}

// Partitions far apart, and a budget that is far too small: supplements, and nothing lost.
TEST_F(ExposureTest, EventsOfHoursThatHaveLeftAreSupplements) {
  std::mt19937_64 random(3);
  auto rollups = std::make_unique<ExposureRollups>(ExposureOptions{.bytes_max = 5'000}, interner_);
  Oracle oracle;
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 100; ++i) {
      const Event event = next(random, kHourMs, 90 * kHourMs);
      add(*rollups, event);
      oracle.add(event);
      if (i % 20 == 0) checkpoint(*rollups, disk_);
      if (i % 50 == 0) expect_equals(*rollups, oracle);
    }
    EXPECT_GT(rollups->supplements(), 0U);
    EXPECT_GT(rollups->moved_early(), 0U);
    checkpoint(*rollups, disk_);
    rollups = std::make_unique<ExposureRollups>(ExposureOptions{.bytes_max = 5'000}, interner_);
    ASSERT_TRUE(rollups->restore(disk_).ok());
    expect_equals(*rollups, oracle);
  }
}

TEST_F(ExposureTest, MemoryHoldsTheHotHoursOnly) {
  ExposureRollups rollups({}, interner_);
  size_t most = 0;
  for (int hour = 0; hour < 500; ++hour) {
    for (ItemIndex item = 0; item < kItems; ++item) {
      add(rollups, {.item = item, .ts = kStart + hour * kHourMs, .counts = {.served = 1}});
    }
    checkpoint(rollups, disk_);
    most = std::max(most, rollups.bytes());
  }
  EXPECT_LT(most, 28U * kItems * 300);
  size_t hot = 0;
  for (const auto& [key, value] : disk_.records) hot += key.starts_with("exh") ? 1 : 0;
  EXPECT_EQ(hot, 26U * kItems);
}

TEST_F(ExposureTest, BytesDependOnTheEventsAlone) {
  const auto run = [&](int every, bool restart) {
    std::mt19937_64 random(4);
    now_ = kStart;
    watermark_ = INT64_MIN;
    MemoryState disk;
    auto rollups = std::make_unique<ExposureRollups>(ExposureOptions{}, interner_);
    for (int i = 0; i < 900; ++i) {
      add(*rollups, next(random, kHourMs));
      if (every == 0 || i % every != 0) continue;
      checkpoint(*rollups, disk);
      if (!restart) continue;
      rollups = std::make_unique<ExposureRollups>(ExposureOptions{}, interner_);
      EXPECT_TRUE(rollups->restore(disk).ok());
    }
    checkpoint(*rollups, disk);
    return disk.records;
  };
  const auto once = run(0, false);
  EXPECT_EQ(run(10, false), once);
  EXPECT_EQ(run(77, true), once);
}

TEST_F(ExposureTest, RefusesQueriesThatAreTooLarge) {
  ExposureRollups rollups({.query_records_max = 10}, interner_);
  for (int hour = 0; hour < 30; ++hour) {
    add(rollups, {.item = 1, .ts = kStart + hour * kHourMs, .counts = {.served = 1}});
  }
  now_ = kStart + 100 * kHourMs;
  const auto refused =
      rollups.query(all(ExposureBy::kNone, ExposureStep::kDay), *catalogue_.snapshot(), disk_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
}

TEST_F(ExposureTest, RefusesRecordsThatDoNotHold) {
  ExposureRollups rollups({}, interner_);
  add(rollups, {.item = 1, .counts = {.served = 1, .viewable = 1}, .programs = {5}});
  checkpoint(rollups, disk_);
  for (const auto& [key, value] : disk_.records) {
    for (size_t length = 0; length < value.size(); ++length) {
      MemoryState broken = disk_;
      broken.records[key].resize(length);
      ExposureRollups restored({}, interner_);
      EXPECT_FALSE(restored.restore(broken).ok()) << key << " " << length;
    }
  }
}

}  // namespace
}  // namespace shanhuo
