// Bytes <-> values of the write walk: events (JSON, NDJSON, protobuf), items and creators,
// decisions and dead letters. The only door to protobuf; layouts are in shanhuo.proto. Pure: no
// clock, no I/O.
//
// Every event that is not taken has a reason, one of these literals (F is a field's name):
//
//   not_json            a line or record that is no JSON, or no protobuf Event
//   not_an_object       an event that is no JSON object
//   too_large           a line or record above event_bytes_max
//   missing:F           event_id, type, user_id, item_id, ts_ms
//   type:F              another JSON type than the field's; null counts as a wrong type
//   range:F             a number or length out of range (features/interaction.h; ts_ms: 0 .. year
//   9999;
//                       token: 1..2048 bytes)
//   bad_id:F            not UTF-8 of 1..128 bytes without control characters (event_id, user_id,
//                       item_id, request_id, order_id, deed)
//   duplicate_field:F   the member comes twice
//   unknown_event_type, unknown_surface
//   order_without_order_id   an order or a refund without order_id
//   unknown_content_type, unknown_schema_version   of a record on Kafka: its headers say so
//
// The first failure in document order is the reason. Unknown members are skipped and counted by
// name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "base/result.h"
#include "features/catalogue.h"
#include "features/interaction.h"
#include "features/item.h"
#include "streaming/decision.h"
#include "streaming/event_log.h"
#include "streaming/json.h"

namespace shanhuo {

// ---- Events ----

// Empty: taken. Otherwise a literal of the list above.
using Reason = std::string_view;

enum class BodyFormat : uint8_t { kJson, kNdjson, kProtobuf };

inline constexpr size_t kTokenBytesMax = 2048;
inline constexpr int64_t kEventTimeMsMax = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

struct EventDecoderOptions {
  size_t body_bytes_max = 8u << 20;
  size_t events_max = 10'000;          // of one body
  size_t event_bytes_max = 64u << 10;  // of one line or record
  size_t unknown_names_max = 64;       // distinct names counted; the others count as "(other)"
};

// Reuses its buffers; one per thread. An Interaction it gives is valid until its next call, or, in
// decode_body(), until the callback returns; and no longer than the bytes that it was decoded from.
class EventDecoder {
 public:
  using Options = EventDecoderOptions;
  // Called for each event in order. `event` is meaningless unless `reason` is empty.
  using Each = std::function<void(size_t index, Reason reason, const Interaction& event)>;

  explicit EventDecoder(const Options& options = {});
  ~EventDecoder();
  EventDecoder(EventDecoder&&) noexcept;
  EventDecoder& operator=(EventDecoder&&) noexcept;

  // A request body: {"events":[...]}, one event a line (empty lines are skipped), or EventBatch.
  // Fails as a whole, before any callback, when it is not JSON or protobuf at all (kInvalid,
  // `errors` empty: 400), has another shape (kInvalid, `errors` says where: 422), or too many
  // events or bytes (kTooLarge: 413). A malformed line is one rejected event.
  Status decode_body(BodyFormat format, std::string_view body, json::FieldErrors& errors,
                     const Each& each);

  // One event of a log or Kafka record, JSON or protobuf by its content type.
  // Requires: is_event(record.content).
  Reason decode_record(const LogRecord& record, Interaction& event);

  // One event as a JSON value of somebody's document; views point into that document.
  Reason decode_json(json::Value value, Interaction& event);

  // Members that no event has, by name, since construction or the last clear.
  const std::map<std::string, uint64_t, std::less<>>& unknown_fields() const;
  void clear_unknown_fields();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// Replaces `out` with the event as protobuf. Absent fields take no bytes.
void encode_event(const Interaction& event, std::string& out);
// The event as the contract's JSON.
void write_event_json(JsonWriter& json, const Interaction& event);

// ---- Items and creators (contract 2.1), strict ----

inline constexpr size_t kTitleBytesMax = 512;
inline constexpr size_t kCategoryBytesMax = 64;
inline constexpr size_t kTagsMax = 32;
inline constexpr size_t kTagBytesMax = 64;
inline constexpr size_t kNameBytesMax = 512;
inline constexpr size_t kGroupsMax = 32;
inline constexpr size_t kGroupBytesMax = 64;
inline constexpr int64_t kStockMax = 1'000'000'000'000;
inline constexpr int64_t kHouseholdsMax = 1'000'000'000;

// {"items":[Item,...]}, at most items_max. All or nothing: on kInvalid `errors` has everything that
// is wrong; kTooLarge above items_max.
Result<std::vector<Item>> decode_items(json::Value body, size_t items_max,
                                       json::FieldErrors& errors);
// The same as protobuf ItemBatch.
Result<std::vector<Item>> decode_items_protobuf(std::string_view body, size_t items_max,
                                                json::FieldErrors& errors);
// {"creators":[Creator,...]}.
Result<std::vector<Creator>> decode_creators(json::Value body, size_t creators_max,
                                             json::FieldErrors& errors);
// JSON merge patch (RFC 7396): null removes, objects merge, everything else replaces. kConflict
// when it would change item_id, kind, creator_id or county; `errors` names them.
Result<Item> patch_item(const Item& item, json::Value patch, json::FieldErrors& errors);
void write_item_json(JsonWriter& json, const Item& item);
void write_creator_json(JsonWriter& json, const Creator& creator);

// One Item as JSON.
Result<Item> decode_item(std::string_view text);
// A record of the items topic: a catalogue change as protobuf, the contract's Item as JSON whose
// item_id is the key, or a tombstone (an empty value under an item's id).
Result<CatalogueChange> decode_catalogue_record(const LogRecord& record);
// The key under which the items topic keeps the newest record of what is changed: an item's id, and
// for others the kind and the id behind a tab, which no id has.
std::string catalogue_key(const CatalogueChange& change);
// For the items topic and the checkpoint.
std::string encode_catalogue_change(const CatalogueChange& change);
Result<CatalogueChange> decode_catalogue_change(std::string_view bytes);

// ---- Decisions and dead letters ----

void encode_decision(const Decision& decision, std::string& out);  // replaces `out`
Result<Decision> decode_decision(std::string_view bytes);

// A record that the fold could not take, with the bytes as they came.
struct DeadLetter {
  std::string reason;
  Topic source = Topic::kInteractions;
  uint32_t partition = 0;
  int64_t offset = 0;
  Millis accepted_at;
  ContentType content = ContentType::kProtobuf;
  std::string key;
  std::string value;
};
void encode_dead_letter(const DeadLetter& letter, std::string& out);  // replaces `out`
Result<DeadLetter> decode_dead_letter(std::string_view bytes);

}  // namespace shanhuo
