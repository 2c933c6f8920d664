#include "streaming/event_fields.h"

#include <cstring>

#include "base/check.h"
#include "base/ids.h"

namespace shanhuo::event_fields {

#define SHANHUO_FIELD(name)                                                                     \
  FieldReasons {                                                                                \
    name, "missing:" name, "type:" name, "range:" name, "bad_id:" name, "duplicate_field:" name \
  }

const std::array<FieldReasons, kFields> kReasons = {
    SHANHUO_FIELD("event_id"),    SHANHUO_FIELD("type"),       SHANHUO_FIELD("user_id"),
    SHANHUO_FIELD("item_id"),     SHANHUO_FIELD("ts_ms"),      SHANHUO_FIELD("surface"),
    SHANHUO_FIELD("request_id"),  SHANHUO_FIELD("position"),   SHANHUO_FIELD("token"),
    SHANHUO_FIELD("viewable_ms"), SHANHUO_FIELD("watch_ms"),   SHANHUO_FIELD("order_id"),
    SHANHUO_FIELD("quantity"),    SHANHUO_FIELD("amount_fen"), SHANHUO_FIELD("deed"),
};
#undef SHANHUO_FIELD

namespace {

constexpr uint32_t bit(Field field) { return 1u << field; }
constexpr uint32_t kRequired =
    bit(kEventId) | bit(kType) | bit(kUserId) | bit(kItemId) | bit(kTsMs);

Reason set_id(Field field, std::string_view text, bool plain, std::string_view& place) {
  const bool valid = plain ? !text.empty() && text.size() <= kIdBytesMax : valid_id(text);
  if (!valid) return kReasons[field].bad_id;
  place = text;
  return {};
}

template <typename T>
Reason set_bounded(Field field, int64_t number, int64_t least, int64_t most, T& place) {
  if (number < least || number > most) return kReasons[field].range;
  place = static_cast<T>(number);
  return {};
}

Reason set_type(std::string_view text, Interaction& event) {
  const std::optional<EventType> type = parse_event_type(text);
  if (!type) return "unknown_event_type";
  event.type = *type;
  return {};
}

Reason set_surface(std::string_view text, Interaction& event) {
  const std::optional<Surface> surface = parse_surface(text);
  if (!surface) return "unknown_surface";
  event.surface = *surface;
  return {};
}

}  // namespace

// Eight bytes at a time, some of them twice if they are not a multiple; few are filled with spaces.
bool is_plain(std::string_view text) {
  constexpr uint64_t kHigh = 0x8080808080808080ULL, kOnes = 0x0101010101010101ULL;
  const auto all_plain = [](uint64_t w) {
    return ((w | (w + kOnes) | (w - 0x20 * kOnes)) & kHigh) == 0;
  };
  uint64_t word = 0x20 * kOnes;
  if (text.size() < 4) {
    for (const char c : text) word = word << 8 | static_cast<uint8_t>(c);
    return all_plain(word);
  }
  if (text.size() < 8) {
    uint32_t first, last;
    std::memcpy(&first, text.data(), 4);
    std::memcpy(&last, text.data() + text.size() - 4, 4);
    return all_plain(static_cast<uint64_t>(first) << 32 | last);
  }
  for (size_t i = 0; i + 8 < text.size(); i += 8) {
    std::memcpy(&word, text.data() + i, 8);
    if (!all_plain(word)) return false;
  }
  std::memcpy(&word, text.data() + text.size() - 8, 8);
  return all_plain(word);
}

int find_field(std::string_view name, int before) {
  for (int n = 1; n <= kFields; ++n) {
    const int field = before + n < kFields ? before + n : before + n - kFields;
    const std::string_view known = kReasons[static_cast<size_t>(field)].name;
    if (known.size() == name.size() && known[0] == name[0] && known == name) return field;
  }
  return -1;
}

Reason set_text(Field field, std::string_view text, bool plain, Interaction& event) {
  switch (field) {
    case kEventId:
      return set_id(field, text, plain, event.event_id);
    case kUserId:
      return set_id(field, text, plain, event.user_id);
    case kItemId:
      return set_id(field, text, plain, event.item_id);
    case kRequestId:
      return set_id(field, text, plain, event.request_id);
    case kOrderId:
      return set_id(field, text, plain, event.order_id);
    case kDeed:
      return set_id(field, text, plain, event.deed);
    case kType:
      return set_type(text, event);
    case kSurface:
      return set_surface(text, event);
    case kToken:
      if (text.empty() || text.size() > kTokenBytesMax) return kReasons[field].range;
      event.token = text;
      return {};
    default:
      CHECK(!"a field of numbers");
  }
}

Reason set_integer(Field field, int64_t number, Interaction& event) {
  int64_t ts = 0;
  Reason reason;
  switch (field) {
    case kTsMs:
      reason = set_bounded(field, number, 0, kEventTimeMsMax, ts);
      event.ts = Millis(ts);
      return reason;
    case kPosition:
      return set_bounded(field, number, 0, kPositionMax, event.position);
    case kViewableMs:
      return set_bounded(field, number, 0, kDurationMsMax, event.viewable_ms);
    case kWatchMs:
      return set_bounded(field, number, 0, kDurationMsMax, event.watch_ms);
    case kQuantity:
      return set_bounded(field, number, 1, kQuantityMax, event.quantity);
    case kAmountFen:
      return set_bounded(field, number, 0, kAmountFenMax, event.amount_fen);
    default:
      CHECK(!"a field of text");
  }
}

Reason check_complete(uint32_t seen, const Interaction& event) {
  if ((seen & kRequired) != kRequired) {
    for (const Field field : {kEventId, kType, kUserId, kItemId, kTsMs}) {
      if ((seen & bit(field)) == 0) return kReasons[field].missing;
    }
  }
  const bool of_order = event.type == EventType::kOrder || event.type == EventType::kRefund;
  if (of_order && event.order_id.empty()) return "order_without_order_id";
  return {};
}

}  // namespace shanhuo::event_fields
