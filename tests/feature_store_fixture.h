// For tests of the feature store: events that own their texts, the contract's counted words summed
// the obvious way, and the parts that checkpoint together.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "features/feature_store.h"

namespace shanhuo {

inline constexpr int64_t kStart = 1'790'000'000'000;
inline constexpr int64_t kHourMs = 3'600'000;

// An event that owns its texts, so that streams can be kept and replayed.
struct Sent {
  EventType type = EventType::kImpression;
  std::string user{}, item{}, order{}, token{};
  Surface surface = Surface::kFeed;
  int64_t ts = kStart, viewable_ms = -1, watch_ms = -1, amount = 0;
  bool late = false;
  // What the token says, for the oracle.
  std::vector<uint32_t> programs{};
  uint64_t token_number = 0;
  bool forged = false, expired = false;
};

inline TokenKeys test_keys() {
  return TokenKeys(std::vector<TokenKey>{{.id = 1, .secret = {1, 2, 3}}});
}

// The contract's words, counted the obvious way.
class CountingOracle {
 public:
  struct Program {
    int64_t viewable = 0, clicks = 0, orders = 0;
    auto operator<=>(const Program&) const = default;
  };

  void apply(const Sent& sent) {
    if (sent.forged) return;
    Counts counts;
    const bool boosted = sent.token_number != 0 && !sent.expired;
    const int64_t income = ledger(sent);
    if (sent.late) return;
    counts.served = sent.type == EventType::kImpression;
    counts.clicks = sent.type == EventType::kClick;
    counts.plays = sent.type == EventType::kPlay;
    counts.likes = sent.type == EventType::kLike;
    counts.orders = sent.type == EventType::kOrder;
    counts.watch_ms = std::max<int64_t>(0, sent.watch_ms);
    counts.amount_fen = income;
    std::vector<bool> fresh(sent.programs.size(), false);
    counts.viewable = viewable(sent, boosted, &fresh);
    counts.boosted_viewable = boosted ? counts.viewable : 0;
    counts.boosted_orders = boosted ? counts.orders : 0;
    items[sent.item] += counts;
    if (counts.viewable > 0) viewers[sent.item].insert(sent.user);
    ++events[sent.user];
    for (size_t i = 0; boosted && i < sent.programs.size(); ++i) {
      Program& program = programs[sent.programs[i]];
      program.viewable += fresh[i] ? 1 : 0;
      program.clicks += counts.clicks;
      program.orders += counts.orders;
    }
  }

  std::map<std::string, Counts> items;
  std::map<std::string, std::set<std::string>> viewers;
  std::map<std::string, int64_t> events;
  std::map<uint32_t, Program> programs;
  std::map<std::string, LedgerTotals> totals;

 private:
  int64_t ledger(const Sent& sent) {
    if (sent.type != EventType::kOrder && sent.type != EventType::kRefund) return 0;
    auto& [amount, asked] = orders_[sent.order];
    const int64_t before = amount - std::min(amount, asked), refunded = std::min(amount, asked);
    (sent.type == EventType::kOrder ? amount : asked) += sent.amount;
    LedgerTotals& item = totals[sent.item];
    if (sent.type == EventType::kOrder) {
      ++item.orders;
      item.ordered += Fen(sent.amount);
    }
    item.refunded += Fen(std::min(amount, asked) - refunded);
    return amount - std::min(amount, asked) - before;
  }

  int64_t viewable(const Sent& sent, bool boosted, std::vector<bool>* fresh) {
    const bool video = sent.item >= "video0" && sent.item <= "video3";  // those that were put
    const bool seen = sent.type == EventType::kImpression
                          ? sent.viewable_ms >= (video ? 2000 : 1000)
                          : sent.type == EventType::kPlay && sent.watch_ms >= 2000;
    if (!seen || (boosted && !tokens_.insert(sent.token_number).second)) return 0;
    const int64_t slot = sent.ts / 1'800'000;
    if (!boosted || sent.programs.empty()) {
      return slots_.insert({sent.user, sent.item, 0, slot}).second ? 1 : 0;
    }
    bool any = false;
    for (size_t i = 0; i < sent.programs.size(); ++i) {
      (*fresh)[i] = slots_.insert({sent.user, sent.item, sent.programs[i], slot}).second;
      any = any || (*fresh)[i];
    }
    return any ? 1 : 0;
  }

  std::map<std::string, std::pair<int64_t, int64_t>> orders_;
  std::set<uint64_t> tokens_;
  std::set<std::tuple<std::string, std::string, uint32_t, int64_t>> slots_;
};

// Everything that checkpoints together, as the composition root has it.
struct TestEngine : FoldObserver {
  explicit TestEngine(const Published<TokenKeys>& keys, const FeatureStoreOptions& options = {})
      : store(options, interner, catalogue, keys) {
    catalogue.set_codec(
        {[](const CatalogueChange& change) { return std::get<Item>(change).id.str(); },
         [](std::string_view id) { return CatalogueChange(item(id)); }});
    store.add_observer(this);
  }
  static Item item(std::string_view id) {
    Item item;
    item.id = ItemId(id);
    item.kind = id.starts_with("video") ? ItemKind::kVideo : ItemKind::kFarmGood;
    item.creator_id = CreatorId(std::string("farm"));
    return item;
  }
  void put_items() {
    for (int i = 0; i < 4; ++i) {
      EXPECT_TRUE(catalogue.apply(item("video" + std::to_string(i))).ok());
      EXPECT_TRUE(catalogue.apply(item("good" + std::to_string(i))).ok());
    }
    catalogue.publish();
  }
  int events_sent = 0;
  DeadReason apply(const Sent& sent) {
    const std::string id = "e" + std::to_string(++events_sent);
    Interaction event;
    event.event_id = id;
    event.type = sent.type;
    event.user_id = sent.user;
    event.item_id = sent.item;
    event.order_id = sent.order;
    event.token = sent.token;
    event.surface = sent.surface;
    event.ts = Millis(sent.ts);
    event.viewable_ms = sent.viewable_ms;
    event.watch_ms = sent.watch_ms;
    event.amount_fen = sent.amount;
    if (!sent.late) watermark = std::max(watermark, sent.ts);
    return store.apply(
        event, {.accepted_at = Millis(sent.ts), .watermark = Millis(watermark), .late = sent.late});
  }
  void observe(const Counted& counted) override {
    seen += counted.counts;
    known += counted.known != nullptr ? 1 : 0;
  }
  void take_back(const Contribution& contribution) override { seen -= contribution.counts(); }
  std::vector<Checkpointed*> parts() { return {&interner, &catalogue, &store}; }
  void begin(StateWriter& writer) {
    for (Checkpointed* part : parts()) part->begin_checkpoint(writer);
  }
  bool step(size_t records) {
    const auto all = parts();
    return std::ranges::all_of(all, [&](Checkpointed* p) { return p->checkpoint_step(records); });
  }
  void save(StateWriter& writer) {
    begin(writer);
    while (!step(50)) {
    }
  }
  void restore(const StateReader& reader) {
    for (Checkpointed* part : parts()) ASSERT_TRUE(part->restore(reader).ok());
  }

  Interner interner;
  CatalogueState catalogue{interner, [](const Item&) { return Vector{1}; }};
  FeatureStore store;
  int64_t watermark = INT64_MIN;
  Counts seen;
  int64_t known = 0;
};

}  // namespace shanhuo
