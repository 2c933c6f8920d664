#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "features/ledger.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

struct Entry {
  bool refund;
  std::string order, user;
  ItemIndex item;
  int64_t amount;
};

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() {
    for (int i = 0; i < 5; ++i) interner_.intern("i" + std::to_string(i));
  }
  // Each call is an event of its own, unless it is given an id.
  int64_t apply(Ledger& ledger, const Entry& entry, std::string id = {}) {
    if (id.empty()) id = "e" + std::to_string(++events_);
    Interaction event;
    event.event_id = id;
    event.type = entry.refund ? EventType::kRefund : EventType::kOrder;
    event.order_id = entry.order;
    event.user_id = entry.user;
    event.amount_fen = entry.amount;
    return ledger.apply(event, entry.item).count();
  }

  int events_ = 0;
  Interner interner_;
  Ledger ledger_{{}, interner_};
};

TEST_F(LedgerTest, RefundsNeverExceedTheirOrder) {
  EXPECT_EQ(apply(ledger_, {false, "o", "u", 0, 1000}), 1000);
  EXPECT_EQ(apply(ledger_, {true, "o", "u", 0, 300}), -300);
  EXPECT_EQ(apply(ledger_, {true, "o", "u", 0, 900}), -700);
  EXPECT_EQ(apply(ledger_, {true, "o", "u", 0, 900}), 0);
  EXPECT_EQ(ledger_.item_totals(0), (LedgerTotals{1, Fen(1000), Fen(1000)}));
}

TEST_F(LedgerTest, AnEventThatComesAgainCountsOnceHoweverLate) {
  EXPECT_EQ(apply(ledger_, {false, "o", "u", 0, 1000}, "order"), 1000);
  EXPECT_EQ(apply(ledger_, {true, "o", "u", 0, 300}, "refund"), -300);
  EXPECT_EQ(apply(ledger_, {false, "o", "u", 0, 1000}, "order"), 0);
  EXPECT_EQ(apply(ledger_, {true, "o", "u", 0, 300}, "refund"), 0);
  EXPECT_EQ(ledger_.item_totals(0), (LedgerTotals{1, Fen(1000), Fen(300)}));
}

TEST_F(LedgerTest, ARefundThatOvertakesItsOrderWaitsForIt) {
  EXPECT_EQ(apply(ledger_, {true, "o", "u", 0, 300}), 0);
  EXPECT_EQ(apply(ledger_, {false, "o", "u", 0, 1000}), 700);
  EXPECT_EQ(ledger_.item_totals(0), (LedgerTotals{1, Fen(1000), Fen(300)}));
}

TEST_F(LedgerTest, RefundsOfUnknownOrdersCountForNothing) {
  EXPECT_EQ(apply(ledger_, {true, "o", "u", 0, 300}), 0);
  EXPECT_EQ(ledger_.item_totals(0), LedgerTotals{});
}

TEST_F(LedgerTest, SumsDoNotDependOnTheOrderOfArrival) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<Entry> entries;
    std::map<std::string, std::pair<int64_t, int64_t>> orders;
    for (int i = 0; i < 60; ++i) {
      const std::string order = "o" + std::to_string(random() % 15);
      const bool refund = random() % 2 == 0;
      const auto amount = static_cast<int64_t>(random() % 1000);
      const auto item = static_cast<ItemIndex>(std::stoul(order.substr(1)) % 5);
      entries.push_back({refund, order, "u", item, amount});
      (refund ? orders[order].second : orders[order].first) += amount;
    }
    std::map<ItemIndex, LedgerTotals> expected;
    for (const auto& [order, sums] : orders) {
      auto& totals = expected[static_cast<ItemIndex>(std::stoul(order.substr(1)) % 5)];
      totals.ordered += Fen(sums.first);
      totals.refunded += Fen(std::min(sums.first, sums.second));
    }
    for (const Entry& entry : entries) expected[entry.item].orders += entry.refund ? 0 : 1;
    std::shuffle(entries.begin(), entries.end(), random);
    Ledger ledger({}, interner_);
    int64_t income = 0, wanted = 0;
    for (const Entry& entry : entries) income += apply(ledger, entry);
    for (const auto& [item, totals] : expected) {
      EXPECT_EQ(ledger.item_totals(item), totals);
      wanted += (totals.ordered - totals.refunded).count();
    }
    EXPECT_EQ(income, wanted);
  }
}

TEST_F(LedgerTest, RemembersAsManyOrdersAsItMay) {
  Ledger small({.orders_max = 1}, interner_);
  EXPECT_EQ(apply(small, {false, "o", "u", 0, 10}), 10);
  EXPECT_EQ(apply(small, {false, "p", "u", 0, 20}), 20);
  EXPECT_EQ(apply(small, {true, "p", "u", 0, 20}), 0);
  EXPECT_EQ(small.orders_refused(), 2U);
  EXPECT_EQ(small.item_totals(0), (LedgerTotals{2, Fen(30), Fen(0)}));
}

TEST_F(LedgerTest, ForgetsAViewerAndKeepsTheAmounts) {
  apply(ledger_, {false, "o", "u", 0, 10});
  apply(ledger_, {false, "p", "v", 0, 10});
  ledger_.forget("u");
  EXPECT_EQ(ledger_.find("o")->user_id, "");
  EXPECT_EQ(ledger_.find("p")->user_id, "v");
  EXPECT_EQ(ledger_.item_totals(0).ordered, Fen(20));
  MemoryState disk;
  checkpoint(ledger_, disk);
  for (const auto& [key, value] : disk.records)
    EXPECT_EQ(value.find('u'), std::string::npos) << key;
}

TEST_F(LedgerTest, ComesBackAsItWasWhenTheCheckpointBegan) {
  std::mt19937_64 random(6);
  const auto any = [&] {
    return Entry{random() % 3 == 0, "o" + std::to_string(random() % 100), "u",
                 static_cast<ItemIndex>(random() % 5), static_cast<int64_t>(random() % 500)};
  };
  MemoryState disk;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 40; ++i) apply(ledger_, any());
    std::vector<LedgerTotals> expected;
    for (ItemIndex item = 0; item < 5; ++item) expected.push_back(ledger_.item_totals(item));
    ledger_.begin_checkpoint(disk);
    while (!ledger_.checkpoint_step(3)) apply(ledger_, any());
    Ledger restored({}, interner_);
    ASSERT_TRUE(restored.restore(disk).ok());
    for (ItemIndex item = 0; item < 5; ++item)
      EXPECT_EQ(restored.item_totals(item), expected[item]);
    int64_t ordered = 0, refunded = 0;
    for (int i = 0; i < 100; ++i) {
      const LedgerOrder* order = restored.find("o" + std::to_string(i));
      if (order == nullptr) continue;
      ordered += order->amount.count();
      refunded += order->refunded().count();
    }
    for (const LedgerTotals& totals : expected) {
      ordered -= totals.ordered.count();
      refunded -= totals.refunded.count();
    }
    EXPECT_EQ(ordered, 0);
    EXPECT_EQ(refunded, 0);
  }
}

TEST_F(LedgerTest, RefusesRecordsThatDoNotHold) {
  for (const auto* key : {"lgox", "lgi?", "lgz"}) {
    MemoryState disk;
    disk.put(key, "\x01");
    Ledger ledger({}, interner_);
    EXPECT_FALSE(ledger.restore(disk).ok()) << key;
  }
}

}  // namespace
}  // namespace shanhuo
