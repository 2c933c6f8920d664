// What viewers, apps and operators send in a simulation, each record with its meaning for the
// oracle (fold_oracle.h): hot keys, repetitions, events out of order, late, from wrong clocks and
// from years ahead, orders and refunds in any order, tokens good, forged, borrowed, expired and
// used twice, poison, forget requests, and a catalogue that changes under all this. From a seed.
#pragma once

#include <array>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/json_writer.h"
#include "features/exposure_token.h"
#include "streaming/codec.h"
#include "tests/fold_oracle.h"

namespace shanhuo {

struct TrafficRecord {
  std::string key, value;
  ContentType content = ContentType::kJson;
  OracleRecord meaning;
};

// Bytes that are no event, and the reason that codec.h documents for them.
inline const std::vector<std::pair<std::string, std::string>>& poison_table() {
  static const auto with = [](const std::string& more) {
    return R"({"event_id":"p","type":"click","user_id":"u","item_id":"i","ts_ms":5)" + more + "}";
  };
  static const std::vector<std::pair<std::string, std::string>> table = {
      {"", "not_json"},
      {"{\"event_id\":", "not_json"},
      {std::string(1u << 20, 'x'), "too_large"},
      {std::string("\x00\xff\xfe", 3), "not_json"},
      {with(R"(,"watch_ms":NaN)"), "not_json"},
      {with(R"(,"watch_ms":1e308)"), "type:watch_ms"},
      {with(R"(,"amount_fen":-1)"), "range:amount_fen"},
      {with(",\"x\":" + std::string(100, '[') + std::string(100, ']')), "not_json"},
      {"[1,2]", "not_an_object"},
      {R"({"event_id":"p","type":"teleport","user_id":"u","item_id":"i","ts_ms":5})",
       "unknown_event_type"},
      {R"({"event_id":"p","type":"order","user_id":"u","item_id":"i","ts_ms":5})",
       "order_without_order_id"},
      {R"({"event_id":"p","type":"click","user_id":"u","ts_ms":5})", "missing:item_id"},
      {R"({"event_id":"p","type":"click","user_id":"","item_id":"i","ts_ms":5})", "bad_id:user_id"},
      {with(R"(,"ts_ms":6)"), "duplicate_field:ts_ms"},
  };
  return table;
}

class Traffic {
 public:
  static constexpr int64_t kMinuteMs = 60'000, kDayMs = 86'400'000;
  // At most UniqueSketch::kExactMax viewers, so that different ones are counted exactly.
  static constexpr int kViewers = 30, kItems = 14, kPrograms = 5;

  Traffic(uint64_t seed, const TokenKeys& keys) : random_(seed), keys_(keys) {}

  std::string any_viewer() {
    return "viewer-" + std::to_string(chance(50) ? 0 : below(kViewers));  // half is one hot key
  }

  // One of the viewer's records at `now`.
  TrafficRecord interaction(const std::string& user, int64_t now) {
    if (chance(1)) return forget(user);
    if (chance(3)) return poison(user);
    std::vector<TrafficRecord>& own = sent_[user];
    if (!own.empty() && chance(10)) return own[below(own.size())];
    OracleEvent event;
    event.user = user;
    event.event_id = "e" + std::to_string(next_event_++);
    // The app gives one id to two events.
    if (!own.empty() && chance(1)) event.event_id = own.back().meaning.event.event_id;
    event.item = any_item();
    event.type = any_type();
    event.surface = static_cast<Surface>(below(kSurfaces));
    event.ts = any_time(now);
    describe(event);
    const std::string request = chance(50) ? "r" + std::to_string(below(50)) : "";
    const std::string token = chance(40) ? any_token(event, request, now) : "";
    TrafficRecord record;
    record.key = user;
    record.content = chance(50) ? ContentType::kJson : ContentType::kProtobuf;
    record.value = encode(event, request, token, record.content);
    record.meaning.event = std::move(event);
    own.push_back(record);
    return record;
  }

  TrafficRecord catalogue_change() {
    TrafficRecord record;
    record.content = ContentType::kProtobuf;
    record.meaning.id = record.key = any_item();
    if (chance(5)) {
      record.meaning.kind = OracleRecord::Kind::kNotAChange;
      record.value = "\xff\xff";
      return record;
    }
    if (chance(10)) {
      record.meaning.kind = OracleRecord::Kind::kDelete;
      record.value = encode_catalogue_change(ItemDeleted{ItemId(record.key)});
      return record;
    }
    return put(record.key, chance(90) ? usual_kind(record.key) : ItemKind::kVideo);
  }

  // Every item, so that all that was counted can be asked for.
  std::vector<TrafficRecord> put_everything() {
    std::vector<TrafficRecord> all;
    for (int i = 0; i < kItems; ++i) all.push_back(put(item_name(i), usual_kind(item_name(i))));
    return all;
  }

  static std::string item_name(uint64_t i) { return "item-" + std::to_string(i); }

 private:
  uint64_t below(uint64_t end) { return random_() % end; }
  bool chance(uint64_t percent) { return below(100) < percent; }

  std::string any_item() { return item_name(chance(50) ? 0 : below(kItems)); }
  static ItemKind usual_kind(const std::string& id) {
    return id.back() % 2 == 0 ? ItemKind::kFarmGood : ItemKind::kVideo;
  }
  EventType any_type() {
    if (chance(45)) return EventType::kImpression;
    return chance(30) ? EventType::kPlay : static_cast<EventType>(below(kEventTypes));
  }

  int64_t any_time(int64_t now) {
    const uint64_t percent = below(100);
    const auto within = [&](int64_t ms) { return static_cast<int64_t>(below(ms)); };
    if (percent < 70) return now - within(5 * kMinuteMs);
    if (percent < 78) return now - within(kDayMs);
    if (percent < 88) return now - kDayMs + 90 * kMinuteMs - within(180 * kMinuteMs);
    if (percent < 90) return now + within(10 * kMinuteMs);
    if (percent < 92) return now + kDayMs - within(kMinuteMs);  // a clock that is a day ahead
    if (percent < 94) return now - kDayMs - within(kMinuteMs);
    if (percent < 96) return now - 3 * kDayMs;
    if (percent < 97) return now + 10 * 365 * kDayMs;
    return now;
  }

  void describe(OracleEvent& event) {
    constexpr std::array<int64_t, 6> kLooks = {-1, 0, 999, 1'000, 1'999, 2'000};
    if (event.type == EventType::kImpression) event.viewable_ms = kLooks[below(kLooks.size())];
    if (event.type == EventType::kPlay) event.watch_ms = kLooks[below(kLooks.size())];
    if (event.type != EventType::kOrder && event.type != EventType::kRefund) return;
    event.order = "o" + std::to_string(below(25));
    event.amount = static_cast<int64_t>(below(5'000));
  }

  struct Minted {
    std::string text, user, item, request;
    OracleToken meaning;
  };

  // A new token, or one that was shown before, perhaps to somebody else, perhaps with a scratch.
  std::string any_token(OracleEvent& event, const std::string& request, int64_t now) {
    if (minted_.empty() || chance(40)) mint(event, request, now);
    const bool own = chance(85);
    const Minted& given = own ? latest(event) : minted_[below(minted_.size())];
    event.token = given.meaning;
    const bool same_viewer = given.meaning.room || given.user == event.user;
    const bool same_request = request.empty() || given.request == request;
    event.token.good = same_viewer && given.item == event.item && same_request;
    std::string text = given.text;
    if (chance(5)) {
      text[10] = text[10] == 'A' ? 'B' : 'A';
      event.token.good = false;
    }
    return text;
  }

  const Minted& latest(const OracleEvent& event) {
    for (auto it = minted_.rbegin(); it != minted_.rend(); ++it) {
      if (it->item == event.item && (it->meaning.room || it->user == event.user)) return *it;
    }
    return minted_.back();
  }

  void mint(const OracleEvent& event, const std::string& request, int64_t now) {
    ExposureToken token;
    Minted made{.text = "",
                .user = event.user,
                .item = event.item,
                .request = request,
                .meaning = {.number = minted_.size() + 1}};
    made.meaning.room = token.room = chance(20);
    if (token.room) token.room_hash = 7;
    token.request_hash = request_hash(token.room ? "" : event.user, request);
    token.position = static_cast<int32_t>(minted_.size());  // no two are equal
    made.meaning.issued_ms = now - static_cast<int64_t>(below(chance(20) ? 2 * kDayMs : 60'000));
    token.issued_at = Millis(made.meaning.issued_ms);
    for (uint64_t n = below(3), i = 0; i < n; ++i) {
      const auto program = static_cast<uint32_t>(1 + (below(2) + 2 * i) % kPrograms);
      token.programs[i] = program;
      made.meaning.programs.push_back(program);
    }
    if (chance(50)) {
      token.variations[0] = static_cast<uint32_t>(1 + below(3));
      made.meaning.variations.push_back(token.variations[0]);
    }
    made.text = keys_.mint(token, event.user, event.item);
    minted_.push_back(std::move(made));
  }

  static std::string encode(const OracleEvent& event, const std::string& request,
                            const std::string& token, ContentType content) {
    Interaction out;
    out.type = event.type;
    out.surface = event.surface;
    out.event_id = event.event_id;
    out.user_id = event.user;
    out.item_id = event.item;
    out.ts = Millis(event.ts);
    out.request_id = request;
    out.token = token;
    out.order_id = event.order;
    out.viewable_ms = event.viewable_ms;
    out.watch_ms = event.watch_ms;
    out.amount_fen = event.amount;
    std::string bytes;
    if (content == ContentType::kProtobuf) {
      encode_event(out, bytes);
    } else {
      JsonWriter json(bytes);
      write_event_json(json, out);
    }
    return bytes;
  }

  static TrafficRecord forget(const std::string& user) {
    TrafficRecord record{user, "", ContentType::kForget, {}};
    record.meaning.kind = OracleRecord::Kind::kForget;
    record.meaning.id = user;
    return record;
  }

  TrafficRecord poison(const std::string& user) {
    const auto& [value, reason] = poison_table()[below(poison_table().size())];
    TrafficRecord record{user, value, ContentType::kJson, {}};
    record.meaning.kind = OracleRecord::Kind::kPoison;
    record.meaning.reason = reason;
    return record;
  }

  static TrafficRecord put(const std::string& id, ItemKind kind) {
    Item item;
    item.id = ItemId(id);
    item.kind = kind;
    item.title = id;
    item.creator_id = CreatorId(std::string("farmer"));
    TrafficRecord record{id, encode_catalogue_change(item), ContentType::kProtobuf, {}};
    record.meaning.kind = OracleRecord::Kind::kPut;
    record.meaning.id = id;
    record.meaning.item_kind = kind;
    record.meaning.creator = "farmer";
    return record;
  }

  std::mt19937_64 random_;
  const TokenKeys& keys_;
  uint64_t next_event_ = 0;
  std::map<std::string, std::vector<TrafficRecord>> sent_;
  std::vector<Minted> minted_;
};

}  // namespace shanhuo
