#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "features/giving.h"
#include "features/ledger_verify.h"
#include "tests/ledger_export.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kNoon = 1'790'000'000'000 / 86'400'000 * 86'400'000 + 4 * 3'600'000;  // UTC+8
constexpr int64_t kDayMs = 86'400'000;

const LedgerKeys& keys() {
  static const LedgerKeys keys("a secret of the tests, long enough");
  return keys;
}

Result<std::shared_ptr<const GivingRules>> read_rules(std::string_view text) {
  if (text != "the rules") return Error{ErrorCode::kInvalid, "other rules"};
  auto rules = std::make_shared<GivingRules>();
  const auto all = [](const CatalogueItem&) { return true; };
  rules->rules.push_back({.id = "flowers",
                          .name_zh = {},
                          .name_en = {},
                          .items = all,
                          .expire_days = 10,
                          .earn = {{.deed = "walk", .points = 2, .per = 100, .daily_max = 50}},
                          .causes = {{.cause = "dream", .threshold = 60},
                                     {.cause = "tree", .threshold = 20, .each = true}}});
  rules->rules.push_back({.id = "goods",
                          .name_zh = {},
                          .name_en = {},
                          .items = all,
                          .donates = true,
                          .permille_max = 300,
                          .earn = {},
                          .causes = {}});
  rules->text = text;
  rules->version = "v1";
  return std::shared_ptr<const GivingRules>(std::move(rules));
}

struct World {
  World() { book.control("", encode_rules("the rules"), Millis(kNoon)); }
  // As checkpoints left it.
  World(const MemoryState& giving, const MemoryState& orders) {
    interner.intern("kiwi");
    EXPECT_TRUE(book.restore(giving).ok());
    EXPECT_TRUE(ledger.restore(orders).ok());
  }

  void money(bool refund, const std::string& order, int64_t fen, int32_t permille) {
    Interaction event;
    const std::string id = "e" + std::to_string(++events);
    event.event_id = id;
    event.user_id = "buyer";
    event.item_id = "kiwi";
    event.type = refund ? EventType::kRefund : EventType::kOrder;
    event.order_id = order;
    event.amount_fen = fen;
    event.ts = Millis(kNoon);
    CatalogueItem item;
    if (permille > 0) item.item.donation = Donation{"school", permille};
    ledger.apply(event, interner.intern("kiwi"));
    book.money(event, &item, ledger.last_change(), ledger.find(order), true);
  }
  void walk(const std::string& user, int64_t steps, int64_t ts = kNoon) {
    Interaction event;
    const std::string id = "e" + std::to_string(++events);
    event.event_id = id;
    event.user_id = user;
    event.type = EventType::kDeed;
    event.deed = "walk";
    event.quantity = steps;
    event.ts = Millis(ts);
    book.pass(event.ts);
    book.deed(event);
  }
  PledgeOutcome pledge(const std::string& user, const std::string& request, int64_t points,
                       const std::string& cause = "dream") {
    const Pledge wanted{user, request, cause, points};
    book.control(user, encode_pledge(wanted), Millis(kNoon));
    return book.outcome(wanted).value_or(PledgeOutcome{PledgeVerdict::kOtherBody, -1, 0});
  }
  int64_t points(const std::string& user) const {
    const auto account = book.account(user);
    return account ? account->points("flowers") : 0;
  }
  std::string exported() const { return ledger_export(book.waiting_from(0, UINT64_MAX), keys()); }

  int events = 0;
  Interner interner;
  Ledger ledger{{}, interner};
  GivingBook book{{}, keys(), read_rules};
};

TEST(GivingTest, AShareOfAnOrderGoesToTheCauseAndRefundsTakeItBackToTheFen) {
  World world;
  world.money(false, "o", 9'999, 15);  // 149.985
  EXPECT_EQ(world.book.cause("school").donated_fen, 149);
  world.money(true, "o", 3'333, 0);  // 6,666 left: 99.99
  EXPECT_EQ(world.book.cause("school").donated_fen, 99);
  world.money(true, "o", 50'000, 0);
  EXPECT_EQ(world.book.cause("school").donated_fen, 0);
  EXPECT_EQ(world.book.cause("school").donations, 1);
  world.money(false, "p", 1'000, 1'000);  // the rule allows 300 permille
  EXPECT_EQ(world.book.cause("school").donated_fen, 300);
  EXPECT_TRUE(LedgerVerifier(keys().public_key()).all(world.exported()).ok());
}

// Whatever comes in whatever order, what was given is what is due in the end.
TEST(GivingTest, DonationsDependOnWhatCameNotOnItsOrder) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    struct Line {
      bool refund;
      int64_t fen;
      int32_t permille;
    };
    std::vector<Line> lines;
    int64_t amount = 0, asked = 0, weight = 0;
    for (int i = 0; i < 6; ++i) {
      const Line line{random() % 2 == 0, static_cast<int64_t>(random() % 10'000),
                      static_cast<int32_t>(random() % 301)};
      lines.push_back(line);
      (line.refund ? asked : amount) += line.fen;
      weight += line.refund ? 0 : line.fen * line.permille;
    }
    const int64_t left = amount - std::min(asked, amount);
    const int64_t due = amount == 0 ? 0 : weight * left / (amount * 1'000);
    std::shuffle(lines.begin(), lines.end(), random);
    World world;
    for (const Line& line : lines) {
      world.money(line.refund, "o", line.fen, line.refund ? 0 : line.permille);
      ASSERT_GE(world.book.cause("school").donated_fen, 0);
    }
    EXPECT_EQ(world.book.cause("school").donated_fen, due);
  }
}

TEST(GivingTest, StepsOfADayAddUpToItsLimit) {
  World world;
  world.walk("li", 150);
  EXPECT_EQ(world.points("li"), 2);
  world.walk("li", 50);  // 200 together
  EXPECT_EQ(world.points("li"), 4);
  world.walk("li", 1'000'000);
  EXPECT_EQ(world.points("li"), 50);
  world.walk("li", 100, kNoon + kDayMs);
  EXPECT_EQ(world.points("li"), 52);
}

TEST(GivingTest, PledgesAreJudgedAndTheBooksBalance) {
  World world;
  world.walk("li", 10'000);
  world.walk("wang", 10'000);
  EXPECT_EQ(world.pledge("li", "r0", 10, "no-such-cause").verdict, PledgeVerdict::kUnknownCause);
  EXPECT_EQ(world.pledge("li", "r1", 51).verdict, PledgeVerdict::kTooFew);
  EXPECT_EQ(world.pledge("nobody", "r2", 1).verdict, PledgeVerdict::kTooFew);
  EXPECT_EQ(world.pledge("li", "r3", 30).verdict, PledgeVerdict::kDone);
  EXPECT_EQ(world.pledge("li", "r3", 30).verdict, PledgeVerdict::kDone);  // the same one
  EXPECT_EQ(world.pledge("li", "r3", 31).verdict, PledgeVerdict::kOtherBody);
  EXPECT_EQ(world.pledge("wang", "r3", 30).verdict, PledgeVerdict::kOtherBody);
  EXPECT_EQ(world.points("li"), 20);
  EXPECT_EQ(world.pledge("wang", "r4", 31).number, 30);  // too many: 30 are missing
  EXPECT_EQ(world.pledge("wang", "r5", 30).verdict, PledgeVerdict::kDone);
  EXPECT_EQ(world.pledge("wang", "r6", 1).verdict, PledgeVerdict::kExecuted);
  const CauseTotals dream = world.book.cause("dream");
  EXPECT_EQ(dream.points, 60);
  EXPECT_EQ(dream.backers, 2);
  EXPECT_EQ(dream.executions, 1);
  EXPECT_EQ(dream.towards, 0);
  EXPECT_EQ(world.pledge("li", "r7", 7, "tree").verdict, PledgeVerdict::kNoMultiple);
  EXPECT_EQ(world.pledge("li", "r8", 20, "tree").verdict, PledgeVerdict::kDone);
  EXPECT_EQ(world.book.cause("tree").executions, 1);
  EXPECT_EQ(world.points("li"), 0);
  for (const int64_t points : {int64_t{0}, int64_t{-5}, kPledgePointsMax + 1, INT64_MAX}) {
    const std::string id = "bad" + std::to_string(points);
    EXPECT_FALSE(
        world.book.control("wang", encode_pledge({"wang", id, "tree", points}), Millis(kNoon)));
  }
  EXPECT_EQ(world.points("wang"), 20);
}

TEST(GivingTest, PointsExpireWhenTheirDayIsOverAndPledgedOnesNever) {
  World world;
  world.walk("li", 10'000);
  ASSERT_EQ(world.pledge("li", "r", 30).verdict, PledgeVerdict::kDone);
  world.book.pass(Millis(kNoon + 10 * kDayMs));
  EXPECT_EQ(world.points("li"), 20);  // the last day
  world.book.pass(Millis(kNoon + 11 * kDayMs));
  EXPECT_EQ(world.points("li"), 0);
  EXPECT_EQ(world.book.cause("dream").towards, 30);
  EXPECT_EQ(world.book.account("li")->pledged.at(0).points, 30);
  EXPECT_NE(world.exported().find("\"kind\":\"expiry\""), std::string::npos);
}

TEST(GivingTest, AForgottenViewerLeavesAmountsAndNoWayBack) {
  World world;
  world.walk("li", 10'000);
  ASSERT_EQ(world.pledge("li", "r", 30).verdict, PledgeVerdict::kDone);
  const std::string name = world.book.account("li")->name;
  MemoryState disk;
  checkpoint(world.book, disk);
  world.book.forget("li");
  checkpoint(world.book, disk);
  EXPECT_FALSE(world.book.account("li").has_value());
  EXPECT_EQ(world.book.cause("dream").towards, 30);
  for (const auto& [key, value] : disk.records) {
    EXPECT_EQ(key.find("li"), std::string::npos);
    // Entries keep the name; nothing connects it with an id any more.
    if (key.starts_with("ge")) continue;
    EXPECT_EQ(value.find(name), std::string::npos) << key;
  }
  world.walk("li", 10'000);
  EXPECT_NE(world.book.account("li")->name, name);
  EXPECT_TRUE(LedgerVerifier(keys().public_key()).all(world.exported()).ok());
}

// Runs the same stream twice, one of them through checkpoints and restores at random places.
TEST(GivingTest, RestoredInTheMidstTheChainIsTheSame) {
  for (const uint64_t seed : {1, 2, 3}) {
    World whole;
    MemoryState disk;
    auto cut = std::make_unique<World>();
    std::mt19937_64 random(seed);
    for (int i = 0; i < 400; ++i) {
      const uint64_t what = random(), amount = random() % 5'000;
      for (World* world : {&whole, cut.get()}) {
        const std::string user = "u" + std::to_string(what % 7);
        const std::string order = "o" + std::to_string(what % 40);
        world->events = i;
        switch (what / 1'000 % 5) {
          case 0:
            world->money(false, order, static_cast<int64_t>(amount), 20);
            break;
          case 1:
            world->pledge(user, "r" + std::to_string(i), static_cast<int64_t>(amount % 30) + 1);
            break;
          case 2:
            if (amount % 50 == 0) world->book.forget(user);
            break;
          default:
            world->walk(user, static_cast<int64_t>(amount), kNoon + i * 3'600'000);
        }
      }
      if (random() % 40 != 0) continue;
      checkpoint(cut->book, disk, 3);
      cut->book.checkpoint_committed();
      MemoryState orders;
      checkpoint(cut->ledger, orders);
      cut = std::make_unique<World>(disk, orders);
    }
    EXPECT_EQ(cut->book.waiting_from(0, 0).head, whole.book.waiting_from(0, 0).head);
    checkpoint(cut->book, disk);
    MemoryState other;
    checkpoint(whole.book, other);
    EXPECT_EQ(disk.records, other.records);
  }
}

}  // namespace
}  // namespace shanhuo
