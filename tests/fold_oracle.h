// The contract's counting (2.2), written a second time from its words, with plain maps and
// integers: what accepted records must have become. It is told what each record means by whoever
// made it, and calls nothing of the engine but names of enumerators and Counts' arithmetic.
//
// Memory is for ever here, but for the dedup window, which the contract states in event time: a
// (user_id, event_id) is remembered for 24 h, to the five minutes of features/dedup.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "features/counts.h"
#include "features/interaction.h"
#include "features/item.h"

namespace shanhuo {

struct OracleToken {
  uint64_t number = 0;  // one for each token ever made; 0: the event has none
  bool good = false;    // made by the engine's key for this viewer, item and request
  bool room = false;
  int64_t issued_ms = 0;
  std::vector<uint32_t> programs{}, variations{};
};

struct OracleEvent {
  EventType type = EventType::kImpression;
  Surface surface = Surface::kNone;
  std::string event_id{}, user{}, item{}, order{};
  int64_t ts = 0, viewable_ms = -1, watch_ms = -1, amount = 0;
  OracleToken token{};
};

// What a record on the log means.
struct OracleRecord {
  enum class Kind : uint8_t { kEvent, kPoison, kForget, kPut, kDelete, kNotAChange };
  Kind kind = Kind::kEvent;
  OracleEvent event{};   // kEvent
  std::string reason{};  // kPoison: that of its dead letter
  std::string id{};      // kForget: the viewer; kPut, kDelete: the item
  ItemKind item_kind = ItemKind::kVideo;
  std::string creator{};
};

class FoldOracle {
 public:
  static constexpr int64_t kMinuteMs = 60'000, kHourMs = 3'600'000, kDayMs = 86'400'000;

  struct Viewer {
    int64_t events = 0, last_ms = INT64_MIN;
    auto operator<=>(const Viewer&) const = default;
  };
  struct Program {
    int64_t viewable = 0, clicks = 0, orders = 0;
    auto operator<=>(const Program&) const = default;
  };
  struct Order {
    int64_t amount = 0, asked = 0;
    std::set<std::pair<std::string, std::string>> events{};
    int64_t refunded() const { return std::min(amount, asked); }
  };
  struct Totals {
    int64_t orders = 0, ordered = 0, refunded = 0;
    auto operator<=>(const Totals&) const = default;
  };
  struct Item {
    std::map<int64_t, Counts> minutes{};  // by five minutes of event time
    std::map<int64_t, Counts> hours{};
    std::map<uint32_t, Counts> surfaces{}, programs{}, variations{};
    std::set<std::string> viewers{};
  };

  FoldOracle(uint32_t partitions, bool caller_clock, size_t items_max)
      : caller_clock_(caller_clock), items_max_(items_max), watermarks(partitions, 0) {}

  // Records must come in the log's order: by accepted_at, items first.
  void items_record(const OracleRecord& record, const std::string& place) {
    if (change(record)) {
      ++catalogue_applied;
    } else {
      ++catalogue_refused;
      letters[place] = record.kind == OracleRecord::Kind::kNotAChange ? "not_a_catalogue_change"
                                                                      : "refused_by_catalogue";
    }
  }

  void interactions_record(const OracleRecord& record, uint32_t partition, int64_t accepted_ms,
                           const std::string& place) {
    if (record.kind == OracleRecord::Kind::kForget) return forget(record.id);
    ++accepted;
    std::string reason = record.reason;
    if (record.kind == OracleRecord::Kind::kEvent) {
      reason = event(record.event, partition, accepted_ms);
    }
    if (reason.empty()) return;
    ++dead;
    ++dead_by_reason[reason];
    letters[place] = reason;
  }

 private:
  const bool caller_clock_;
  const size_t items_max_;

 public:
  uint64_t accepted = 0, applied = 0, duplicate = 0, late = 0, dead = 0, forgotten = 0;
  uint64_t catalogue_applied = 0, catalogue_refused = 0;
  std::map<std::string, uint64_t> dead_by_reason;
  std::map<std::string, std::string> letters;  // where the record stood -> reason
  std::vector<int64_t> watermarks;             // by partition
  int64_t windows_end_ms = INT64_MIN;          // largest watermark of an applied event
  std::map<std::string, Item> items;
  std::map<std::string, Viewer> viewers;
  std::map<std::pair<uint32_t, int64_t>, Program> programs;  // by (program, day of UTC+8)
  std::map<std::string, Order> orders;
  std::map<std::string, Totals> totals;

 private:
  bool change(const OracleRecord& record) {
    if (record.kind == OracleRecord::Kind::kDelete) return kinds_.erase(record.id), true;
    if (record.kind != OracleRecord::Kind::kPut || !known(record.id)) return false;
    const auto what = std::pair(record.item_kind, record.creator);
    const auto [found, made] = kinds_.try_emplace(record.id, what);
    return made || found->second == what;
  }

  // Whether there is room for the item's name; from then on it has it.
  bool known(const std::string& item) {
    if (!names_.contains(item) && names_.size() >= items_max_) return false;
    names_.insert(item);
    return true;
  }

  void forget(const std::string& user) {
    ++forgotten;
    viewers.erase(user);
  }

  std::string event(const OracleEvent& event, uint32_t partition, int64_t accepted_ms) {
    if (!caller_clock_ && event.ts > accepted_ms + 10 * kMinuteMs) return "ts_in_future";
    int64_t& watermark = watermarks[partition];
    watermark = std::max(watermark, event.ts);
    const bool is_late = event.ts < watermark - kDayMs;
    if (!is_late && repeated(event, watermark)) return ++duplicate, "";
    if (event.token.number != 0 && !event.token.good) return "bad_token";
    if (!known(event.item)) return "items_full";
    const int64_t income = money(event);
    if (is_late) return ++late, "";
    ++applied;
    windows_end_ms = std::max(windows_end_ms, watermark);
    count(event, income);
    return "";
  }

  bool repeated(const OracleEvent& event, int64_t watermark) {
    constexpr int64_t kStep = 5 * kMinuteMs;
    const auto [found, made] = seen_.try_emplace({event.user, event.event_id}, event.ts);
    if (made) return false;
    if (found->second / kStep >= (watermark - kDayMs) / kStep) return true;
    found->second = event.ts;
    return false;
  }

  int64_t money(const OracleEvent& event) {
    const bool is_order = event.type == EventType::kOrder;
    if (!is_order && event.type != EventType::kRefund) return 0;
    Order& order = orders[event.order];
    if (!order.events.insert({event.user, event.event_id}).second) return 0;
    const int64_t before = order.amount - order.refunded(), refunded = order.refunded();
    (is_order ? order.amount : order.asked) += event.amount;
    Totals& item = totals[event.item];
    item.orders += is_order ? 1 : 0;
    item.ordered += is_order ? event.amount : 0;
    item.refunded += order.refunded() - refunded;
    return order.amount - order.refunded() - before;
  }

  void count(const OracleEvent& event, int64_t income) {
    Viewer& viewer = viewers[event.user];
    ++viewer.events;
    viewer.last_ms = std::max(viewer.last_ms, event.ts);
    const bool is_order = event.type == EventType::kOrder || event.type == EventType::kRefund;
    const int64_t lifetime = is_order ? 7 * kDayMs : kDayMs;
    const bool boosted = event.token.number != 0 && event.ts <= event.token.issued_ms + lifetime;
    std::vector<bool> fresh(event.token.programs.size());
    Counts counts;
    counts.served = event.type == EventType::kImpression;
    counts.viewable = viewable(event, boosted, fresh);
    counts.clicks = event.type == EventType::kClick;
    counts.plays = event.type == EventType::kPlay;
    counts.watch_ms = std::max<int64_t>(0, event.watch_ms);
    counts.likes = event.type == EventType::kLike;
    counts.orders = event.type == EventType::kOrder;
    counts.amount_fen = income;
    counts.boosted_viewable = boosted ? counts.viewable : 0;
    counts.boosted_orders = boosted ? counts.orders : 0;
    if (counts == Counts{}) return;
    Item& item = items[event.item];
    item.minutes[event.ts / (5 * kMinuteMs)] += counts;
    item.hours[event.ts / kHourMs] += counts;
    item.surfaces[static_cast<uint32_t>(event.surface)] += counts;
    if (counts.viewable > 0) item.viewers.insert(event.user);
    if (boosted) count_programs(event, counts, fresh, item);
  }

  void count_programs(const OracleEvent& event, const Counts& counts,
                      const std::vector<bool>& fresh, Item& item) {
    for (size_t i = 0; i < event.token.programs.size(); ++i) {
      const uint32_t program = event.token.programs[i];
      Counts own = counts;
      own.viewable = own.boosted_viewable = fresh[i] ? 1 : 0;
      item.programs[program] += own;
      if (own.viewable + own.clicks + own.orders == 0) continue;
      Program& day = programs[{program, (event.ts + 8 * kHourMs) / kDayMs}];
      day.viewable += own.viewable;
      day.clicks += own.clicks;
      day.orders += own.orders;
    }
    for (const uint32_t variation : event.token.variations) item.variations[variation] += counts;
  }

  int64_t viewable(const OracleEvent& event, bool boosted, std::vector<bool>& fresh) {
    const auto kind = kinds_.find(event.item);
    const bool video = kind != kinds_.end() && (kind->second.first == ItemKind::kVideo ||
                                                kind->second.first == ItemKind::kScenicVideo);
    const bool looked = event.type == EventType::kImpression
                            ? event.viewable_ms >= (video ? 2'000 : 1'000)
                            : event.type == EventType::kPlay && event.watch_ms >= 2'000;
    if (!looked) return 0;
    const std::string once = event.token.room ? event.user : "";
    if (boosted && !tokens_.insert({event.token.number, once}).second) return 0;
    const int64_t slot = event.ts / 1'800'000;
    if (!boosted || event.token.programs.empty()) {
      return exposures_.insert({event.user, event.item, 0, slot}).second ? 1 : 0;
    }
    bool any = false;
    for (size_t i = 0; i < fresh.size(); ++i) {
      fresh[i] = exposures_.insert({event.user, event.item, event.token.programs[i], slot}).second;
      any = any || fresh[i];
    }
    return any ? 1 : 0;
  }

  std::map<std::string, std::pair<ItemKind, std::string>> kinds_;  // of present items
  std::set<std::string> names_;
  std::map<std::pair<std::string, std::string>, int64_t> seen_;
  std::set<std::pair<uint64_t, std::string>> tokens_;
  std::set<std::tuple<std::string, std::string, uint32_t, int64_t>> exposures_;
};

}  // namespace shanhuo
